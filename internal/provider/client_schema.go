package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// fieldsType is the type of one object in `objects`: values by field path.
var fieldsType = types.MapType{ElemType: types.StringType}

// Defaults of a client's arguments.
const (
	defaultWaitForRollout = true
	defaultDeleteData     = false
)

func clientSchema(ctx context.Context) schema.Schema {
	return schema.Schema{
		Version: clientSchemaVersion,
		MarkdownDescription: "A client of the MIRA fleet: the Service, Ingress and StatefulSet that the client template gives for its name " +
			"and administrator e-mail. " +
			"Objects that exist are adopted. Deleting a client keeps its PersistentVolumeClaims, and creating it again finds its data.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true,
				MarkdownDescription: fmt.Sprintf("The name of the client. It replaces `%%CLIENT_NAME%%` in the template, and must be an RFC 1123 "+
					"label of at most %d characters. Changing it replaces the client.", mira.MaximumClientName),
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				Validators:    []validator.String{nameValidator{}},
			},
			"admin_email": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The e-mail address of the client's administrator. " +
					"It replaces `%EMAIL_ADMIN%` in the template, and must be the bare address, such as `admin@example.com`.",
				Validators: []validator.String{emailValidator{}},
			},
			"namespace": schema.StringAttribute{
				Optional: true,
				Computed: true,
				MarkdownDescription: "The namespace in which the client lives. Defaults to the provider's. Changing it replaces the client. " +
					"Its data stays in the old namespace.",
				Validators: []validator.String{namespaceValidator{}},
			},
			"variables": schema.MapAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "The values of further placeholders for this client. " +
					"They take precedence over the provider's `variables` and `secret_variables` of the same names, and show. There are none by default.",
				Validators: []validator.Map{variablesValidator{}},
			},
			secretVariablesAttribute: clientSecretsAttribute(),
			"template": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Where the template of this client lies. What is not set defaults to the provider's.",
				Attributes: map[string]schema.Attribute{
					"namespace": schema.StringAttribute{Optional: true, MarkdownDescription: "The namespace of the ConfigMap. " +
						"Defaults to the provider's."},
					"config_map": schema.StringAttribute{Optional: true, MarkdownDescription: "The name of the ConfigMap. Defaults to the provider's."},
					"key": schema.StringAttribute{Optional: true, MarkdownDescription: "The key that holds the template. " +
						"Defaults to the provider's."},
					"revision": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "The revision that the template must have, as in `template_revision`. " +
							"If it has another one, that is an error, and nothing is changed. By default any revision is applied.",
						Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
					},
				},
			},
			"wait_for_rollout": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(defaultWaitForRollout),
				MarkdownDescription: fmt.Sprintf("Whether to wait, after a create or a change of the StatefulSet, until its new revision serves. "+
					"Defaults to `%t`.", defaultWaitForRollout),
			},
			"delete_data": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(defaultDeleteData),
				MarkdownDescription: fmt.Sprintf("Whether deleting the client deletes its PersistentVolumeClaims, and with them its data. "+
					"Defaults to `%t`. It must be applied before the client is deleted.", defaultDeleteData),
			},
			"timeouts": clientTimeoutsAttribute(ctx),

			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The ID of the client: `namespace/name`.",
			},
			"url": schema.StringAttribute{
				Computed: true,
				MarkdownDescription: "The address of the client, made from the first host of its Ingress. " +
					"It is null if the template has no Ingress with a host.",
			},
			templateRevisionAttribute: schema.StringAttribute{
				Computed: true,
				MarkdownDescription: "A short hash of the template's content at the last change of this client. " +
					"Comments, white space and quoting do not change it.",
			},
			"rollout": schema.StringAttribute{
				Computed: true,
				MarkdownDescription: fmt.Sprintf("`%s`, or `%s` where an apply could not see the client's rollout through: it was interrupted, "+
					"lost contact with the cluster, or left a failed rollout as it is. The next apply waits for such a rollout, and rolls it back "+
					"if it fails. A client with `wait_for_rollout = false` is always `%[1]s`.", rolloutComplete, rolloutPending),
			},
			"objects": schema.MapAttribute{
				ElementType: fieldsType,
				Computed:    true,
				MarkdownDescription: "The fields that the provider owns on the client's objects, by `Kind/name`, then by field path. " +
					"List items stand in brackets by the values of their merge keys, " +
					"as in `spec.template.spec.containers[mira].image`; the fields that hold these keys are left out, unless an item has no others. " +
					"Of `initContainers`, `containers` and `env` the order of the provider's items has a path, too, as in " +
					"`spec.template.spec.initContainers.order`. Texts are in Unicode NFC.",
			},
			"images": schema.MapAttribute{
				ElementType: types.StringType,
				Computed:    true,
				MarkdownDescription: "The images of the StatefulSet's containers, init containers included, by the name of the container. " +
					"Where two StatefulSets have a container of one name, those stand by `StatefulSet/name/container`.",
			},
			"persistent_volume_claims": schema.ListAttribute{
				ElementType:         types.StringType,
				Computed:            true,
				MarkdownDescription: "The names of the PersistentVolumeClaims with the client's data, sorted.",
			},
		},
	}
}

func clientSecretsAttribute() schema.MapAttribute {
	return schema.MapAttribute{
		ElementType: types.StringType,
		Optional:    true,
		Sensitive:   true,
		WriteOnly:   true,
		MarkdownDescription: "Like `variables`, for values that must not be shown: what the template makes of them stands in plans, states, " +
			"errors and logs as a hash, or as the variable's name. The values themselves are in no state and no plan file. They take " +
			"precedence over the provider's `secret_variables` and `variables` of the same names, and follow the same rules. " +
			"A value must be the same in a plan and its apply, and changes the client when it changes. " +
			"There are none by default. Needs Terraform 1.11 or OpenTofu 1.11.",
		Validators: []validator.Map{variablesValidator{}, secretsValidator{}},
	}
}

// clientTimeoutsAttribute says what each time-out covers, and its default.
func clientTimeoutsAttribute(ctx context.Context) schema.Attribute {
	describe := func(covers string, byDefault time.Duration) string {
		return fmt.Sprintf("How long %s, such as `30s` or `1h30m`. Defaults to `%s`.", covers, periodText(byDefault))
	}
	attribute := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true,
		CreateDescription: describe("a create may take, with the wait until the client serves and has served for the provider's `rollout.soak`",
			defaultCreateTimeout),
		Read:            true,
		ReadDescription: describe("a refresh of the client may take, and each of its plans with their dry runs", defaultReadTimeout),
		Update:          true,
		UpdateDescription: describe("an update may take from the moment on in which it is the client's turn, with the same wait",
			defaultUpdateTimeout) + " A roll back has time of its own.",
		Delete: true,
		DeleteDescription: describe("a delete may take, with the wait until the pods have ended", defaultDeleteTimeout) +
			" It must be applied before the client is deleted.",
	})
	if nested, ok := attribute.(schema.SingleNestedAttribute); ok {
		nested.MarkdownDescription = "How long the operations on the client may take."
		return nested
	}
	return attribute
}

// periodText writes a period without units that are zero: 10m, not 10m0s.
func periodText(period time.Duration) string {
	text := period.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

func clientIdentitySchema() identityschema.Schema {
	return identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"namespace": identityschema.StringAttribute{
				OptionalForImport: true,
				Description:       "The namespace in which the client lives. Defaults to the provider's.",
			},
			"name": identityschema.StringAttribute{
				RequiredForImport: true,
				Description:       "The name of the client.",
			},
		},
	}
}
