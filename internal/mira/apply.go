package mira

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const (
	// lateWriteTimeout bounds the search for a write that got no answer.
	lateWriteTimeout = 15 * time.Second
	// lateWriteSettle is how long such a write may still be on its way.
	lateWriteSettle = 2 * time.Second
)

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
	f.clients.begin(spec.Namespace, spec.Name)
	return newOperation(f.services, spec, nil, options).create(ctx)
}

// Update changes a client's objects to what the template asks for, and deletes those
// that it does not ask for any more once the rest serves. An update that changes pods
// waits for its turn at the gate first, and is refused there, before any write, once too
// many others have failed: [*rollout.GateClosedError]. If its rollout fails it is rolled
// back, unless the settings say otherwise: a [*RolledBackError] comes with an outcome
// that holds the references of what is there.
func (f *Fleet) Update(ctx context.Context, spec Spec, prior *State, options ApplyOptions) (*Outcome, error) {
	f.clients.begin(spec.Namespace, spec.Name)
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
			w.progress.addExisting(kube.RefOf(c.live))
			continue
		}
		err := w.writeObject(ctx, c)
		if c.stored != nil {
			w.progress.written = append(w.progress.written, c)
		}
		if err != nil {
			return &PartialWriteError{Written: w.progress.all(), Uncertain: w.progress.uncertain, Err: err}
		}
	}
	return nil
}

// writeTries is how often a write is planned again because the object is not any more what
// the plan has found.
const writeTries = 3

// writeObject writes one object. If it is not what the plan has found, nothing is written, and
// it is planned again: that must give the same.
func (w *writer) writeObject(ctx context.Context, c *objectChange) error {
	for try := 1; ; try++ {
		err := w.writeOnce(ctx, c)
		changed, isChanged := errors.AsType[*kube.ChangedError](err)
		if !isChanged || c.action != actionApply || try == writeTries {
			return err
		}
		logging.Debug(ctx, "An object is not what the plan has found", "client", w.planner.spec.Name, "object", c.ref, "reason", err)
		if changed.MayBeOurs {
			if isDone, err := w.findOwnWrite(ctx, c); isDone || err != nil {
				return err
			}
		}
		adopted := c.stored // nil unless the object was adopted by now, or its owners were changed
		err = w.planAgain(ctx, c)
		c.stored = adopted
		if err != nil {
			return err
		}
		switch c.action {
		case actionNone:
			w.progress.addExisting(kube.RefOf(c.live))
			return nil
		case actionApply:
		default:
			return changed
		}
	}
}

// findOwnWrite finds out whether a write that was refused, as the object has changed, was
// carried out by an attempt before whose answer was lost.
func (w *writer) findOwnWrite(ctx context.Context, c *objectChange) (isDone bool, err error) {
	live, err := w.kube.Get(ctx, c.ref)
	if err != nil {
		w.progress.uncertain = append(w.progress.uncertain, c.ref)
		return false, err
	}
	if live == nil || !w.isCarriedOut(c, live) {
		return false, nil
	}
	c.stored = live
	return true, nil
}

// planAgain plans a change once more, as its object has changed. It must still give what was
// planned.
func (w *writer) planAgain(ctx context.Context, c *objectChange) error {
	planned := w.fields.Owned(c.dryRun)
	*c = *newObjectChange(c.manifest, objectState{fields: c.prior})
	if err := w.planner.dryRunObject(ctx, c); err != nil {
		return err
	}
	if changes := fieldChanges(c.ref.Key(), planned, w.fields.Owned(c.dryRun)); len(changes) > 0 {
		return &OutdatedPlanError{Changes: changes}
	}
	return nil
}

// writeOnce grows the claims of an object, and applies or recreates it.
func (w *writer) writeOnce(ctx context.Context, c *objectChange) error {
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
		w.progress.addExisting(kube.RefOf(c.live))
	}
	if c.action == actionRecreate {
		return w.recreate(ctx, c)
	}
	return w.applyObject(ctx, c)
}

