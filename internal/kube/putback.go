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
)

// Restore takes a write of ours back: `before` is the object as it was, `written`
// as we left it. What we owned then has its former values and nothing beside them,
// and what we took from others has its values and goes back to them. What others
// have written since, and what they owned all along, stays. A StatefulSet whose
// immutable fields have changed is recreated around its pods once more.
//
// It gives the object as it is then. An object that somebody has deleted since is a
// [*NotFoundError].
func (c *Client) Restore(ctx context.Context, before, written *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	former, err := c.fields.Former(before, written)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", RefOf(written), err)
	}
	var result *unstructured.Unstructured
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		live, err := c.Get(ctx, RefOf(written))
		if err != nil {
			return err
		}
		if live == nil || live.GetUID() != written.GetUID() {
			return &NotFoundError{Ref: RefOf(written)}
		}
		former.SetUID(live.GetUID())
		result, err = c.apply(ctx, former, metav1.ApplyOptions{Force: true})
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.IsImmutableField() {
			result, err = c.recreateFormer(ctx, former, live, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		entries, err := c.fields.FormerEntries(before, result)
		if err != nil || equality.Semantic.DeepEqual(entries, result.GetManagedFields()) {
			return err
		}
		patched, err := c.patchManagedFields(ctx, result, entries)
		if err == nil {
			result = patched
			return nil
		}
		if now, failed := c.Get(ctx, RefOf(result)); failed == nil && now != nil && now.GetUID() == result.GetUID() {
			result = now // a controller has written its status
		}
		return err
	})
	return result, err
}

// recreateFormer puts back what the server does not let change in place.
func (c *Client) recreateFormer(ctx context.Context, former, live *unstructured.Unstructured, refusal error) (*unstructured.Unstructured, error) {
	former.SetUID("")
	recreation, err := c.PlanRecreation(ctx, former, live, nil)
	switch {
	case err != nil:
		return nil, err
	case recreation == nil:
		return nil, refusal
	case recreation.InPlace != nil:
		return c.apply(ctx, recreation.InPlace, metav1.ApplyOptions{Force: true})
	}
	return c.Recreate(ctx, live, recreation)
}
