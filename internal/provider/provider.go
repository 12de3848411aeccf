// Package provider is the Terraform face of the product: schemas, conversion
// between Terraform's values and the domain's, and diagnostics. The work itself
// is done by package mira.
package provider

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/cluster"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

var _ provider.Provider = (*miraProvider)(nil)

type miraProvider struct {
	version     string
	environment cluster.Environment
	configured  atomic.Pointer[configured] // nil before
}

// newProvider makes the provider; version is that of the release.
func newProvider(version string) *miraProvider {
	return &miraProvider{version: version, environment: cluster.SystemEnvironment()}
}

// configured is what the provider hands to its resources.
type configured struct {
	// fleet is nil while the provider's configuration is not known, as in a plan
	// of an apply that creates the cluster.
	fleet     *mira.Fleet
	namespace types.String
	template  mira.TemplateSource
	// unknown is set where the provider's configuration is not wholly known.
	unknown bool
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
	data := &configured{namespace: model.Namespace}
	if data.namespace.IsNull() {
		data.namespace = types.StringValue(mira.DefaultNamespace)
	}
	resp.ResourceData = data
	resp.DataSourceData = data
	if !req.Config.Raw.IsFullyKnown() {
		data.unknown = true
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
	client, err := connect(connectionSettings, p.environment, "terraform-provider-mira/"+p.version, cluster.Options{
		FieldManager: model.FieldManager.ValueString(),
		Force:        model.ForceConflicts.IsNull() || model.ForceConflicts.ValueBool(),
		OwnerLabel:   mira.ClientLabel,
	})
	if err != nil {
		resp.Diagnostics.Append(connectionDiagnostic(err))
		return
	}
	data.template = source
	data.fleet = mira.NewFleet(client, settings)
	p.configured.Store(data)
}

func connect(settings cluster.Settings, environment cluster.Environment, userAgent string, options cluster.Options) (*cluster.Client, error) {
	connection, err := cluster.Connect(settings, environment, userAgent)
	if err != nil {
		return nil, err
	}
	return cluster.New(connection, options)
}

func (p *miraProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newClientResource}
}

func (p *miraProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }
