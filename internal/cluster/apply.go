package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const verbApply = "apply"

// DryRun has the server do everything of an apply but store it, and gives the
// object as it would be.
func (c *Client) DryRun(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.apply(ctx, object, metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}})
}

// Apply creates or changes the object by server-side apply, and gives it as it
// is then. Where `object` holds a UID, only that very object is changed and none
// is created.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.apply(ctx, object, metav1.ApplyOptions{})
}

func (c *Client) apply(ctx context.Context, object *unstructured.Unstructured, options metav1.ApplyOptions) (*unstructured.Unstructured, error) {
	ref := RefOf(object)
	var resource dynamic.ResourceInterface
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	options.FieldManager = c.manager
	options.Force = c.force
	result, err := resource.Apply(ctx, ref.Name, object, options)
	if err != nil {
		return nil, c.classify(verbApply, ref, err)
	}
	return result, nil
}
