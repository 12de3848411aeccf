package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

// fakeServer answers the two requests for schemas; any other request is a nil pointer dereference.
type fakeServer struct {
	tfprotov6.ProviderServer
	schemas    *tfprotov6.GetProviderSchemaResponse
	identities *tfprotov6.GetResourceIdentitySchemasResponse
	err        error
}

func (s fakeServer) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return s.schemas, s.err
}

func (s fakeServer) GetResourceIdentitySchemas(
	context.Context,
	*tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return s.identities, s.err
}

func TestRunWritesEveryPartOfASchema(t *testing.T) {
	block := &tfprotov6.SchemaBlock{
		Description:     "A thing.",
		DescriptionKind: tfprotov6.StringKindMarkdown,
		Deprecated:      true,
		Attributes: []*tfprotov6.SchemaAttribute{
			{Name: "name", Type: tftypes.String, Required: true, Description: "Its name."},
			{Name: "secret", Type: tftypes.String, Optional: true, Sensitive: true, WriteOnly: true},
			{Name: "objects", Type: tftypes.Map{ElementType: tftypes.Map{ElementType: tftypes.String}}, Computed: true},
			{Name: "pair", Type: tftypes.Tuple{ElementTypes: []tftypes.Type{tftypes.Bool, tftypes.Number}}, Computed: true},
			{Name: "sizes", Type: tftypes.Set{ElementType: tftypes.Number}, Optional: true},
			{Name: "any", Type: tftypes.DynamicPseudoType, Optional: true, Deprecated: true},
			{Name: "template", Optional: true, NestedType: &tfprotov6.SchemaObject{
				Nesting:    tfprotov6.SchemaObjectNestingModeSingle,
				Attributes: []*tfprotov6.SchemaAttribute{{Name: "key", Type: tftypes.String, Optional: true}},
			}},
		},
		BlockTypes: []*tfprotov6.SchemaNestedBlock{{
			TypeName: "rule",
			Nesting:  tfprotov6.SchemaNestedBlockNestingModeList,
			MinItems: 1,
			MaxItems: 2,
			Block:    &tfprotov6.SchemaBlock{},
		}},
	}
	server := fakeServer{
		schemas: &tfprotov6.GetProviderSchemaResponse{
			Provider:            &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{}},
			ResourceSchemas:     map[string]*tfprotov6.Schema{"mira_thing": {Version: 3, Block: block}},
			ListResourceSchemas: map[string]*tfprotov6.Schema{"mira_thing": {Block: &tfprotov6.SchemaBlock{}}},
			ActionSchemas:       map[string]*tfprotov6.ActionSchema{"mira_poke": {Schema: &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{}}}},
			Functions: map[string]*tfprotov6.Function{"render": {
				Summary: "Renders.",
				Parameters: []*tfprotov6.FunctionParameter{
					{Name: "text", Type: tftypes.String, AllowNullValue: true},
				},
				VariadicParameter: &tfprotov6.FunctionParameter{Name: "more", Type: tftypes.Bool},
				Return: &tfprotov6.FunctionReturn{Type: tftypes.List{ElementType: tftypes.Object{
					AttributeTypes: map[string]tftypes.Type{"kind": tftypes.String},
				}}},
			}},
		},
		identities: &tfprotov6.GetResourceIdentitySchemasResponse{
			IdentitySchemas: map[string]*tfprotov6.ResourceIdentitySchema{"mira_thing": {
				Version: 1,
				IdentityAttributes: []*tfprotov6.ResourceIdentitySchemaAttribute{
					{Name: "name", Type: tftypes.String, RequiredForImport: true, Description: "Its name."},
					{Name: "namespace", Type: tftypes.String, OptionalForImport: true},
				},
			}},
		},
	}
	const want = `{
		"format_version": "1.0",
		"provider_schemas": {"mira": {
			"provider": {"version": 0, "block": {"description_kind": "plain"}},
			"resource_schemas": {"mira_thing": {"version": 3, "block": {
				"description": "A thing.", "description_kind": "markdown", "deprecated": true,
				"attributes": {
					"name":     {"type": "string", "description": "Its name.", "description_kind": "plain", "required": true},
					"secret":   {"type": "string", "description_kind": "plain", "optional": true, "sensitive": true, "write_only": true},
					"objects":  {"type": ["map", ["map", "string"]], "description_kind": "plain", "computed": true},
					"pair":     {"type": ["tuple", ["bool", "number"]], "description_kind": "plain", "computed": true},
					"sizes":    {"type": ["set", "number"], "description_kind": "plain", "optional": true},
					"any":      {"type": "dynamic", "description_kind": "plain", "optional": true, "deprecated": true},
					"template": {"description_kind": "plain", "optional": true, "nested_type": {
						"nesting_mode": "single",
						"attributes": {"key": {"type": "string", "description_kind": "plain", "optional": true}}
					}}
				},
				"block_types": {"rule": {"nesting_mode": "list", "min_items": 1, "max_items": 2, "block": {"description_kind": "plain"}}}
			}}},
			"list_resource_schemas": {"mira_thing": {"version": 0, "block": {"description_kind": "plain"}}},
			"action_schemas": {"mira_poke": {"version": 0, "block": {"description_kind": "plain"}}},
			"functions": {"render": {
				"summary": "Renders.",
				"parameters": [{"name": "text", "is_nullable": true, "type": "string"}],
				"variadic_parameter": {"name": "more", "type": "bool"},
				"return_type": ["list", ["object", {"kind": "string"}]]
			}},
			"resource_identity_schemas": {"mira_thing": {"version": 1, "attributes": {
				"name":      {"type": "string", "description": "Its name.", "required_for_import": true},
				"namespace": {"type": "string", "optional_for_import": true}
			}}}
		}}
	}`

	var got bytes.Buffer
	if err := run(t.Context(), server, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, want), decode(t, got.String())); diff != "" {
		t.Errorf("schema JSON (-want +got):\n%s", diff)
	}
}

