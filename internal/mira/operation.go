package mira

import (
	"context"
	"errors"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// operation is one plan, create or update of one client: what is asked, what it has
// found out, and what it has done. Its phases are methods, in this order:
//
//  1. turn.take: an update whose plan concerns running pods waits for its turn at the gate
//     (gate.go).
//  2. render: the template gives the manifest (render.go).
//  3. dryRun: what is there is read, and the server dry-runs each object (planner.go, converge.go,
//     claims.go).
//  4. checkPlan: the dry runs must give what the operator agreed to.
//  5. turn.checkAdmitted: if the dry runs show that running pods are concerned, and the plan did
//     not, the operation goes to the gate and begins again (gate.go).
//  6. writeAll: the objects are written, in template order (apply.go). Claims grow, objects
//     are adopted, and StatefulSets are recreated on the way (claims.go, recreate.go).
//  7. wait: the new revision must serve (rollout.go).
//  8. prune: what the template does not have any more is deleted (prune.go).
//
// Nothing is written before phase 6. If that phase fails, a create is undone (undo), and
// an update stays as far as it has come; the next apply goes on from there. If phase 7
// finds that the rollout has failed, all that was written is rolled back (rollBack). What
// has begun and is not seen through, whatever way the operation ends, is noted in the
// journal of its outcome (journal.go).
type operation struct {
	*services
	planner planner
	writer  writer
	lock    *clientLock

	// What is asked.

	spec    Spec
	prior   *State // recorded of the client; nil for one that is to be created
	options ApplyOptions

	// What is found out.

	manifest *manifest
	changes  changeSet

	// What is done.

	turn     turn // at the gate
	progress progress

	// What comes out.

	state    State // of the client, once its objects are written
	warnings []Warning
}

// progress is the record of what an operation has done to the cluster. It is right at
// every moment, whatever way the operation ends: what is reported, undone and rolled back
// follows from it. Only the phases that write add to it.
type progress struct {
	written []*objectChange // that the server has stored, in the order of their writes
	existed []kube.Ref      // objects that were there before, whoever managed them
	grown   []kube.Ref      // claims that were asked to grow
	serving []string        // StatefulSets whose rollouts were seen through
	// uncertain are objects and claims of which the server did not say whether it has
	// written them.
	uncertain []kube.Ref
}

// addExisting notes an object that was there before.
func (p *progress) addExisting(ref kube.Ref) {
	if !slices.ContainsFunc(p.existed, ref.SameObject) {
		p.existed = append(p.existed, ref)
	}
}

// objects names the objects that were written.
func (p *progress) objects() []kube.Ref {
	var refs []kube.Ref
	for _, c := range p.written {
		refs = append(refs, kube.RefOf(c.stored))
	}
	return refs
}

// all names everything that was written, claims included.
func (p *progress) all() []kube.Ref { return slices.Concat(p.grown, p.objects()) }

// created names the objects that were not there before.
func (p *progress) created() []kube.Ref {
	var refs []kube.Ref
	for _, c := range p.written {
		if c.live == nil {
			refs = append(refs, kube.RefOf(c.stored))
		}
	}
	return refs
}

func newOperation(s *services, spec Spec, prior *State, options ApplyOptions) *operation {
	s = s.hiding(spec.Secrets)
	s.renderer.declared.follow(spec.Namespace, spec.Name, spec.Template)
	o := &operation{
		services: s,
		planner:  planner{subject: &subject{services: s, spec: spec, prior: prior}},
		lock:     s.locks.of(spec.Namespace, spec.Name),
		spec:     spec,
		prior:    prior,
		options:  options,
		turn:     turn{gate: s.gate, client: spec.Name},
	}
	o.writer = writer{services: s, planner: &o.planner, progress: &o.progress}
	return o
}

// create runs the phases of a create.
func (o *operation) create(ctx context.Context) (*Outcome, error) {
	defer func() { o.turn.leave(ctx) }()
	bounded, cancel, err := o.writeAdmitted(ctx, o.createObjects)
	defer cancel()
	if err != nil {
		o.turn.reportWrites(ctx, &o.progress, err)
		return nil, err
	}
	err = o.follow(bounded)
	o.turn.report(ctx, err)
	if o.rollsBack(err) {
		return nil, o.rollBack(ctx, err)
	}
	return o.outcome(err), err
}

// createObjects runs the phases up to the last write, and undoes the create if a write
// fails.
func (o *operation) createObjects(ctx context.Context) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.lock.created {
		return &DuplicateClientError{Namespace: o.spec.Namespace, Name: o.spec.Name}
	}
	err := o.write(ctx)
	if partial, ok := errors.AsType[*PartialWriteError](err); ok {
		o.writer.undo(ctx, partial)
	}
	o.lock.created = err == nil
	return err
}

// update runs the phases of an update.
func (o *operation) update(ctx context.Context) (*Outcome, error) {
	defer func() { o.turn.leave(ctx) }()
	// What is read after the wait for the turn is not out of date.
	if needsGate(o.prior, o.options.Planned) {
		if err := o.turn.take(ctx); err != nil {
			return nil, err
		}
	}
	bounded, cancel, err := o.writeAdmitted(ctx, o.updateObjects)
	defer cancel()
	if err != nil {
		o.turn.reportWrites(ctx, &o.progress, err)
		return o.partialOutcome(err), err
	}
	// What is not pruned yet is still the client's.
	o.state.Refs = union(o.state.Refs, o.prior.Refs)
	if err = o.follow(bounded); err != nil {
		o.turn.report(ctx, err)
		if o.rollsBack(err) {
			report := o.rollBack(ctx, err)
			return &Outcome{State: State{Refs: report.refs(o.prior.Refs), Journal: o.journal().ofRollBack(report)}}, report
		}
		return o.outcome(err), err
	}
	if err := o.prune(bounded); err != nil {
		err = &PartialWriteError{Written: o.progress.all(), Err: err}
		o.turn.reportPruning(ctx, err)
		return o.outcome(nil), err
	}
	o.state.Refs = o.changes.refs()
	o.turn.report(ctx, nil)
	return o.outcome(nil), nil
}

