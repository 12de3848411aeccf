package provider

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// recordedClient is a client as its state has it, read without the framework's
// reflection: see [NewServer].
type recordedClient struct {
	name, namespace, adminEmail string
	variables                   map[string]string
	override                    *mira.TemplateSource // with the parts that differ from the provider's
	waitForRollout, deleteData  bool
	readTimeout                 time.Duration
	record                      *mira.State
	attributes                  map[string]tftypes.Value // all of them
}

// recorded reads a client's state; nil where anything about it is such that the
// framework's answer may differ from it.
func (s *server) recorded(ctx context.Context, state *tfprotov6.DynamicValue, private []byte) *recordedClient {
	r := reader{attributes: s.attributes(state)}
	kept := make(privateData)
	if r.attributes == nil || json.Unmarshal(private, &kept) != nil || kept.hasNotes() {
		return nil
	}
	refs, diags := loadRefs(ctx, kept)
	marks, more := loadFingerprints(ctx, kept)
	diags.Append(more...)
	client := &recordedClient{
		name:           r.text("name"),
		namespace:      r.text("namespace"),
		adminEmail:     r.text("admin_email"),
		waitForRollout: r.truth("wait_for_rollout"),
		deleteData:     r.truth("delete_data"),
		readTimeout:    defaultReadTimeout,
		attributes:     r.attributes,
		record: &mira.State{
			Objects:      make(map[string]managedfields.Fields),
			Refs:         refs,
			Images:       r.texts(r.attributes["images"]),
			Revision:     r.text("template_revision"),
			Fingerprints: marks,
		},
	}
	for key, fields := range r.parts(r.attributes["objects"]) {
		client.record.Objects[key] = r.texts(fields)
	}
	for _, claim := range r.items("persistent_volume_claims") {
		client.record.Claims = append(client.record.Claims, r.textOf(claim))
	}
	if !r.attributes["url"].IsNull() {
		client.record.URL = r.text("url")
		r.require(client.record.URL != "")
	}
	if !r.attributes["variables"].IsNull() {
		client.variables = r.texts(r.attributes["variables"])
	}
	if !r.attributes["template"].IsNull() {
		part := r.optional(r.attributes["template"])
		client.override = &mira.TemplateSource{Namespace: part["namespace"], ConfigMap: part["config_map"], Key: part["key"]}
		client.record.Pinned = part["revision"]
	}
	if !r.attributes["timeouts"].IsNull() {
		if text, ok := r.optional(r.attributes["timeouts"])["read"]; ok {
			var err error
			client.readTimeout, err = time.ParseDuration(text)
			r.require(err == nil)
		}
	}
	r.require(r.text("id") == client.namespace+"/"+client.name && len(refs) > 0 && !diags.HasError())
	if r.isOdd {
		return nil
	}
	return client
}

// spec is what [clientModel.spec] gives for the same client.
func (c *recordedClient) spec(base mira.TemplateSource) mira.Spec {
	spec := mira.Spec{
		Namespace: c.namespace, Name: c.name, AdminEmail: c.adminEmail, Variables: c.variables,
		Template: base, Revision: c.record.Pinned, Override: c.override != nil, DeleteData: c.deleteData,
	}
	if c.override != nil {
		spec.Template = base.Override(*c.override)
	}
	return spec
}

// with gives a client's state with another record; nil where that cannot be written.
func (s *server) with(client *recordedClient, record mira.State) *tfprotov6.DynamicValue {
	attributes := maps.Clone(client.attributes)
	attributes["url"] = tftypes.NewValue(tftypes.String, nil)
	if record.URL != "" {
		attributes["url"] = tftypes.NewValue(tftypes.String, record.URL)
	}
	attributes["template_revision"] = tftypes.NewValue(tftypes.String, record.Revision)
	attributes["images"] = textsValue(record.Images)
	objects := make(map[string]tftypes.Value, len(record.Objects))
	for key, fields := range record.Objects {
		objects[key] = textsValue(fields)
	}
	attributes["objects"] = tftypes.NewValue(tftypes.Map{ElementType: textsType}, objects)
	claims := make([]tftypes.Value, 0, len(record.Claims))
	for _, claim := range record.Claims {
		claims = append(claims, tftypes.NewValue(tftypes.String, claim))
	}
	attributes["persistent_volume_claims"] = tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, claims)
	state, err := tfprotov6.NewDynamicValue(s.state, tftypes.NewValue(s.state, attributes))
	if err != nil {
		return nil
	}
	return &state
}

// identityOf gives a client's identity; nil where it cannot be told.
func (s *server) identityOf(client *recordedClient) *tfprotov6.ResourceIdentityData {
	data, err := tfprotov6.NewDynamicValue(s.identity, tftypes.NewValue(s.identity, map[string]tftypes.Value{
		"namespace": tftypes.NewValue(tftypes.String, client.namespace),
		"name":      tftypes.NewValue(tftypes.String, client.name),
	}))
	if err != nil {
		return nil
	}
	return &tfprotov6.ResourceIdentityData{IdentityData: &data}
}

// attributes gives those of a client; nil where there is none.
func (s *server) attributes(client *tfprotov6.DynamicValue) map[string]tftypes.Value {
	if client == nil {
		return nil
	}
	value, err := client.Unmarshal(s.state)
	if err != nil || value.IsNull() || !value.IsKnown() {
		return nil
	}
	var attributes map[string]tftypes.Value
	if value.As(&attributes) != nil {
		return nil
	}
	return attributes
}

// privateData is a resource's private state as the framework writes it.
type privateData map[string][]byte

func (d privateData) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) {
	return d[key], nil
}

// hasNotes tells whether the framework has left itself a note, as that the client
// was imported a moment ago.
func (d privateData) hasNotes() bool {
	for key := range d {
		if strings.HasPrefix(key, ".") {
			return true
		}
	}
	return false
}
