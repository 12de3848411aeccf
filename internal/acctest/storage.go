package acctest

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	storageClasses = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	volumes        = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
)

// StorageClass makes a class that nobody provisions volumes for, and returns its
// name.
func (s *Sandbox) StorageClass(t *testing.T, expandable bool) string {
	t.Helper()
	name := s.Namespace
	createGlobal(t, s.Admin, storageClasses, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": name},
		"provisioner": "example.com/by-hand", "allowVolumeExpansion": expandable,
	}})
	return name
}

// Volume makes a volume of a class for a claim of the sandbox.
func (s *Sandbox) Volume(t *testing.T, class, claim, size string) {
	t.Helper()
	createGlobal(t, s.Admin, volumes, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": s.Namespace + "-" + claim},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "capacity": map[string]any{"storage": size}, "storageClassName": class,
			"persistentVolumeReclaimPolicy": "Retain",
			"csi":                           map[string]any{"driver": "by-hand.example.com", "volumeHandle": claim},
			"claimRef": map[string]any{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": s.Namespace, "name": claim,
			},
		},
	}})
}
