package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// recreateRetry is for how long a create is tried again after its object has been
// deleted: a quota, for one, takes notice of the delete late.
const recreateRetry = 30 * time.Second

// lateWriteTries is how often, a second apart, an object is looked at whose write got no
// answer, before the write counts as not carried out.
const lateWriteTries = 3

// RecreationError says that an object was deleted and not created again as it was
// meant to be. What it owned goes on.
type RecreationError struct {
	Ref Ref
	// Restored says that the object is there again as it was before. Created says
	// that it is there as it should be, but that fields of other managers are ours
	// now. Unknown says that the server did not tell whether it has deleted the object.
	// Otherwise it is gone.
	Restored, Created, Unknown bool
	Err                        error
}

// Error names the object and says what went wrong.
func (e *RecreationError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("%s was to be deleted and created again, and whether it was deleted is not known: %v", e.Ref, e.Err)
	}
	return fmt.Sprintf("%s was deleted to be created again, and that failed: %v", e.Ref, e.Err)
}

// Unwrap returns why the object could not be created.
func (e *RecreationError) Unwrap() error { return e.Err }

// ChangedError says that an object has changed since it was read. Nothing was done.
type ChangedError struct {
	Ref Ref
	// MayBeOurs: an attempt of the same write got no answer, and may have been carried out.
	MayBeOurs bool
	Err       error
}

// Error names the object and repeats what the server said.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s has changed since it was read: %v", e.Ref, e.Err)
}

// Unwrap returns the server's answer.
func (e *ChangedError) Unwrap() error { return e.Err }

// Recreate carries out a recreation of the object as it was read; one that has
// changed since is left alone, with a [*ChangedError]. Once begun it should not be
// interrupted: the caller passes a context that lasts. Where the object cannot be
// created again, it is restored as it was, and the error is a [*RecreationError].
func (c *Client) Recreate(
	ctx context.Context, live *unstructured.Unstructured, recreation *Recreation,
) (*unstructured.Unstructured, error) {
	ref := RefOf(live)
	resource, err := c.writable(ref)
	if err != nil {
		return nil, err
	}
	r := &recreator{client: c, resource: resource, name: ref.Name, former: live.GetUID()}
	if err := r.delete(ctx, live); err != nil {
		return nil, err
	}
	logging.Debug(ctx, "Deleted an object to recreate it", "object", ref, "fields", recreation.Fields)
	if err := (deletion{client: c, resource: resource, ref: ref}).wait(ctx); err != nil {
		return nil, err
	}
	created, err := r.create(ctx, recreation.Result)
	logging.Debug(ctx, "Recreated an object", "object", ref, "isCreated", created != nil, "isComplete", err == nil)
	if err == nil {
		return created, nil
	}
	failure := &RecreationError{Ref: ref, Created: created != nil, Err: c.errors.translate("create", ref, err)}
	if created == nil {
		_, err := r.create(ctx, live)
		failure.Restored = err == nil
		logging.Debug(ctx, "Restored an object that could not be recreated", "object", ref, "isRestored", failure.Restored)
	}
	return created, failure
}

// recreator deletes one object and creates it again.
type recreator struct {
	client   *Client
	resource dynamic.ResourceInterface
	name     string
	former   types.UID // of the object that is deleted
}

// delete leaves alone what the object owns. If the server refuses it with a conflict, or
// its answer got lost, the object tells whether it was carried out: the first of two
// attempts may have been.
func (r *recreator) delete(ctx context.Context, live *unstructured.Unstructured) error {
	ref := RefOf(live)
	orphan := metav1.DeletePropagationOrphan
	version := live.GetResourceVersion()
	preconditions := &metav1.Preconditions{UID: &r.former, ResourceVersion: &version}
	if live.GetDeletionTimestamp() != nil {
		preconditions = ref.deletePreconditions() // its deletion has begun already
	}
	err := r.resource.Delete(ctx, ref.Name, metav1.DeleteOptions{PropagationPolicy: &orphan, Preconditions: preconditions})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	failure := r.client.errors.translate("delete", ref, err)
	if !apierrors.IsConflict(err) && !IsOutcomeUnknown(err) {
		return failure
	}
	isDeleted, lookErr := r.wasDeleted(ctx, apierrors.IsConflict(err))
	switch {
	case lookErr != nil:
		return &RecreationError{Ref: ref, Unknown: true, Err: errors.Join(failure, lookErr)}
	case isDeleted:
		return nil
	case apierrors.IsConflict(err):
		return &ChangedError{Ref: ref, Err: err}
	}
	return failure
}

