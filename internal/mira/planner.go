package mira

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// planner finds out what an apply would do to a client's objects. It reads and asks for
// dry runs, and writes nothing. How a single object can be applied is the job of an
// [applyPlanner], and what becomes of claims that of a [claimPlanner].
type planner struct {
	*subject
	// allowRefusal: a StatefulSet of the client that cannot be recreated around its pods
	// is no error of the plan. The refusal is noted in its change.
	allowRefusal bool
}

// subject is the client that is planned, and how it is looked at.
type subject struct {
	*services
	spec  Spec
	prior *State // recorded of the client; nil for one that is not recorded

	// batched: live objects may be read together with those of other clients, and be up
	// to a minute old. An apply reads again what it is about to write.
	batched bool
}

// read reads a live object, in a plan together with those of other clients.
func (s *subject) read(ctx context.Context, ref kube.Ref) (*unstructured.Unstructured, error) {
	if s.batched {
		return s.batcher.Get(ctx, s.spec.Name, ref)
	}
	return s.kube.Get(ctx, ref)
}

// dryRunAll reads what is there, refuses what belongs to others, and has the server
// dry-run every object. The error names every refusal.
func (p *planner) dryRunAll(ctx context.Context, m *manifest) (changeSet, error) {
	changes := make(changeSet, 0, len(m.objects))
	var refused []error
	planned, failed := p.dryRunTogether(ctx, m)
	for i, c := range planned {
		err := failed[i]
		if p.allowRefusal && err != nil && err == c.refusal() && c.isOwn(p.spec.Name) { //nolint:errorlint // that very error
			err = nil
		}
		if err != nil {
			m.locate(err, i, p.foreignFields(c))
			refused = append(refused, err)
			if isHopeless(ctx, err) {
				break
			}
			continue
		}
		changes = append(changes, c)
	}
	changes = changes.withDeletions(p.prior)
	if len(refused) > 0 {
		return changes, errors.Join(refused...)
	}
	return changes, p.ofClaims().planKeeping(ctx, changes)
}

// maxDryRuns bounds how many objects of one client are looked at at the same time.
const maxDryRuns = 8

// dryRunTogether finds out what an apply would do to each object, for all objects at the same
// time: the cluster may be far away. The errors have the order of the changes.
func (p *planner) dryRunTogether(ctx context.Context, m *manifest) ([]*objectChange, []error) {
	changes, failed := make([]*objectChange, len(m.objects)), make([]error, len(m.objects))
	var all errgroup.Group
	all.SetLimit(maxDryRuns)
	for i, object := range m.objects {
		changes[i] = newObjectChange(object, p.priorOf(object))
		all.Go(func() error {
			failed[i] = p.dryRunObject(ctx, changes[i])
			return nil
		})
	}
	_ = all.Wait()
	return changes, failed
}

// foreignFields returns what others have on the live object of a change, in addition to what
// is applied.
func (p *planner) foreignFields(c *objectChange) []managedfields.FieldOwner {
	if c.live == nil {
		return nil
	}
	return p.fields.Foreign(c.applied, c.live, nil).Owners()
}

// priorOf returns what is recorded of an object.
func (p *planner) priorOf(object *unstructured.Unstructured) objectState {
	if p.prior == nil {
		return objectState{}
	}
	key := kube.RefOf(object).Key()
	return objectState{fields: p.prior.Objects[key], fingerprint: p.prior.Fingerprints[key]}
}

// isHopeless reports whether the next object would meet the same error.
func isHopeless(ctx context.Context, err error) bool {
	var unreachable *connection.UnreachableError
	var noNamespace *kube.NamespaceNotFoundError
	var exists *ExistingClientError
	return ctx.Err() != nil || errors.As(err, &unreachable) || errors.As(err, &noNamespace) || errors.As(err, &exists)
}

