package main

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The field names and the meaning of an absent field are those of
// https://developer.hashicorp.com/terraform/cli/commands/providers/schema#format-summary.
type (
	document struct {
		FormatVersion string                     `json:"format_version"`
		Providers     map[string]*providerSchema `json:"provider_schemas"`
	}
	providerSchema struct {
		Provider           *schema                    `json:"provider,omitempty"`
		Resources          map[string]*schema         `json:"resource_schemas,omitempty"`
		DataSources        map[string]*schema         `json:"data_source_schemas,omitempty"`
		EphemeralResources map[string]*schema         `json:"ephemeral_resource_schemas,omitempty"`
		ListResources      map[string]*schema         `json:"list_resource_schemas,omitempty"`
		Actions            map[string]*schema         `json:"action_schemas,omitempty"`
		Functions          map[string]*function       `json:"functions,omitempty"`
		Identities         map[string]*identitySchema `json:"resource_identity_schemas,omitempty"`
	}
	schema struct {
		Version int64  `json:"version"`
		Block   *block `json:"block"`
	}
	block struct {
		Attributes      map[string]*attribute   `json:"attributes,omitempty"`
		BlockTypes      map[string]*nestedBlock `json:"block_types,omitempty"`
		Description     string                  `json:"description,omitempty"`
		DescriptionKind string                  `json:"description_kind,omitempty"`
		Deprecated      bool                    `json:"deprecated,omitempty"`
	}
	nestedBlock struct {
		NestingMode string `json:"nesting_mode"`
		Block       *block `json:"block"`
		MinItems    int64  `json:"min_items,omitempty"`
		MaxItems    int64  `json:"max_items,omitempty"`
	}
	attribute struct {
		Type            any         `json:"type,omitempty"`
		NestedType      *nestedType `json:"nested_type,omitempty"`
		Description     string      `json:"description,omitempty"`
		DescriptionKind string      `json:"description_kind,omitempty"`
		Deprecated      bool        `json:"deprecated,omitempty"`
		Required        bool        `json:"required,omitempty"`
		Optional        bool        `json:"optional,omitempty"`
		Computed        bool        `json:"computed,omitempty"`
		Sensitive       bool        `json:"sensitive,omitempty"`
		WriteOnly       bool        `json:"write_only,omitempty"`
	}
	nestedType struct {
		Attributes  map[string]*attribute `json:"attributes"`
		NestingMode string                `json:"nesting_mode"`
	}
	identitySchema struct {
		Version    int64                         `json:"version"`
		Attributes map[string]*identityAttribute `json:"attributes"`
	}
	identityAttribute struct {
		Type              any    `json:"type"`
		Description       string `json:"description,omitempty"`
		RequiredForImport bool   `json:"required_for_import,omitempty"`
		OptionalForImport bool   `json:"optional_for_import,omitempty"`
	}
	function struct {
		Description        string       `json:"description,omitempty"`
		Summary            string       `json:"summary,omitempty"`
		DeprecationMessage string       `json:"deprecation_message,omitempty"`
		ReturnType         any          `json:"return_type"`
		Parameters         []*parameter `json:"parameters,omitempty"`
		VariadicParameter  *parameter   `json:"variadic_parameter,omitempty"`
	}
	parameter struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		IsNullable  bool   `json:"is_nullable,omitempty"`
		Type        any    `json:"type"`
	}
)

// providerKey is the name under which tfplugindocs looks for the schema of --provider-name mira.
const providerKey = "mira"

func encode(s *tfprotov6.GetProviderSchemaResponse, ids *tfprotov6.GetResourceIdentitySchemasResponse) (*document, error) {
	actions := make(map[string]*tfprotov6.Schema, len(s.ActionSchemas))
	for name, action := range s.ActionSchemas {
		actions[name] = action.Schema
	}
	var e encoder
	p := &providerSchema{
		Provider:           e.schema(s.Provider),
		Resources:          each(s.ResourceSchemas, e.schema),
		DataSources:        each(s.DataSourceSchemas, e.schema),
		EphemeralResources: each(s.EphemeralResourceSchemas, e.schema),
		ListResources:      each(s.ListResourceSchemas, e.schema),
		Actions:            each(actions, e.schema),
		Functions:          each(s.Functions, e.function),
		Identities:         each(ids.IdentitySchemas, e.identity),
	}
	if e.err != nil {
		return nil, e.err
	}
	return &document{FormatVersion: "1.0", Providers: map[string]*providerSchema{providerKey: p}}, nil
}

// encoder converts protocol schemas to their JSON form, and keeps the first error. The only error is a type that this
// program does not know.
type encoder struct{ err error }

func each[In, Out any](in map[string]In, f func(In) Out) map[string]Out {
	out := make(map[string]Out, len(in))
	for name, value := range in {
		out[name] = f(value)
	}
	return out
}

func (e *encoder) schema(s *tfprotov6.Schema) *schema {
	if s == nil {
		return nil
	}
	return &schema{Version: s.Version, Block: e.block(s.Block)}
}

