package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Adopt makes the fields that former managers own on a live object ours, without
// changing any of them, so that the apply that follows really drops those that it
// does not have. On an object that is adopted already, people with kubectl keep
// what they added since; they only lose the fields that the apply drops: those of
// its dry run, and of what was recorded of the object.
//
// The patch is bound to the object's resourceVersion: if the object has changed since,
// the server answers with a conflict. Adopt returns the object after the change; an
// object that needs none comes back as it is.
func (c *Client) Adopt(
	ctx context.Context, live *unstructured.Unstructured, adoption managedfields.Adoption,
) (*unstructured.Unstructured, error) {
	entries, err := adoption.Entries()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", RefOf(live), err)
	}
	if equality.Semantic.DeepEqual(entries, live.GetManagedFields()) {
		return live, nil
	}
	adopted, err := c.patchManagedFields(ctx, live, entries)
	if err == nil && logging.IsEnabled(ctx) {
		logging.Debug(ctx, "Adopted an object", "object", RefOf(live), "managersBefore", managersOf(live), "managers", managersOf(adopted))
	}
	return adopted, err
}

// managersOf returns the names of the field managers of an object, sorted.
func managersOf(object *unstructured.Unstructured) []string {
	var managers []string
	for _, entry := range object.GetManagedFields() {
		managers = append(managers, entry.Manager)
	}
	slices.Sort(managers)
	return slices.Compact(managers)
}

// patchManagedFields writes who owns what, and nothing else. The patch is bound to the
// object's resourceVersion. If its answer got lost, it is sent again, and may be refused
// with a conflict although it was carried out: the callers read the object then, and find
// that nothing is left to do.
func (c *Client) patchManagedFields(
	ctx context.Context, live *unstructured.Unstructured, entries []metav1.ManagedFieldsEntry,
) (*unstructured.Unstructured, error) {
	// A resourceVersion that is replaced by an old one is a conflict, where a
	// failing "test" would be an invalid request.
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
	if err != nil {
		return nil, err
	}
	ref := RefOf(live)
	resource, err := c.writable(ref)
	if err != nil {
		return nil, err
	}
	patched, err := resource.Patch(looksAfter(ctx), ref.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: c.fields.Name()})
	if err != nil {
		return nil, c.errors.translate("adopt", ref, err)
	}
	return patched, nil
}