// writeAdmitted runs the phases up to the last write, once more after the gate has
// admitted the operation if it turns out to need that. The context that it returns
// bounds what is left, and must be cancelled: the wait at the gate does not count.
func (o *operation) writeAdmitted(
	ctx context.Context, write func(context.Context) error,
) (bounded context.Context, cancel context.CancelFunc, err error) {
	for {
		bounded, cancel = o.options.bound(ctx)
		if err = write(bounded); !errors.Is(err, errNotAdmitted) {
			return bounded, cancel, err
		}
		cancel()
		if err := o.turn.take(ctx); err != nil {
			return bounded, cancel, err
		}
	}
}

// follow sees the rollouts through, if the operation waits for them.
func (o *operation) follow(ctx context.Context) error {
	if o.options.Wait {
		return o.wait(ctx)
	}
	return o.replaceAllPods(ctx, o.progress.written, o.prior != nil)
}

// updateObjects runs the phases up to the last write.
func (o *operation) updateObjects(ctx context.Context) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.write(ctx)
}

// write runs the phases from the template to the last write.
func (o *operation) write(ctx context.Context) error {
	o.warnings = nil
	if err := o.renderAndDryRun(ctx); err != nil {
		return err
	}
	if err := o.checkPlan(); err != nil {
		return err
	}
	if err := o.turn.checkAdmitted(ctx, o.changes, o.prior != nil); err != nil {
		return err
	}
	o.settings.Hidden.Add(o.changes.formerSecrets(o.manifest))
	go func() { _, _ = o.clusterID(ctx) }() // the state will have it; an error shows up then
	if err := o.writer.writeAll(ctx, o.changes); err != nil {
		return err
	}
	o.recordState()
	return nil
}

// renderAndDryRun finds out what to do. The objects that are recorded are read while the template
// is.
func (o *operation) renderAndDryRun(ctx context.Context) error {
	read := o.readAhead(ctx)
	err := o.render(ctx)
	read()
	if err != nil {
		return err
	}
	return o.dryRun(ctx)
}

// readAhead begins to read the recorded objects, together with those of other clients. The
// function that it returns waits until they are read. An error shows up when they are asked for.
func (o *operation) readAhead(ctx context.Context) (wait func()) {
	if o.prior == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = o.batcher.GetAll(ctx, o.spec.Name, o.prior.Refs)
	}()
	return func() { <-done }
}

// render makes the manifest of the template.
func (o *operation) render(ctx context.Context) error {
	var err error
	if o.manifest, err = o.renderer.render(ctx, o.spec); err != nil {
		return err
	}
	o.warn(o.manifest.warnings...)
	return checkWorkload(o.manifest, o.spec, o.prior)
}

// dryRun finds out what to do to each object.
func (o *operation) dryRun(ctx context.Context) error {
	if !o.planner.batched {
		if o.changes = o.recent.take(o); o.changes != nil {
			logging.Debug(ctx, "Used what the plan has found out", "client", o.spec.Name)
			return nil
		}
	}
	var err error
	o.changes, err = o.planner.dryRunAll(ctx, o.manifest)
	return err
}

// checkPlan compares what the dry runs say now with what was planned.
func (o *operation) checkPlan() error {
	if o.options.Planned == nil {
		return nil
	}
	if changed := differences(o.options.Planned, o.changes.fields(o.fields)); len(changed) > 0 {
		return &OutdatedPlanError{Changes: changed}
	}
	return nil
}

// recordState makes the state of what was written. Where the server stored something
// else than it said in its dry run, the state is what was planned: the next refresh
// shows the difference as drift.
func (o *operation) recordState() {
	o.state = o.changes.state(o.fields, o.manifest, o.prior)
	planned := o.options.Planned
	if planned == nil {
		return
	}
	changed := differences(planned, o.state.Objects)
	if len(changed) == 0 {
		return
	}
	o.state.Objects = planned
	o.state.Images = imagesOf(planned)
	o.state.Fingerprints = make(map[string]managedfields.Fingerprint) // nothing is in sync
	o.warn(StoredValuesWarning{Client: o.spec.Name, Changes: changed})
}

func (o *operation) warn(warnings ...Warning) { o.warnings = append(o.warnings, warnings...) }

// outcome is what the operation has done, once its objects are written. The error is that
// of the wait for its rollouts.
func (o *operation) outcome(waited error) *Outcome {
	o.state.Journal = o.journal().ofWait(waited)
	return &Outcome{State: o.state, Existed: o.progress.existed, Warnings: o.warnings}
}

// partialOutcome is what there is of a client after an update whose writes failed; nil if
// it failed before the first of them.
func (o *operation) partialOutcome(err error) *Outcome {
	if _, ok := errors.AsType[*PartialWriteError](err); !ok {
		return nil
	}
	return &Outcome{State: State{Refs: union(o.prior.Refs, o.progress.maybeWritten()), Journal: o.journal().ofWrites(err)}}
}
