package provider

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// The fast path reads the private state without the framework, in the format that the
// framework has for it: what a resource saves through the framework is what it loads.
func TestPrivateData(t *testing.T) {
	want := clientPrivate{
		Refs:         []kube.Ref{{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-acme", UID: "1"}},
		Fingerprints: map[string]managedfields.Fingerprint{"Service/mira-acme": {Applied: "a", Live: "b"}},
	}
	server := providerserver.NewProtocol6(&privateProvider{saved: want})()
	typ := privateSchema().Type().TerraformType(t.Context())
	dynamic := func(value any) *tfprotov6.DynamicValue {
		dynamic, err := tfprotov6.NewDynamicValue(typ, tftypes.NewValue(typ, value))
		if err != nil {
			t.Fatal(err)
		}
		return &dynamic
	}
	planned := map[string]tftypes.Value{"id": tftypes.NewValue(tftypes.String, "acme")}

	applied, err := server.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: "test_private", PriorState: dynamic(nil), PlannedState: dynamic(planned), Config: dynamic(planned),
	})
	if err != nil || len(applied.Diagnostics) > 0 {
		t.Fatal(err, applied.Diagnostics)
	}
	kept := make(privateData)
	if err := json.Unmarshal(applied.Private, &kept); err != nil {
		t.Fatalf("%s: %v", applied.Private, err)
	}
	if kept.hasNotes() {
		t.Errorf("%s counts as having notes of the framework", applied.Private)
	}
	got, diags := loadClientPrivate(t.Context(), kept)
	if diags.HasError() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("loaded (-saved +loaded):\n%s", diff)
	}

	imported, err := server.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "test_private", ID: "acme"})
	if err != nil || len(imported.Diagnostics) > 0 {
		t.Fatal(err, imported.Diagnostics)
	}
	private := imported.ImportedResources[0].Private
	kept = make(privateData)
	if err := json.Unmarshal(private, &kept); err != nil {
		t.Fatalf("%s: %v", private, err)
	}
	if !kept.hasNotes() {
		t.Errorf("the note that the framework leaves after an import is not seen in %s", private)
	}
}

// privateProvider has a resource that saves a private state.
type privateProvider struct{ saved clientPrivate }

func (*privateProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "test"
}

func (*privateProvider) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (*privateProvider) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}

func (*privateProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p *privateProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &privateResource{saved: p.saved} }}
}

type privateResource struct{ saved clientPrivate }

func privateSchema() schema.Schema {
	return schema.Schema{Attributes: map[string]schema.Attribute{"id": schema.StringAttribute{Required: true}}}
}

func (*privateResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "test_private"
}

func (*privateResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = privateSchema()
}

func (*privateResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"id": identityschema.StringAttribute{RequiredForImport: true},
	}}
}

func (r *privateResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(resp.Identity.SetAttribute(ctx, path.Root("id"), "acme")...)
	resp.Diagnostics.Append(r.saved.save(ctx, resp.Private)...)
}

func (*privateResource) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (*privateResource) Update(context.Context, resource.UpdateRequest, *resource.UpdateResponse) {}

func (*privateResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func (*privateResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), req.ID)...)
	resp.Diagnostics.Append(resp.Identity.SetAttribute(ctx, path.Root("id"), req.ID)...)
}
