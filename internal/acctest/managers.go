package acctest

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Rendered gives a client's objects with the placeholders replaced as text.
func Rendered(t *testing.T, text, client, email string) []*unstructured.Unstructured {
	t.Helper()
	text = strings.NewReplacer("%CLIENT_NAME%", client, "%CLUSTER_DOMAIN%", Domain, "%EMAIL_ADMIN%", email).Replace(text)
	return decode(t, "the rendered template", strings.NewReader(text))
}

// Save creates objects by POST, or changes those that exist by a strategic merge
// PATCH, as some manager.
func (s *Sandbox) Save(t *testing.T, manager string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		body, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.objects(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager})
		switch {
		case apierrors.IsAlreadyExists(err):
			s.Patch(t, object.GetKind(), object.GetName(), manager, string(body))
		case err != nil:
			t.Fatalf("saving %s %s as %s: %v", object.GetKind(), object.GetName(), manager, err)
		}
	}
}

// Replace writes whole objects by PUT, as some manager.
func (s *Sandbox) Replace(t *testing.T, manager string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		object = object.DeepCopy()
		object.SetResourceVersion("")
		if _, err := s.objects(object.GetKind()).Update(t.Context(), object, metav1.UpdateOptions{FieldManager: manager}); err != nil {
			t.Fatalf("replacing %s %s as %s: %v", object.GetKind(), object.GetName(), manager, err)
		}
	}
}

// PatchSubresource changes an object by a merge patch of a subresource, as some
// manager.
func (s *Sandbox) PatchSubresource(t *testing.T, kind, name, subresource, manager, patch string) {
	t.Helper()
	_, err := s.objects(kind).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager}, subresource)
	if err != nil {
		t.Fatalf("patching %s of %s %s: %v", subresource, kind, name, err)
	}
}

// Managers lists who owns fields of an object, sorted, each as its name and
// operation, and its subresource if it wrote one.
func (s *Sandbox) Managers(t *testing.T, kind, name string) []string {
	t.Helper()
	return s.managers(t, kind, name, func(*fieldpath.Set) bool { return true })
}

// Owners lists who owns a field of an object. The parts of its path are field
// names, and what package fieldpath takes for list items.
func (s *Sandbox) Owners(t *testing.T, kind, name string, path ...any) []string {
	t.Helper()
	at := fieldpath.MakePathOrDie(path...)
	return s.managers(t, kind, name, func(set *fieldpath.Set) bool { return set.Has(at) })
}

func (s *Sandbox) managers(t *testing.T, kind, name string, owns func(*fieldpath.Set) bool) []string {
	t.Helper()
	var owners []string
	for _, entry := range s.Get(t, kind, name).GetManagedFields() {
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			t.Fatal(err)
		}
		if owns(set) {
			owners = append(owners, strings.TrimSpace(entry.Manager+" "+string(entry.Operation)+" "+entry.Subresource))
		}
	}
	slices.Sort(owners)
	return owners
}

// Disown takes from an object all record of who owns its fields.
func (s *Sandbox) Disown(t *testing.T, kind, name string) {
	t.Helper()
	_, err := s.objects(kind).Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("disowning %s %s: %v", kind, name, err)
	}
}
