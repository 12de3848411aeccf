package mira

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// An apply that ends without an answer once more keeps what last served: a roll back still
// returns to it, and not to what did not serve either.
func TestJournaling_keepsWhatLastServed(t *testing.T) {
	served := statefulSet(t, "mira-acme", 1, "mira:3.0")
	pending := &Journal{Rollouts: []PendingRollout{{StatefulSet: "mira-acme", Reason: "lost"}}, Former: []*unstructured.Unstructured{served}}
	bad := stored(t, statefulSet(t, "mira-acme", 1, "mira:3.1"), "a", 2)
	untouched := newObjectChange(statefulSet(t, "mira-acme", 1, "mira:3.1"), objectState{})
	untouched.live = bad
	untouched.keep(objectState{})
	corrected := newObjectChange(statefulSet(t, "mira-acme", 1, "mira:3.2"), objectState{})
	corrected.live, corrected.stored = bad, stored(t, corrected.manifest, "a", 3)
	for _, test := range []struct {
		name   string
		change *objectChange
	}{
		{"the same template again", untouched},
		{"another template", corrected},
	} {
		t.Run(test.name, func(t *testing.T) {
			done := &progress{}
			if test.change.stored != nil {
				done.written = changeSet{test.change}
			}
			j := journaling{prior: &State{Journal: pending}, changes: changeSet{test.change}, progress: done}
			for name, got := range map[string]*Journal{
				"wait": j.ofWait(context.Canceled), "writes": j.ofWrites(errors.New("no answer")),
			} {
				if !got.IsPending() || len(got.Rollouts) != 1 {
					t.Errorf("after a %s: %+v", name, got)
					continue
				}
				if diff := cmp.Diff(pending.Former, got.Former); diff != "" {
					t.Errorf("after a %s, what last served is another (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// A StatefulSet whose recreation stopped half-way serves, but is not done.
func TestJournalReader_halfRecreated(t *testing.T) {
	set := stored(t, statefulSet(t, "mira-acme", 1, "mira:3.0"), "a", 1)
	entries := set.GetManagedFields()
	entries[0].Operation = metav1.ManagedFieldsOperationUpdate
	set.SetManagedFields(entries)
	status := map[string]any{
		"observedGeneration": int64(1), "replicas": int64(1), "updatedReplicas": int64(1), "readyReplicas": int64(1),
		"currentRevision": "r", "updateRevision": "r",
	}
	if err := unstructured.SetNestedMap(set.Object, status, "status"); err != nil {
		t.Fatal(err)
	}
	r := journalReader{&services{shared: &shared{}, fields: testManager}}
	if got := r.read(t.Context(), &State{}, []*unstructured.Unstructured{set}); !got.IsPending() {
		t.Error("a StatefulSet that was recreated without its owners counts as done")
	}
	entries[0].Operation = metav1.ManagedFieldsOperationApply
	set.SetManagedFields(entries)
	if got := r.read(t.Context(), &State{}, []*unstructured.Unstructured{set}); got.IsPending() {
		t.Errorf("a StatefulSet that serves is pending: %+v", got)
	}
}
