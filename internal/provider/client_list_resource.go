package provider

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	listresource "github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// importsAtOnce is how many clients a list with resources imports at the same time, as many
// as the CLI works at by default.
const importsAtOnce = 10

var _ listresource.ListResourceWithConfigure = (*clientListResource)(nil)

// clientListResource lists the clients of a namespace, whether a mira_client manages them or
// not. What it says of each is what an import says.
type clientListResource struct {
	resource clientResource
}

type clientListModel struct {
	Namespace types.String `tfsdk:"namespace"`
	Managed   types.Bool   `tfsdk:"managed"`
}

// Metadata gives the list the name of the resource.
func (r *clientListResource) Metadata(ctx context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	r.resource.Metadata(ctx, req, resp)
}

// Configure gets what the resource gets.
func (r *clientListResource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.resource.Configure(ctx, req, resp)
}

func (r *clientListResource) ListResourceConfigSchema(
	_ context.Context, _ listresource.ListResourceSchemaRequest, resp *listresource.ListResourceSchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the clients that are in the cluster: those that a `mira_client` manages, those of the Django controller, " +
			"and half-made ones. Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The namespace in which the clients live. Defaults to the provider's.",
				Validators:          []validator.String{namespaceValidator{}},
			},
			"managed": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "With `false` only clients that no `mira_client` manages are listed, of any state, with `true` only the others. " +
					"By default all are.",
			},
		},
	}
}

// List lists the clients, sorted by name.
func (r *clientListResource) List(ctx context.Context, req listresource.ListRequest, stream *listresource.ListResultsStream) {
	var model clientListModel
	diags := req.Config.Get(ctx, &model)
	provider := r.resource.provider
	if provider == nil || provider.fleet == nil {
		diags.AddError("Provider Configuration Not Known", "Clients can only be listed when the provider's configuration is known.")
	}
	if diags.HasError() {
		stream.Results = listresource.ListResultsStreamDiagnostics(diags)
		return
	}
	namespace := model.Namespace.ValueString()
	if namespace == "" {
		namespace = provider.namespace.get()
	}
	overview, err := provider.fleet.Clients(ctx, mira.ClientsQuery{Namespace: namespace, Template: provider.template})
	if err != nil {
		addErrors(&diags, subject{name: fmt.Sprintf("Namespace %q", namespace), title: "Clients Cannot Be Listed"}, err)
		stream.Results = listresource.ListResultsStreamDiagnostics(diags)
		return
	}
	var found []mira.FoundClient
	for _, client := range overview.Clients {
		if model.Managed.IsNull() || model.Managed.ValueBool() == client.IsManaged {
			found = append(found, client)
		}
	}
	addWarnings(&diags, overview.Warnings)
	stream.Results = r.results(ctx, req, found, diags)
}

// results makes the results of clients, up to the limit of the request. Those that are
// imported are so a few at a time.
func (r *clientListResource) results(
	ctx context.Context, req listresource.ListRequest, found []mira.FoundClient, diags diag.Diagnostics,
) iter.Seq[listresource.ListResult] {
	if req.Limit > 0 && int64(len(found)) > req.Limit {
		diags.AddWarning("Not All Clients Are Listed", fmt.Sprintf("%d clients were found, and the first %d of them are listed. "+
			"Set `limit` in the `list` block to see them all.", len(found), req.Limit))
		found = found[:req.Limit]
	}
	return func(push func(listresource.ListResult) bool) {
		if len(diags) > 0 && !push(listresource.ListResult{Diagnostics: diags}) {
			return
		}
		for next := range slices.Chunk(found, importsAtOnce) {
			results := make([]listresource.ListResult, len(next))
			var all sync.WaitGroup
			for i, client := range next {
				all.Go(func() { results[i] = r.result(ctx, req, client) })
			}
			all.Wait()
			for _, result := range results {
				if !push(result) {
					return
				}
			}
		}
	}
}

// result is what a list says of one client. A client that cannot be imported is listed all
// the same, with a warning: an error would end the list.
func (r *clientListResource) result(ctx context.Context, req listresource.ListRequest, client mira.FoundClient) listresource.ListResult {
	result := req.NewListResult(ctx)
	identity := clientIdentity{Namespace: knownValue(client.Namespace), Name: knownValue(client.Name)}
	result.DisplayName = client.Name
	if !client.IsManaged {
		result.DisplayName += " (no mira_client manages it)"
	}
	result.Identity.Raw = identity.encode()
	if !req.IncludeResource {
		return result
	}
	imported, err := importClient(ctx, r.resource.provider, identity)
	if err != nil {
		found := diagnostic(r.resource.subject(client.Name), err)
		result.Diagnostics.AddWarning(fmt.Sprintf("Client Cannot Be Imported (Client %q)", client.Name), found.Summary()+": "+found.Detail())
		imported = &mira.Imported{}
	}
	addWarnings(&result.Diagnostics, imported.Warnings)
	model, err := importedClient(ctx, identity, imported)
	if err != nil {
		result.Diagnostics.AddError("Listed Client Not Complete", sentence(err.Error()))
		return result
	}
	model.setState(imported.State)
	result.Resource.Raw = model.encode()
	return result
}
