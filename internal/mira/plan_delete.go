package mira

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// ClientName names a client of a cluster.
type ClientName struct {
	Namespace, Name string // empty where they are not known yet
}

// PlanDelete returns what an operator should know before a client is deleted, which no
// other part of the plan says: what becomes of its claims. `next` is the client that takes
// its place, if a change of its name or namespace replaces it. The error says that the
// rights do not suffice to delete it without its claims.
//
// The recorded claims are told where they cannot be read, and where they stay and nothing
// else is to be looked at: see [deletion.knowsObjects].
func (f *Fleet) PlanDelete(
	ctx context.Context, namespace, name string, recorded *State, deleteData bool, next *ClientName,
) ([]Warning, error) {
	d := &deletion{
		services: f.services, namespace: namespace, client: name, recorded: recorded, deleteData: deleteData, isPlan: true,
	}
	return d.plan(ctx, next)
}

// AddData notes that the state of this run has a client that is deleted with its data.
func (f *Fleet) AddData(namespace, name string, recorded *State) {
	f.clients.addData(namespace, name, recorded)
}

// PlanReplacement is [Fleet.PlanDelete] for a client that is planned as a new one although
// the state has it: it is deleted first. A client that is replaced although neither its
// name nor its namespace changes cannot be warned of, as the CLI shows no warnings of that
// plan: where it would lose data the error is a [*DataReplacedError].
func (f *Fleet) PlanReplacement(ctx context.Context, namespace, name string, as Declaration) ([]Warning, error) {
	recorded := f.clients.withData(namespace, name)
	if recorded == nil || as != DeclaresNew && as != DeclaresReplaced {
		return nil, nil
	}
	warnings, err := f.PlanDelete(ctx, namespace, name, recorded, true, nil)
	if err != nil || as == DeclaresNew {
		return warnings, err
	}
	for _, warning := range warnings {
		if deleted, ok := warning.(DataDeletedWarning); ok {
			return nil, &DataReplacedError{Namespace: namespace, Name: name, Claims: deleted.Claims}
		}
	}
	return nil, nil
}

func (d *deletion) plan(ctx context.Context, next *ClientName) ([]Warning, error) {
	var warnings []Warning
	claims := d.recorded.Claims
	if d.deleteData || !d.knowsObjects() {
		var err error
		if warnings, claims, err = d.lookAtClaims(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case len(claims) == 0:
	case d.deleteData:
		warnings = append(warnings, DataDeletedWarning{Client: d.client, Namespace: d.namespace, Claims: claims})
	case next != nil:
		warnings = append(warnings, DataLeftWarning{Client: d.client, Namespace: d.namespace, Claims: claims, Next: *next})
	default:
		warnings = append(warnings, DataKeptWarning{Client: d.client, Namespace: d.namespace, Claims: claims})
	}
	return warnings, nil
}

// lookAtClaims returns the names of the client's claims, and the warnings of those that would be
// lost. Where they cannot be read, the recorded ones are told.
func (d *deletion) lookAtClaims(ctx context.Context) (warnings []Warning, claims []string, err error) {
	claims = d.recorded.Claims
	live, err := d.readStatefulSets(ctx)
	if err != nil {
		return nil, claims, nil //nolint:nilerr // the delete itself reads again
	}
	if found, err := d.findClaims(ctx, live); err == nil {
		claims = claimNames(found)
	}
	if !d.deleteData {
		warnings, err = d.planKeeping(ctx, live)
	}
	return warnings, claims, err
}

// readStatefulSets reads the recorded StatefulSets that are the client's, together with
// those of other clients.
func (d *deletion) readStatefulSets(ctx context.Context) (map[string]*unstructured.Unstructured, error) {
	live := make(map[string]*unstructured.Unstructured)
	for _, ref := range d.recorded.Refs {
		if ref.Kind != statefulSetKind {
			continue
		}
		object, err := d.batcher.Get(ctx, d.client, ref)
		if err != nil {
			return nil, err
		}
		if object != nil && checkOwner(object, d.client) == nil {
			live[ref.Key()] = object
		}
	}
	return live, nil
}

// planKeeping warns of the StatefulSets that have Kubernetes delete their claims, and
// refuses those where the rights do not suffice to prevent that.
func (d *deletion) planKeeping(ctx context.Context, live map[string]*unstructured.Unstructured) ([]Warning, error) {
	var warnings []Warning
	var refused []error
	for _, key := range slices.Sorted(maps.Keys(live)) {
		policies := kube.DeletesClaims(live[key])
		if len(policies) == 0 {
			continue
		}
		ref := kube.RefOf(live[key])
		if err := d.claims.CheckKeep(ctx, live[key]); isRefusal(err) {
			refused = append(refused, &ClaimsNotSafeError{Ref: ref, Policies: policies, Err: err})
			continue
		}
		warnings = append(warnings, ClaimPolicyWarning{Client: d.client, StatefulSet: ref, Policies: policies})
	}
	return warnings, errors.Join(refused...)
}

// isRefusal reports whether the server has refused a request for good. Anything else may
// be over when the plan is applied.
func isRefusal(err error) bool {
	var forbidden *kube.ForbiddenError
	var denied *kube.DeniedError
	return errors.As(err, &forbidden) || errors.As(err, &denied)
}

// claimNames returns the names of claims, sorted.
func claimNames(claims map[string][]kube.Ref) []string {
	var names []string
	for _, refs := range claims {
		for _, ref := range refs {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return names
}
