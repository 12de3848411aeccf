package mira

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// undoTimeout bounds the clean-up after a create that failed half-way, also when
// the operator has interrupted it.
const undoTimeout = time.Minute

// lateWriteTimeout bounds the look for a write that got no answer.
const lateWriteTimeout = 10 * time.Second

// ApplyOptions say how a client is applied.
type ApplyOptions struct {
	// Planned is what the operator agreed to; nil where it was not known. An
	// apply that would give something else writes nothing.
	Planned map[string]managedfields.Fields
	// Wait until the new revision serves.
	Wait bool
	// Timeout bounds the apply; of an update from the moment on in which the gate
	// admits it. Taking a failed rollout back has as much time of its own. Zero sets
	// no bound.
	Timeout time.Duration
}

func (o ApplyOptions) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, o.Timeout)
}

// Outcome is what an apply did. It is given along with an error, too, when
// something was written.
type Outcome struct {
	State
	Created  []kube.Ref
	Existed  []kube.Ref // were there before, whoever managed them
	Grown    []kube.Ref // claims that were asked to grow
	Warnings []Warning
}

// Create creates a client's objects, and adopts those that exist. If a write
// fails, what this call created is deleted again, and adopted objects stay as
// they are: [*PartialWriteError] tells. If the rollout fails, all is taken back,
// where the settings say so: [*RolledBackError]. Otherwise a [*RolloutError] comes
// with an outcome.
func (f *Fleet) Create(ctx context.Context, spec Spec, options ApplyOptions) (*Outcome, error) {
	bounded, cancel := options.bound(ctx)
	defer cancel()
	turn := f.turn(spec.Namespace, spec.Name)
	turn.mu.Lock()
	if turn.created {
		turn.mu.Unlock()
		return nil, &DuplicateClientError{Namespace: spec.Namespace, Name: spec.Name}
	}
	outcome, steps, err := f.apply(bounded, spec, nil, options)
	var partial *PartialWriteError
	if errors.As(err, &partial) {
		f.undo(bounded, partial, outcome.Created)
		outcome = nil
	}
	turn.created = err == nil
	turn.mu.Unlock()
	if err != nil || !options.Wait {
		return outcome, err
	}
	err = f.wait(bounded, spec, steps, outcome, true)
	reason, isFailed := failure(err)
	if !isFailed {
		return outcome, err
	}
	f.gate.Fail(ctx, spec.Name, reason)
	if f.settings.Rollout.Keep {
		return outcome, err
	}
	turn.mu.Lock()
	defer turn.mu.Unlock()
	turn.created = false
	return nil, f.rollBack(ctx, steps, outcome, options, err)
}

// Update changes a client's objects to what the template asks for, and deletes
// those that it does not ask for any more once the rest serves. One that changes
// pods waits for its turn at the gate first, and is refused there, before any
// write, once too many others have failed: [*rollout.GateClosedError]. If its
// rollout fails it is taken back, where the settings say so: a [*RolledBackError]
// comes with an outcome that holds the references of what is there.
func (f *Fleet) Update(ctx context.Context, spec Spec, before *State, options ApplyOptions) (*Outcome, error) {
	pass, err := f.admit(ctx, spec, before, options.Planned)
	if err != nil {
		return nil, err
	}
	defer pass.Leave(ctx)
	bounded, cancel := options.bound(ctx)
	defer cancel()
	turn := f.turn(spec.Namespace, spec.Name)
	turn.mu.Lock()
	outcome, steps, err := f.apply(bounded, spec, before, options)
	turn.mu.Unlock()
	if err != nil {
		return outcome, err
	}
	wanted := outcome.Refs
	outcome.Refs = union(wanted, before.Refs) // until the rest is deleted
	if options.Wait {
		err = f.wait(bounded, spec, steps, outcome, false)
	}
	reason, isFailed := failure(err)
	if isFailed {
		pass.Fail(ctx, reason)
	}
	if isFailed && !f.settings.Rollout.Keep {
		turn.mu.Lock()
		defer turn.mu.Unlock()
		report := f.rollBack(ctx, steps, outcome, options, err)
		return &Outcome{State: State{Refs: report.refs(before.Refs)}}, report
	}
	if err != nil {
		return outcome, err
	}
	turn.mu.Lock()
	defer turn.mu.Unlock()
	if err := f.prune(bounded, spec, before, wanted, outcome); err != nil {
		var written []kube.Ref
		for _, s := range steps {
			if s.written {
				written = append(written, kube.RefOf(s.result))
			}
		}
		return outcome, &PartialWriteError{Written: slices.Concat(outcome.Grown, written), Err: err}
	}
	outcome.Refs = wanted
	pass.Succeed()
	return outcome, nil
}

