package managedfields

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestManager_WroteLast(t *testing.T) {
	m := NewManager("", "mira-cluster.io/client")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, subresource string, second int) metav1.ManagedFieldsEntry {
		at := metav1.NewTime(start.Add(time.Duration(second) * time.Second))
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, Subresource: subresource, Time: &at}
	}
	ours := entry(m.Name(), metav1.ManagedFieldsOperationApply, "", 5)
	for _, test := range []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		{"nobody else", []metav1.ManagedFieldsEntry{ours}, true},
		{"another one before us", []metav1.ManagedFieldsEntry{entry("kubectl-edit", metav1.ManagedFieldsOperationUpdate, "", 4), ours}, true},
		{"another one after us", []metav1.ManagedFieldsEntry{ours, entry("kubectl-rollout", metav1.ManagedFieldsOperationUpdate, "", 6)}, false},
		{"another one in the same second", []metav1.ManagedFieldsEntry{
			ours, entry("kubectl-rollout", metav1.ManagedFieldsOperationUpdate, "", 5),
		}, false},
		{"our own update", []metav1.ManagedFieldsEntry{ours, entry(m.Name(), metav1.ManagedFieldsOperationUpdate, "", 6)}, true},
		{"the controller's status after us", []metav1.ManagedFieldsEntry{
			ours, entry("kube-controller-manager", metav1.ManagedFieldsOperationUpdate, "status", 9),
		}, true},
		{"a restart of ours", []metav1.ManagedFieldsEntry{
			ours, entry("kubectl-edit", metav1.ManagedFieldsOperationUpdate, "", 6),
			entry(RestartName, metav1.ManagedFieldsOperationUpdate, "", 7),
		}, true},
		{"another one after a restart of ours", []metav1.ManagedFieldsEntry{
			ours, entry(RestartName, metav1.ManagedFieldsOperationUpdate, "", 6),
			entry("kubectl-rollout", metav1.ManagedFieldsOperationUpdate, "", 7),
		}, false},
		{"not us", []metav1.ManagedFieldsEntry{entry("kubectl-edit", metav1.ManagedFieldsOperationUpdate, "", 4)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			live := &unstructured.Unstructured{Object: map[string]any{}}
			live.SetManagedFields(test.entries)
			if got := m.WroteLast(live); got != test.want {
				t.Errorf("WroteLast = %t, want %t", got, test.want)
			}
		})
	}
}
