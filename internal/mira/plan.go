package mira

import (
	"context"
	"errors"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// Plan is what applying a [Spec] would give.
type Plan struct {
	State
	// Unknown: the namespace or the template is not there yet, so nobody can say what
	// the objects will be. URL and Revision are empty where they are not known either.
	Unknown  bool
	Warnings []Warning
}

// Plan asks the server, by dry runs, what applying the client would make of its
// objects. `prior` is what is recorded of the client; nil for one that is to be
// created. Nothing is written. All objects are tried, so that the error names every
// refusal.
func (f *Fleet) Plan(ctx context.Context, spec Spec, prior *State) (*Plan, error) {
	o := newOperation(f.services, spec, prior, ApplyOptions{})
	o.planner.batched = true
	o.planner.allowRefusal = o.planner.replacesOwn()
	return o.plan(ctx)
}

// plan runs the phases of a plan: those of an apply before its first write.
func (o *operation) plan(ctx context.Context) (*Plan, error) {
	read := o.readAhead(ctx)
	err := o.render(ctx)
	read()
	if pending, ok := templatePending(o.spec, o.prior, err); ok {
		return &Plan{Unknown: true, Warnings: []Warning{pending}}, nil
	}
	if err != nil {
		return nil, err
	}
	err = o.dryRun(ctx)
	if _, ok := errors.AsType[*kube.NamespaceNotFoundError](err); ok {
		o.warn(NamespacePendingWarning{Client: o.spec.Name, Namespace: o.spec.Namespace})
		return &Plan{State: State{URL: o.manifest.url(o.fields), Revision: o.manifest.revision}, Unknown: true, Warnings: o.warnings}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := o.warnOfChanges(ctx); err != nil {
		return nil, err
	}
	o.recent.keep(o)
	return &Plan{State: o.changes.state(o.fields, o.manifest, o.prior), Warnings: o.warnings}, nil
}

// warnOfChanges adds the warnings of a plan: what it does that its values do not show.
func (o *operation) warnOfChanges(ctx context.Context) error {
	client := o.spec.Name
	o.warn(pendingRollouts(client, o.prior)...)
	o.warn(o.changes.leavingObjects(client)...)
	o.warn(o.changes.unprobedContainers(o.manifest.revision, &o.told)...)
	o.warn(o.changes.takeovers(o.fields, client)...)
	o.warn(o.changes.removals(client)...)
	o.warn(o.changes.recreations(client, o.planner.replacesOwn())...)
	o.warn(o.changes.admissionChanges(o.fields, client)...)
	o.warn(o.changes.sharedFields(o.fields, client)...)
	o.warn(o.changes.keptFields(client)...)
	o.warn(o.changes.differingFields(client)...)
	o.warn(o.changes.fallbacks(o.fields, client)...)
	o.warn(o.changes.renamedStatefulSets(client, o.prior)...)
	o.warn(o.changes.claims(client)...)
	adoption, err := o.planner.adoptions(ctx, o.changes)
	o.warn(adoption...)
	return err
}