// applyObject adopts an object that exists, and applies it.
func (w *writer) applyObject(ctx context.Context, c *objectChange) error {
	object := c.applied
	switch {
	case c.live == nil:
		object = kube.OnlyIfAbsent(object)
	case c.isReused:
		if err := w.adopt(ctx, c); err != nil {
			return err
		}
		object = kube.OnlyIfUnchanged(object, cmp.Or(c.stored, c.live))
	default:
		if err := w.adopt(ctx, c); err != nil {
			return err
		}
		// An object that is being deleted right now must not be created again: it would
		// be another one than the one that was looked at.
		object = kube.OnlyIfSame(object, c.live)
	}
	stored, err := w.kube.Apply(ctx, object)
	if err == nil && c.live != nil && len(w.fields.Emptied(stored, c.dryRun)) > 0 {
		c.stored = stored
		stored, err = w.kube.Apply(ctx, kube.OnlyIfSame(c.applied, stored))
	}
	if kube.IsOutcomeUnknown(err) {
		stored, err = w.findLostWrite(ctx, c, err)
	}
	if stored != nil {
		c.stored = stored
	}
	return err
}

// findLostWrite finds out whether an apply whose answer was lost was carried out all the
// same: something on the way may have given up, the time may have run out, or the operator
// may have interrupted it. If so, it returns the object, and no error unless the context
// has ended.
func (w *writer) findLostWrite(ctx context.Context, c *objectChange, lost error) (*unstructured.Unstructured, error) {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWriteTimeout)
	defer cancel()
	var stored *unstructured.Unstructured
	isKnown := false
	begun := time.Now()
	_ = wait.PollUntilContextCancel(looking, time.Second, true, func(ctx context.Context) (bool, error) {
		live, err := w.kube.Get(ctx, c.ref)
		if err != nil {
			return false, nil //nolint:nilerr // what is not seen is not known
		}
		isKnown = true
		if live != nil && w.isCarriedOut(c, live) {
			stored = live
			return true, nil
		}
		return time.Since(begun) >= lateWriteSettle, nil
	})
	logging.Debug(ctx, "Looked for a write whose answer was lost",
		"client", w.planner.spec.Name, "object", c.ref, "isKnown", isKnown, "isFound", stored != nil)
	switch {
	case !isKnown:
		w.progress.uncertain = append(w.progress.uncertain, c.ref)
	case stored != nil && ctx.Err() == nil:
		return stored, nil
	}
	return stored, lost
}

// isCarriedOut reports whether a live object is as the apply of a change leaves it.
func (w *writer) isCarriedOut(c *objectChange, live *unstructured.Unstructured) bool {
	if c.live == nil {
		return w.fields.Applied(live) && live.GetLabels()[ClientLabel] == c.manifest.GetLabels()[ClientLabel]
	}
	return live.GetUID() == c.live.GetUID() && managedfields.FieldsEqual(w.fields.Owned(live), w.fields.Owned(c.dryRun))
}

// adopt takes over the fields of former managers. A controller that updates the status
// at the same moment is no reason to fail. Neither is an answer that was lost, as the object
// tells whether there is anything left to take over.
func (w *writer) adopt(ctx context.Context, c *objectChange) error {
	isFirst, isUncertain := true, false
	isPassing := func(err error) bool {
		return apierrors.IsConflict(err) && !c.isReused || kube.IsOutcomeUnknown(err) && ctx.Err() == nil
	}
	err := retry.OnError(retry.DefaultBackoff, isPassing, func() error {
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
		adopted, err := w.kube.Adopt(ctx, c.live, c.adoption(w.fields))
		if err == nil && adopted != c.live {
			c.stored = adopted // its owners are others by now, even if nothing else is written
		}
		isUncertain = kube.IsOutcomeUnknown(err)
		return err
	})
	if c.isReused && apierrors.IsConflict(err) {
		err = &kube.ChangedError{Ref: c.ref, MayBeOurs: true, Err: err}
	}
	if isUncertain {
		w.progress.uncertain = append(w.progress.uncertain, c.ref)
	}
	return err
}

// maybeWritten names the objects that were written, and those that may have been.
func (p *progress) maybeWritten() []kube.Ref {
	uncertain := slices.DeleteFunc(slices.Clone(p.uncertain), func(ref kube.Ref) bool { return ref.GroupVersionKind() == kube.ClaimKind })
	return union(p.objects(), uncertain)
}