func (e *encoder) block(b *tfprotov6.SchemaBlock) *block {
	out := &block{
		Attributes:      e.attributes(b.Attributes),
		BlockTypes:      make(map[string]*nestedBlock, len(b.BlockTypes)),
		Description:     b.Description,
		DescriptionKind: descriptionKind(b.DescriptionKind),
		Deprecated:      b.Deprecated,
	}
	for _, n := range b.BlockTypes {
		out.BlockTypes[n.TypeName] = &nestedBlock{
			NestingMode: blockNesting[n.Nesting],
			Block:       e.block(n.Block),
			MinItems:    n.MinItems,
			MaxItems:    n.MaxItems,
		}
	}
	return out
}

func (e *encoder) attributes(in []*tfprotov6.SchemaAttribute) map[string]*attribute {
	out := make(map[string]*attribute, len(in))
	for _, a := range in {
		enc := &attribute{
			Description:     a.Description,
			DescriptionKind: descriptionKind(a.DescriptionKind),
			Deprecated:      a.Deprecated,
			Required:        a.Required,
			Optional:        a.Optional,
			Computed:        a.Computed,
			Sensitive:       a.Sensitive,
			WriteOnly:       a.WriteOnly,
		}
		if a.NestedType != nil {
			enc.NestedType = &nestedType{
				Attributes:  e.attributes(a.NestedType.Attributes),
				NestingMode: objectNesting[a.NestedType.Nesting],
			}
		} else {
			enc.Type = e.typ(a.Type)
		}
		out[a.Name] = enc
	}
	return out
}

func (e *encoder) identity(s *tfprotov6.ResourceIdentitySchema) *identitySchema {
	out := &identitySchema{Version: s.Version, Attributes: make(map[string]*identityAttribute, len(s.IdentityAttributes))}
	for _, a := range s.IdentityAttributes {
		out.Attributes[a.Name] = &identityAttribute{
			Type:              e.typ(a.Type),
			Description:       a.Description,
			RequiredForImport: a.RequiredForImport,
			OptionalForImport: a.OptionalForImport,
		}
	}
	return out
}

func (e *encoder) function(f *tfprotov6.Function) *function {
	out := &function{
		Description:        f.Description,
		Summary:            f.Summary,
		DeprecationMessage: f.DeprecationMessage,
		ReturnType:         e.typ(f.Return.Type),
	}
	for _, p := range f.Parameters {
		out.Parameters = append(out.Parameters, e.parameter(p))
	}
	if f.VariadicParameter != nil {
		out.VariadicParameter = e.parameter(f.VariadicParameter)
	}
	return out
}

func (e *encoder) parameter(p *tfprotov6.FunctionParameter) *parameter {
	return &parameter{Name: p.Name, Description: p.Description, IsNullable: p.AllowNullValue, Type: e.typ(p.Type)}
}

// typ returns a type as the CLI writes it: a name for a primitive type, an array such as ["list", "string"] for the others.
func (e *encoder) typ(t tftypes.Type) any {
	switch t := t.(type) {
	case tftypes.List:
		return []any{"list", e.typ(t.ElementType)}
	case tftypes.Set:
		return []any{"set", e.typ(t.ElementType)}
	case tftypes.Map:
		return []any{"map", e.typ(t.ElementType)}
	case tftypes.Tuple:
		elements := make([]any, 0, len(t.ElementTypes))
		for _, element := range t.ElementTypes {
			elements = append(elements, e.typ(element))
		}
		return []any{"tuple", elements}
	case tftypes.Object:
		return []any{"object", each(t.AttributeTypes, e.typ)}
	}
	for name, primitive := range primitives {
		if t != nil && t.Equal(primitive) {
			return name
		}
	}
	if e.err == nil {
		e.err = fmt.Errorf("the schema has a type that providerschema cannot write: %v", t)
	}
	return nil
}

var primitives = map[string]tftypes.Type{
	"string":  tftypes.String,
	"number":  tftypes.Number,
	"bool":    tftypes.Bool,
	"dynamic": tftypes.DynamicPseudoType,
}

var blockNesting = map[tfprotov6.SchemaNestedBlockNestingMode]string{
	tfprotov6.SchemaNestedBlockNestingModeSingle: "single",
	tfprotov6.SchemaNestedBlockNestingModeGroup:  "group",
	tfprotov6.SchemaNestedBlockNestingModeList:   "list",
	tfprotov6.SchemaNestedBlockNestingModeSet:    "set",
	tfprotov6.SchemaNestedBlockNestingModeMap:    "map",
}

var objectNesting = map[tfprotov6.SchemaObjectNestingMode]string{
	tfprotov6.SchemaObjectNestingModeSingle: "single",
	tfprotov6.SchemaObjectNestingModeList:   "list",
	tfprotov6.SchemaObjectNestingModeSet:    "set",
	tfprotov6.SchemaObjectNestingModeMap:    "map",
}

func descriptionKind(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}
