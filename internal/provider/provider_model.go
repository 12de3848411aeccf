package provider

import (
	"context"
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

type providerModel struct {
	ClusterDomain  types.String `tfsdk:"cluster_domain"`
	Namespace      types.String `tfsdk:"namespace"`
	Template       types.Object `tfsdk:"template"`
	Variables      types.Map    `tfsdk:"variables"`
	AllowedKinds   types.Set    `tfsdk:"allowed_kinds"`
	FieldManager   types.String `tfsdk:"field_manager"`
	ForceConflicts types.Bool   `tfsdk:"force_conflicts"`
	Rollout        types.Object `tfsdk:"rollout"`
	Kubernetes     types.Object `tfsdk:"kubernetes"`
}

type providerTemplateModel struct {
	Namespace types.String `tfsdk:"namespace"`
	ConfigMap types.String `tfsdk:"config_map"`
	Key       types.String `tfsdk:"key"`
}

type kubernetesModel struct {
	Host                  types.String  `tfsdk:"host"`
	Username              types.String  `tfsdk:"username"`
	Password              types.String  `tfsdk:"password"`
	Token                 types.String  `tfsdk:"token"`
	ClientCertificate     types.String  `tfsdk:"client_certificate"`
	ClientKey             types.String  `tfsdk:"client_key"`
	ClusterCACertificate  types.String  `tfsdk:"cluster_ca_certificate"`
	Insecure              types.Bool    `tfsdk:"insecure"`
	TLSServerName         types.String  `tfsdk:"tls_server_name"`
	ProxyURL              types.String  `tfsdk:"proxy_url"`
	ConfigPath            types.String  `tfsdk:"config_path"`
	ConfigPaths           types.List    `tfsdk:"config_paths"`
	ConfigContext         types.String  `tfsdk:"config_context"`
	ConfigContextAuthInfo types.String  `tfsdk:"config_context_auth_info"`
	ConfigContextCluster  types.String  `tfsdk:"config_context_cluster"`
	Exec                  types.Object  `tfsdk:"exec"`
	QPS                   types.Float64 `tfsdk:"qps"`
	Burst                 types.Int64   `tfsdk:"burst"`
}

type execModel struct {
	APIVersion types.String `tfsdk:"api_version"`
	Command    types.String `tfsdk:"command"`
	Args       types.List   `tfsdk:"args"`
	Env        types.Map    `tfsdk:"env"`
}

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Declares the clients of a MIRA fleet on Kubernetes: one Service, Ingress and StatefulSet each, rendered from a YAML template that lives in a ConfigMap.",
		Attributes: map[string]schema.Attribute{
			"cluster_domain": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The domain under which clients answer; replaces `%%CLUSTER_DOMAIN%%` in the template. Without it, the environment variable `CLUSTER_DOMAIN` "+
					"is taken, then the key of that name in ConfigMap `%s` of namespace `%s`.", mira.SettingsConfigMap, mira.SettingsNamespace),
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"namespace": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The namespace in which clients live. Defaults to `%s`.", mira.DefaultNamespace),
				Validators:          []validator.String{namespaceValidator{}},
			},
			"template": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Where the client template lies.",
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
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "Further placeholders for the templates of all clients: the value of `IMAGE_TAG` replaces `%IMAGE_TAG%`. A value that fills a whole unquoted YAML scalar takes the type that YAML gives it, so that a number stays a number.",
				Validators:          []validator.Map{variablesValidator{}},
			},
			"allowed_kinds": schema.SetAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "The kinds that a template may hold, as `group/Kind` (`core/Kind` for the core group); `Service`, `Ingress` and `StatefulSet` may stand without their groups. " +
					"Defaults to these three. Whoever can edit the template acts with the rights of whoever runs Terraform: allow no more than the template needs.",
				Validators: []validator.Set{kindsValidator{}},
			},
			"field_manager": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The field manager under which objects are applied. Defaults to `%s`.", managedfields.DefaultName),
				Validators:          []validator.String{stringvalidator.LengthBetween(1, 128)},
			},
			"force_conflicts": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether to take fields that another manager set to another value. Defaults to `true`: the configuration is the source of truth. With `false` such a field is an error that names the manager.",
			},
			"rollout":    rolloutSchema(),
			"kubernetes": kubernetesAttribute(),
		},
	}
}

