package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// What on_failure may be.
const (
	onFailureRollback = "rollback"
	onFailureKeep     = "keep"
)

type rolloutModel struct {
	Start              types.Int32  `tfsdk:"start"`
	Factor             types.Int32  `tfsdk:"factor"`
	MaxConcurrent      types.Int32  `tfsdk:"max_concurrent"`
	MaxFailures        types.Int32  `tfsdk:"max_failures"`
	OnFailure          types.String `tfsdk:"on_failure"`
	Grace              types.String `tfsdk:"grace"`
	UnschedulableGrace types.String `tfsdk:"unschedulable_grace"`
	Soak               types.String `tfsdk:"soak"`
	ContainerLogs      types.Bool   `tfsdk:"container_logs"`
}

func (m *providerModel) rollout(ctx context.Context) (mira.RolloutSettings, diag.Diagnostics) {
	settings := mira.DefaultRolloutSettings()
	if m.Rollout.IsNull() {
		return settings, nil
	}
	var model rolloutModel
	diags := m.Rollout.As(ctx, &model, basetypes.ObjectAsOptions{})
	for _, number := range []struct {
		to   *int
		from types.Int32
	}{
		{&settings.Start, model.Start},
		{&settings.Factor, model.Factor},
		{&settings.MaxConcurrent, model.MaxConcurrent},
		{&settings.MaxFailures, model.MaxFailures},
	} {
		if !number.from.IsNull() {
			*number.to = int(number.from.ValueInt32())
		}
	}
	settings.OmitLogs = !model.ContainerLogs.IsNull() && !model.ContainerLogs.ValueBool()
	settings.Keep = model.OnFailure.ValueString() == onFailureKeep
	for _, period := range []struct {
		name      string
		validator periodValidator
		to        *time.Duration
		from      types.String
	}{
		{"grace", periodValidator{}, &settings.Grace, model.Grace},
		{"unschedulable_grace", periodValidator{}, &settings.UnschedulableGrace, model.UnschedulableGrace},
		{"soak", periodValidator{mayBeZero: true}, &settings.Soak, model.Soak},
	} {
		if period.from.IsNull() {
			continue
		}
		duration, err := period.validator.parse(period.from.ValueString())
		if err != nil {
			// The validator did not see it, as it was not known then.
			diags.Append(invalidPeriod(path.Root("rollout").AtName(period.name), err))
			continue
		}
		*period.to = duration
	}
	return settings, diags
}
