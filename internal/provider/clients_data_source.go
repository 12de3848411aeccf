package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

var _ datasource.DataSourceWithConfigure = (*clientsDataSource)(nil)

// clientsDataSource is the data source mira_clients.
type clientsDataSource struct {
	provider *configured
}

// clientsModel is the data source's state.
type clientsModel struct {
	Namespace        types.String           `tfsdk:"namespace"`
	Template         *lookedUpTemplate      `tfsdk:"template"`
	Timeouts         timeouts.Value         `tfsdk:"timeouts"`
	TemplateRevision *string                `tfsdk:"template_revision"`
	Clients          map[string]foundClient `tfsdk:"clients"`
	OrphanedClaims   []foundClaim           `tfsdk:"orphaned_claims"`
}

func (d *clientsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_clients"
}

func (d *clientsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Every client that is in a namespace of the cluster, whoever has made it: those of `mira_client`, those of the " +
			"Django controller, and half-made ones, of which only an Ingress is left, say. It only reads, and takes a handful of requests " +
			"and pages of lists, however many clients there are.",
		Attributes: map[string]schema.Attribute{
			"namespace": foundNamespaceAttribute("The namespace to look at."),
			"template":  lookedUpTemplateAttribute(),
			"timeouts":  lookTimeoutsAttribute(ctx),
			templateRevisionAttribute: schema.StringAttribute{
				Computed: true,
				MarkdownDescription: "The revision of the template with which clients are compared. It is null where the template could not be " +
					"read: clients are known by their label alone then, and not compared.",
			},
			"clients": schema.MapNestedAttribute{
				Computed: true,
				MarkdownDescription: fmt.Sprintf("The clients by name. An object with the label `%s` is of the client that the label names. Any "+
					"other is of a client if the template gives an object of its kind and name for that client, and one of these is true: the client's "+
					"name stands at another place of the object where the template has it, the Django controller has written the object, or other "+
					"objects of that client are there.", mira.ClientLabel),
				NestedObject: schema.NestedAttributeObject{Attributes: foundClientAttributes()},
			},
			"orphaned_claims": claimsAttribute("The PersistentVolumeClaims of clients that are not there any more, sorted by name. They hold " +
				"data: a new client of the name finds it. It is null without the right to list them."),
		},
	}
}

// foundNamespaceAttribute is the argument that says where to look.
func foundNamespaceAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		Computed:            true,
		MarkdownDescription: description + " Defaults to the provider's.",
		Validators:          []validator.String{namespaceValidator{}},
	}
}

func (d *clientsDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

func (d *clientsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	look, diags := readLook(ctx, d.provider, req.Config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, look.timeout)
	defer cancel()
	overview, err := d.provider.fleet.Clients(ctx, look.query)
	if err != nil {
		addErrors(&resp.Diagnostics, namespaceSubject(look.query.Namespace), err)
		return
	}
	addWarnings(&resp.Diagnostics, overview.Warnings)
	model := clientsModel{
		Namespace: types.StringValue(look.query.Namespace), Template: look.template, Timeouts: look.timeouts,
		TemplateRevision: textOrNull(overview.Revision), Clients: make(map[string]foundClient, len(overview.Clients)),
		OrphanedClaims: newFoundClaims(overview.OrphanedClaims),
	}
	for _, client := range overview.Clients {
		model.Clients[client.Name] = newFoundClient(client)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

// namespaceSubject is the subject of an error that concerns all clients of a namespace.
func namespaceSubject(namespace string) subject {
	return subject{name: fmt.Sprintf("Namespace %q", namespace), title: "Clients Could Not Be Read"}
}

// look is what the arguments of both data sources say.
type look struct {
	query    mira.ClientsQuery
	template *lookedUpTemplate
	timeouts timeouts.Value
	timeout  time.Duration
}

// lookTimeoutsAttribute says what the time-out covers, and its default.
func lookTimeoutsAttribute(ctx context.Context) schema.Attribute {
	attribute := timeouts.AttributesWithOpts(ctx, timeouts.Opts{
		ReadDescription: fmt.Sprintf("How long the read may take, such as `30s` or `1h30m`. Defaults to `%s`.", periodText(defaultReadTimeout)),
	})
	if nested, ok := attribute.(schema.SingleNestedAttribute); ok {
		nested.MarkdownDescription = "How long the operations of the data source may take."
		return nested
	}
	return attribute
}

// readLook reads the arguments that both data sources have.
func readLook(ctx context.Context, provider *configured, config tfsdk.Config) (l look, diags diag.Diagnostics) {
	if provider == nil || provider.fleet == nil {
		diags.AddError("Cluster Not Known Yet", "The provider's configuration holds values that are known only after an apply, so there is no "+
			"cluster to look at yet. Apply what they come from first, with -target, or read this data source in a configuration of its own.")
		return l, diags
	}
	var namespace types.String
	diags.Append(config.GetAttribute(ctx, path.Root("namespace"), &namespace)...)
	diags.Append(config.GetAttribute(ctx, path.Root("template"), &l.template)...)
	diags.Append(config.GetAttribute(ctx, path.Root("timeouts"), &l.timeouts)...)
	if diags.HasError() {
		return l, diags
	}
	var more diag.Diagnostics
	l.timeout, more = l.timeouts.Read(ctx, defaultReadTimeout)
	diags.Append(more...)
	l.query = mira.ClientsQuery{Namespace: namespace.ValueString(), Template: l.template.source(provider.template)}
	if namespace.IsNull() {
		l.query.Namespace = provider.namespace.get()
	}
	return l, diags
}
