package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// defaultForceDestroy is whether a template is deleted while clients follow it.
const defaultForceDestroy = false

// What the attributes of the resource and of the data source say in common.
const (
	templateNamespaceText = "The namespace of the ConfigMap. Defaults to that of the provider's `template`."
	templateConfigMapText = "The name of the ConfigMap. Defaults to that of the provider's `template`."
	templateKeyText       = "The key of the ConfigMap that holds the template. Defaults to that of the provider's `template`."
	templateIDText        = "The ID of the template: `namespace/config_map/key`."
	templateRevisionText  = "A short hash of what the content means: comments, white space and quoting do not change it. "
	placeholdersText      = "The names of the placeholders that the template uses, without percent signs, sorted."
)

func templateSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A client template: one key of a ConfigMap. Other keys of the ConfigMap stay as they are. " +
			"A template that exists is taken over. Clients that refer to it are planned with it: one plan shows the change of the template, " +
			"and what it changes on each client.",
		Attributes: map[string]schema.Attribute{
			"content": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The text of the template, as in `file(\"client_template.yaml\")`. It is checked as the clients' plans " +
					"check it, for a sample client, and by dry runs of the objects that it gives.",
				Validators: []validator.String{contentValidator{}},
			},
			"namespace": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: templateNamespaceText + " Changing it replaces the template.",
				Validators:          []validator.String{namespaceValidator{}},
			},
			"config_map": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: templateConfigMapText + " It is created if it does not exist. Changing it replaces the template.",
				Validators:          []validator.String{configMapValidator{}},
			},
			"key": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: templateKeyText + " Changing it replaces the template.",
				Validators:          []validator.String{configMapKeyValidator{}},
			},
			"force_destroy": schema.BoolAttribute{
				Optional: true, Computed: true,
				Default: booldefault.StaticBool(defaultForceDestroy),
				MarkdownDescription: fmt.Sprintf("Whether the template may be deleted while clients in the provider's namespace follow it. "+
					"Defaults to `%t`. It must be applied before the template is deleted.", defaultForceDestroy),
			},
			"sample": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "The client for which the content is checked. It is never created. Values are needed only where the defaults " +
					"do not fit: where an admission policy or the template wants values of a certain form.",
				Attributes: map[string]schema.Attribute{
					"name": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: fmt.Sprintf("The name of the client. Defaults to `%s`.", mira.DefaultSampleName),
						Validators:          []validator.String{nameValidator{}},
					},
					"admin_email": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: fmt.Sprintf("The address of its administrator. Defaults to `%s`.", mira.DefaultSampleEmail),
						Validators:          []validator.String{emailValidator{}},
					},
					"variables": schema.MapAttribute{
						ElementType: types.StringType,
						Optional:    true,
						MarkdownDescription: "The values of placeholders that are not among the provider's `variables`, as each client sets them. " +
							"There are none by default: the plan then warns of a placeholder without a value.",
						Validators: []validator.Map{variablesValidator{}},
					},
				},
			},
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: templateIDText},
			"revision": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: templateRevisionText + "It is known at plan. Clients refer to it by `template = { revision = ... }`.",
			},
			"placeholders": schema.ListAttribute{
				ElementType: types.StringType, Computed: true, MarkdownDescription: placeholdersText + " They are known at plan.",
			},
		},
	}
}

func templateIdentitySchema() identityschema.Schema {
	return identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"namespace":  identityschema.StringAttribute{RequiredForImport: true, Description: "The namespace of the ConfigMap."},
			"config_map": identityschema.StringAttribute{RequiredForImport: true, Description: "The name of the ConfigMap."},
			"key":        identityschema.StringAttribute{RequiredForImport: true, Description: "The key that holds the template."},
		},
	}
}

// contentValidator checks that a text is a client template.
type contentValidator struct{}

func (contentValidator) Description(context.Context) string { return "must be a client template" }

func (v contentValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (contentValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := mira.ParseTemplate(mira.TemplateSource{}, req.ConfigValue.ValueString()); err != nil {
		addTemplateErrors(&resp.Diagnostics, templateSubject(mira.TemplateSource{}), err)
	}
}
