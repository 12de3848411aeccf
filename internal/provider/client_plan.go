package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

func (r *clientResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() || r.provider == nil {
		return // a destroy: the state has all that it needs
	}
	var plan, config clientModel
	var state *clientModel // nil for a create
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !req.State.Raw.IsNull() {
		state = &clientModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if config.Namespace.IsNull() {
		plan.Namespace = r.provider.namespace
		if state != nil && plan.Namespace.IsUnknown() {
			// The provider's own namespace is not known yet. To take it for another one
			// would plan to replace every client.
			plan.Namespace = state.Namespace
		}
	}
	if state != nil && !plan.Namespace.Equal(state.Namespace) {
		// One that is not known yet counts as another, as that of a name does.
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("namespace"))
	}
	var before *mira.State
	if state != nil && plan.Namespace.Equal(state.Namespace) && plan.Name.Equal(state.Name) {
		refs, diags := loadRefs(ctx, req.Private)
		resp.Diagnostics.Append(diags...)
		before, diags = state.record(ctx, refs)
		resp.Diagnostics.Append(diags...)
		before.Fingerprints, diags = loadFingerprints(ctx, req.Private)
		resp.Diagnostics.Append(diags...)
	}
	timeout, diags := plan.Timeouts.Read(ctx, defaultReadTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if r.provider.fleet == nil || !plan.isKnown(ctx) {
		resp.Diagnostics.Append(r.foresee(ctx, &plan, before)...)
	} else {
		resp.Diagnostics.Append(r.plan(ctx, &plan, state, before)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	}
}

// plan asks the server what an apply would give.
func (r *clientResource) plan(ctx context.Context, plan, state *clientModel, before *mira.State) diag.Diagnostics {
	spec, diags := plan.spec(ctx, r.provider.template)
	if diags.HasError() {
		return diags
	}
	// Where it is not known whether claims may be deleted, the apply checks.
	spec.DeleteData = spec.DeleteData || plan.DeleteData.IsUnknown()
	planned, err := once(ctx, func() (*mira.Plan, error) { return r.provider.fleet.Plan(ctx, spec, before) })
	if err != nil {
		addErrors(&diags, clientSubject(spec.Name), err)
		return diags
	}
	addWarnings(&diags, planned.Warnings)
	if planned.Unknown {
		plan.setUnknown()
		if planned.URL != "" {
			plan.URL = types.StringValue(planned.URL)
		}
		if planned.Revision != "" {
			plan.TemplateRevision = types.StringValue(planned.Revision)
		}
		return diags
	}
	diags.Append(plan.setRecord(ctx, planned.State)...)
	// A template that gives this client nothing new is no reason to touch it.
	if before != nil && plan.sameAs(*state) {
		plan.TemplateRevision = state.TemplateRevision
	}
	return diags
}

// foresee leaves to the apply what cannot be known yet, and no more than that.
func (r *clientResource) foresee(ctx context.Context, plan *clientModel, before *mira.State) diag.Diagnostics {
	plan.setUnknown()
	if r.provider.fleet == nil || !known(plan.Namespace) || !known(plan.Name) || !isFullyKnown(ctx, plan.Template) {
		return nil
	}
	spec, unknown, diags := plan.partialSpec(ctx, r.provider.template)
	if diags.HasError() {
		return diags
	}
	foresight, err := r.provider.fleet.PlanPartial(ctx, spec, unknown, before)
	if err != nil {
		addErrors(&diags, clientSubject(spec.Name), err)
		return diags
	}
	if foresight == nil {
		return diags
	}
	addWarnings(&diags, foresight.Warnings)
	if foresight.URL != nil {
		plan.setURL(*foresight.URL)
	}
	if foresight.Claims != nil {
		claims, more := types.ListValueFrom(ctx, types.StringType, foresight.Claims)
		diags.Append(more...)
		plan.Claims = claims
	}
	// An update that turns out to change nothing keeps the revision that it had.
	if foresight.Revision != "" && (before == nil || before.Revision == foresight.Revision) {
		plan.TemplateRevision = types.StringValue(foresight.Revision)
	}
	return diags
}
