package kube

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Restart has the controller of a workload replace its pods one after the other, as
// `kubectl rollout restart` does: it writes a moment into an annotation of the pod template.
// The annotation belongs to [managedfields.RestartName]. It returns the object as it is then.
//
// A request whose answer got lost is sent again: the second time it changes nothing. If no
// answer came at all, Restart reads the object to find out whether it was carried out.
func (c *Client) Restart(ctx context.Context, live *unstructured.Unstructured, moment string) (*unstructured.Unstructured, error) {
	ref := RefOf(live)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": live.GetUID()},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{managedfields.RestartAnnotation: moment},
		}}},
	})
	if err != nil {
		return nil, err
	}
	resource, err := c.writable(ref)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: managedfields.RestartName}
	restarted, err := resource.Patch(looksAfter(ctx), ref.Name, types.MergePatchType, patch, options)
	if err == nil {
		logging.Debug(ctx, "Restarted the pods of an object", "object", ref, "at", moment)
		return restarted, nil
	}
	err = c.errors.translate("patch", ref, err)
	if IsOutcomeUnknown(err) && ctx.Err() == nil {
		if found, _ := c.Get(ctx, ref); found != nil && found.GetUID() == ref.UID && RestartedAt(found) == moment {
			return found, nil
		}
	}
	return nil, err
}

// RestartedAt returns the moment of the last restart of a workload's pods, as it was written;
// empty if there was none.
func RestartedAt(object *unstructured.Unstructured) string {
	annotations, _, _ := unstructured.NestedStringMap(object.Object, "spec", "template", "metadata", "annotations")
	return annotations[managedfields.RestartAnnotation]
}

// ListOwned lists the objects of a kind that carry the owner label with a value, sorted by
// name. It asks the server now.
func ListOwned(
	ctx context.Context, c *Client, kind schema.GroupVersionKind, namespace, owner string,
) ([]*unstructured.Unstructured, error) {
	ref := NewRef(kind, namespace, "")
	resource, err := c.readable(ref)
	if err != nil {
		return nil, err
	}
	selector := labels.SelectorFromSet(labels.Set{c.fields.OwnerLabel(): owner})
	answer, err := resource.List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, c.errors.translate("list", ref, err)
	}
	objects := make([]*unstructured.Unstructured, 0, len(answer.Items))
	for i := range answer.Items {
		objects = append(objects, &answer.Items[i])
	}
	return objects, nil
}
