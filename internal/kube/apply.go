package kube

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const verbApply = "apply"

// DryRun has the server do everything of an apply but store it, and gives the
// object as it would be. `live` is the object as it is, nil if there is none: what
// former managers own of one that is not adopted yet is no conflict, as adopting
// it takes that over. [Client.RecentDryRun] gives the answer again.
func (c *Client) DryRun(ctx context.Context, object, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	options := metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, Force: c.force}
	result, err := c.apply(ctx, object, options)
	var conflict *ConflictError
	if errors.As(err, &conflict) && live != nil && c.endsWithAdoption(live, conflict) {
		options.Force = true
		result, err = c.apply(ctx, object, options)
	}
	if err == nil {
		c.dryRuns.put(RefOf(object).unversioned(), recentDryRun{of: c.fields.DigestApplied(object), on: versionOf(live), result: result})
	}
	return result, err
}

// RecentDryRun gives what [Client.DryRun] answered to the same object a moment ago, if
// the live object is still the same version; nil otherwise. The CLI plans a change
// once more right before it applies it: what the server said then need not be asked
// again.
func (c *Client) RecentDryRun(object, live *unstructured.Unstructured) *unstructured.Unstructured {
	last, ok := c.dryRuns.get(RefOf(object).unversioned())
	if !ok || last.of == "" || last.of != c.fields.DigestApplied(object) || last.on != versionOf(live) {
		return nil
	}
	return last.result
}

type recentDryRun struct {
	of, on string
	result *unstructured.Unstructured
}

// versionOf is empty where there is no object.
func versionOf(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	return string(live.GetUID()) + "/" + live.GetResourceVersion()
}

// endsWithAdoption reports whether the fields of all managers in a conflict become
// ours when the object is adopted.
func (c *Client) endsWithAdoption(live *unstructured.Unstructured, conflict *ConflictError) bool {
	managers := make([]string, 0, len(conflict.Fields))
	for _, field := range conflict.Fields {
		managers = append(managers, field.Manager)
	}
	return c.fields.AllEndWithAdoption(live, managers)
}

// Apply creates or changes the object by server-side apply, and gives it as it
// is then. Where `object` holds a UID, only that very object is changed and none
// is created.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.apply(ctx, object, metav1.ApplyOptions{Force: c.force})
}

func (c *Client) apply(ctx context.Context, object *unstructured.Unstructured, options metav1.ApplyOptions) (*unstructured.Unstructured, error) {
	ref := RefOf(object)
	endpoint := c.written
	if len(options.DryRun) > 0 {
		endpoint = c.endpoint
	}
	resource, err := endpoint(ref)
	if err != nil {
		return nil, err
	}
	options.FieldManager = c.fields.Name()
	result, err := resource.Apply(ctx, ref.Name, object, options)
	if err != nil {
		return nil, c.classify(verbApply, ref, err)
	}
	return result, nil
}
