package mira

import (
	"context"
	"errors"
	"maps"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// An updated object is what a new one of the same template would be, except for what other
// managers own. Server-side apply alone does not make it so: the server keeps what it has
// filled in for the object as it was. So where the apply drops a field, or is refused, the
// server is also asked what a new object would be, and what differs is removed with the
// apply. What the server does not let go of is applied with its live value: it stays owned,
// so that the plan shows no removal that does not happen, and each plan finds it again.

// applyPlanner finds out how an object can be applied: as it is, together with the removal
// of what the server would keep, or by recreating it.
type applyPlanner struct{ *subject }

// dryRunApply asks the server what applying an object would give, and what else it
// takes to apply it.
func (p applyPlanner) dryRunApply(ctx context.Context, c *objectChange) error {
	if c.live != nil {
		c.applied = managedfields.InLiveSpelling(c.manifest, c.live)
	}
	var refusal error
	switch {
	case c.live == nil && c.first.refusal != nil:
		return c.first.refusal // there is no object: that was the answer
	case c.live != nil && c.first.result != nil && c.first.result.GetResourceVersion() == c.live.GetResourceVersion() &&
		c.applied == c.manifest:
		c.dryRun = c.first.result
	default:
		c.dryRun, refusal = p.kube.DryRun(ctx, c.applied, c.live)
	}
	rejected, isRejected := errors.AsType[*kube.RejectedError](refusal)
	switch {
	case c.live == nil, refusal != nil && (!isRejected || !rejected.IsInvalid()):
		return refusal
	case refusal == nil && !p.mayLeaveFields(c):
		return nil
	}
	probe, err := p.kube.Probe(c.applied, c.live)
	if err != nil {
		return err
	}
	if refusal != nil {
		return p.planOtherwise(ctx, c, probe, refusal)
	}
	return p.planConvergence(ctx, c, probe)
}

// mayLeaveFields reports whether the server may keep on an object what a new one would not
// have. An object that is being deleted is created as a new one.
func (p applyPlanner) mayLeaveFields(c *objectChange) bool {
	adoption := c.adoption(p.fields)
	return c.live.GetDeletionTimestamp() == nil && (adoption.Drops() || adoption.Keeps(c.applied) || c.staysHeadless())
}

// staysHeadless reports whether the apply leaves a Service without an address that does not ask for
// that.
func (c *objectChange) staysHeadless() bool {
	return managedfields.IsService(c.live) && managedfields.IsHeadless(c.dryRun) && !managedfields.IsHeadless(c.applied)
}

// planConvergence plans what becomes of the fields that the server keeps.
func (p applyPlanner) planConvergence(ctx context.Context, c *objectChange, probe *kube.Probe) error {
	if c.staysHeadless() {
		plan, err := probe.Recreation(ctx, c.prior)
		if err != nil {
			return err
		}
		if plan != nil {
			c.recreate(plan)
			return nil
		}
	}
	converged, err := probe.Converge(ctx, c.dryRun, c.prior)
	if err != nil || converged == nil {
		return err
	}
	c.leftovers, c.differing, c.dryRun = converged.Removed, converged.Differing, converged.Result
	if len(converged.Kept) == 0 {
		return nil
	}
	c.kept, c.isOverridden = converged.Kept, true
	c.applied = c.kept.Keeping(c.applied, c.live)
	kept, err := p.kube.DryRun(ctx, c.applied, c.live)
	if err != nil {
		return err
	}
	c.dryRun = c.dryRun.DeepCopy()
	c.dryRun.SetManagedFields(kept.GetManagedFields())
	return nil
}

// planOtherwise plans how an object can be applied whose apply the server has refused as
// invalid. If there is no way it returns the refusal, with what is known of its reason.
func (p applyPlanner) planOtherwise(ctx context.Context, c *objectChange, probe *kube.Probe, refusal error) error {
	if isPlanned, err := p.planWithoutLeftovers(ctx, c, probe); err != nil || isPlanned {
		return err
	}
	err := p.planRecreation(ctx, c, probe, refusal)
	// That a claim cannot grow is no fault of fields set by hand, though it wraps such an answer.
	if _, isGrowth := errors.AsType[*ClaimGrowthError](err); err == nil || c.refusal() != nil || isGrowth {
		return err
	}
	if _, ok := errors.AsType[*kube.RejectedError](err); !ok {
		return err
	}
	return p.planRemoval(ctx, c, probe, err)
}

// planWithoutLeftovers plans to remove what the server has filled in, and what no manager
// owns, if the object can be applied then.
func (p applyPlanner) planWithoutLeftovers(ctx context.Context, c *objectChange, probe *kube.Probe) (isPlanned bool, err error) {
	overlay, err := probe.Overlay(ctx)
	if err != nil || overlay == nil {
		return false, err
	}
	converged, err := probe.Converge(ctx, overlay, c.prior)
	if err != nil || converged == nil || len(converged.Removed) == 0 {
		return false, err
	}
	c.leftovers, c.differing, c.dryRun = converged.Removed, converged.Differing, converged.Result
	return true, nil
}

// planRemoval plans to remove what people with kubectl have added by hand, if the
// server does not accept it together with what the template has. Otherwise it returns
// the refusal.
func (p applyPlanner) planRemoval(ctx context.Context, c *objectChange, probe *kube.Probe, refusal error) error {
	removal, err := probe.ConflictRemoval(ctx, c.prior, refusal)
	if err != nil {
		return err
	}
	if removal == nil {
		return probe.Explain(ctx, refusal)
	}
	c.dryRun, c.removal, c.leftovers = removal.Result, removal.Fields, removal.Claimed
	// The adoption drops them as if they had been ours.
	c.prior = maps.Clone(c.prior)
	if c.prior == nil {
		c.prior = make(managedfields.Fields)
	}
	maps.Copy(c.prior, removal.Fields)
	return nil
}
