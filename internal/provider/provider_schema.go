package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Declares the clients of a MIRA fleet on Kubernetes: " +
			"one Service, Ingress and StatefulSet each, rendered from a YAML template that lives in a ConfigMap.",
		Attributes: map[string]schema.Attribute{
			"cluster_domain": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The domain of the clients' addresses. It replaces `%%CLUSTER_DOMAIN%%` in the template. "+
					"Without it, the provider takes the environment variable `%[1]s`, "+
					"then the key of that name in ConfigMap `%[2]s` of namespace `%[3]s`.",
					mira.ClusterDomainKey, mira.SettingsConfigMap, mira.SettingsNamespace),
				Validators: []validator.String{domainValidator{}},
			},
			"namespace": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The namespace in which clients live. Defaults to `%s`.", mira.DefaultNamespace),
				Validators:          []validator.String{namespaceValidator{}},
			},
			"template": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Where the client template lies: a key of a ConfigMap.",
				Attributes: map[string]schema.Attribute{
					"namespace": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: fmt.Sprintf("The namespace of the ConfigMap. Defaults to `%s`.", mira.DefaultTemplateNamespace),
					},
					"config_map": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: fmt.Sprintf("The name of the ConfigMap. Defaults to `%s`.", mira.DefaultTemplateConfigMap),
					},
					"key": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: fmt.Sprintf("The key that holds the template. Defaults to `%s`.", mira.DefaultTemplateKey),
					},
				},
			},
			"variables": schema.MapAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "The values of further placeholders for the templates of all clients: " +
					"the value of `IMAGE_TAG` replaces `%IMAGE_TAG%`. A value that fills a whole unquoted YAML scalar takes the type that YAML gives " +
					"it, so that a number stays a number. There are none by default.",
				Validators: []validator.Map{variablesValidator{}},
			},
			secretVariablesAttribute: providerSecretsAttribute(),
			"allowed_kinds": schema.SetAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "The kinds that a template may hold, as `group/Kind` (`core/Kind` for the core group). " +
					"`Service`, `Ingress` and `StatefulSet` need no group, " +
					"and are the default. Whoever can edit the template acts with the rights of whoever runs Terraform: " +
					"allow no more than the template needs.",
				Validators: []validator.Set{kindsValidator{}},
			},
			"field_manager": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The field manager under which objects are applied. Defaults to `%s`.", managedfields.DefaultName),
				Validators: []validator.String{
					stringvalidator.LengthBetween(1, 128),
					stringvalidator.NoneOf(managedfields.RestartName), // a restart must not be taken for an apply
				},
			},
			"force_conflicts": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("Whether to take over fields that another manager has set to another value. Defaults to `%t`. "+
					"With `false` such a field is an error that names the manager.", defaultForceConflicts),
			},
			"adopt":      adoptAttribute(),
			"rollout":    rolloutSchema(),
			"kubernetes": kubernetesAttribute(),
		},
	}
}

func providerSecretsAttribute() schema.MapAttribute {
	return schema.MapAttribute{
		ElementType: types.StringType,
		Optional:    true,
		Sensitive:   true,
		MarkdownDescription: fmt.Sprintf("Like `variables`, for values that must not be shown: what the template makes of them stands in "+
			"plans, states, errors and logs as a hash, or as the variable's name. The values are always text. They may not stand in keys "+
			"and names, and have at least %d bytes, or none. There are none by default. Give them as ephemeral values: "+
			"the CLI itself writes other variables into plan files.", managedfields.MinimumSecret),
		Validators: []validator.Map{variablesValidator{}, secretsValidator{}},
	}
}

func adoptAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: fmt.Sprintf("Which existing objects the create of a client takes over. With `%[1]s`, the default, those that "+
			"no `mira_client` manages, such as the clients of the Django controller. Objects with the client's label `%[4]s` "+
			"are refused at plan: another state or another resource address manages them, or an interrupted create has left them. "+
			"`%[2]s` takes over these, too. `%[3]s` refuses all that exist. An import takes over what it names, whatever is set here.",
			mira.AdoptUnmanaged, mira.AdoptAny, mira.AdoptNever, mira.ClientLabel),
		Validators: []validator.String{
			stringvalidator.OneOf(string(mira.AdoptUnmanaged), string(mira.AdoptAny), string(mira.AdoptNever)),
		},
	}
}

