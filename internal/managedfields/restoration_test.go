package managedfields

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What is applied to restore an object that we own alone is what we own of it, and
// nothing that the server has added.
func TestRestoration_sampleClient(t *testing.T) {
	for _, resource := range []string{"services", "ingresses", "statefulsets"} {
		t.Run(resource, func(t *testing.T) {
			manager := NewManager("", ownerLabel)
			prior := liveObject(t, resource)
			written := prior.DeepCopy()
			if err := unstructured.SetNestedField(written.Object, "changed", "spec", "type"); err != nil {
				t.Fatal(err)
			}
			restoration := manager.Restoration(prior, written)
			object, err := restoration.Object()
			if err != nil {
				t.Fatal(err)
			}
			object.SetManagedFields(prior.GetManagedFields())
			if diff := cmp.Diff(manager.Owned(prior), manager.Owned(object)); diff != "" {
				t.Errorf("our fields (-want +got):\n%s", diff)
			}
			if object.GetUID() != "" || object.GetResourceVersion() != "" || object.Object["status"] != nil {
				t.Errorf("what the server sets is applied: %v", object.Object)
			}
			if object.GetName() != prior.GetName() || object.GroupVersionKind() != prior.GroupVersionKind() {
				t.Errorf("%s %s is applied", object.GroupVersionKind(), object.GetName())
			}
			entries, err := restoration.Entries(prior)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ownersOf(prior.GetManagedFields()), ownersOf(entries)); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
		})
	}
}

// A write that took fields from others gives them back, with their values; a field
// that we have added goes, and what others have written since stays.
func TestRestoration_givesBackWhatWasTaken(t *testing.T) {
	const (
		typeOnly = `{"f:spec":{"f:type":{}}}`
		affinity = `{"f:spec":{"f:sessionAffinity":{}}}`
	)
	manager := NewManager("", "")
	prior := service(t, `{"type": "NodePort", "sessionAffinity": "ClientIP"}`, applied(DefaultName, typeOnly), updated("lb", affinity))
	written := service(t, `{"type": "ClusterIP", "sessionAffinity": "None", "externalName": "x"}`,
		applied(DefaultName, `{"f:spec":{"f:type":{},"f:sessionAffinity":{},"f:externalName":{}}}`))
	restoration := manager.Restoration(prior, written)
	object, err := restoration.Object()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"sessionAffinity":"ClientIP","type":"NodePort"}`, specOf(t, object)); diff != "" {
		t.Errorf("what is applied (-want +got):\n%s", diff)
	}

	restored := service(t, `{"type": "NodePort", "sessionAffinity": "ClientIP", "externalIPs": []}`,
		applied(DefaultName, `{"f:spec":{"f:type":{},"f:sessionAffinity":{}}}`), updated("since", `{"f:spec":{"f:externalIPs":{}}}`))
	entries, err := restoration.Entries(restored)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		DefaultName + " Apply": {"spec.type"}, "lb Update": {"spec.sessionAffinity"}, "since Update": {"spec.externalIPs"},
	}
	if diff := cmp.Diff(want, ownersOf(entries)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// A manager that lost one of its fields gets it back beside those that it kept.
func TestRestoration_mergesEntries(t *testing.T) {
	const both, one = `{"f:spec":{"f:type":{},"f:sessionAffinity":{}}}`, `{"f:spec":{"f:type":{}}}`
	prior := service(t, `{}`, updated("lb", both))
	restored := service(t, `{}`, applied(DefaultName, both), updated("lb", one))
	entries, err := NewManager("", "").Restoration(prior, restored).Entries(restored)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"lb Update": {"spec.sessionAffinity", "spec.type"}}, ownersOf(entries)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestRestoration_nothingKnown(t *testing.T) {
	object := service(t, `{"type": "ClusterIP"}`)
	if _, err := NewManager("", "").Restoration(object, object).Object(); !errors.Is(err, ErrNothingKnown) {
		t.Errorf("error %v, want ErrNothingKnown", err)
	}
}