// dryRunObject finds out what an apply would do to one object.
func (p *planner) dryRunObject(ctx context.Context, c *objectChange) error {
	if err := p.owners.declare(c.ref, p.spec.Name); err != nil {
		return err
	}
	if p.isExpectedNew(c) {
		if isDone, err := p.dryRunNew(ctx, c); err != nil || isDone {
			return err
		}
	}
	if err := p.readLive(ctx, c); err != nil {
		return err
	}
	if c.live != nil {
		if err := checkOwner(c.live, p.spec.Name); err != nil {
			return err
		}
		if err := p.checkAdoption(c.live); err != nil {
			return err
		}
	}
	if c.action == actionNone {
		return nil
	}
	if err := (applyPlanner{p.subject}).dryRunApply(ctx, c); err != nil || c.action == actionRecreate {
		return err
	}
	if c.live == nil && isStatefulSet(c.manifest) {
		return p.ofClaims().planKeptClaims(ctx, c, nil)
	}
	if p.prior != nil && c.live != nil {
		p.keepIfSame(c)
	}
	return nil
}

// isExpectedNew reports whether nothing is known of an object that would be there.
func (p *planner) isExpectedNew(c *objectChange) bool {
	return (p.prior == nil || !slices.ContainsFunc(p.prior.Refs, c.ref.SameObject)) && !p.replacesOwn()
}

// dryRunNew asks for the dry run of an object without reading it first: the answer tells whether it
// exists. The claims that a new StatefulSet would use are read at the same time. If the object is
// new, there is nothing else to find out. Otherwise the answer is kept for
// [applyPlanner.dryRunApply].
func (p *planner) dryRunNew(ctx context.Context, c *objectChange) (isNew bool, err error) {
	claims, stop := p.ofClaims().readAhead(ctx, c.manifest)
	defer stop()
	result, err := p.kube.DryRun(ctx, c.manifest, nil)
	switch {
	case err != nil && isHopeless(ctx, err):
		return false, err
	case err != nil || !kube.IsNew(result):
		c.first = firstAnswer{result: result, refusal: err}
		return false, nil
	}
	c.dryRun = result
	if isStatefulSet(c.manifest) {
		return true, p.ofClaims().planKeptClaims(ctx, c, claims)
	}
	return true, nil
}

// readLive reads the live object, and leaves it as it is if the fingerprint of the last
// apply says that it is in sync. Then the server need not be asked for a dry run.
//
// A plan reads in batches. An apply trusts such an answer for an object that it leaves
// alone, and reads again what it is about to write, unless what the plan has found a moment
// ago will do: see [recentPlans].
func (p *planner) readLive(ctx context.Context, c *objectChange) error {
	var err error
	if p.batched || c.fingerprint != (managedfields.Fingerprint{}) {
		if c.live, err = p.batcher.Get(ctx, p.spec.Name, c.ref); err != nil {
			return err
		}
		if c.live != nil {
			if fields, ok := p.fields.InSync(c.fingerprint, c.manifest, c.live, c.prior); ok {
				logging.Debug(ctx, "Object is in sync: nothing to do", "client", p.spec.Name, "object", c.ref)
				c.keep(objectState{fields: fields, fingerprint: c.fingerprint})
				return nil
			}
		}
	}
	if !p.batched {
		c.live, err = p.kube.Get(ctx, c.ref)
	}
	return err
}

// keepIfSame leaves an object as it is if a write would change nothing that anybody
// notices: a template that spells out what the server fills in anyway, or leaves it out
// again, is no reason to write.
func (p *planner) keepIfSame(c *objectChange) {
	if !c.adoption(p.fields).OnlyOwnershipDiffers() {
		return
	}
	state := objectState{fields: p.fields.Observe(c.live, c.prior)}
	if c.isSettled(p.fields) {
		state.fingerprint = p.fields.FingerprintOf(c.manifest, c.live)
	}
	c.keep(state)
}

// adoptedFields returns the live values of what adopting an object will change: of the
// fields that are applied, and of those that a former manager set and that go.
func (p *planner) adoptedFields(ctx context.Context, c *objectChange) (managedfields.Fields, error) {
	result := c.dryRun
	if c.action == actionRecreate {
		result = c.recreation.Merged
	}
	lost, err := p.kube.FieldsLost(ctx, c.live, result)
	if err != nil {
		return nil, err
	}
	fields := p.fields.Observe(c.live, p.fields.Owned(c.dryRun))
	maps.Copy(fields, lost)
	return fields, nil
}