func kubernetesAttribute() schema.SingleNestedAttribute {
	text := func(variable, description string) schema.StringAttribute {
		return schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: description + " Can be set with the environment variable `" + variable + "`.",
		}
	}
	secret := func(variable, description string) schema.StringAttribute {
		attribute := text(variable, description)
		attribute.Sensitive = true
		return attribute
	}
	configPath := text("KUBE_CONFIG_PATH", "The path of a kubeconfig file.")
	configPath.Validators = []validator.String{stringvalidator.ConflictsWith(path.MatchRelative().AtParent().AtName("config_paths"))}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "How to connect to the cluster. What is set neither here nor in the `KUBE_*` environment variables comes from " +
			"the kubeconfig that `KUBECONFIG` names, " +
			"then from `~/.kube/config`, then from the service account of the pod that Terraform runs in. " +
			"With `host` and no `config_path`, no kubeconfig is read.",
		Attributes: map[string]schema.Attribute{
			"host":               text("KUBE_HOST", "The address of the API server."),
			"username":           text("KUBE_USER", "The user name for basic authentication."),
			"password":           secret("KUBE_PASSWORD", "The password for basic authentication."),
			"token":              secret("KUBE_TOKEN", "A bearer token, such as that of a service account."),
			"client_certificate": text("KUBE_CLIENT_CERT_DATA", "The PEM-encoded client certificate."),
			"client_key":         secret("KUBE_CLIENT_KEY_DATA", "The PEM-encoded key of the client certificate."),
			"cluster_ca_certificate": text("KUBE_CLUSTER_CA_CERT_DATA", "The PEM-encoded certificates of the authorities that may have signed "+
				"the server's certificate."),
			"tls_server_name": text("KUBE_TLS_SERVER_NAME", "The name that the server's certificate must have, if it is not that of the "+
				"address."),
			"proxy_url":                text("KUBE_PROXY_URL", "The URL of a proxy for all requests to the API server."),
			"config_path":              configPath,
			"config_context":           text("KUBE_CTX", "The context of the kubeconfig to use. Defaults to its current context."),
			"config_context_auth_info": text("KUBE_CTX_AUTH_INFO", "The user of the kubeconfig to use. Defaults to the context's."),
			"config_context_cluster":   text("KUBE_CTX_CLUSTER", "The cluster of the kubeconfig to use. Defaults to the context's."),
			"insecure": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether to accept any certificate of the server. Defaults to `false`. " +
					"Can be set with the environment variable `KUBE_INSECURE`.",
			},
			"config_paths": schema.ListAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "The paths of several kubeconfig files, merged as `kubectl` does. " +
					"Can be set with the environment variable `KUBE_CONFIG_PATHS`.",
				Validators: []validator.List{listvalidator.SizeAtLeast(1)},
			},
			"qps": schema.Float64Attribute{
				Optional: true,
				MarkdownDescription: "The largest number of requests per second. By default, and with `-1`, the provider sets no limit, and " +
					"the API server's priority and fairness decides. Can be set with the environment variable `KUBE_QPS`.",
				Validators: []validator.Float64{float64validator.AtLeast(-1)},
			},
			"burst": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The number of requests that may exceed `qps` for a moment. Defaults to `%d`. "+
					"Can be set with the environment variable `KUBE_BURST`.", connection.DefaultBurst),
				Validators: []validator.Int64{int64validator.Between(0, 1_000_000)},
			},
			"exec": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "A command that prints credentials, as the `exec` of a kubeconfig does. By default none is run.",
				Attributes: map[string]schema.Attribute{
					"api_version": schema.StringAttribute{
						Required:            true,
						MarkdownDescription: "The version of the protocol that the command speaks.",
						Validators: []validator.String{
							stringvalidator.OneOf("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"),
						},
					},
					"command": schema.StringAttribute{Required: true, MarkdownDescription: "The command to run."},
					"args": schema.ListAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: "The arguments of the " +
						"command. There are none by default."},
					"env": schema.MapAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: "Further environment variables " +
						"for the command. There are none by default."},
				},
			},
		},
	}
}

func rolloutSchema() schema.SingleNestedAttribute {
	defaults := mira.DefaultRolloutSettings()
	atLeastOne := []validator.Int32{int32validator.AtLeast(1)}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "How a change of the pods spreads over the clients, and what happens to a client whose rollout fails. " +
			"Updates begin in waves: the next, larger wave begins when all clients of the wave before serve. " +
			"After too many failures no further update begins in this run. New clients, and changes that leave the pods alone, do not wait.",
		Attributes: map[string]schema.Attribute{
			"start": schema.Int32Attribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The number of clients in the first wave. Defaults to `%d`.", defaults.Start),
				Validators:          atLeastOne,
			},
			"factor": schema.Int32Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The factor by which a wave is larger than the one before it, if all clients of that one "+
					"succeeded. Defaults to `%d`. With `1` all waves have the same size.", defaults.Factor),
				Validators: atLeastOne,
			},
			"max_concurrent": schema.Int32Attribute{
				Optional: true,
				MarkdownDescription: "The largest number of clients in a wave. Without it, only the CLI's `-parallelism` limits how many clients " +
					"roll out at once.",
				Validators: atLeastOne,
			},
			"max_failures": schema.Int32Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The number of failed rollouts, those of new clients included, after which no further update "+
					"begins in this run. Defaults to `%d`.", defaults.MaxFailures),
				Validators: atLeastOne,
			},
			"on_failure": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("What happens to a client whose rollout fails. "+
					"With `%[1]s`, the default, its objects are restored, and its pods are freed from the bad revision; "+
					"the objects of a new client are deleted again (its claims stay). "+
					"With `%[2]s` everything stays for inspection, and a new client is tainted.", onFailureRollback, onFailureKeep),
				Validators: []validator.String{stringvalidator.OneOf(onFailureRollback, onFailureKeep)},
			},
			"grace": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How long a pod of the new revision may fail, as in `ImagePullBackOff` or `CrashLoopBackOff`, "+
					"or may be missing because the cluster refuses to create it, before its rollout counts as failed. Defaults to `%s`.",
					periodText(defaults.Grace)),
				Validators: []validator.String{periodValidator{}},
			},
			"unschedulable_grace": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How long a pod of the new revision may wait for a node or a volume. "+
					"Autoscalers and provisioners need time to bring one. Defaults to `%s`.",
					periodText(defaults.UnschedulableGrace)),
				Validators: []validator.String{periodValidator{}},
			},
			"container_logs": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("Whether the error about a failed rollout has the last lines of the containers' logs. "+
					"Defaults to `%t`. Set it to `false` where logs may hold what the output of the CLI must not.", !defaults.OmitLogs),
			},
			"soak": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How long all pods of the new revision have to stay ready, with no restart, before its rollout "+
					"counts as successful: many a container is ready before it crashes. The next wave begins after that. It is part of the "+
					"client's `timeouts`. Defaults to `%s`; `0s` counts a pod as soon as it is ready.",
					periodText(defaults.Soak)),
				Validators: []validator.String{periodValidator{mayBeZero: true}},
			},
		},
	}
}