// apply does all but wait, and delete what is not wanted any more.
func (f *Fleet) apply(ctx context.Context, spec Spec, before *State, options ApplyOptions) (*Outcome, trial, error) {
	d, err := f.desire(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	steps, err := f.rehearse(ctx, spec, d, before, false)
	if err != nil {
		return nil, nil, err
	}
	if err := f.checkPlan(options.Planned, steps); err != nil {
		return nil, nil, err
	}

	outcome := &Outcome{State: State{URL: steps.url(), Revision: d.revision}}
	var written []kube.Ref
	fail := func(err error) (*Outcome, trial, error) {
		outcome.Refs = written
		if before != nil {
			outcome.Refs = union(before.Refs, written)
		}
		return outcome, nil, &PartialWriteError{Written: slices.Concat(outcome.Grown, written), Err: err}
	}
	for _, s := range steps {
		if s.isNoOp {
			outcome.Existed = append(outcome.Existed, kube.RefOf(s.live))
			continue
		}
		err := f.write(ctx, spec, s, before, outcome)
		if s.written {
			written = append(written, kube.RefOf(s.result))
		}
		if err != nil {
			return fail(err)
		}
	}
	outcome.Warnings = append(outcome.Warnings, d.warnings...)
	f.fill(&outcome.State, d, steps, before)
	f.holdPlan(spec.Name, options.Planned, outcome)
	return outcome, steps, nil
}

// checkPlan compares what the dry runs say now with what was planned.
func (f *Fleet) checkPlan(planned map[string]managedfields.Fields, steps trial) error {
	if planned == nil {
		return nil
	}
	now := make(map[string]managedfields.Fields, len(steps))
	for _, s := range steps {
		now[kube.RefOf(s.result).Key()] = f.fieldsOf(s)
	}
	if changed := differences(planned, now); len(changed) > 0 {
		return &OutdatedPlanError{Changes: changed}
	}
	return nil
}

// holdPlan keeps to what was planned where the server stored something else than
// it said in its dry run: the next refresh shows the difference as drift.
func (f *Fleet) holdPlan(client string, planned map[string]managedfields.Fields, outcome *Outcome) {
	if planned == nil {
		return
	}
	changed := differences(planned, outcome.Objects)
	if len(changed) == 0 {
		return
	}
	outcome.Objects = planned
	outcome.Images = imagesOf(planned)
	outcome.Fingerprints = make(map[string]managedfields.Fingerprint) // it is not settled
	outcome.Warnings = append(outcome.Warnings, StoredValuesWarning{Client: client, Changes: changed})
}

// differences lists what differs between the fields of two sets of objects.
func differences(from, to map[string]managedfields.Fields) []FieldChange {
	keys := maps.Clone(from)
	maps.Copy(keys, to)
	var changed []FieldChange
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		changed = append(changed, fieldChanges(key, from[key], to[key])...)
	}
	return changed
}

// write adopts and applies one object.
func (f *Fleet) write(ctx context.Context, spec Spec, s *step, before *State, outcome *Outcome) error {
	object := s.applied.DeepCopy()
	if s.live != nil && s.live.GetDeletionTimestamp() != nil && s.recreation == nil {
		// What is on its way out cannot be adopted.
		if err := f.kube.WaitGone(ctx, kube.RefOf(s.live)); err != nil {
			return err
		}
		s.live = nil
	}
	if err := f.growClaims(ctx, s, outcome); err != nil {
		return err
	}
	if s.live != nil {
		outcome.Existed = append(outcome.Existed, kube.RefOf(s.live))
		if s.recreation != nil {
			if err := f.recreate(ctx, spec, s, before); err != nil {
				return err
			}
			return f.replace(ctx, s)
		}
		if err := f.adopt(ctx, s); err != nil {
			return err
		}
		// An object that somebody deletes right now is not to be recreated: it
		// would be another one than the one that was looked at.
		object.SetUID(s.live.GetUID())
	}
	result, err := f.kube.Apply(ctx, object)
	if err != nil {
		var answer apierrors.APIStatus
		if s.live == nil && !errors.As(err, &answer) {
			f.lookForLateWrite(ctx, s, outcome)
		}
		return err
	}
	if s.live == nil {
		outcome.Created = append(outcome.Created, kube.RefOf(result))
	}
	s.result, s.written = result, true
	if s.live == nil && before != nil && isStatefulSet(result) {
		return f.replace(ctx, s) // there may be pods left of the former one
	}
	return nil
}

