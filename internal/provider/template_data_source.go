package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

var _ datasource.DataSourceWithConfigure = (*templateDataSource)(nil)

type templateDataSource struct {
	provider *configured
}

type templateDataModel struct {
	Namespace    types.String `tfsdk:"namespace"`
	ConfigMap    types.String `tfsdk:"config_map"`
	Key          types.String `tfsdk:"key"`
	ID           types.String `tfsdk:"id"`
	Content      types.String `tfsdk:"content"`
	Revision     types.String `tfsdk:"revision"`
	Placeholders types.List   `tfsdk:"placeholders"`
}

func (d *templateDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_template"
}

func (d *templateDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A client template as it is in the cluster, whoever has written it.",
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Optional: true, Computed: true, MarkdownDescription: templateNamespaceText, Validators: []validator.String{namespaceValidator{}},
			},
			"config_map": schema.StringAttribute{
				Optional: true, Computed: true, MarkdownDescription: templateConfigMapText, Validators: []validator.String{configMapValidator{}},
			},
			"key": schema.StringAttribute{
				Optional: true, Computed: true, MarkdownDescription: templateKeyText, Validators: []validator.String{configMapKeyValidator{}},
			},
			"id":       schema.StringAttribute{Computed: true, MarkdownDescription: templateIDText},
			"content":  schema.StringAttribute{Computed: true, MarkdownDescription: "The text of the template."},
			"revision": schema.StringAttribute{Computed: true, MarkdownDescription: templateRevisionText + "Clients can be pinned to it."},
			"placeholders": schema.ListAttribute{
				ElementType: types.StringType, Computed: true, MarkdownDescription: placeholdersText,
			},
		},
	}
}

func (d *templateDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

func (d *templateDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model templateDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if d.provider == nil || d.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known",
			"The provider's configuration has unknown values, so that no template can be read.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	source := d.provider.template.Override(mira.TemplateSource{
		Namespace: model.Namespace.ValueString(), ConfigMap: model.ConfigMap.ValueString(), Key: model.Key.ValueString(),
	})
	found, err := d.provider.fleet.Templates().Find(ctx, source)
	if err != nil {
		addErrors(&resp.Diagnostics, templateSubject(source), err)
		return
	}
	model.Namespace, model.ConfigMap = types.StringValue(source.Namespace), types.StringValue(source.ConfigMap)
	model.Key, model.ID = types.StringValue(source.Key), types.StringValue(templateID(source))
	model.Content, model.Revision = types.StringValue(found.Content), types.StringValue(found.Revision)
	placeholders, diags := types.ListValueFrom(ctx, types.StringType, append([]string{}, found.Placeholders...))
	model.Placeholders = placeholders
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
