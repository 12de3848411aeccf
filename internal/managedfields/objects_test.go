package managedfields

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	ownerLabel = "mira-cluster.io/client"
	django     = "OpenAPI-Generator"
)

// decodeObject reads a live object from JSON, numbers as the API machinery has
// them.
func decodeObject(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return object
}

// liveObject returns an object of a client made from the sample template, as the
// server had it.
func liveObject(t testing.TB, resource string) *unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "acme", resource+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return decodeObject(t, string(data))
}

// formerObject returns the same, as the Django controller wrote it: by updates.
func formerObject(t testing.TB, resource string) *unstructured.Unstructured {
	t.Helper()
	object := liveObject(t, resource)
	entries := object.GetManagedFields()
	entries[0].Manager, entries[0].Operation = django, metav1.ManagedFieldsOperationUpdate
	object.SetManagedFields(entries)
	return object
}

// owned returns a copy of an object with other entries in its managedFields.
func owned(object *unstructured.Unstructured, entries ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetManagedFields(entries)
	return object
}

// service returns a Service with a spec in JSON and the given entries.
func service(t testing.TB, spec string, entries ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	t.Helper()
	const metadata = `"metadata": {"name": "mira-acme", "namespace": "default"}`
	return owned(decodeObject(t, `{"apiVersion": "v1", "kind": "Service", `+metadata+`, "spec": `+spec+`}`), entries...)
}

func entry(manager string, operation metav1.ManagedFieldsOperationType, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: subresource,
		APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func applied(manager, fields string) metav1.ManagedFieldsEntry {
	return entry(manager, metav1.ManagedFieldsOperationApply, "", fields)
}

func updated(manager, fields string) metav1.ManagedFieldsEntry {
	return entry(manager, metav1.ManagedFieldsOperationUpdate, "", fields)
}

// ownersOf returns the paths of the fields in each entry, by its manager and
// operation, with its subresource.
func ownersOf(entries []metav1.ManagedFieldsEntry) map[string][]string {
	owners := make(map[string][]string)
	for _, entry := range entries {
		name := entry.Manager + " " + string(entry.Operation)
		if entry.Subresource != "" {
			name += " " + entry.Subresource
		}
		owners[name] = slices.Sorted(maps.Keys(leaves(decodeSet(entry))))
	}
	return owners
}
