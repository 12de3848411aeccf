package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
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
}

func rolloutSchema() schema.SingleNestedAttribute {
	defaults := mira.DefaultRolloutSettings()
	atLeastOne := []validator.Int32{int32validator.AtLeast(1)}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "How a change of the pods spreads over the clients, and what becomes of one that fails. Updates begin in waves: the next wave, a larger one, begins when all clients of the one before serve. " +
			"After too many failures no further update begins in this run. New clients, and changes that leave the pods alone, do not wait for their turn.",
		Attributes: map[string]schema.Attribute{
			"start": schema.Int32Attribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("The number of clients in the first wave. Defaults to `%d`.", defaults.Start),
				Validators:          atLeastOne,
			},
			"factor": schema.Int32Attribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("How many times as many clients each wave has as the one before it, if that one succeeded as a whole. Defaults to `%d`; `1` keeps the size.", defaults.Factor),
				Validators:          atLeastOne,
			},
			"max_concurrent": schema.Int32Attribute{
				Optional:            true,
				MarkdownDescription: "The largest number of clients in a wave. Without it only the CLI's `-parallelism` bounds how many roll out at once.",
				Validators:          atLeastOne,
			},
			"max_failures": schema.Int32Attribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("After how many failed rollouts, those of new clients included, no further update begins in this run. Defaults to `%d`.", defaults.MaxFailures),
				Validators:          atLeastOne,
			},
			"on_failure": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("What becomes of a client whose rollout fails. `%[1]s`, the default, puts its objects back as they were and frees its pods from the bad revision; what a new client has got is deleted again (its claims stay). "+
					"`%[2]s` leaves everything for inspection; a new client is tainted then.", onFailureRollback, onFailureKeep),
				Validators: []validator.String{stringvalidator.OneOf(onFailureRollback, onFailureKeep)},
			},
			"grace": schema.StringAttribute{
				CustomType: timetypes.GoDurationType{},
				Optional:   true,
				MarkdownDescription: fmt.Sprintf("For how long a pod of the new revision may fail, as in `ImagePullBackOff` or `CrashLoopBackOff`, before its rollout counts as failed. Defaults to `%s`.",
					defaults.Grace),
			},
			"unschedulable_grace": schema.StringAttribute{
				CustomType: timetypes.GoDurationType{},
				Optional:   true,
				MarkdownDescription: fmt.Sprintf("For how long a pod of the new revision may wait for a node or a volume, which autoscalers and provisioners take their time to bring. Defaults to `%s`.",
					defaults.UnschedulableGrace),
			},
		},
	}
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
	settings.Keep = model.OnFailure.ValueString() == onFailureKeep
	for _, grace := range []struct {
		name string
		to   *time.Duration
		from timetypes.GoDuration
	}{
		{"grace", &settings.Grace, model.Grace},
		{"unschedulable_grace", &settings.UnschedulableGrace, model.UnschedulableGrace},
	} {
		if grace.from.IsNull() {
			continue
		}
		duration, more := grace.from.ValueGoDuration()
		diags.Append(more...)
		if duration <= 0 {
			diags.AddAttributeError(path.Root("rollout").AtName(grace.name), "Invalid Grace Period", fmt.Sprintf("%s is %s, and must be more than 0s.", grace.name, duration))
		}
		*grace.to = duration
	}
	return settings, diags
}
