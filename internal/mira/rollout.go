package mira

import (
	"context"
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// wait follows the rollout of every StatefulSet that the apply created or changed. A
// create waits for those, too, that it found as they should be, and so does an update of
// a client of which some rollout was not seen through.
func (o *operation) wait(ctx context.Context) error {
	for _, c := range o.changes.withManifest() {
		if isStatefulSet(c.result()) && awaits(c, o.prior) {
			if err := o.waitFor(ctx, c); err != nil {
				return err
			}
			o.progress.serving = append(o.progress.serving, c.ref.Name)
		}
	}
	return nil
}

// awaits reports whether an operation must see the rollout of a StatefulSet. Of a client
// whose configuration did not wait for rollouts until now, none was seen.
func awaits(c *objectChange, prior *State) bool {
	return prior == nil || prior.Journal.IsPending() || prior.IgnoresRollouts || c.startsRollout()
}

// waitFor waits until a StatefulSet serves and its claims have grown.
func (o *operation) waitFor(ctx context.Context, c *objectChange) error {
	if err := o.replacePods(ctx, c.result()); err != nil {
		return err
	}
	if err := o.awaitRollout(ctx, c.result(), rollout.Options{DeleteStuckPods: true}); err != nil {
		return err
	}
	warnings, err := o.awaitGrowth(ctx, o.spec.Name, c)
	o.warn(warnings...)
	if err != nil && c.live == nil && !errors.Is(err, context.Canceled) {
		// The client serves. An error would taint it.
		o.warn(ClaimNotGrownWarning{Client: o.spec.Name, Err: err})
		return nil
	}
	return err
}

// replaceAllPods replaces the pods that the StatefulSets' controller cannot change, of an
// apply that does not wait for rollouts.
func (s *services) replaceAllPods(ctx context.Context, written []*objectChange, isUpdate bool) error {
	for _, c := range written {
		if isStatefulSet(c.stored) && (c.action == actionRecreate || c.live == nil && isUpdate) {
			if err := s.replacePods(ctx, c.stored); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitRollout follows the rollout of one StatefulSet. The error is a [*RolloutError].
func (s *services) awaitRollout(ctx context.Context, statefulSet *unstructured.Unstructured, options rollout.Options) error {
	common := s.settings.Rollout.options()
	options.Grace, options.UnschedulableGrace, options.Soak = common.Grace, common.UnschedulableGrace, common.Soak
	if _, err := s.watcher.Wait(ctx, targetOf(statefulSet), options); err != nil {
		return &RolloutError{Err: s.kube.Explain(err)}
	}
	return nil
}

// targetOf is the StatefulSet as a write has left it.
func targetOf(statefulSet *unstructured.Unstructured) rollout.Target {
	return rollout.Target{
		Namespace: statefulSet.GetNamespace(), Name: statefulSet.GetName(), UID: statefulSet.GetUID(), MinGeneration: statefulSet.GetGeneration(),
	}
}

// options are those of every wait.
func (s RolloutSettings) options() rollout.Options {
	return rollout.Options{Grace: s.Grace, UnschedulableGrace: s.UnschedulableGrace, Soak: s.Soak}
}

// rolloutFailure reports whether a rollout has failed, and why, in a line: a pod cannot
// come up, or the time ran out. An interrupt, or a server that does not answer, says
// nothing about the rollout.
func rolloutFailure(err error) (reason string, isFailed bool) {
	var failed *rollout.FailedError
	var pending *rollout.PendingError
	switch {
	case errors.As(err, &failed):
		return failed.Reason(), true
	case errors.As(err, &pending) && !pending.IsOutcomeUnknown():
		return pending.Reason(), true
	}
	return "", false
}

// unknownOutcome returns why it is not known, in a line, whether a rollout has succeeded
// or failed; "" if it is known. Claims that do not grow say nothing about the rollout.
func unknownOutcome(err error) string {
	var growth *kube.GrowthError
	var pending *rollout.PendingError
	_, isFailed := rolloutFailure(err)
	switch {
	case err == nil, isFailed, errors.As(err, &growth):
		return ""
	case errors.As(err, &pending):
		return pending.Reason()
	}
	return oneLine(err)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// hasBegunRollout reports whether a change was written that replaces pods, or may have been.
func (p *progress) hasBegunRollout() bool {
	isStatefulSetRef := func(ref kube.Ref) bool { return ref.Kind == statefulSetKind }
	return slices.ContainsFunc(p.uncertain, isStatefulSetRef) ||
		slices.ContainsFunc(p.written, func(c *objectChange) bool { return isStatefulSet(c.stored) && c.startsRollout() })
}
