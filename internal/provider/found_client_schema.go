package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// foundClientAttributes are what the data sources tell of a client.
func foundClientAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name":      schema.StringAttribute{Computed: true, MarkdownDescription: "The name of the client."},
		"namespace": schema.StringAttribute{Computed: true, MarkdownDescription: "The namespace in which the client lives."},
		"admin_email": schema.StringAttribute{
			Computed: true,
			MarkdownDescription: "The e-mail address of the client's administrator, as its objects have it where the template has " +
				"`%EMAIL_ADMIN%`. It is null where they do not tell, or disagree.",
		},
		"variables": schema.MapAttribute{
			ElementType: types.StringType,
			Computed:    true,
			MarkdownDescription: "The values of further placeholders, as the client's objects have them, where the provider's `variables` lack " +
				"them or have another value. Secret ones are left out. It is null without a template.",
		},
		"url": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The address of the client, made from the first host of its Ingress. It is null if there is none.",
		},
		"images": schema.MapAttribute{
			ElementType: types.StringType,
			Computed:    true,
			MarkdownDescription: "The images of the StatefulSet's containers, init containers included, by the name of the container. " +
				"Where two StatefulSets have a container of one name, those stand by `StatefulSet/name/container`.",
		},
		"replicas": schema.Int64Attribute{
			Computed:            true,
			MarkdownDescription: "How many pods the client should have. It is null for a client without StatefulSet.",
		},
		"ready_replicas": schema.Int64Attribute{
			Computed:            true,
			MarkdownDescription: "How many pods of the client are ready. It is null for a client without StatefulSet.",
		},
		"state": schema.StringAttribute{
			Computed: true,
			MarkdownDescription: fmt.Sprintf("How the client's pods are. `%s`: the newest revision serves. `%s`: a rollout has not ended, and "+
				"nothing has failed so far. `%s`: a pod cannot start, keeps ending, or has no node. `%s`: the client is scaled to zero. "+
				"`%s`: it has no StatefulSet. Of a client with several StatefulSets, the worst counts.",
				rollout.HealthReady, rollout.HealthProgressing, rollout.HealthFailing, rollout.HealthStopped, mira.ClientAbsent),
		},
		"reason": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "Why a client is failing, or what its rollout waits for. It is null in the other states.",
		},
		"managed": schema.BoolAttribute{
			Computed: true,
			MarkdownDescription: fmt.Sprintf("Whether a `mira_client` manages the client: one of its objects has the label `%s`. "+
				"It is false for the clients of the Django controller.", mira.ClientLabel),
		},
		"objects": schema.ListAttribute{
			ElementType:         types.StringType,
			Computed:            true,
			MarkdownDescription: "The objects of the client that are there, as `Kind/name`.",
		},
		"missing": schema.ListAttribute{
			ElementType: types.StringType,
			Computed:    true,
			MarkdownDescription: "The objects that the template gives for the client and that are not there, as `Kind/name`. " +
				"It is null where the client could not be compared with the template.",
		},
		"up_to_date": schema.BoolAttribute{
			Computed: true,
			MarkdownDescription: "Whether the client is what the template, as it is now, makes of it. A newer revision whose edits change " +
				"nothing for this client counts as current. The values of the client's placeholders are taken from its objects, so that a change " +
				"of `variables` alone does not count. It is null where that cannot be told.",
		},
		"differences": schema.ListAttribute{
			ElementType: types.StringType,
			Computed:    true,
			MarkdownDescription: "What is not as the template makes it, as `Kind/name` and the path of the field; `Kind/name` alone for an " +
				"object that the template does not have any more. Values do not show. Objects that are missing do not count. " +
				"It is found without asking the server what it would do: the plan of a `mira_client` is more exact.",
		},
		templateRevisionAttribute: schema.StringAttribute{
			Computed: true,
			MarkdownDescription: "The revision of the template, for a client that is up to date. Otherwise it is null: objects do not tell of " +
				"which revision they are.",
		},
		"persistent_volume_claims": claimsAttribute("The PersistentVolumeClaims with the client's data, sorted by name. " +
			"It is null without the right to list them."),
	}
}

// claimsAttribute is a list of claims.
func claimsAttribute(description string) schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: description,
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Computed: true, MarkdownDescription: "The name of the claim."},
			"client": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The name of the client that the claim is of. It is null where the claim's name does not tell.",
			},
			"size": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The size of the volume, or the size asked for where there is none.",
			},
			"phase": schema.StringAttribute{Computed: true, MarkdownDescription: "`Pending`, `Bound` or `Lost`."},
			"in_use": schema.BoolAttribute{
				Computed: true,
				MarkdownDescription: "Whether a StatefulSet has the claim's template, be it scaled to zero, or a pod mounts the claim. " +
					"Only a claim of which this is false can be deleted without taking data from a client that is there.",
			},
		}},
	}
}

// lookedUpTemplateAttribute says with which template clients are compared.
func lookedUpTemplateAttribute() schema.SingleNestedAttribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description + " Defaults to the provider's."}
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "The template by whose names clients are known and with which they are compared. " +
			"What is not set is the provider's. A client whose `mira_client` has a template of its own counts as outdated otherwise.",
		Attributes: map[string]schema.Attribute{
			"namespace":  text("The namespace of the ConfigMap."),
			"config_map": text("The name of the ConfigMap."),
			"key":        text("The key that holds the template."),
		},
	}
}
