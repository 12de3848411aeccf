package mira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// undoTimeout bounds the clean-up after a create that failed half-way, also when the
// operator has interrupted it.
const undoTimeout = time.Minute

// undo deletes what a failed create has created. Adopted objects were there before: they
// stay, without the client's label, as no state will have them.
func (w *writer) undo(ctx context.Context, partial *PartialWriteError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, ref := range slices.Backward(w.progress.created()) {
		logging.Debug(ctx, "Deleting an object again, as its create failed", "client", w.planner.spec.Name, "object", ref)
		if err := w.deleteCreatedObject(ctx, ref); err != nil {
			partial.Err = errors.Join(partial.Err, fmt.Errorf("taking back what was created: %w", err))
			continue
		}
		partial.Undone = append(partial.Undone, ref)
		partial.Written = slices.DeleteFunc(partial.Written, ref.SameObject)
	}
	left := slices.DeleteFunc(w.progress.objects(), func(ref kube.Ref) bool { return slices.ContainsFunc(partial.Undone, ref.SameObject) })
	if err := w.release(ctx, w.planner.spec.Name, left); err != nil {
		partial.Err = errors.Join(partial.Err, fmt.Errorf("taking the client's label off what was adopted: %w", err))
	}
}

// rollsBack reports whether the outcome of a wait is to be rolled back: the rollout has
// failed, and it is known what was before it. That is not known of a rollout that another
// process has begun and left.
func (o *operation) rollsBack(waited error) bool {
	_, isFailed := rolloutFailure(waited)
	isKnown := len(o.progress.written) > 0 || o.prior != nil && o.prior.Journal != nil && len(o.prior.Journal.Former) > 0
	return isFailed && isKnown && !o.settings.Rollout.Keep
}

// rollBack takes back all that was written, in reverse order, and waits until the former
// revision serves again. The writes are carried out whatever becomes of the context; an
// interrupt ends the wait.
func (o *operation) rollBack(ctx context.Context, cause error) *RolledBackError {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.prior == nil {
		o.lock.created = false
	}
	logging.Debug(ctx, "Rolling back, as the rollout failed", "client", o.spec.Name, "objects", len(o.progress.written))
	report := &RolledBackError{Err: cause, Grown: o.progress.grown, OfCreate: o.prior == nil}
	var former []*unstructured.Unstructured
	for _, c := range slices.Backward(o.progress.written) {
		if c.live == nil {
			o.writer.deleteCreated(ctx, c, report)
			continue
		}
		before := cmp.Or(o.journal().formerOf(c), c.live)
		if restored := o.writer.restore(ctx, before, c.stored, report); restored != nil && isStatefulSet(restored) {
			former = append(former, restored)
		}
	}
	for _, c := range slices.Backward(o.changes.withManifest()) {
		// This apply found it as an earlier one had left it, whose rollout was not seen.
		if before := o.prior.journaled(c.ref); before != nil && c.stored == nil && c.live != nil {
			if restored := o.writer.restore(ctx, before, c.live, report); restored != nil && isStatefulSet(restored) {
				former = append(former, restored)
			}
		}
	}
	waiting, cancel := o.options.bound(ctx)
	defer cancel()
	for _, statefulSet := range former {
		err := o.replacePods(waiting, statefulSet)
		if err == nil {
			err = o.awaitRollout(waiting, statefulSet, rollout.Options{DeleteUnreadyPods: true})
		}
		report.Serving = errors.Join(report.Serving, err)
	}
	logging.Debug(ctx, "Rolled back", "client", o.spec.Name, "complete", report.IsComplete())
	return report
}

// restore gives an object back the values and owners that it had. It returns nil if that
// fails, and reports either.
func (w *writer) restore(
	ctx context.Context, before, after *unstructured.Unstructured, report *RolledBackError,
) *unstructured.Unstructured {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recreateTimeout)
	defer cancel()
	err := w.keepClaimsRestoring(ctx, before, after)
	var restored *unstructured.Unstructured
	if err == nil {
		restored, err = w.kube.Restore(ctx, before, after)
	}
	if err != nil {
		report.Left = append(report.Left, LeftError{Ref: kube.RefOf(after), Err: err})
		return nil
	}
	report.Restored = append(report.Restored, kube.RefOf(restored))
	return restored
}

// deleteCreated deletes an object that the apply created.
func (w *writer) deleteCreated(ctx context.Context, c *objectChange, report *RolledBackError) {
	ref := kube.RefOf(c.stored)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := w.deleteCreatedObject(ctx, ref); err != nil {
		report.Left = append(report.Left, LeftError{Ref: ref, Created: true, Err: err})
		return
	}
	report.Deleted = append(report.Deleted, ref)
}
