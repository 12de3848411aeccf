package acctest

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Snapshot gives the objects of all clients in the sandbox, by `Kind/name`: equal
// before and after means that nobody wrote to them. What controllers write, the
// status and the resourceVersion that counts it, is left out; what a write that
// changes no value leaves, the time and the fields of its manager, is not.
func (s *Sandbox) Snapshot(t *testing.T) map[string]any {
	t.Helper()
	objects := make(map[string]any)
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		found, err := s.objects(kind).List(detached(t), metav1.ListOptions{})
		if err != nil {
			t.Fatalf("listing %s: %v", kind, err)
		}
		for i := range found.Items {
			object := &found.Items[i]
			object.SetResourceVersion("")
			unstructured.RemoveNestedField(object.Object, "status")
			object.SetManagedFields(slices.DeleteFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
				return entry.Subresource == "status"
			}))
			objects[kind+"/"+object.GetName()] = object.Object
		}
	}
	return objects
}
