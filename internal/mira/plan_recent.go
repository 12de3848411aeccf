package mira

import (
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// recentPlans bounds how many plans are remembered. The CLI works at ten clients at a time by
	// default, and applies each right after it has planned it once more.
	maxRecentPlans = 32
	// recentPlanAge bounds how old a plan can be that an apply goes by.
	recentPlanAge = time.Minute
)

// recentPlans are what the plans of this process have found out. The CLI plans a change once
// more right before it applies it, so that the apply need not read and dry-run the same a second
// time. Where it matters the write makes sure that it still holds: an object is created only if
// there is none, and changed only if it is the version of which the server said what the change
// would give.
type recentPlans struct {
	plans *cache.LRUExpireCache // of recentPlan by namespace/name of the client
}

// recentPlan is a change set, and what it was made for.
type recentPlan struct {
	spec     Spec
	prior    *State
	revision string // of the template
	changes  changeSet
}

func newRecentPlans() recentPlans {
	return recentPlans{plans: cache.NewLRUExpireCache(maxRecentPlans)}
}

// keep remembers the plan of an operation, if an apply can go by it.
func (r recentPlans) keep(o *operation) {
	if o.planner.replacesOwn() {
		return // what it found is deleted first
	}
	for _, c := range o.changes {
		if !c.isReusable() || c.writesToLive() && !o.fields.Applied(c.live) {
			return
		}
	}
	plan := recentPlan{spec: o.spec, prior: o.prior, revision: o.manifest.revision, changes: o.changes}
	r.plans.Add(clientKey(o.spec), plan, recentPlanAge)
}

// forget removes the plan of a client, of which something is about to be written.
func (r recentPlans) forget(spec Spec) { r.plans.Remove(clientKey(spec)) }

// take returns what was found out for the same operation a moment ago, once; nil if that is not
// known.
func (r recentPlans) take(o *operation) changeSet {
	found, isThere := r.plans.Get(clientKey(o.spec))
	r.forget(o.spec)
	plan, _ := found.(recentPlan)
	if !isThere || plan.revision != o.manifest.revision || !reflect.DeepEqual(plan.spec, o.spec) || !reflect.DeepEqual(plan.prior, o.prior) {
		return nil
	}
	for _, c := range plan.changes {
		c.isReused = true
		if c.live != nil {
			c.live = c.live.DeepCopy() // others may have the same
		}
	}
	return plan.changes
}

func clientKey(spec Spec) string { return spec.Namespace + "/" + spec.Name }

// isReusable reports whether the write of a change can make sure that what was found out
// still holds. That is so for objects that are created, left alone, or changed by the apply alone. What
// takes more than that is looked at again.
func (c *objectChange) isReusable() bool {
	switch c.action {
	case actionNone:
		return true
	case actionDelete:
		return len(c.claims.atRisk) == 0
	case actionRecreate:
		return false
	case actionApply:
	}
	isPlain := len(c.claims.growing) == 0 && len(c.claims.atRisk) == 0 && len(c.removal) == 0 && len(c.leftovers) == 0 &&
		len(c.kept) == 0 && !c.isOverridden
	return isPlain && (c.live == nil || isOfVersion(c.dryRun, c.live))
}

// isOfVersion reports whether the dry run of an apply was made on the very version of the live
// object that was read, and this is not being deleted.
func isOfVersion(dryRun, live *unstructured.Unstructured) bool {
	return dryRun.GetUID() == live.GetUID() && dryRun.GetResourceVersion() == live.GetResourceVersion() && live.GetDeletionTimestamp() == nil
}
