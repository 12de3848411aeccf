package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
)

// Recreation is how an object gets values that the server does not let change:
// it is deleted without what it owns, such as the pods of a StatefulSet, and
// created again around that.
type Recreation struct {
	// Fields that cannot be changed in place, as `spec.serviceName`, sorted.
	Fields []string
	// Result is the object as it will be, with what others own on it.
	Result *unstructured.Unstructured
	// InPlace is the object as it can be applied without a recreation, and nothing
	// else is set then: the field that the server refuses is one that it gives
	// every new object its own value for, which the live one has already.
	InPlace *unstructured.Unstructured
	// Reclaimed are fields of people with kubectl that the server does not take
	// beside those that are applied, with their live values. They go.
	Reclaimed managedfields.Fields
	// Merged is what an apply gives that leaves the immutable fields as they are.
	Merged *unstructured.Unstructured
}

// PlanRecreation finds out, after an apply was refused for an immutable field,
// which fields these are and what recreating the object would give; nil when the
// refusal has another reason. It only asks the server, by dry runs:
//
//   - a create of the object under another name checks all of it, and tells the
//     immutable fields as they would be stored;
//   - an update of each field that differs tells whether it is immutable;
//   - an apply with the live values of the immutable fields gives the rest, merged
//     with what others own (see merge for what is done where it cannot);
//   - a delete shows whether the rights suffice.
func (c *Client) PlanRecreation(ctx context.Context, object, live *unstructured.Unstructured, recorded managedfields.Fields) (*Recreation, error) {
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	fresh, err := c.dryRunCreate(ctx, resource, object)
	if err != nil {
		return nil, err
	}
	immutable, err := c.immutableFields(ctx, resource, live, fresh)
	if err != nil {
		return nil, err
	}
	changeable := object.DeepCopy()
	overridden := managedfields.OverriddenSpecFields(object, live, fresh)
	for _, field := range slices.Concat(immutable, overridden) {
		copyField(changeable, live, field)
	}
	if len(immutable) == 0 {
		if len(overridden) == 0 {
			return nil, nil
		}
		return &Recreation{InPlace: changeable}, nil
	}
	merged, err := c.DryRun(ctx, changeable, live)
	var rejected *RejectedError
	var reclaimed managedfields.Fields
	if errors.As(err, &rejected) {
		// The rest does not go with the live values, as a mount of a new claim: it
		// is merged here.
		merged, reclaimed, err = c.mergeNew(ctx, resource, object, fresh, live)
	}
	if err != nil {
		return nil, err
	}
	orphan := metav1.DeletePropagationOrphan
	err = resource.Delete(ctx, ref.Name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}, PropagationPolicy: &orphan})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, c.classify("delete", ref, err)
	}

	adoption := c.fields.Adoption(live, merged, recorded)
	going, err := adoption.Orphaned()
	if err != nil {
		return nil, err
	}
	body := merged.DeepCopy()
	managedfields.Remove(body, going)
	for _, field := range immutable {
		copyField(body, fresh, field)
	}
	recreation := &Recreation{Result: body, Merged: merged, Reclaimed: reclaimed}
	owners, err := adoption.EntriesOfRecreated(fresh)
	if err != nil {
		return nil, err
	}
	recreation.Result.SetManagedFields(owners)
	if err := c.dryRunNew(ctx, resource, body); err != nil {
		return nil, err
	}
	for _, field := range immutable {
		recreation.Fields = append(recreation.Fields, "spec."+field)
	}
	return recreation, nil
}

// dryRunCreate has the server make a new object of one whose name is taken.
func (c *Client) dryRunCreate(ctx context.Context, resource dynamic.ResourceInterface, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	probe := object.DeepCopy()
	probe.SetName(probeName(object))
	fresh, err := resource.Apply(ctx, probe.GetName(), probe, metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.fields.Name(), Force: c.force})
	if err != nil {
		return nil, c.classify(verbApply, RefOf(object), err)
	}
	fresh.SetName(object.GetName())
	return fresh, nil
}

// mergeNew merges a new object with what others own on the live one, and has the
// server check that. As [Client.RemoveConflictingFields] does, it takes away what it must.
func (c *Client) mergeNew(ctx context.Context, resource dynamic.ResourceInterface, object, fresh, live *unstructured.Unstructured) (*unstructured.Unstructured, managedfields.Fields, error) {
	foreign := c.fields.Foreign(object, live)
	var refusal error
	for _, roots := range append([][]string{nil}, foreign.Removals()...) {
		merged, err := c.fields.Merge(fresh, live, roots)
		if err != nil {
			return nil, nil, err
		}
		err = c.dryRunNew(ctx, resource, merged)
		var rejected *RejectedError
		if errors.As(err, &rejected) {
			refusal = cmp.Or(refusal, err)
			continue
		}
		return merged, foreign.Below(roots), err
	}
	return nil, nil, refusal
}

// dryRunNew has the server check an object that is to be created again.
func (c *Client) dryRunNew(ctx context.Context, resource dynamic.ResourceInterface, object *unstructured.Unstructured) error {
	probe := asNew(object)
	probe.SetName(probeName(object))
	if _, err := resource.Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.fields.Name()}); err != nil {
		return c.classify("create", RefOf(object), err)
	}
	return nil
}

// probeName is one that nothing else has.
func probeName(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%.40s-%s", object.GetName(), rand.String(10))
}