func kubernetesAttribute() schema.SingleNestedAttribute {
	text := func(variable, description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description + " Can be set with the environment variable `" + variable + "`."}
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
		MarkdownDescription: "How to reach the cluster. What is set neither here nor in the `KUBE_*` environment variables comes from the kubeconfig that `KUBECONFIG` names, " +
			"then from `~/.kube/config`, then from the service account of the pod that Terraform runs in. With `host` and no `config_path`, no kubeconfig is read.",
		Attributes: map[string]schema.Attribute{
			"host":                     text("KUBE_HOST", "The address of the API server."),
			"username":                 text("KUBE_USER", "The user name for basic authentication."),
			"password":                 secret("KUBE_PASSWORD", "The password for basic authentication."),
			"token":                    secret("KUBE_TOKEN", "A bearer token, such as that of a service account."),
			"client_certificate":       text("KUBE_CLIENT_CERT_DATA", "The PEM-encoded client certificate."),
			"client_key":               secret("KUBE_CLIENT_KEY_DATA", "The PEM-encoded key of the client certificate."),
			"cluster_ca_certificate":   text("KUBE_CLUSTER_CA_CERT_DATA", "The PEM-encoded certificates of the authorities that may sign the server's certificate."),
			"tls_server_name":          text("KUBE_TLS_SERVER_NAME", "The name that the server's certificate is checked against, where it is not that of the address."),
			"proxy_url":                text("KUBE_PROXY_URL", "The URL of a proxy for all requests to the API server."),
			"config_path":              configPath,
			"config_context":           text("KUBE_CTX", "The context of the kubeconfig to use."),
			"config_context_auth_info": text("KUBE_CTX_AUTH_INFO", "The user of the kubeconfig to use instead of the context's."),
			"config_context_cluster":   text("KUBE_CTX_CLUSTER", "The cluster of the kubeconfig to use instead of the context's."),
			"insecure": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether to accept any certificate of the server. Can be set with the environment variable `KUBE_INSECURE`.",
			},
			"config_paths": schema.ListAttribute{
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "The paths of several kubeconfig files, merged as `kubectl` does. Can be set with the environment variable `KUBE_CONFIG_PATHS`.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1)},
			},
			"qps": schema.Float64Attribute{
				Optional:            true,
				MarkdownDescription: "How many requests a second the provider allows itself. By default it does not limit itself, and the fairness of the API server does.",
				Validators:          []validator.Float64{float64validator.AtLeast(-1)},
			},
			"burst": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "How many requests may exceed `qps` for a moment.",
				Validators:          []validator.Int64{int64validator.Between(0, 1_000_000)},
			},
			"exec": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "A command that prints credentials, as the `exec` of a kubeconfig does.",
				Attributes: map[string]schema.Attribute{
					"api_version": schema.StringAttribute{
						Required:            true,
						MarkdownDescription: "The version of the protocol that the command speaks.",
						Validators:          []validator.String{stringvalidator.OneOf("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")},
					},
					"command": schema.StringAttribute{Required: true, MarkdownDescription: "The command to run."},
					"args":    schema.ListAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: "The arguments of the command."},
					"env":     schema.MapAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: "Further environment variables for the command."},
				},
			},
		},
	}
}

func (m *providerModel) templateSource(ctx context.Context) (mira.TemplateSource, diag.Diagnostics) {
	source := mira.TemplateSource{
		Namespace: mira.DefaultTemplateNamespace,
		ConfigMap: mira.DefaultTemplateConfigMap,
		Key:       mira.DefaultTemplateKey,
	}
	if m.Template.IsNull() {
		return source, nil
	}
	var model providerTemplateModel
	diags := m.Template.As(ctx, &model, basetypes.ObjectAsOptions{})
	return source.Override(model.source()), diags
}

