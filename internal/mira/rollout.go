package mira

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// wait follows the rollout of every StatefulSet that the apply created or changed. A
// create waits for those, too, that it found as they should be.
func (o *operation) wait(ctx context.Context) error {
	for _, c := range o.changes.withManifest() {
		if isStatefulSet(c.result()) && (o.prior == nil || c.startsRollout()) {
			if err := o.waitFor(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitFor waits until a StatefulSet serves and its claims have grown.
func (o *operation) waitFor(ctx context.Context, c *objectChange) error {
	if err := o.replacePods(ctx, c.result()); err != nil {
		return err
	}
	if err := o.awaitRollout(ctx, c.result(), rollout.Options{DeleteStuckPods: true}); err != nil {
		return err
	}
	err := o.awaitGrowth(ctx, c)
	if err != nil && c.live == nil && !errors.Is(err, context.Canceled) {
		// The client serves. An error would taint it.
		o.warn(ClaimNotGrownWarning{Client: o.spec.Name, Err: err})
		return nil
	}
	return err
}

// awaitRollout follows the rollout of one StatefulSet.
func (s *services) awaitRollout(ctx context.Context, statefulSet *unstructured.Unstructured, options rollout.Options) error {
	options.Grace, options.UnschedulableGrace = s.settings.Rollout.Grace, s.settings.Rollout.UnschedulableGrace
	target := rollout.Target{
		Namespace: statefulSet.GetNamespace(), Name: statefulSet.GetName(), UID: statefulSet.GetUID(), MinGeneration: statefulSet.GetGeneration(),
	}
	if _, err := s.watcher.Wait(ctx, target, options); err != nil {
		return &RolloutError{Err: s.kube.Explain(err)}
	}
	return nil
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
	case errors.As(err, &pending) && errors.Is(err, context.DeadlineExceeded):
		return pending.Reason(), true
	}
	return "", false
}
