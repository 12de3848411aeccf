package mira

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// Deleted is what a delete left and took.
type Deleted struct {
	KeptClaims    []string
	DeletedClaims []string
	Warnings      []Warning
}

// Delete removes what is recorded of a client, in reverse order, and waits for the pods to
// end. It needs no template. What is gone already counts as done; what belongs to another
// client, or took the name of a recorded object, is left alone and reported. Claims stay
// unless deleteData says otherwise.
func (f *Fleet) Delete(ctx context.Context, namespace, name string, recorded *State, deleteData bool) (*Deleted, error) {
	f.clients.begin(namespace, name)
	lock := f.locks.of(namespace, name)
	lock.Lock()
	defer lock.Unlock()
	if lock.created {
		return &Deleted{Warnings: []Warning{AppliedElsewhereWarning{Client: name}}}, nil
	}
	d := &deletion{services: f.services, namespace: namespace, client: name, recorded: recorded, deleteData: deleteData}
	deleted, err := d.run(ctx)
	if err == nil {
		f.clients.addData(namespace, name, nil) // the plan of what takes its place deletes nothing
	}
	return deleted, err
}

// deletion is the delete of one client.
type deletion struct {
	*services
	namespace  string
	client     string
	recorded   *State
	deleteData bool
	isPlan     bool // nothing is deleted

	// found are the claims of the recorded StatefulSets, by the keys of these. Recorded claims
	// of no recorded StatefulSet, which a template leaves that renames it, stand under the
	// empty key.
	found  map[string][]kube.Ref
	result Deleted
}

// run deletes the objects and, if that is asked for, the claims.
func (d *deletion) run(ctx context.Context) (*Deleted, error) {
	if !d.deleteData && d.knowsObjects() {
		return d.runByUID(ctx)
	}
	return d.runReading(ctx)
}

// runReading reads and checks all objects before it deletes the first.
func (d *deletion) runReading(ctx context.Context) (*Deleted, error) {
	live, err := d.readAll(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.checkCluster(ctx, live); err != nil {
		return nil, err
	}
	if d.found, err = d.findClaims(ctx, live); err != nil {
		// Without the list nothing can be deleted that should be. What is only to be kept
		// needs no list.
		if d.deleteData {
			return nil, err
		}
		d.result.Warnings = append(d.result.Warnings, ClaimsUnreadableWarning{Client: d.client, Err: err})
		d.result.KeptClaims = d.recorded.Claims
	}
	for _, ref := range slices.Backward(d.recorded.Refs) {
		if live[ref.Key()] == nil {
			continue
		}
		kept, err := d.deleteOwn(ctx, ref, d.client, d.deleteData)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			d.result.Warnings = append(d.result.Warnings, kept)
			delete(d.found, ref.Key()) // the claims go with the object, to its new owner
		}
	}
	if err := d.deleteClaims(ctx); err != nil {
		return nil, err
	}
	return &d.result, nil
}

// readAll reads the recorded objects, by their keys.
func (d *deletion) readAll(ctx context.Context) (map[string]*unstructured.Unstructured, error) {
	live := make(map[string]*unstructured.Unstructured, len(d.recorded.Refs))
	var failed []error
	for _, ref := range d.recorded.Refs {
		object, err := d.kube.Get(ctx, ref)
		if object != nil {
			live[ref.Key()] = object
		}
		failed = append(failed, err)
	}
	return live, errors.Join(failed...)
}

// findClaims finds the claims of the recorded StatefulSets. If one of these is gone by
// now, the names of its claim templates come from the recorded claims.
func (d *deletion) findClaims(ctx context.Context, live map[string]*unstructured.Unstructured) (map[string][]kube.Ref, error) {
	claims := make(map[string][]kube.Ref)
	rest := slices.Clone(d.recorded.Claims)
	for _, ref := range d.recorded.Refs {
		if ref.Kind != statefulSetKind {
			continue
		}
		var templates []string
		if object := live[ref.Key()]; object != nil {
			templates = kube.ClaimTemplates(object)
		}
		for _, claim := range d.recorded.Claims {
			if template, ok := claimTemplateOf(claim, ref.Name); ok && !slices.Contains(templates, template) {
				templates = append(templates, template)
			}
		}
		found, err := d.claims.List(ctx, kube.ListClaims{
			Namespace: d.namespace, StatefulSet: ref.Name, Templates: templates, Fresh: d.deleteData && !d.isPlan,
		})
		if err != nil {
			return nil, err
		}
		claims[ref.Key()] = found
		rest = slices.DeleteFunc(rest, func(claim string) bool { _, ok := claimTemplateOf(claim, ref.Name); return ok })
	}
	for _, name := range rest {
		claim, err := d.kube.Get(ctx, kube.NewRef(kube.ClaimKind, d.namespace, name))
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims[""] = append(claims[""], kube.RefOf(claim))
		}
	}
	return claims, nil
}

// deleteClaims deletes the claims if the data is to be deleted, and lists them if not. All
// are tried: the error names those that stay.
func (d *deletion) deleteClaims(ctx context.Context) error {
	var failed []error
	for _, key := range slices.Sorted(maps.Keys(d.found)) {
		for _, claim := range d.found[key] {
			if !d.deleteData {
				d.result.KeptClaims = append(d.result.KeptClaims, claim.Name)
				continue
			}
			if err := d.kube.Delete(ctx, claim); err != nil {
				failed = append(failed, err)
				continue
			}
			d.result.DeletedClaims = append(d.result.DeletedClaims, claim.Name)
		}
	}
	return errors.Join(failed...)
}
