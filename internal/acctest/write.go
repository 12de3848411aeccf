package acctest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Apply writes an object by server-side apply, by force, as a field manager.
func (o *Objects) Apply(t *testing.T, object *unstructured.Unstructured, manager string) *unstructured.Unstructured {
	t.Helper()
	options := metav1.ApplyOptions{FieldManager: manager, Force: true}
	applied, err := o.of(object.GetKind()).Apply(t.Context(), object.GetName(), object, options)
	if err != nil {
		t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return applied
}

// PutConfigMap writes a ConfigMap. The sandbox's account may read those that
// examples/rbac names.
func (o *Objects) PutConfigMap(t *testing.T, name string, data map[string]string) {
	t.Helper()
	content := make(map[string]any, len(data))
	for key, value := range data {
		content[key] = value
	}
	o.Apply(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": content,
	}}, "test")
}

// Create makes an object by POST, as a field manager.
func (o *Objects) Create(t *testing.T, object *unstructured.Unstructured, manager string) {
	t.Helper()
	if _, err := o.of(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// CreateAll makes many objects by POST, ten at a time, as a field manager.
func (o *Objects) CreateAll(t *testing.T, objects []*unstructured.Unstructured, manager string) {
	t.Helper()
	next := make(chan *unstructured.Unstructured)
	var workers sync.WaitGroup
	for range 10 {
		workers.Go(func() {
			for object := range next {
				_, err := o.of(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager})
				if err != nil {
					t.Errorf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
	}
	for _, object := range objects {
		next <- object
	}
	close(next)
	workers.Wait()
}

// createIn makes an object of the set-up, a namespace included.
func createIn(t *testing.T, o *Objects, object *unstructured.Unstructured) {
	t.Helper()
	resource, ok := resources[object.GetKind()]
	if !ok {
		t.Fatalf("kind %s is not known to the tests", object.GetKind())
	}
	var client dynamic.ResourceInterface = o.Admin.Resource(resource)
	if object.GetKind() != "Namespace" {
		client = o.Admin.Resource(resource).Namespace(o.Namespace)
	}
	if _, err := client.Create(t.Context(), object, metav1.CreateOptions{FieldManager: "test"}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// Save creates objects by POST, or changes those that exist by a strategic merge
// PATCH, as a field manager.
func (o *Objects) Save(t *testing.T, manager string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		body, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.of(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager})
		switch {
		case apierrors.IsAlreadyExists(err):
			o.Patch(t, object.GetKind(), object.GetName(), manager, string(body))
		case err != nil:
			t.Fatalf("saving %s %s as %s: %v", object.GetKind(), object.GetName(), manager, err)
		}
	}
}

// Replace writes whole objects by PUT, as a field manager.
func (o *Objects) Replace(t *testing.T, manager string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		object = object.DeepCopy()
		object.SetResourceVersion("")
		if _, err := o.of(object.GetKind()).Update(t.Context(), object, metav1.UpdateOptions{FieldManager: manager}); err != nil {
			t.Fatalf("replacing %s %s as %s: %v", object.GetKind(), object.GetName(), manager, err)
		}
	}
}

// Patch changes an object by a strategic merge patch, as a field manager.
func (o *Objects) Patch(t *testing.T, kind, name, manager, patch string) *unstructured.Unstructured {
	t.Helper()
	options := metav1.PatchOptions{FieldManager: manager}
	patched, err := o.of(kind).Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), options)
	if err != nil {
		t.Fatalf("patching %s %s: %v", kind, name, err)
	}
	return patched
}

// PatchSubresource changes an object by a merge patch of a subresource, as a field
// manager.
func (o *Objects) PatchSubresource(t *testing.T, kind, name, subresource, manager, patch string) {
	t.Helper()
	options := metav1.PatchOptions{FieldManager: manager}
	_, err := o.of(kind).Patch(t.Context(), name, types.MergePatchType, []byte(patch), options, subresource)
	if err != nil {
		t.Fatalf("patching %s of %s %s: %v", subresource, kind, name, err)
	}
}

// Scale changes the replicas of a StatefulSet as `kubectl scale` does.
func (o *Objects) Scale(t *testing.T, name string, replicas int) {
	t.Helper()
	o.PatchSubresource(t, "StatefulSet", name, "scale", "kubectl", fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

// Disown takes from an object all record of who owns its fields.
func (o *Objects) Disown(t *testing.T, kind, name string) {
	t.Helper()
	patch := []byte(`{"metadata":{"managedFields":[{}]}}`)
	if _, err := o.of(kind).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatalf("disowning %s %s: %v", kind, name, err)
	}
}

// Delete removes an object, which must be there, and what it owns. It does not wait
// until they are gone.
func (o *Objects) Delete(t *testing.T, kind, name string) {
	t.Helper()
	if !o.DeleteWith(t, kind, name, metav1.DeletePropagationBackground) {
		t.Fatalf("deleting %s %s: it is not there", kind, name)
	}
}

// Orphan removes an object, leaves what it owns, and waits until the object is gone.
func (o *Objects) Orphan(t *testing.T, kind, name string) {
	t.Helper()
	if !o.DeleteWith(t, kind, name, metav1.DeletePropagationOrphan) {
		t.Fatalf("deleting %s %s: it is not there", kind, name)
	}
	waitGone(t, o, kind, name)
}

// DeleteAndWait removes an object, and waits until it is gone.
func (o *Objects) DeleteAndWait(t *testing.T, kind, name string) {
	t.Helper()
	o.Delete(t, kind, name)
	waitGone(t, o, kind, name)
}

func waitGone(t *testing.T, o *Objects, kind, name string) {
	t.Helper()
	o.WaitFor(t, kind, name+" is gone", func(objects []*unstructured.Unstructured) bool {
		return !slices.ContainsFunc(objects, func(left *unstructured.Unstructured) bool { return left.GetName() == name })
	})
}

// DeleteWith removes an object by a propagation policy, without waiting for anything,
// and reports whether it was there.
func (o *Objects) DeleteWith(t *testing.T, kind, name string, policy metav1.DeletionPropagation) bool {
	t.Helper()
	err := o.of(kind).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("deleting %s %s: %v", kind, name, err)
	}
	return err == nil
}

// DeleteAndCreate deletes an object, with what it owns, and creates another one of the
// same name and content, with these annotations and no labels, as a field manager.
func (o *Objects) DeleteAndCreate(t *testing.T, kind, name, manager string, annotations map[string]string) {
	t.Helper()
	object := o.Get(t, kind, name)
	former := object.GetUID()
	o.Delete(t, kind, name)
	o.WaitFor(t, kind, name+" is gone", func(objects []*unstructured.Unstructured) bool {
		return !slices.ContainsFunc(objects, func(left *unstructured.Unstructured) bool { return left.GetUID() == former })
	})
	object.Object["metadata"] = map[string]any{"name": name}
	object.SetAnnotations(annotations)
	delete(object.Object, "status")
	o.Create(t, object, manager)
}
