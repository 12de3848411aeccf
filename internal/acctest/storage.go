package acctest

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	storageClasses = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	volumes        = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
)

// StorageClass makes a class that nobody provisions volumes for, and gives its
// name.
func (s *Sandbox) StorageClass(t *testing.T, expandable bool) string {
	t.Helper()
	name := s.Namespace
	s.putGlobal(t, storageClasses, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": name},
		"provisioner": "example.com/by-hand", "allowVolumeExpansion": expandable,
	}})
	return name
}

// Volume makes a volume of a class for a claim of the sandbox.
func (s *Sandbox) Volume(t *testing.T, class, claim, size string) {
	t.Helper()
	s.putGlobal(t, volumes, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": s.Namespace + "-" + claim},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "capacity": map[string]any{"storage": size}, "storageClassName": class,
			"persistentVolumeReclaimPolicy": "Retain",
			"claimRef":                      map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": s.Namespace, "name": claim},
			"csi":                           map[string]any{"driver": "by-hand.example.com", "volumeHandle": claim},
		},
	}})
}

// putGlobal creates an object outside of any namespace, for the time of the test.
func (s *Sandbox) putGlobal(t *testing.T, resource schema.GroupVersionResource, object *unstructured.Unstructured) {
	t.Helper()
	client := s.Admin.Resource(resource)
	if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	t.Cleanup(func() {
		if err := client.Delete(detached(t), object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	})
}

// PatchStatus changes an object's status, as a controller would.
func (s *Sandbox) PatchStatus(t *testing.T, kind, name, patch string) {
	t.Helper()
	_, err := s.objects(kind).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "controller"}, "status")
	if err != nil {
		t.Fatalf("patching the status of %s %s: %v", kind, name, err)
	}
}

// Orphan removes an object and leaves what it owns.
func (s *Sandbox) Orphan(t *testing.T, kind, name string) {
	t.Helper()
	policy := metav1.DeletePropagationOrphan
	if err := s.objects(kind).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		t.Fatalf("deleting %s %s: %v", kind, name, err)
	}
	s.WaitFor(t, kind, name+" is gone", func(objects []*unstructured.Unstructured) bool {
		for _, object := range objects {
			if object.GetName() == name {
				return false
			}
		}
		return true
	})
}
