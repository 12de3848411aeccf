package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// defaultRestartTimeout is that of an update.
const defaultRestartTimeout = defaultUpdateTimeout

var _ action.ActionWithConfigure = (*clientRestartAction)(nil)

// clientRestartAction restarts a client. It has no plan of its own: what it finds when it is
// invoked counts. A plan comes before the changes of the same apply, which may create the
// client, or change what stands in the way of its restart.
type clientRestartAction struct {
	provider *configured
}

type clientRestartModel struct {
	Name           types.String `tfsdk:"name"`
	Namespace      types.String `tfsdk:"namespace"`
	WaitForRollout types.Bool   `tfsdk:"wait_for_rollout"`
	Timeout        types.String `tfsdk:"timeout"`
}

func (a *clientRestartAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_client_restart"
}

func (a *clientRestartAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Restarts a client: the pods of its StatefulSets are replaced one after the other, without any other change, " +
			"as `kubectl rollout restart` does. Restarts begin in waves like updates, and none begins after too many failures, " +
			"as the provider's `rollout` says. Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The name of the client. A `mira_client` must manage it.",
				Validators:          []validator.String{nameValidator{}},
			},
			"namespace": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The namespace in which the client lives. Defaults to the provider's.",
				Validators:          []validator.String{namespaceValidator{}},
			},
			"wait_for_rollout": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("Whether to wait until the new pods serve. Defaults to `%t`. Without, a restart that fails "+
					"does not keep others from beginning.", defaultWaitForRollout),
			},
			"timeout": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How long the restart may take from the moment when it begins. The wait for other restarts "+
					"does not count. Defaults to `%s`.", defaultRestartTimeout),
				Validators: []validator.String{periodValidator{}},
			},
		},
	}
}

func (a *clientRestartAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

// Invoke restarts the client.
func (a *clientRestartAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var model clientRestartModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	timeout, err := model.timeout()
	if err != nil {
		resp.Diagnostics.Append(invalidPeriod(path.Root("timeout"), err))
	}
	if a.provider == nil || a.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known",
			"A client can only be restarted when the provider's configuration is known.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	namespace, name := model.Namespace.ValueString(), model.Name.ValueString()
	if namespace == "" {
		namespace = a.provider.namespace.get()
	}
	options := mira.RestartOptions{
		Wait:    model.WaitForRollout.IsNull() && defaultWaitForRollout || model.WaitForRollout.ValueBool(),
		Timeout: timeout,
		OnProgress: func(event mira.RestartProgress) {
			if ctx.Err() == nil { // nobody may be listening any more
				resp.SendProgress(action.InvokeProgressEvent{Message: restartProgress(name, event)})
			}
		},
	}
	warnings, err := a.provider.fleet.Restart(ctx, namespace, name, options)
	addWarnings(&resp.Diagnostics, warnings)
	if err != nil {
		s := clientSubject(name)
		s.told, s.isClient = &a.provider.told, false
		addErrors(&resp.Diagnostics, s, err)
	}
}

// timeout is the configured one, or the default.
func (m *clientRestartModel) timeout() (time.Duration, error) {
	if m.Timeout.IsNull() {
		return defaultRestartTimeout, nil
	}
	return periodValidator{}.parse(m.Timeout.ValueString())
}

// restartProgress is an event in words.
func restartProgress(client string, event mira.RestartProgress) string {
	switch event.Stage {
	case mira.RestartQueued:
		return fmt.Sprintf("Client %q waits for the restarts and updates of other clients to end.", client)
	case mira.RestartBegun:
		return fmt.Sprintf("Client %q: %s restarts its pods (%d).", client, event.StatefulSet, event.Replicas)
	case mira.RestartPending:
		return fmt.Sprintf("Client %q: %s: %s.", client, event.StatefulSet, event.Status)
	case mira.RestartDone:
		return fmt.Sprintf("Client %q: %s serves with new pods (%d).", client, event.StatefulSet, event.Replicas)
	}
	return ""
}