// wasDeleted reports whether the object is deleted, or being deleted, without what it owns.
// Unless the server has answered already, a delete that is still on its way gets a moment.
func (r *recreator) wasDeleted(ctx context.Context, isAnswered bool) (bool, error) {
	var isDeleted bool
	look := func() error {
		now, err := r.resource.Get(ctx, r.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			isDeleted = true
			return nil
		case err != nil:
			return err
		}
		isDeleted = now.GetUID() != r.former ||
			now.GetDeletionTimestamp() != nil && slices.Contains(now.GetFinalizers(), metav1.FinalizerOrphanDependents)
		return nil
	}
	tries := 1
	if !isAnswered {
		tries = lateWriteTries
	}
	for try := 1; ; try++ {
		if err := persist(ctx, look); err != nil || isDeleted || try == tries {
			return isDeleted, err
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, context.Cause(ctx)
		}
	}
}

// create creates an object that was deleted, and hands its fields to their owners.
// It returns the object with an error, too, when it is there. While the server cannot
// answer, it goes on until the context ends: the pods run without their StatefulSet.
func (r *recreator) create(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	body := asNew(object)
	var created *unstructured.Unstructured
	var failure error
	var refused time.Time // since when the server has refused it
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		created, failure = r.resource.Create(looksAfter(ctx), body, metav1.CreateOptions{FieldManager: r.client.fields.Name()})
		if apierrors.IsAlreadyExists(failure) {
			// An earlier try may have got no answer.
			now, err := r.resource.Get(ctx, r.name, metav1.GetOptions{})
			if err != nil {
				return false, nil //nolint:nilerr // the next try finds out
			}
			if now.GetUID() != r.former && r.client.fields.WroteAlone(now) {
				created, failure = now, nil
			}
			return true, nil
		}
		if failure == nil || isOutage(failure) {
			return failure == nil, nil
		}
		if refused.IsZero() {
			refused = time.Now()
		}
		return time.Since(refused) > recreateRetry, nil
	})
	if err := cmp.Or(failure, err); err != nil {
		return nil, err
	}
	return r.setOwners(ctx, created, object.GetManagedFields())
}

// setOwners writes who owns which field of an object that was created. Status has
// owners of its own by then.
func (r *recreator) setOwners(
	ctx context.Context, created *unstructured.Unstructured, entries []metav1.ManagedFieldsEntry,
) (*unstructured.Unstructured, error) {
	isStatus := func(entry metav1.ManagedFieldsEntry) bool { return entry.Subresource == "status" }
	backoff := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 12, Cap: 5 * time.Second}
	isPassing := func(err error) bool { return apierrors.IsConflict(err) || isOutage(err) && ctx.Err() == nil }
	err := retry.OnError(backoff, isPassing, func() error {
		owners := slices.DeleteFunc(slices.Clone(entries), isStatus)
		for _, entry := range created.GetManagedFields() {
			if isStatus(entry) {
				owners = append(owners, entry)
			}
		}
		patched, err := r.client.patchManagedFields(ctx, created, owners)
		if err == nil {
			created = patched
			return nil
		}
		if now, err := r.resource.Get(ctx, created.GetName(), metav1.GetOptions{}); err == nil {
			created = now // a controller has written its status
		}
		return err
	})
	return created, err
}

// asNew leaves out of an object what the server sets on each new one.
func asNew(object *unstructured.Unstructured) *unstructured.Unstructured {
	body := object.DeepCopy()
	for _, field := range []string{
		"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields",
	} {
		unstructured.RemoveNestedField(body.Object, "metadata", field)
	}
	body.SetFinalizers(slices.DeleteFunc(body.GetFinalizers(), func(name string) bool { return name == metav1.FinalizerOrphanDependents }))
	unstructured.RemoveNestedField(body.Object, "status")
	return body
}
