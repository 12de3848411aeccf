package kube

import (
	"context"
	"errors"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

const verbApply = "apply"

// DryRun has the server do everything of an apply but store it, and returns the
// object as it would be. `live` is the object as it is; nil if there is none, or if
// it was not read: [IsNew] tells that from the answer. What former managers own of a live
// object that is not adopted yet is no conflict, as adopting the object takes that over.
func (c *Client) DryRun(ctx context.Context, object, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	options := metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, Force: c.force}
	result, err := c.apply(ctx, object, options)
	var conflict *ConflictError
	if errors.As(err, &conflict) && live != nil && c.fields.AllEndWithAdoption(live, conflict.managers()) {
		options.Force = true
		result, err = c.apply(ctx, object, options)
	}
	if err == nil && logging.IsEnabled(ctx) {
		logging.Debug(ctx, "Dry run", "object", RefOf(object), "outcome", outcomeOf(live, result))
	}
	return result, err
}

// IsNew reports whether the dry run of an apply would create its object: what is not stored
// has no resourceVersion.
func IsNew(result *unstructured.Unstructured) bool { return result.GetResourceVersion() == "" }

// outcomeOf returns what an apply does to an object, for the log.
func outcomeOf(live, result *unstructured.Unstructured) string {
	switch {
	case live == nil && IsNew(result):
		return "new"
	case live == nil:
		return "existing"
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

// absentVersion is a resourceVersion that no object has: etcd gives 1 to the empty store.
const absentVersion = "1"

// OnlyIfAbsent returns a copy of an object that is applied only if there is none of its name.
// The server compares the resourceVersion of what it applies with that of the live object,
// and creates the object, whatever its resourceVersion, where there is none.
func OnlyIfAbsent(object *unstructured.Unstructured) *unstructured.Unstructured {
	guarded := object.DeepCopy()
	guarded.SetResourceVersion(absentVersion)
	return guarded
}

// OnlyIfUnchanged returns a copy of an object that is applied only if the live object still
// is as it was read.
func OnlyIfUnchanged(object, live *unstructured.Unstructured) *unstructured.Unstructured {
	guarded := OnlyIfSame(object, live)
	guarded.SetResourceVersion(live.GetResourceVersion())
	return guarded
}

// OnlyIfSame returns a copy of an object that is applied only to the live object that was
// read, however it has changed since. One that is gone is not created again.
func OnlyIfSame(object, live *unstructured.Unstructured) *unstructured.Unstructured {
	guarded := object.DeepCopy()
	guarded.SetUID(live.GetUID())
	return guarded
}

// Apply creates or changes the object by server-side apply, and returns it as it is
// then. The error is a [*ChangedError] if the live object is not as [OnlyIfAbsent] or
// [OnlyIfUnchanged] wants it.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	sending := &sending{}
	result, err := c.apply(sending.in(ctx), object, metav1.ApplyOptions{Force: c.force})
	_, isOwned := errors.AsType[*ConflictError](err)
	_, isDenied := errors.AsType[*DeniedError](err)
	if object.GetResourceVersion() != "" && apierrors.IsConflict(err) && !isOwned && !isDenied {
		return nil, &ChangedError{Ref: RefOf(object), MayBeOurs: sending.isUncertain, Err: err}
	}
	return result, err
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