func (m providerTemplateModel) source() mira.TemplateSource {
	return mira.TemplateSource{Namespace: m.Namespace.ValueString(), ConfigMap: m.ConfigMap.ValueString(), Key: m.Key.ValueString()}
}

func (m *providerModel) settings(ctx context.Context, domainFromEnvironment string) (mira.Settings, diag.Diagnostics) {
	settings := mira.Settings{ClusterDomain: m.ClusterDomain.ValueString(), AllowedKinds: mira.DefaultAllowedKinds()}
	if settings.ClusterDomain == "" {
		settings.ClusterDomain = domainFromEnvironment
	}
	var diags diag.Diagnostics
	if !m.Variables.IsNull() {
		diags.Append(m.Variables.ElementsAs(ctx, &settings.Variables, false)...)
	}
	if !m.AllowedKinds.IsNull() {
		var names []string
		diags.Append(m.AllowedKinds.ElementsAs(ctx, &names, false)...)
		settings.AllowedKinds = nil
		for _, name := range names {
			kind, err := parseKind(name)
			if err != nil {
				diags.AddAttributeError(path.Root("allowed_kinds"), "Invalid Kind Name", sentence(err.Error()))
				continue
			}
			settings.AllowedKinds = append(settings.AllowedKinds, kind)
		}
	}
	rollout, more := m.rollout(ctx)
	settings.Rollout = rollout
	return settings, append(diags, more...)
}

func (m *providerModel) connection(ctx context.Context) (connection.Settings, diag.Diagnostics) {
	if m.Kubernetes.IsNull() {
		return connection.Settings{}, nil
	}
	var model kubernetesModel
	diags := m.Kubernetes.As(ctx, &model, basetypes.ObjectAsOptions{})
	if diags.HasError() {
		return connection.Settings{}, diags
	}
	settings := connection.Settings{
		Host:                  model.Host.ValueString(),
		Username:              model.Username.ValueString(),
		Password:              model.Password.ValueString(),
		Token:                 model.Token.ValueString(),
		ClientCertificate:     model.ClientCertificate.ValueString(),
		ClientKey:             model.ClientKey.ValueString(),
		ClusterCACertificate:  model.ClusterCACertificate.ValueString(),
		TLSServerName:         model.TLSServerName.ValueString(),
		ProxyURL:              model.ProxyURL.ValueString(),
		Insecure:              model.Insecure.ValueBoolPointer(),
		ConfigPath:            model.ConfigPath.ValueString(),
		ConfigContext:         model.ConfigContext.ValueString(),
		ConfigContextAuthInfo: model.ConfigContextAuthInfo.ValueString(),
		ConfigContextCluster:  model.ConfigContextCluster.ValueString(),
	}
	if !model.ConfigPaths.IsNull() {
		diags.Append(model.ConfigPaths.ElementsAs(ctx, &settings.ConfigPaths, false)...)
	}
	if !model.QPS.IsNull() {
		qps := float32(model.QPS.ValueFloat64())
		settings.QPS = &qps
	}
	if !model.Burst.IsNull() {
		burst := int(model.Burst.ValueInt64())
		settings.Burst = &burst
	}
	if !model.Exec.IsNull() {
		exec, execDiags := execSettings(ctx, model.Exec)
		diags.Append(execDiags...)
		settings.Exec = exec
	}
	return settings, diags
}

func execSettings(ctx context.Context, object types.Object) (*connection.ExecSettings, diag.Diagnostics) {
	var model execModel
	diags := object.As(ctx, &model, basetypes.ObjectAsOptions{})
	settings := &connection.ExecSettings{APIVersion: model.APIVersion.ValueString(), Command: model.Command.ValueString()}
	if !model.Args.IsNull() {
		diags.Append(model.Args.ElementsAs(ctx, &settings.Args, false)...)
	}
	if !model.Env.IsNull() {
		diags.Append(model.Env.ElementsAs(ctx, &settings.Env, false)...)
	}
	return settings, diags
}