func TestRunFails(t *testing.T) {
	refused := errors.New("refused")
	valid := &tfprotov6.GetProviderSchemaResponse{Provider: &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{}}}
	tests := map[string]struct {
		server fakeServer
		want   string
	}{
		"when the provider cannot be asked": {
			server: fakeServer{err: refused},
			want:   "refused",
		},
		"when the provider finds its own schema invalid": {
			server: fakeServer{schemas: &tfprotov6.GetProviderSchemaResponse{Diagnostics: []*tfprotov6.Diagnostic{
				{Severity: tfprotov6.DiagnosticSeverityWarning, Summary: "Not This"},
				{Severity: tfprotov6.DiagnosticSeverityError, Summary: "Invalid Schema", Detail: "two attributes collide"},
			}}},
			want: "Invalid Schema: two attributes collide",
		},
		"when a resource identity is invalid": {
			server: fakeServer{schemas: valid, identities: &tfprotov6.GetResourceIdentitySchemasResponse{Diagnostics: []*tfprotov6.Diagnostic{
				{Severity: tfprotov6.DiagnosticSeverityError, Summary: "Invalid Identity", Detail: "no attributes"},
			}}},
			want: "Invalid Identity: no attributes",
		},
		"when an attribute has no type": {
			server: fakeServer{
				schemas: &tfprotov6.GetProviderSchemaResponse{Provider: &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{
					Attributes: []*tfprotov6.SchemaAttribute{{Name: "broken"}},
				}}},
				identities: &tfprotov6.GetResourceIdentitySchemasResponse{},
			},
			want: "cannot write",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), test.server, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %q in spite of the error", out.String())
			}
		})
	}
}

func TestRunKnowsTheRealProvider(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), provider.NewServer("test")(), &out); err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	mira, ok := got.Providers[providerKey]
	if !ok {
		t.Fatalf("no provider %q in %s", providerKey, out.String())
	}
	if mira.Resources["mira_client"] == nil {
		t.Error("no resource schema for mira_client")
	}
	if mira.Identities["mira_client"] == nil {
		t.Error("no identity schema for mira_client")
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
