package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// planDelete declares that a client goes, and says what becomes of its data. `next` is the
// client that replaces it; nil if there is none. The delete itself needs no plan: the state
// has all that it needs.
//
// Of a replacement the CLI asks for two plans, and shows the warnings of the first only:
// that has the prior state.
func (r *clientResource) planDelete(ctx context.Context, from privateReader, prior *clientModel, next *mira.ClientName) diag.Diagnostics {
	diags := r.declareGone(prior)
	if r.provider.fleet == nil || diags.HasError() {
		return diags
	}
	private, more := loadClientPrivate(ctx, from)
	diags.Append(more...)
	timeout, more := timeout("read", prior.Timeouts.get().Read, defaultReadTimeout)
	diags.Append(more...)
	if diags.HasError() {
		return diags
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	namespace, name := prior.Namespace.get(), prior.Name.get()
	warnings, err := r.provider.fleet.PlanDelete(ctx, namespace, name, prior.state(private), prior.DeleteData.get(), next)
	if err != nil {
		addErrors(&diags, clientSubject(name), err)
		return diags
	}
	addWarnings(&diags, warnings)
	return diags
}

// planReplacement says what becomes of the data of a client that is planned as a new one
// although the state has it: as it is tainted, or by `-replace`.
func (r *clientResource) planReplacement(ctx context.Context, plan *clientModel, as mira.Declaration) diag.Diagnostics {
	var diags diag.Diagnostics
	if r.provider.fleet == nil || !plan.Namespace.isKnown() || !plan.Name.isKnown() {
		return diags
	}
	warnings, err := r.provider.fleet.PlanReplacement(ctx, plan.Namespace.get(), plan.Name.get(), as)
	if err != nil {
		addErrors(&diags, r.subject(plan.Name.get()), err)
		return diags
	}
	addWarnings(&diags, warnings)
	return diags
}