// immutableFields asks about each field of the spec that differs.
func (c *Client) immutableFields(ctx context.Context, resource dynamic.ResourceInterface, live, fresh *unstructured.Unstructured) ([]string, error) {
	var immutable []string
	for _, field := range managedfields.DifferingSpecFields(live, fresh) {
		body := live.DeepCopy()
		copyField(body, fresh, field)
		_, err := c.dryRunUpdate(ctx, resource, body, live)
		var rejected *RejectedError
		switch {
		case errors.As(err, &rejected) && rejected.IsImmutableField():
			immutable = append(immutable, field)
		case err != nil && !errors.As(err, &rejected):
			return nil, err // whether it is immutable is not known
		}
	}
	return immutable, nil
}

// copyField gives an object another one's field of the spec, or the lack of it.
func copyField(to, from *unstructured.Unstructured, field string) {
	value, found, _ := unstructured.NestedFieldCopy(from.Object, "spec", field)
	if !found {
		unstructured.RemoveNestedField(to.Object, "spec", field)
		return
	}
	_ = unstructured.SetNestedField(to.Object, value, "spec", field)
}

// recreateRetry is for how long a create is tried again after its object has been
// deleted: a quota, for one, takes notice of the delete late.
const recreateRetry = 30 * time.Second

// RecreationError says that an object was deleted and not created again as it was
// meant to be. What it owned goes on.
type RecreationError struct {
	Ref Ref
	// PutBack tells that the object is there again as it was before, Created that
	// it is there as it should be, but not in the hands of its former owners.
	// Otherwise it is gone.
	PutBack, Created bool
	Err              error
}

func (e *RecreationError) Error() string {
	return fmt.Sprintf("%s was deleted to be created again, and that failed: %v", e.Ref, e.Err)
}

func (e *RecreationError) Unwrap() error { return e.Err }

// ChangedError says that an object has changed since it was looked at. Nothing was
// done.
type ChangedError struct {
	Ref Ref
	Err error
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s has changed meanwhile: %v", e.Ref, e.Err)
}

func (e *ChangedError) Unwrap() error { return e.Err }

// Recreate carries out a recreation of the object as it was looked at; one that
// has changed since is left alone, with a [*ChangedError]. Once it has begun it
// should not be interrupted: the caller gives it a context that lasts. Where the
// object cannot be created again, it is put back as it was.
func (c *Client) Recreate(ctx context.Context, live *unstructured.Unstructured, recreation *Recreation) (*unstructured.Unstructured, error) {
	ref := RefOf(live)
	resource, err := c.written(ref)
	if err != nil {
		return nil, err
	}
	orphan := metav1.DeletePropagationOrphan
	uid, version := live.GetUID(), live.GetResourceVersion()
	preconditions := &metav1.Preconditions{UID: &uid, ResourceVersion: &version}
	if live.GetDeletionTimestamp() != nil {
		preconditions = ref.deletePreconditions() // on its way out already
	}
	err = resource.Delete(ctx, ref.Name, metav1.DeleteOptions{PropagationPolicy: &orphan, Preconditions: preconditions})
	if apierrors.IsConflict(err) {
		return nil, &ChangedError{Ref: ref, Err: err}
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, c.classify("delete", ref, err)
	}
	if err := c.stillThere(ref, c.waitGone(ctx, resource, ref)); err != nil {
		return nil, err
	}
	created, err := c.createAgain(ctx, resource, recreation.Result, uid)
	if err == nil {
		return created, nil
	}
	failure := &RecreationError{Ref: ref, Created: created != nil, Err: c.classify("create", ref, err)}
	if created == nil {
		_, err := c.createAgain(ctx, resource, live, uid)
		failure.PutBack = err == nil
	}
	return created, failure
}

// createAgain creates an object that was deleted, and hands its fields to their
// owners. It gives the object with an error, too, when it is there.
func (c *Client) createAgain(ctx context.Context, resource dynamic.ResourceInterface, object *unstructured.Unstructured, former types.UID) (*unstructured.Unstructured, error) {
	body := asNew(object)
	var created *unstructured.Unstructured
	var failure error
	err := wait.PollUntilContextTimeout(ctx, time.Second, recreateRetry, true, func(ctx context.Context) (bool, error) {
		created, failure = resource.Create(ctx, body, metav1.CreateOptions{FieldManager: c.fields.Name()})
		if !apierrors.IsAlreadyExists(failure) {
			return failure == nil, nil
		}
		// An earlier try may have got no answer.
		now, err := resource.Get(ctx, body.GetName(), metav1.GetOptions{})
		if err == nil && now.GetUID() != former && c.fields.WroteAlone(now) {
			created, failure = now, nil
		}
		return true, nil
	})
	if err := cmp.Or(failure, err); err != nil {
		return nil, err
	}
	backoff := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 12, Cap: 5 * time.Second}
	return created, retry.OnError(backoff, apierrors.IsConflict, func() error {
		owners := slices.DeleteFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool { return entry.Subresource == "status" })
		for _, entry := range created.GetManagedFields() {
			if entry.Subresource == "status" {
				owners = append(owners, entry)
			}
		}
		patched, err := c.patchManagedFields(ctx, created, owners)
		if err == nil {
			created = patched
			return nil
		}
		if now, err := resource.Get(ctx, body.GetName(), metav1.GetOptions{}); err == nil {
			created = now // a controller has written its status
		}
		return err
	})
}

// asNew leaves out of an object what the server gives to each one anew.
func asNew(object *unstructured.Unstructured) *unstructured.Unstructured {
	body := object.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"} {
		unstructured.RemoveNestedField(body.Object, "metadata", field)
	}
	body.SetFinalizers(slices.DeleteFunc(body.GetFinalizers(), func(name string) bool { return name == metav1.FinalizerOrphanDependents }))
	unstructured.RemoveNestedField(body.Object, "status")
	return body
}
