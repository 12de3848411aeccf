package mira

import (
	"context"
	"errors"
	"maps"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// Plan is what applying a [Spec] would give.
type Plan struct {
	State
	// Unknown: the namespace or the template is not there yet, so that
	// nobody can say what the objects will be. URL and Revision are empty where
	// they are not known either.
	Unknown  bool
	Warnings []Warning
}

// Plan asks the server, by dry runs, what applying the client would make of its
// objects. `before` is what is recorded of the client; nil for one that is to be
// created. Nothing is written. All objects are tried, so that the error names
// every refusal.
func (f *Fleet) Plan(ctx context.Context, spec Spec, before *State) (*Plan, error) {
	d, err := f.desire(ctx, spec)
	if warning, ok := notYet(spec, before, err); ok {
		return &Plan{Unknown: true, Warnings: []Warning{warning}}, nil
	}
	if err != nil {
		return nil, err
	}
	d.gathered = true
	plan := &Plan{State: State{URL: d.url, Revision: d.revision}, Warnings: d.warnings}
	// A client that is to be created and has objects of its own is most often a
	// tainted one: they will be deleted first.
	trial, err := f.rehearse(ctx, spec, d, before, before == nil)
	var noNamespace *kube.NamespaceNotFoundError
	if errors.As(err, &noNamespace) {
		plan.Unknown = true
		plan.Warnings = append(plan.Warnings, NamespacePendingWarning{Client: spec.Name, Namespace: spec.Namespace})
		return plan, nil
	}
	if err != nil {
		return nil, err
	}
	plan.Warnings = append(plan.Warnings, f.takeoverWarnings(spec, trial)...)
	plan.Warnings = append(plan.Warnings, reclaimWarnings(spec, trial)...)
	plan.Warnings = append(plan.Warnings, recreationWarnings(spec, trial, before == nil)...)
	plan.Warnings = append(plan.Warnings, f.admissionWarnings(spec, trial)...)
	plan.Warnings = append(plan.Warnings, f.stayingWarnings(spec, trial)...)
	plan.Warnings = append(plan.Warnings, dataWarnings(spec, before, trial)...)
	adoption, err := f.adoptionWarnings(ctx, spec, before, trial)
	if err != nil {
		return nil, err
	}
	plan.Warnings = append(plan.Warnings, adoption...)
	plan.URL = trial.url()
	f.fill(&plan.State, d, trial, before)
	return plan, nil
}

// step is one object of a client, before and after an apply.
type step struct {
	desired *unstructured.Unstructured // as the template gives it
	applied *unstructured.Unstructured // as it is applied
	before  managedfields.Fields       // recorded of it; nil when it is new
	live    *unstructured.Unstructured // nil when there is none
	result  *unstructured.Unstructured // of the dry run, later of the apply
	written bool
	isNoOp  bool // nothing of the object would change

	gathered bool                      // live may be read together with other clients
	mark     managedfields.Fingerprint // of the last apply
	settled  managedfields.Fields      // live, where the mark says that nothing would change
	isExact  bool                      // of a no-op: not even owners would change

	reclaimed  managedfields.Fields // that stand beside the template's by hand, and go
	refusal    error                // why its objects cannot be recreated around its pods
	recreation *kube.Recreation     // nil where the object can be changed in place
	growth     []ClaimGrowth
	replaced   []rollout.Pod // that lack a claim of the recreated StatefulSet
	small      []ClaimGrowth // that the server does not let grow
}

// trial is the outcome of dry runs, in template order.
type trial []*step

// rehearse reads what is there, refuses what belongs to others, and has the
// server dry-run every object.
//
// With tolerate, a refusal to recreate an object that is the client's own is noted
// in its step only.
func (f *Fleet) rehearse(ctx context.Context, spec Spec, d *desired, before *State, tolerate bool) (trial, error) {
	steps := make(trial, 0, len(d.objects))
	var refused []error
	for _, object := range d.objects {
		s := &step{desired: object, applied: object, gathered: d.gathered}
		if before != nil {
			key := kube.RefOf(object).Key()
			s.before, s.mark = before.Objects[key], before.Fingerprints[key]
		}
		err := f.try(ctx, spec, s, before)
		if tolerate && err != nil && s.refusal != nil && s.isOwn(spec) {
			err = nil
		}
		if err != nil {
			refused = append(refused, err)
			if isHopeless(ctx, err) {
				break
			}
			continue
		}
		steps = append(steps, s)
	}
	return steps, errors.Join(refused...)
}

// foretell asks the server what applying an object would give, and what else it
// takes to apply it.
func (f *Fleet) foretell(ctx context.Context, s *step, before *State) error {
	if !s.gathered {
		if s.result = f.kube.RecentDryRun(s.desired, s.live); s.result != nil {
			return nil
		}
	}
	var err error
	if s.result, err = f.kube.DryRun(ctx, s.desired, s.live); err == nil {
		return nil
	}
	if err = f.recreation(ctx, s, before, err); err != nil && s.refusal == nil {
		err = f.reclaim(ctx, s, err)
	}
	return err
}

// isOwn tells whether the object is there and carries the client's label.
func (s *step) isOwn(spec Spec) bool {
	return s.live != nil && s.live.GetLabels()[ClientLabel] == spec.Name
}

// try rehearses one object.
func (f *Fleet) try(ctx context.Context, spec Spec, s *step, before *State) error {
	ref := kube.RefOf(s.desired)
	if err := f.claim(ref, spec.Name); err != nil {
		return err
	}
	if err := f.look(ctx, spec, s); err != nil {
		return err
	}
	if s.live != nil {
		if err := checkOwner(s.live, spec.Name); err != nil {
			return err
		}
	}
	if s.settled != nil {
		s.isNoOp, s.result = true, s.live
		return nil
	}
	if err := f.foretell(ctx, s, before); err != nil || s.recreation != nil {
		return err
	}
	if s.live == nil && isStatefulSet(s.desired) {
		return f.growKept(ctx, s, before)
	}
	// A template that spells out what the server fills in anyway, or leaves it out
	// again, is no reason to write.
	s.isNoOp = before != nil && s.live != nil && f.fields.Adoption(s.live, s.result, s.before).OnlyOwnershipDiffers()
	if s.isNoOp {
		s.isExact = f.fields.OwnsSame(s.live, s.result)
		s.result = s.live
	}
	return nil
}

// look reads the live object of a step, and finds out whether the server has to be
// asked what applying would make of it: not where the mark of the last apply says
// that the object is settled.
//
// A plan asks in a batch: see [kube.Batcher]. An apply trusts such an
// answer for an object that it leaves alone, and reads afresh what it is going to
// write. So a client of which one object changes, its StatefulSet for a new image,
// costs four requests of its own over plan and apply: the dry run of the plan, which
// the operator sees; that of the CLI's second plan, in another process, which must
// give the same; the read before the write, by which the apply knows that this dry
// run still tells the truth; and the write.
func (f *Fleet) look(ctx context.Context, spec Spec, s *step) error {
	ref := kube.RefOf(s.desired)
	var err error
	if s.gathered || s.mark != (managedfields.Fingerprint{}) {
		if s.live, err = f.batcher.Get(ctx, spec.Name, ref); err != nil {
			return err
		}
		if fields, ok := f.isSettled(s); ok {
			s.settled = fields
			return nil
		}
	}
	if !s.gathered {
		s.live, err = f.kube.Get(ctx, ref)
	}
	return err
}

func (f *Fleet) isSettled(s *step) (managedfields.Fields, bool) {
	if s.live == nil {
		return nil, false
	}
	return f.fields.InSync(s.mark, s.desired, s.live, s.before)
}

// reclaim takes away what people with kubectl have put by hand beside what the
// template gives, where the server does not take both. Otherwise it gives the
// refusal back.
func (f *Fleet) reclaim(ctx context.Context, s *step, refusal error) error {
	var rejected *kube.RejectedError
	if s.live == nil || !errors.As(refusal, &rejected) {
		return refusal
	}
	reclaimed, err := f.kube.RemoveConflictingFields(ctx, s.applied, s.live, refusal)
	if err != nil {
		return err
	}
	if reclaimed == nil {
		return refusal
	}
	s.result, s.reclaimed = reclaimed.Result, reclaimed.Fields
	s.before = maps.Clone(s.before)
	if s.before == nil {
		s.before = make(managedfields.Fields)
	}
	maps.Copy(s.before, reclaimed.Fields)
	return nil
}

// fieldsOf returns the fields that a plan and a state show of a step's object.
func (f *Fleet) fieldsOf(s *step) managedfields.Fields {
	if s.settled != nil {
		return s.settled
	}
	if s.isNoOp {
		return f.fields.Observe(s.live, s.before)
	}
	return f.fields.Owned(s.result)
}

// url is the client's address as the server has it.
func (t trial) url() string {
	var results []*unstructured.Unstructured
	for _, s := range t {
		results = append(results, s.result)
	}
	return urlOf(results)
}

// isHopeless tells whether the next object would meet the same error.
func isHopeless(ctx context.Context, err error) bool {
	var unreachable *connection.UnreachableError
	var noNamespace *kube.NamespaceNotFoundError
	return ctx.Err() != nil || errors.As(err, &unreachable) || errors.As(err, &noNamespace)
}

// fill records objects as the server gave them. The claims follow from the
// template and from what was recorded before, not from the moment: a plan and its
// apply must agree on them.
func (f *Fleet) fill(record *State, d *desired, t trial, before *State) {
	record.Objects = make(map[string]managedfields.Fields, len(t))
	record.Refs = nil
	record.Fingerprints = make(map[string]managedfields.Fingerprint, len(t))
	for _, s := range t {
		ref := kube.RefOf(s.result)
		record.Refs = append(record.Refs, ref)
		record.Objects[ref.Key()] = f.fieldsOf(s)
		switch {
		case s.settled != nil:
			record.Fingerprints[ref.Key()] = s.mark
		// What admission changed at one write it may leave alone at the next.
		case s.written && s.applied == s.desired && len(f.fields.AdmissionChanges(s.desired, s.result)) == 0, s.isExact:
			record.Fingerprints[ref.Key()] = f.fields.FingerprintOf(s.desired, s.result)
		}
	}
	record.Images = imagesOf(record.Objects)
	record.Claims = d.claims(before)
}
