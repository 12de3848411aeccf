package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

func (r *clientResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.provider == nil {
		return
	}
	if req.Plan.Raw.IsNull() {
		state, diags := readClient(req.State.Raw)
		resp.Diagnostics.Append(diags...)
		resp.Diagnostics.Append(r.planDelete(ctx, req.Private, &state, nil)...)
		return
	}
	plan, diags := readPlanned(req.Plan.Raw, req.Config.Raw)
	resp.Diagnostics.Append(diags...)
	r.noteSecrets(&plan)
	config, diags := readClient(req.Config.Raw)
	resp.Diagnostics.Append(diags...)
	var prior *clientModel // nil for a create
	if !req.State.Raw.IsNull() {
		state, diags := readClient(req.State.Raw)
		resp.Diagnostics.Append(diags...)
		prior = &state
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if recorded := plan.recordedSecrets(prior); len(recorded) > 0 {
		addWarnings(&resp.Diagnostics, []mira.Warning{mira.RecordedSecretsWarning{Client: plan.Name.get(), Variables: recorded}})
	}
	if config.Namespace.isNull() {
		plan.Namespace = r.provider.namespace
		if prior != nil && plan.Namespace.isUnknown() {
			// The provider's own namespace is not known yet. To take it for another one
			// would plan to replace every client.
			plan.Namespace = prior.Namespace
		}
	}
	if prior != nil && plan.Namespace != prior.Namespace {
		// One that is not known yet counts as another, as that of a name does.
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("namespace"))
	}
	var before *mira.State
	switch {
	case prior == nil:
	case plan.identity() == prior.identity():
		private, diags := loadClientPrivate(ctx, req.Private)
		resp.Diagnostics.Append(diags...)
		before = prior.state(private)
		if private.Refs == nil {
			// The next plan of this resource, if the client is replaced, is known by them.
			private.Refs = before.Refs
			resp.Diagnostics.Append(private.save(ctx, resp.Private)...)
		}
	default:
		next := mira.ClientName{Namespace: plan.Namespace.get(), Name: plan.Name.get()}
		resp.Diagnostics.Append(r.planDelete(ctx, req.Private, prior, &next)...)
	}
	declares := declarationOf(ctx, req, before != nil)
	timeout, diags := timeout("read", plan.Timeouts.get().Read, defaultReadTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp.Diagnostics.Append(r.planReplacement(ctx, &plan, declares)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if r.provider.fleet == nil || !plan.isKnown() {
		resp.Diagnostics.Append(r.planPartial(ctx, &plan, before, declares)...)
	} else {
		resp.Diagnostics.Append(r.plan(ctx, &plan, prior, before, declares)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Plan.Raw = plan.encode()
	}
}

// plan asks the server what an apply would do.
func (r *clientResource) plan(
	ctx context.Context, plan, prior *clientModel, before *mira.State, declares mira.Declaration,
) diag.Diagnostics {
	spec, _, diags := plan.spec(r.provider.template)
	if diags.HasError() {
		return diags
	}
	// Where it is not known whether claims may be deleted, the apply checks.
	spec.DeleteData = spec.DeleteData || plan.DeleteData.isUnknown()
	planned, err := resultOr(ctx, func() (*mira.Plan, error) {
		return planDeclared(ctx, r.provider.fleet, spec, before, declares)
	})
	if err != nil {
		addErrors(&diags, r.subject(spec.Name), err)
		return diags
	}
	addWarnings(&diags, planned.Warnings)
	if planned.Unknown {
		plan.setUnknown()
		if planned.URL != "" {
			plan.URL = knownValue(planned.URL)
		}
		if planned.Revision != "" {
			plan.TemplateRevision = knownValue(planned.Revision)
		}
		return diags
	}
	plan.setState(planned.State)
	if before != nil && before.Journal.IsPending() && prior.Rollout == plan.Rollout {
		// Without a refresh the state does not show yet what is pending.
		plan.Rollout = unknownValue[string]()
	}
	// A template that changes nothing for this client is no reason to update it.
	if before != nil && plan.sameAs(prior) {
		plan.TemplateRevision = prior.TemplateRevision
	}
	return diags
}

// planPartial plans what follows from the values that are known, and leaves the rest to
// the apply.
func (r *clientResource) planPartial(
	ctx context.Context, plan *clientModel, before *mira.State, declares mira.Declaration,
) diag.Diagnostics {
	plan.setUnknown()
	if r.provider.fleet == nil || !plan.Namespace.isKnown() || !plan.Name.isKnown() {
		return nil
	}
	if diags := r.declare(plan, declares); diags.HasError() || !plan.hasKnownTemplate() {
		return diags
	}
	spec, unknown, diags := plan.spec(r.provider.template)
	if diags.HasError() {
		return diags
	}
	partial, err := r.provider.fleet.PlanPartial(ctx, spec, unknown, before)
	if err != nil {
		addErrors(&diags, r.subject(spec.Name), err)
		return diags
	}
	if partial == nil {
		return diags
	}
	addWarnings(&diags, partial.Warnings)
	if partial.URL != nil {
		plan.setURL(*partial.URL)
	}
	if partial.Claims != nil {
		plan.Claims = knownValue(partial.Claims)
	}
	// An update that turns out to change nothing keeps the revision that it had.
	if partial.Revision != "" && (before == nil || before.Revision == partial.Revision) {
		plan.TemplateRevision = knownValue(partial.Revision)
	}
	return diags
}
