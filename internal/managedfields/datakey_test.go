package managedfields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A key of a ConfigMap is taken from former managers alone, and nothing else with it.
func TestManager_TakeDataKey(t *testing.T) {
	const (
		both  = `{"f:data":{".":{},"f:ours.yaml":{},"f:other":{}}}`
		one   = `{"f:data":{"f:ours.yaml":{}}}`
		other = `{"f:data":{"f:other":{}}}`
	)
	for _, test := range []struct {
		name    string
		live    []metav1.ManagedFieldsEntry
		want    map[string][]string
		isTaken bool
	}{
		{
			name:    "kubectl keeps the other key",
			live:    []metav1.ManagedFieldsEntry{updated("kubectl-create", both)},
			want:    map[string][]string{DefaultName + " Apply": {"data[ours.yaml]"}, "kubectl-create Update": {"data.other"}},
			isTaken: true,
		},
		{
			name:    "a manager that has nothing else goes, and what we own stays",
			live:    []metav1.ManagedFieldsEntry{applied(DefaultName, other), updated("kubectl-edit", one)},
			want:    map[string][]string{DefaultName + " Apply": {"data.other", "data[ours.yaml]"}},
			isTaken: true,
		},
		{
			name: "another manager keeps it",
			live: []metav1.ManagedFieldsEntry{applied("argocd", both)},
			want: map[string][]string{"argocd Apply": {"data.other", "data[ours.yaml]"}},
		},
		{
			name: "a former manager of the other key keeps that",
			live: []metav1.ManagedFieldsEntry{applied(DefaultName, one), updated("kubectl-create", other)},
			want: map[string][]string{DefaultName + " Apply": {"data[ours.yaml]"}, "kubectl-create Update": {"data.other"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			live := owned(decodeObject(t, `{"apiVersion": "v1", "kind": "ConfigMap", "data": {"ours.yaml": "x", "other": "y"}}`), test.live...)
			entries, isTaken, err := NewManager("", ownerLabel).TakeDataKey(live, "ours.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ownersOf(entries)); diff != "" || isTaken != test.isTaken {
				t.Errorf("taken: %t; owners (-want +got):\n%s", isTaken, diff)
			}
		})
	}
}

// Two templates in one ConfigMap have one field manager: it must apply both keys.
func TestManager_OwnedDataKeys(t *testing.T) {
	m := NewManager("", ownerLabel)
	live := owned(decodeObject(t, `{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "2", "c": "3"}}`),
		applied(DefaultName, `{"f:data":{"f:a":{},"f:b":{}}}`), updated("kubectl-edit", `{"f:data":{"f:b":{},"f:c":{}}}`),
		applied("argocd", `{"f:data":{"f:a":{}}}`))
	if diff := cmp.Diff([]string{"a", "b"}, m.OwnedDataKeys(live)); diff != "" {
		t.Errorf("our keys (-want +got):\n%s", diff)
	}
	for key, alone := range map[string]bool{"a": true, "b": false, "c": false} {
		if m.OwnDataKeyAlone(live, key) != alone {
			t.Errorf("key %s is ours, and no former manager's: want %t", key, alone)
		}
	}
	if diff := cmp.Diff([]string{"argocd"}, m.DataKeyOwners(live, "a")); diff != "" {
		t.Errorf("other owners (-want +got):\n%s", diff)
	}
	if !m.AreFormer(live, []string{"kubectl-edit"}) || m.AreFormer(live, []string{"kubectl-edit", "argocd"}) {
		t.Errorf("kubectl is a former manager, and argocd none")
	}
}
