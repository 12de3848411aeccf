package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Restore takes a write of ours back: `prior` is the object as it was, `written` as
// we left it. What we owned then has its prior values and nothing in addition, and
// what we took from others has its values and goes back to them. What others have
// written since, and what they owned all along, stays. A StatefulSet whose immutable
// fields have changed is recreated around its pods once more.
//
// What the server has filled in for the write goes, and what it had filled in before comes
// back. Where the object is not what it was all the same, the error is a
// [*NotRestoredError].
//
// Where others have changed since what the write had set, the error is a [*ConflictError],
// and nothing is restored, unless the client forces conflicts.
//
// It returns the object as it is then. For an object that has been deleted since, the error
// is a [*NotFoundError].
func (c *Client) Restore(ctx context.Context, prior, written *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	r := &restorer{client: c, restoration: c.fields.Restoration(prior, written), ref: RefOf(written)}
	var result *unstructured.Unstructured
	err := persist(ctx, func() (err error) { result, err = r.restoreFields(ctx); return err })
	if err != nil {
		return nil, err
	}
	err = persist(ctx, func() (err error) { result, err = r.restoreOwners(ctx, result); return err })
	logging.Debug(ctx, "Restored an object", "object", r.ref, "hasOwners", err == nil)
	if different := r.restoration.Differences(result).Fields(); err == nil && len(different) > 0 {
		return result, &NotRestoredError{Ref: RefOf(result), Fields: different}
	}
	return result, err
}

// NotRestoredError says that an object has its fields and owners back, but that the server
// keeps fields that it did not have before, or that had another value.
type NotRestoredError struct {
	Ref    Ref
	Fields []string // sorted
}

// Error names the object and the fields.
func (e *NotRestoredError) Error() string {
	return fmt.Sprintf("%s is not what it was: the server keeps another value of %s", e.Ref, strings.Join(e.Fields, ", "))
}

// restorer takes one write back.
type restorer struct {
	client      *Client
	restoration managedfields.Restoration
	ref         Ref
}

func (r *restorer) restoreFields(ctx context.Context) (*unstructured.Unstructured, error) {
	prior, err := r.restoration.Object()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.ref, err)
	}
	var result *unstructured.Unstructured
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		live, err := r.client.Get(ctx, r.ref)
		if err != nil {
			return err
		}
		if live == nil || live.GetUID() != r.ref.UID {
			return &NotFoundError{Ref: r.ref}
		}
		// What the server has filled in goes and comes back with the rest, in one write: no
		// pod may see a state in between.
		result, err = r.apply(ctx, prior, live)
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.IsInvalid() {
			result, err = r.recreate(ctx, prior, live, err)
		}
		if err != nil || len(r.restoration.Differences(result).Fields()) == 0 {
			return err
		}
		result, err = r.apply(ctx, prior, result)
		return err
	})
	return result, err
}

// apply restores the fields of a live object in place.
func (r *restorer) apply(ctx context.Context, prior, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	differences := r.restoration.Differences(live)
	if len(differences.Extra) > 0 {
		entries, err := r.client.fields.Claim(live, differences.Extra)
		if err != nil {
			return nil, err
		}
		if _, err := r.client.patchManagedFields(ctx, live, entries); err != nil {
			return nil, err
		}
	}
	object := differences.Restoring(prior)
	object.SetUID(live.GetUID())
	return r.client.apply(ctx, object, metav1.ApplyOptions{Force: r.client.force})
}

// recreate restores what the server does not let change in place.
func (r *restorer) recreate(
	ctx context.Context, prior, live *unstructured.Unstructured, refusal error,
) (*unstructured.Unstructured, error) {
	probe, err := r.client.Probe(prior, live)
	if err != nil {
		return nil, err
	}
	recreation, err := probe.Recreation(ctx, nil)
	switch {
	case err != nil:
		return nil, err
	case recreation == nil:
		return nil, refusal
	case recreation.InPlace != nil:
		return r.client.apply(ctx, recreation.InPlace, metav1.ApplyOptions{Force: true})
	}
	return r.client.Recreate(ctx, live, recreation)
}

// restoreOwners gives the fields back to those who owned them.
func (r *restorer) restoreOwners(ctx context.Context, result *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	err := retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		entries, err := r.restoration.Entries(result)
		if err != nil || equality.Semantic.DeepEqual(entries, result.GetManagedFields()) {
			return err
		}
		patched, err := r.client.patchManagedFields(ctx, result, entries)
		if err == nil {
			result = patched
			return nil
		}
		if now, failed := r.client.Get(ctx, RefOf(result)); failed == nil && now != nil && now.GetUID() == result.GetUID() {
			result = now // a controller has written its status
		}
		return err
	})
	return result, err
}
