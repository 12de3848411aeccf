package mira

import (
	"context"
	"errors"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// operation is one plan, create or update of one client: what is asked, what it has
// found out, and what it has done. Its phases are methods, in this order:
//
//  1. admit: an update that changes pods waits for its turn at the gate (gate.go).
//  2. render: the template gives the manifest (render.go).
//  3. dryRun: what is there is read, and the server dry-runs each object (planner.go).
//  4. checkPlan: the dry runs must give what the operator agreed to.
//  5. writeAll: the objects are written, in template order (apply.go). Claims grow, objects
//     are adopted, and StatefulSets are recreated on the way (claims.go, recreate.go).
//  6. wait: the new revision must serve (rollout.go).
//  7. prune: what the template does not have any more is deleted (prune.go).
//
// Nothing is written before phase 5. If that phase fails, a create is undone (undo), and
// an update stays as far as it has come; the next apply goes on from there. If phase 6
// finds that the rollout has failed, all that was written is rolled back (rollBack).
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
	o := &operation{
		services: s,
		planner:  planner{services: s, spec: spec, prior: prior},
		lock:     s.locks.of(spec.Namespace, spec.Name),
		spec:     spec,
		prior:    prior,
		options:  options,
	}
	o.writer = writer{services: s, planner: &o.planner, progress: &o.progress}
	return o
}

// create runs the phases of a create.
func (o *operation) create(ctx context.Context) (*Outcome, error) {
	bounded, cancel := o.options.bound(ctx)
	defer cancel()
	if err := o.createObjects(bounded); err != nil {
		return nil, err
	}
	if !o.options.Wait {
		return o.outcome(), nil
	}
	err := o.wait(bounded)
	reason, isFailed := rolloutFailure(err)
	if !isFailed {
		if unknown := unknownOutcome(err); unknown != "" {
			o.gate.Unknown(ctx, o.spec.Name, unknown)
		}
		return o.outcome(), err
	}
	o.gate.Fail(ctx, o.spec.Name, reason)
	if o.settings.Rollout.Keep {
		return o.outcome(), err
	}
	return nil, o.rollBack(ctx, err)
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
	pass, err := o.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer pass.Leave(ctx)
	bounded, cancel := o.options.bound(ctx)
	defer cancel()
	if err := o.updateObjects(bounded); err != nil {
		if o.progress.hasBegunRollout() {
			pass.Unknown(ctx, "its update stopped half-way: "+oneLine(err))
		}
		return o.partialOutcome(err), err
	}
	// What is not pruned yet is still the client's.
	o.state.Refs = union(o.state.Refs, o.prior.Refs)
	if o.options.Wait {
		err = o.wait(bounded)
	}
	reason, isFailed := rolloutFailure(err)
	if isFailed {
		pass.Fail(ctx, reason)
	} else if unknown := unknownOutcome(err); unknown != "" {
		pass.Unknown(ctx, unknown)
	}
	switch {
	case isFailed && !o.settings.Rollout.Keep:
		report := o.rollBack(ctx, err)
		return &Outcome{State: State{Refs: report.refs(o.prior.Refs)}}, report
	case err != nil:
		return o.outcome(), err
	}
	if err := o.prune(bounded); err != nil {
		return o.outcome(), &PartialWriteError{Written: o.progress.all(), Err: err}
	}
	o.state.Refs = o.changes.refs()
	pass.Succeed()
	return o.outcome(), nil
}

// updateObjects runs the phases up to the last write.
func (o *operation) updateObjects(ctx context.Context) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.write(ctx)
}

// write runs the phases from the template to the last write.
func (o *operation) write(ctx context.Context) error {
	if err := o.render(ctx); err != nil {
		return err
	}
	if err := o.dryRun(ctx); err != nil {
		return err
	}
	if err := o.checkPlan(); err != nil {
		return err
	}
	if err := o.writer.writeAll(ctx, o.changes); err != nil {
		return err
	}
	o.recordState()
	return nil
}

// render makes the manifest of the template.
func (o *operation) render(ctx context.Context) error {
	var err error
	if o.manifest, err = o.renderer.render(ctx, o.spec); err != nil {
		return err
	}
	o.warn(o.manifest.warnings...)
	return nil
}

// dryRun finds out what to do to each object.
func (o *operation) dryRun(ctx context.Context) error {
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

// outcome is what the operation has done, once its objects are written.
func (o *operation) outcome() *Outcome {
	return &Outcome{State: o.state, Existed: o.progress.existed, Warnings: o.warnings}
}

// partialOutcome is what there is of a client after an update whose writes failed; nil if
// it failed before the first of them.
func (o *operation) partialOutcome(err error) *Outcome {
	if _, ok := errors.AsType[*PartialWriteError](err); !ok {
		return nil
	}
	return &Outcome{State: State{Refs: union(o.prior.Refs, o.progress.objects())}}
}
