package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

var _ datasource.DataSourceWithConfigure = (*clientDataSource)(nil)

// clientDataSource is the data source mira_client.
type clientDataSource struct {
	provider *configured
}

// clientDataModel is the data source's state.
type clientDataModel struct {
	foundClient

	Template *lookedUpTemplate `tfsdk:"template"`
	Timeouts timeouts.Value    `tfsdk:"timeouts"`
}

func (d *clientDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_client"
}

func (d *clientDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := foundClientAttributes()
	attributes["name"] = schema.StringAttribute{
		Required:            true,
		MarkdownDescription: "The name of the client. It is an error if there is none of that name.",
		Validators:          []validator.String{nameValidator{}},
	}
	attributes["namespace"] = foundNamespaceAttribute("The namespace in which the client lives.")
	attributes["template"] = lookedUpTemplateAttribute()
	attributes["timeouts"] = lookTimeoutsAttribute(ctx)
	resp.Schema = schema.Schema{
		MarkdownDescription: "One client that is in the cluster, whoever has made it. It reads as much of the cluster as `mira_clients` does: " +
			"to look at several clients, use that once.",
		Attributes: attributes,
	}
}

func (d *clientDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

func (d *clientDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	look, diags := readLook(ctx, d.provider, req.Config)
	resp.Diagnostics.Append(diags...)
	var name string
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, look.timeout)
	defer cancel()
	client, warnings, err := d.provider.fleet.Client(ctx, look.query, name)
	if err != nil {
		addErrors(&resp.Diagnostics, clientSubject(name), err)
		return
	}
	addWarnings(&resp.Diagnostics, warnings)
	resp.Diagnostics.Append(resp.State.Set(ctx, clientDataModel{
		foundClient: newFoundClient(*client), Template: look.template, Timeouts: look.timeouts,
	})...)
}
