package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// defaultForceConflicts is whether fields of other managers are taken over.
const defaultForceConflicts = true

type providerModel struct {
	ClusterDomain  types.String `tfsdk:"cluster_domain"`
	Namespace      types.String `tfsdk:"namespace"`
	Template       types.Object `tfsdk:"template"`
	Variables      types.Map    `tfsdk:"variables"`
	Secrets        types.Map    `tfsdk:"secret_variables"`
	AllowedKinds   types.Set    `tfsdk:"allowed_kinds"`
	FieldManager   types.String `tfsdk:"field_manager"`
	ForceConflicts types.Bool   `tfsdk:"force_conflicts"`
	Adopt          types.String `tfsdk:"adopt"`
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

func (m *providerModel) forceConflicts() bool {
	if m.ForceConflicts.IsNull() {
		return defaultForceConflicts
	}
	return m.ForceConflicts.ValueBool()
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
	settings := mira.Settings{
		ClusterDomain: m.ClusterDomain.ValueString(),
		AllowedKinds:  mira.DefaultAllowedKinds(),
		Adopt:         mira.AdoptPolicy(m.Adopt.ValueString()),
	}
	var diags diag.Diagnostics
	if settings.ClusterDomain == "" && domainFromEnvironment != "" {
		settings.ClusterDomain = domainFromEnvironment
		if err := checkDomain(domainFromEnvironment); err != nil {
			diags.AddError("Invalid Cluster Domain", sentence(fmt.Sprintf("The environment variable %s %v", mira.ClusterDomainKey, err)))
		}
	}
	if !m.Variables.IsNull() {
		diags.Append(m.Variables.ElementsAs(ctx, &settings.Variables, false)...)
	}
	settings.Secrets = m.secrets()
	diags.Append(setTwice(settings.Secrets, settings.Variables)...)
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

// secrets returns the secret variables whose values are known.
func (m *providerModel) secrets() map[string]string {
	secrets := make(map[string]string, len(m.Secrets.Elements()))
	for name, element := range m.Secrets.Elements() {
		if text, ok := element.(types.String); ok && !text.IsNull() && !text.IsUnknown() {
			secrets[name] = text.ValueString()
		}
	}
	return secrets
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