// lookForLateWrite finds out whether a create that got no answer, as the time
// ran out or the operator interrupted it, was carried out all the same.
func (f *Fleet) lookForLateWrite(ctx context.Context, s *step, outcome *Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWriteTimeout)
	defer cancel()
	_ = wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Second, true, func(ctx context.Context) (bool, error) {
		live, err := f.kube.Get(ctx, kube.RefOf(s.desired))
		if err != nil || live == nil || !f.fields.Applied(live) || live.GetLabels()[ClientLabel] != s.desired.GetLabels()[ClientLabel] {
			return false, err
		}
		outcome.Created = append(outcome.Created, kube.RefOf(live))
		s.result, s.written = live, true
		return true, nil
	})
}

// adopt takes over the fields of former managers. A controller that updates the
// status at the same moment is no reason to fail.
func (f *Fleet) adopt(ctx context.Context, s *step) error {
	isFirst := true
	return retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		if !isFirst {
			live, err := f.kube.Get(ctx, kube.RefOf(s.desired))
			if err != nil {
				return err
			}
			if live == nil {
				return &kube.NotFoundError{Ref: kube.RefOf(s.live)}
			}
			s.live = live
		}
		isFirst = false
		_, err := f.kube.Adopt(ctx, s.live, s.result, s.before)
		return err
	})
}

// prune deletes, in reverse order, what the client had and the template does not
// ask for any more.
func (f *Fleet) prune(ctx context.Context, spec Spec, before *State, wanted []kube.Ref, outcome *Outcome) error {
	for _, ref := range slices.Backward(before.Refs) {
		if slices.ContainsFunc(wanted, ref.SameObject) {
			continue
		}
		left, err := f.remove(ctx, ref, spec.Name)
		if err != nil {
			return err
		}
		if left != nil {
			outcome.Warnings = append(outcome.Warnings, left)
		}
	}
	return nil
}

// wait follows the rollout of every StatefulSet that the apply created or
// changed; at a create, of those too that it found as they should be.
func (f *Fleet) wait(ctx context.Context, spec Spec, steps trial, outcome *Outcome, all bool) error {
	for _, s := range steps {
		isUnchanged := s.live != nil && s.recreation == nil && s.live.GetGeneration() == s.result.GetGeneration()
		if !isStatefulSet(s.result) || isUnchanged && !all {
			continue
		}
		if err := f.replace(ctx, s); err != nil {
			return err
		}
		if err := f.await(ctx, s.result, rollout.Options{DeleteStuckPods: true}); err != nil {
			return err
		}
		err := f.awaitGrowth(ctx, spec, s, outcome)
		if err != nil && !isInterrupt(err) && s.live == nil {
			// The client serves: that is no reason to taint it.
			outcome.Warnings = append(outcome.Warnings, ClaimNotGrownWarning{Client: spec.Name, Err: err})
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// await follows the rollout of one StatefulSet.
func (f *Fleet) await(ctx context.Context, statefulSet *unstructured.Unstructured, options rollout.Options) error {
	options.Grace, options.UnschedulableGrace = f.settings.Rollout.Grace, f.settings.Rollout.UnschedulableGrace
	target := rollout.Target{Namespace: statefulSet.GetNamespace(), Name: statefulSet.GetName(), UID: statefulSet.GetUID(), MinGeneration: statefulSet.GetGeneration()}
	if _, err := f.watcher.Wait(ctx, target, options); err != nil {
		return &RolloutError{Err: f.kube.Explain(err)}
	}
	return nil
}

func isInterrupt(err error) bool { return errors.Is(err, context.Canceled) }

// undo deletes what a failed create has created. Adopted objects were there
// before: they stay.
func (f *Fleet) undo(ctx context.Context, partial *PartialWriteError, created []kube.Ref) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, ref := range slices.Backward(created) {
		if err := f.kube.Delete(ctx, ref); err != nil {
			partial.Err = errors.Join(partial.Err, fmt.Errorf("taking back what was created: %w", err))
			continue
		}
		partial.Undone = append(partial.Undone, ref)
		partial.Written = slices.DeleteFunc(partial.Written, ref.SameObject)
	}
}

// union adds references that are not there yet.
func union(refs, more []kube.Ref) []kube.Ref {
	all := slices.Clone(refs)
	for _, ref := range more {
		if !slices.ContainsFunc(all, ref.SameObject) {
			all = append(all, ref)
		}
	}
	return all
}
