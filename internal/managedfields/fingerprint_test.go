package managedfields

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What is settled stays so while others change what is theirs, and does not when
// anything of ours has another value, another owner, or another wish.
func TestInSync(t *testing.T) {
	manager := NewManager("", ownerLabel)
	desired := func() *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": map[string]any{"replicas": int64(1)},
		}}
	}
	set := func(value any, path ...string) func(*testing.T, *unstructured.Unstructured) {
		return func(t *testing.T, object *unstructured.Unstructured) {
			t.Helper()
			if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
				t.Fatal(err)
			}
		}
	}
	editEntry := func(edit func(map[string]any)) func(*testing.T, *unstructured.Unstructured) {
		return func(t *testing.T, object *unstructured.Unstructured) {
			t.Helper()
			entries, _, err := unstructured.NestedSlice(object.Object, "metadata", "managedFields")
			if err != nil {
				t.Fatal(err)
			}
			edit(entries[0].(map[string]any))
			set(entries, "metadata", "managedFields")(t, object)
		}
	}
	for _, test := range []struct {
		name    string
		object  func(*testing.T, *unstructured.Unstructured) // changes what is applied
		live    func(*testing.T, *unstructured.Unstructured)
		gone    string // a path recorded that is not ours any more
		settled bool
	}{
		{name: "nothing", settled: true},
		{name: "status", live: set(int64(7), "status", "replicas"), settled: true},
		{name: "resourceVersion", live: set("999", "metadata", "resourceVersion"), settled: true},
		{
			name: "somebody's annotation", settled: true,
			live: set(map[string]any{"kubectl.kubernetes.io/restartedAt": "now"}, "spec", "template", "metadata", "annotations"),
		},
		{name: "a default", live: set(int64(5), "spec", "revisionHistoryLimit"), settled: true},
		{name: "when we last wrote", live: editEntry(func(entry map[string]any) { entry["time"] = "2020-01-01T00:00:00Z" }), settled: true},
		{name: "a value of ours", live: set(int64(0), "spec", "replicas")},
		{name: "our label", live: set("other", "metadata", "labels", ownerLabel)},
		{name: "a field of ours left to others", live: editEntry(func(entry map[string]any) {
			unstructured.RemoveNestedField(entry, "fieldsV1", "f:spec", "f:replicas")
		})},
		{name: "all of ours left to others", live: editEntry(func(entry map[string]any) { entry["manager"] = "other" })},
		{name: "on its way out", live: set("2026-01-01T00:00:00Z", "metadata", "deletionTimestamp")},
		{name: "another wish", object: set(int64(2), "spec", "replicas")},
		{name: "a recorded field that is not ours", gone: "spec.revisionHistoryLimit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object, live := desired(), liveObject(t, "statefulsets")
			mark, recorded := manager.FingerprintOf(object, live), manager.Owned(live)
			if test.object != nil {
				test.object(t, object)
			}
			if test.live != nil {
				test.live(t, live)
			}
			if test.gone != "" {
				recorded[test.gone] = "10"
			}
			fields, settled := manager.InSync(mark, object, live, recorded)
			if settled != test.settled || settled && !FieldsEqual(fields, manager.Owned(live)) {
				t.Errorf("settled: %t, want %t; fields %v", settled, test.settled, fields)
			}
			if _, settled := manager.InSync(Fingerprint{}, object, live, recorded); settled {
				t.Error("settled without a mark")
			}
		})
	}
}
