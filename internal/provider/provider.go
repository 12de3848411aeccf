// Package provider connects Terraform with package mira, which does the work. It holds
// the schemas, the conversion between Terraform's values and those of mira, and all text
// that an operator reads.
//
// # Clients
//
// A client has one model, [clientModel], and one codec between the model and the
// protocol's values. [clientAttributes] lists its attributes; conversion and comparison
// follow this list. The framework's server serves the resource. For clients whose
// configuration has not changed, a fast path answers instead, see [fastPath].
//
// # Text
//
// Errors get their titles and advice in the table [failures], warnings in
// [warningTexts].
package provider

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	listresource "github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

var (
	_ provider.Provider                  = (*miraProvider)(nil)
	_ provider.ProviderWithFunctions     = (*miraProvider)(nil)
	_ provider.ProviderWithActions       = (*miraProvider)(nil)
	_ provider.ProviderWithListResources = (*miraProvider)(nil)
)

type miraProvider struct {
	version     string
	environment connection.Environment
	configured  atomic.Pointer[configured] // nil until the provider is configured
	secrets     *managedfields.Register    // of the provider and of all clients
}

// newProvider returns the provider; version is that of the release.
func newProvider(version string) *miraProvider {
	return &miraProvider{version: version, environment: connection.SystemEnvironment(), secrets: &managedfields.Register{}}
}

// configured is what the provider hands to its resources.
type configured struct {
	// fleet is nil while the provider's configuration is not known, as in a plan
	// of an apply that creates the cluster.
	fleet     *mira.Fleet
	namespace value[string]
	template  mira.TemplateSource
	told      toldErrors
}

// configuredOf returns what the framework hands to a resource, a data source, a list or an action;
// nil for a validation, which comes before the provider is configured.
func configuredOf(providerData any, diags *diag.Diagnostics) *configured {
	if providerData == nil {
		return nil
	}
	data, ok := providerData.(*configured)
	if !ok {
		diags.AddError("Unexpected Provider Data", fmt.Sprintf("Got %T. This is a bug in the provider.", providerData))
	}
	return data
}

// readTemplateAhead begins to read the template that the plan of a client needs after its
// refresh. One that a client has for itself is left to its plan.
func (c *configured) readTemplateAhead(ctx context.Context, client *clientModel) {
	if client.Template.isNull() {
		c.fleet.ReadTemplateAhead(ctx, c.template)
	}
}

func (p *miraProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "mira"
	resp.Version = p.version
}

func (p *miraProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

func (p *miraProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	p.configured.Store(nil)
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	secrets := managedfields.NewSecrets(model.secrets())
	p.secrets.Add(secrets)
	data := &configured{namespace: textOf(model.Namespace)}
	if data.namespace.isNull() {
		data.namespace = knownValue(mira.DefaultNamespace)
	}
	resp.ResourceData = data
	resp.DataSourceData = data
	resp.ActionData = data
	resp.ListResourceData = data
	if !req.Config.Raw.IsFullyKnown() {
		logging.Debug(ctx, "The provider's configuration is not known yet")
		return
	}

	source, diags := model.templateSource(ctx)
	resp.Diagnostics.Append(diags...)
	settings, diags := model.settings(ctx, os.Getenv(mira.ClusterDomainKey))
	resp.Diagnostics.Append(diags...)
	connectionSettings, diags := model.connection(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	cluster, err := connection.Connect(connectionSettings, p.environment, "terraform-provider-mira/"+p.version)
	if err != nil {
		resp.Diagnostics.Append(connectionDiagnostic(err))
		return
	}
	client, err := kube.New(cluster, kube.Options{
		Manager: managedfields.NewManager(model.FieldManager.ValueString(), mira.ClientLabel).WithSecrets(secrets),
		Force:   model.forceConflicts(),
	})
	if err != nil {
		resp.Diagnostics.Append(connectionDiagnostic(err))
		return
	}
	settings.Hidden = p.secrets
	data.template = source
	data.fleet = mira.NewFleet(client, settings)
	p.configured.Store(data)
	logging.Debug(ctx, "Configured the provider", "connection", cluster.Source, "namespace", data.namespace.get(), "template", source)
}

func (p *miraProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &clientResource{secrets: p.secrets} },
		func() resource.Resource { return &templateResource{} },
	}
}

func (p *miraProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &clientDataSource{} },
		func() datasource.DataSource { return &clientsDataSource{} },
		func() datasource.DataSource { return &templateDataSource{} },
	}
}

func (p *miraProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{
		func() function.Function { return &renderFunction{secrets: p.secrets} },
		func() function.Function { return &revisionFunction{} },
	}
}

func (p *miraProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{func() action.Action { return &clientRestartAction{} }}
}

func (p *miraProvider) ListResources(context.Context) []func() listresource.ListResource {
	return []func() listresource.ListResource{func() listresource.ListResource {
		return &clientListResource{resource: clientResource{secrets: p.secrets}}
	}}
}
