package kube

import (
	"context"
	"errors"
	"fmt"

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
	return result, err
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
		prior.SetUID(live.GetUID())
		result, err = r.client.apply(ctx, prior, metav1.ApplyOptions{Force: r.client.force})
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.IsImmutableField() {
			result, err = r.recreate(ctx, prior, live, err)
		}
		return err
	})
	return result, err
}

// recreate restores what the server does not let change in place.
func (r *restorer) recreate(
	ctx context.Context, prior, live *unstructured.Unstructured, refusal error,
) (*unstructured.Unstructured, error) {
	prior.SetUID("")
	recreation, err := r.client.PlanRecreation(ctx, prior, live, nil)
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
