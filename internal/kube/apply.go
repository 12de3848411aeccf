package kube

import (
	"context"
	"errors"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

const verbApply = "apply"

// DryRun has the server do everything of an apply but store it, and returns the
// object as it would be. `live` is the object as it is; nil if there is none. What
// former managers own of a live object that is not adopted yet is no conflict, as
// adopting the object takes that over. [Client.RecentDryRun] returns the answer
// again.
func (c *Client) DryRun(ctx context.Context, object, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	options := metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, Force: c.force}
	result, err := c.apply(ctx, object, options)
	var conflict *ConflictError
	if errors.As(err, &conflict) && live != nil && c.fields.AllEndWithAdoption(live, conflict.managers()) {
		options.Force = true
		result, err = c.apply(ctx, object, options)
	}
	if err == nil {
		recent := recentDryRun{applied: c.fields.DigestApplied(object), version: versionOf(live), result: result}
		c.dryRuns.Add(RefOf(object).unversioned(), recent, recentTTL)
		if logging.IsEnabled(ctx) {
			logging.Debug(ctx, "Dry run", "object", RefOf(object), "outcome", outcomeOf(live, result))
		}
	}
	return result, err
}

// outcomeOf returns what an apply does to an object, for the log.
func outcomeOf(live, result *unstructured.Unstructured) string {
	if live == nil {
		return "new"
	}
	content := func(object *unstructured.Unstructured) map[string]any {
		content := maps.Clone(object.Object)
		delete(content, "status")
		content["metadata"] = []any{object.GetLabels(), object.GetAnnotations()}
		return content
	}
	if equality.Semantic.DeepEqual(content(live), content(result)) {
		return "unchanged"
	}
	return "changed"
}

// recentDryRun is an answer of the server to a dry run, and what it was the answer
// to: the digest of the object, and the version of the live one.
type recentDryRun struct {
	applied, version string
	result           *unstructured.Unstructured
}

// RecentDryRun returns what [Client.DryRun] answered to the same object a moment
// ago, if the live object is still the same version; nil otherwise. The CLI plans a
// change once more right before it applies it: what the server said then need not
// be asked again.
func (c *Client) RecentDryRun(object, live *unstructured.Unstructured) *unstructured.Unstructured {
	found, ok := c.dryRuns.Get(RefOf(object).unversioned())
	if !ok {
		return nil
	}
	recent := found.(recentDryRun)
	if recent.applied == "" || recent.applied != c.fields.DigestApplied(object) || recent.version != versionOf(live) {
		return nil
	}
	return recent.result
}

// versionOf is empty where there is no object.
func versionOf(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	return string(live.GetUID()) + "/" + live.GetResourceVersion()
}

// Apply creates or changes the object by server-side apply, and returns it as it is
// then. Where `object` holds a UID, only the object of that UID is changed and none
// is created.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.apply(ctx, object, metav1.ApplyOptions{Force: c.force})
}

func (c *Client) apply(
	ctx context.Context, object *unstructured.Unstructured, options metav1.ApplyOptions,
) (*unstructured.Unstructured, error) {
	ref := RefOf(object)
	// What is applied must be in a version that the server serves.
	if _, err := c.kinds.resource(ref.GroupVersionKind()); err != nil {
		return nil, err
	}
	endpoint := c.writable
	if len(options.DryRun) > 0 {
		endpoint = c.readable
	}
	resource, err := endpoint(ref)
	if err != nil {
		return nil, err
	}
	options.FieldManager = c.fields.Name()
	result, err := resource.Apply(ctx, ref.Name, object, options)
	if err != nil {
		return nil, c.errors.translate(verbApply, ref, err)
	}
	return result, nil
}
