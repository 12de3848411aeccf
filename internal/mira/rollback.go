package mira

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// RolloutSettings say how changes of pods spread over the fleet, and what becomes
// of a rollout that fails.
type RolloutSettings struct {
	rollout.GateOptions
	// Keep leaves a failed rollout as it is, where it would be taken back.
	Keep bool
	// Grace is for how long a pod may fail before its rollout counts as failed,
	// UnschedulableGrace for how long one may wait for a node or a volume.
	Grace, UnschedulableGrace time.Duration
}

// DefaultRolloutSettings are those of a fleet that is not told otherwise.
func DefaultRolloutSettings() RolloutSettings {
	return RolloutSettings{
		GateOptions:        rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1},
		Grace:              rollout.DefaultGrace,
		UnschedulableGrace: rollout.DefaultUnschedulableGrace,
	}
}

// admit lets an update that changes pods wait for its turn. The pass is nil for
// one that does not.
func (f *Fleet) admit(ctx context.Context, spec Spec, before *State, planned map[string]managedfields.Fields) (*rollout.Pass, error) {
	if planned != nil && !changesPods(before.Objects, planned) {
		return nil, nil
	}
	pass, err := f.gate.Enter(ctx, spec.Name)
	var closed *rollout.GateClosedError
	if err != nil && !errors.As(err, &closed) {
		return nil, &NotBegunError{Err: err}
	}
	return pass, err
}

// changesPods tells whether the pod template of a StatefulSet changes that is there
// already.
func changesPods(before, planned map[string]managedfields.Fields) bool {
	for key, had := range before {
		gets, isKept := planned[key]
		if !strings.HasPrefix(key, statefulSetKind+"/") || !isKept {
			continue
		}
		if !managedfields.FieldsEqual(podTemplate(had), podTemplate(gets)) {
			return true
		}
	}
	return false
}

func podTemplate(fields managedfields.Fields) managedfields.Fields {
	template := make(managedfields.Fields)
	for path, value := range fields {
		if path == "spec.template" || strings.HasPrefix(path, "spec.template.") {
			template[path] = value
		}
	}
	return template
}

// failure tells whether a rollout has failed, and why, in a line: a pod that cannot
// come up, or a time-out. An interrupt, or a server that does not answer, says
// nothing about the rollout.
func failure(err error) (reason string, isFailed bool) {
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

// NotBegunError says that an update was interrupted while it waited for its turn.
// Nothing was written.
type NotBegunError struct {
	Err error
}

func (e *NotBegunError) Error() string {
	return fmt.Sprintf("its rollout had not begun, as others had to end first: %v", e.Err)
}

func (e *NotBegunError) Unwrap() error { return e.Err }

// RolledBackError says that a rollout failed, and what became of its roll back.
type RolledBackError struct {
	// Err is why the rollout failed: a [*RolloutError].
	Err error
	// PutBack are the objects that are again as they were, Deleted those that the
	// apply had created.
	PutBack, Deleted []kube.Ref
	// Grown are claims that keep their new size.
	Grown []kube.Ref
	// Left are the objects that could not be put back or deleted, and why.
	Left []LeftError
	// Serving is why the former revision does not serve again; nil if it does.
	Serving error
}

// LeftError says why an object is still as the failed rollout left it.
type LeftError struct {
	Ref     kube.Ref
	Created bool // by the apply, so that it should have been deleted
	Err     error
}

func (e *LeftError) Error() string { return fmt.Sprintf("%s: %v", e.Ref, e.Err) }

func (e *LeftError) Unwrap() error { return e.Err }

func (e *RolledBackError) Error() string { return e.Err.Error() }

func (e *RolledBackError) Unwrap() error { return e.Err }

// IsComplete tells whether everything is again as it was.
func (e *RolledBackError) IsComplete() bool { return len(e.Left) == 0 && e.Serving == nil }

// refs names what there is of a client after the roll back of an update.
func (e *RolledBackError) refs(before []kube.Ref) []kube.Ref {
	refs := slices.Clone(before)
	for i, ref := range refs {
		if at := slices.IndexFunc(e.PutBack, ref.SameObject); at >= 0 {
			refs[i] = e.PutBack[at] // may have been recreated
		}
	}
	for _, left := range e.Left {
		refs = union(refs, []kube.Ref{left.Ref})
	}
	return refs
}

// rollBack takes a failed apply back, in reverse order, and waits until the former
// revision serves again. The writes are carried out whatever becomes of the
// context; an interrupt ends the wait.
func (f *Fleet) rollBack(ctx context.Context, steps trial, outcome *Outcome, options ApplyOptions, cause error) *RolledBackError {
	report := &RolledBackError{Err: cause, Grown: outcome.Grown}
	var former trial
	for _, s := range slices.Backward(steps) {
		if !s.written {
			continue
		}
		if s.live == nil {
			f.takeAway(ctx, s, report)
			continue
		}
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), recreateTimeout)
		restored, err := f.kube.Restore(writing, s.live, s.result)
		cancel()
		if err != nil {
			report.Left = append(report.Left, LeftError{Ref: kube.RefOf(s.result), Err: err})
			continue
		}
		report.PutBack = append(report.PutBack, kube.RefOf(restored))
		if isStatefulSet(restored) {
			former = append(former, &step{result: restored})
		}
	}
	waiting, cancel := options.bound(ctx)
	defer cancel()
	for _, s := range former {
		err := f.replace(waiting, s)
		if err == nil {
			err = f.await(waiting, s.result, rollout.Options{DeleteUnreadyPods: true})
		}
		report.Serving = errors.Join(report.Serving, err)
	}
	return report
}

// takeAway deletes what the apply created.
func (f *Fleet) takeAway(ctx context.Context, s *step, report *RolledBackError) {
	ref := kube.RefOf(s.result)
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := f.kube.Delete(writing, ref); err != nil {
		report.Left = append(report.Left, LeftError{Ref: ref, Created: true, Err: err})
		return
	}
	report.Deleted = append(report.Deleted, ref)
}
