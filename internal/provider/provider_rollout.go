package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
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
	Start              types.Int32          `tfsdk:"start"`
	Factor             types.Int32          `tfsdk:"factor"`
	MaxConcurrent      types.Int32          `tfsdk:"max_concurrent"`
	MaxFailures        types.Int32          `tfsdk:"max_failures"`
	OnFailure          types.String         `tfsdk:"on_failure"`
	Grace              timetypes.GoDuration `tfsdk:"grace"`
	UnschedulableGrace timetypes.GoDuration `tfsdk:"unschedulable_grace"`
	Soak               timetypes.GoDuration `tfsdk:"soak"`
	ContainerLogs      types.Bool           `tfsdk:"container_logs"`
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
		name, title string
		mayBeZero   bool
		to          *time.Duration
		from        timetypes.GoDuration
	}{
		{"grace", "Invalid Grace Period", false, &settings.Grace, model.Grace},
		{"unschedulable_grace", "Invalid Grace Period", false, &settings.UnschedulableGrace, model.UnschedulableGrace},
		{"soak", "Invalid Soak Time", true, &settings.Soak, model.Soak},
	} {
		if period.from.IsNull() {
			continue
		}
		duration, more := period.from.ValueGoDuration()
		diags.Append(more...)
		attribute := path.Root("rollout").AtName(period.name)
		switch {
		case duration <= 0 && !period.mayBeZero:
			diags.AddAttributeError(attribute, period.title, fmt.Sprintf("%s is %s, and must be more than 0s.", period.name, duration))
		case duration < 0:
			diags.AddAttributeError(attribute, period.title, fmt.Sprintf("%s is %s, and must be at least 0s.", period.name, duration))
		}
		*period.to = duration
	}
	return settings, diags
}
