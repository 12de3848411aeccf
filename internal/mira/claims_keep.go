package mira

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// Claims outlive their StatefulSet and its pods, unless the client is deleted with its
// data. The template cannot say otherwise (checkClaimPolicy), but the live object can: by
// hand, or by a template that `delete_data` allowed. So whatever deletes a StatefulSet,
// recreates it or lowers its replicas calls [services.keepClaims] first.

// checkClaimPolicy refuses a template's StatefulSet that lets Kubernetes delete claims, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention.
func checkClaimPolicy(object *unstructured.Unstructured, deleteData bool) error {
	if deleteData || !isStatefulSet(object) {
		return nil
	}
	if policies := kube.DeletesClaims(object); len(policies) > 0 {
		return &ClaimPolicyError{Ref: kube.RefOf(object), Policy: policies[0]}
	}
	return nil
}

// keepClaims makes the claims of a live StatefulSet safe, and waits until they are. The
// error is a [*ClaimsNotSafeError].
func (s *services) keepClaims(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	kept, err := s.claims.Keep(ctx, live)
	if err != nil {
		return nil, &ClaimsNotSafeError{Ref: kube.RefOf(live), Policies: kube.DeletesClaims(live), Err: err}
	}
	return kept, nil
}

// deleteKeepingClaims deletes a live object, but no claims with it.
func (s *services) deleteKeepingClaims(ctx context.Context, live *unstructured.Unstructured) error {
	if isStatefulSet(live) {
		if _, err := s.keepClaims(ctx, live); err != nil && !isGone(err) {
			return err
		}
	}
	return s.kube.Delete(ctx, kube.RefOf(live))
}

// deleteCreatedObject deletes an object that this operation has created. Its claims may be
// those of an earlier life of the client.
func (s *services) deleteCreatedObject(ctx context.Context, ref kube.Ref) error {
	if ref.Kind != statefulSetKind {
		return s.kube.Delete(ctx, ref)
	}
	live, err := s.kube.Get(ctx, ref)
	switch {
	case err != nil:
		return err
	case live == nil || live.GetUID() != ref.UID:
		return nil
	case len(kube.DeletesClaims(live)) == 0:
		return s.kube.Delete(ctx, ref) // its claims never were its own
	}
	return s.deleteKeepingClaims(ctx, live)
}

// planKeeping finds the StatefulSets that go, are recreated or shrink, and that have
// Kubernetes delete their claims then. It refuses those whose claims cannot be made safe.
func (p claimPlanner) planKeeping(ctx context.Context, changes changeSet) error {
	var refused []error
	for _, c := range changes {
		live, err := p.leaving(ctx, c)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if live == nil {
			continue
		}
		if c.claims.atRisk = c.policiesThatCount(live, p.spec.DeleteData); len(c.claims.atRisk) == 0 {
			continue
		}
		if err := p.claims.CheckKeep(ctx, live); err != nil {
			refused = append(refused, &ClaimsNotSafeError{Ref: kube.RefOf(live), Policies: c.claims.atRisk, Err: err})
		}
	}
	return errors.Join(refused...)
}

// leaving returns the live StatefulSet of a change that deletes, recreates or shrinks it;
// nil for any other change.
func (p claimPlanner) leaving(ctx context.Context, c *objectChange) (*unstructured.Unstructured, error) {
	switch {
	case c.ref.Kind != statefulSetKind || c.refusal() != nil:
		return nil, nil //nolint:nilerr // what is refused is not done
	case c.action == actionDelete:
		live, err := p.read(ctx, c.ref)
		if err != nil || live == nil {
			return nil, err
		}
		if checkOwner(live, p.spec.Name) != nil {
			return nil, nil //nolint:nilerr // it is left to its owner
		}
		return live, nil
	case c.live != nil && (c.action == actionRecreate || c.action == actionApply && losesPods(c.live, c.dryRun)):
		return c.live, nil
	}
	return nil, nil
}

// policiesThatCount returns the fields of the live policy by which a change would lose
// claims. A template that has claims deleted with the replicas that go means just that,
// where the data may be deleted at all.
func (c *objectChange) policiesThatCount(live *unstructured.Unstructured, deleteData bool) []string {
	policies := kube.DeletesClaims(live)
	if c.action != actionApply {
		return policies
	}
	isMeant := deleteData && slices.Contains(kube.DeletesClaims(c.manifest), kube.WhenScaled)
	if isMeant || !slices.Contains(policies, kube.WhenScaled) {
		return nil
	}
	return []string{kube.WhenScaled}
}

// keepClaimsOf makes the claims of a StatefulSet safe that is about to be recreated or to
// shrink.
func (w *writer) keepClaimsOf(ctx context.Context, c *objectChange) error {
	if len(c.claims.atRisk) == 0 {
		return nil
	}
	kept, err := w.keepClaims(ctx, c.live)
	if err != nil {
		return err
	}
	logging.Debug(ctx, "Made claims safe", "client", w.planner.spec.Name, "object", c.ref, "policies", c.claims.atRisk)
	if c.action == actionApply {
		c.live = kept // as it is adopted
	}
	// A recreation finds that its object has changed, and is planned again: what it
	// creates has no policy by hand.
	return nil
}

// keepClaimsRestoring makes claims safe before a roll back that recreates a StatefulSet, as
// it was recreated since, or that takes replicas away: they may have found old claims.
func (s *services) keepClaimsRestoring(ctx context.Context, before, after *unstructured.Unstructured) error {
	if !isStatefulSet(after) || before.GetUID() == after.GetUID() && !losesPods(after, before) {
		return nil
	}
	live, err := s.kube.Get(ctx, kube.RefOf(after))
	if err != nil || live == nil || len(kube.DeletesClaims(live)) == 0 {
		return err
	}
	_, err = s.keepClaims(ctx, live)
	return err
}

// losesPods reports whether a StatefulSet has replicas before that it has not after.
func losesPods(before, after *unstructured.Unstructured) bool {
	first, end := ordinals(before)
	newFirst, newEnd := ordinals(after)
	return first < end && (first < newFirst || newEnd < end)
}

// ordinals returns the range of the ordinals of a StatefulSet's replicas, the end not
// included.
func ordinals(statefulSet *unstructured.Unstructured) (first, end int64) {
	first, _, _ = unstructured.NestedInt64(statefulSet.Object, "spec", "ordinals", "start")
	return first, first + replicasOf(statefulSet)
}
