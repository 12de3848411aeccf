package mira

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// lateWriteTimeout bounds the search for a write that got no answer.
const lateWriteTimeout = 10 * time.Second

// Outcome is what an apply did. It comes with an error, too, if something was written.
type Outcome struct {
	State
	Existed  []kube.Ref // objects that were there before, whoever managed them
	Warnings []Warning
}

// Create creates a client's objects, and adopts those that exist. If a write fails, what
// this call created is deleted again, and adopted objects stay as they are:
// [*PartialWriteError] names both. If the rollout fails, all is rolled back, unless the
// settings say otherwise: [*RolledBackError]. Otherwise a [*RolloutError] comes with an
// outcome.
func (f *Fleet) Create(ctx context.Context, spec Spec, options ApplyOptions) (*Outcome, error) {
	return newOperation(f.services, spec, nil, options).create(ctx)
}

// Update changes a client's objects to what the template asks for, and deletes those
// that it does not ask for any more once the rest serves. An update that changes pods
// waits for its turn at the gate first, and is refused there, before any write, once too
// many others have failed: [*rollout.GateClosedError]. If its rollout fails it is rolled
// back, unless the settings say otherwise: a [*RolledBackError] comes with an outcome
// that holds the references of what is there.
func (f *Fleet) Update(ctx context.Context, spec Spec, prior *State, options ApplyOptions) (*Outcome, error) {
	return newOperation(f.services, spec, prior, options).update(ctx)
}

// writer writes what a planner has found out, and takes it back. All that it writes is in
// the operation's progress.
type writer struct {
	*services
	planner  *planner
	progress *progress
}

// writeAll writes the objects of the manifest that are not as it wants them, up to the
// first error: [*PartialWriteError].
func (w *writer) writeAll(ctx context.Context, changes changeSet) error {
	for _, c := range changes.withManifest() {
		if c.action == actionNone {
			w.progress.existed = append(w.progress.existed, kube.RefOf(c.live))
			continue
		}
		err := w.writeObject(ctx, c)
		if c.stored != nil {
			w.progress.written = append(w.progress.written, c)
		}
		if err != nil {
			return &PartialWriteError{Written: w.progress.all(), Err: err}
		}
	}
	return nil
}

// writeObject grows the claims of an object, and applies or recreates it.
func (w *writer) writeObject(ctx context.Context, c *objectChange) error {
	if c.action == actionApply && c.live != nil && c.live.GetDeletionTimestamp() != nil {
		// An object that is being deleted cannot be adopted.
		if err := w.kube.WaitGone(ctx, kube.RefOf(c.live)); err != nil {
			return err
		}
		c.live = nil
	}
	if err := w.growClaims(ctx, c); err != nil {
		return err
	}
	if err := w.keepClaimsOf(ctx, c); err != nil {
		return err
	}
	if c.live != nil {
		w.progress.existed = append(w.progress.existed, kube.RefOf(c.live))
	}
	if c.action == actionRecreate {
		if err := w.recreate(ctx, c); err != nil {
			return err
		}
		return w.replacePods(ctx, c.stored)
	}
	if err := w.applyObject(ctx, c); err != nil {
		return err
	}
	if c.live == nil && w.planner.prior != nil && isStatefulSet(c.stored) {
		return w.replacePods(ctx, c.stored) // there may be pods left of the former StatefulSet
	}
	return nil
}

// applyObject adopts an object that exists, and applies it.
func (w *writer) applyObject(ctx context.Context, c *objectChange) error {
	object := c.applied.DeepCopy()
	if c.live != nil {
		if err := w.adopt(ctx, c); err != nil {
			return err
		}
		// An object that is being deleted right now must not be created again: it would
		// be another one than the one that was looked at.
		object.SetUID(c.live.GetUID())
	}
	stored, err := w.kube.Apply(ctx, object)
	if err != nil {
		var answer apierrors.APIStatus
		if c.live == nil && !errors.As(err, &answer) {
			w.findLateWrite(ctx, c)
		}
		return err
	}
	c.stored = stored
	return nil
}

// findLateWrite finds out whether a create that got no answer was carried out all the
// same: the time may have run out, or the operator may have interrupted it.
func (w *writer) findLateWrite(ctx context.Context, c *objectChange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWriteTimeout)
	defer cancel()
	_ = wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Second, true, func(ctx context.Context) (bool, error) {
		live, err := w.kube.Get(ctx, c.ref)
		if err != nil || live == nil || !w.fields.Applied(live) || live.GetLabels()[ClientLabel] != c.manifest.GetLabels()[ClientLabel] {
			return false, err
		}
		c.stored = live
		return true, nil
	})
}

// adopt takes over the fields of former managers. A controller that updates the status
// at the same moment is no reason to fail.
func (w *writer) adopt(ctx context.Context, c *objectChange) error {
	isFirst := true
	return retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		if !isFirst {
			live, err := w.kube.Get(ctx, c.ref)
			if err != nil {
				return err
			}
			if live == nil {
				return &kube.NotFoundError{Ref: kube.RefOf(c.live)}
			}
			c.live = live
		}
		isFirst = false
		_, err := w.kube.Adopt(ctx, c.live, c.dryRun, c.prior)
		return err
	})
}
