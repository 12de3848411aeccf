package cluster

import (
	"context"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const verbApply = "apply"

// DryRun has the server do everything of an apply but store it, and gives the
// object as it would be. `live` is the object as it is, nil if there is none: what
// former managers own of one that is not adopted yet is no conflict, as adopting
// it takes that over.
func (c *Client) DryRun(ctx context.Context, object, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	options := metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, Force: c.force}
	result, err := c.apply(ctx, object, options)
	var conflict *ConflictError
	if errors.As(err, &conflict) && live != nil && c.endsWithAdoption(live, conflict) {
		options.Force = true
		return c.apply(ctx, object, options)
	}
	return result, err
}

// endsWithAdoption tells whether all managers in a conflict are such whose fields
// become ours when the object is adopted.
func (c *Client) endsWithAdoption(live *unstructured.Unstructured, conflict *ConflictError) bool {
	adopted := c.Adopted(live)
	ends := make(map[string]bool)
	for _, entry := range live.GetManagedFields() {
		if c.isFormerName(entry) || !adopted && c.isFormer(entry) {
			ends[entry.Manager] = true
		}
	}
	return !slices.ContainsFunc(conflict.Fields, func(f FieldOwner) bool { return !ends[f.Manager] })
}

// Apply creates or changes the object by server-side apply, and gives it as it
// is then. Where `object` holds a UID, only that very object is changed and none
// is created.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.apply(ctx, object, metav1.ApplyOptions{Force: c.force})
}

func (c *Client) apply(ctx context.Context, object *unstructured.Unstructured, options metav1.ApplyOptions) (*unstructured.Unstructured, error) {
	ref := RefOf(object)
	var resource dynamic.ResourceInterface
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	options.FieldManager = c.manager
	result, err := resource.Apply(ctx, ref.Name, object, options)
	if err != nil {
		return nil, c.classify(verbApply, ref, err)
	}
	return result, nil
}
