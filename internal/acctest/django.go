package acctest

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// DjangoManager is the field manager of the Kubernetes Python client.
const DjangoManager = "OpenAPI-Generator"

// DjangoSave writes a client the way the Django controller does: placeholders
// replaced as text, then POST, or a strategic merge PATCH of what exists.
func (s *Sandbox) DjangoSave(t *testing.T, text, client, email string) {
	t.Helper()
	s.Save(t, DjangoManager, Rendered(t, text, client, email))
}

// WaitReady waits until every StatefulSet of the sandbox serves its newest
// revision.
func (s *Sandbox) WaitReady(t *testing.T) {
	t.Helper()
	s.WaitFor(t, "StatefulSet", "all StatefulSets are ready", func(sets []*unstructured.Unstructured) bool {
		for _, set := range sets {
			want, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas")
			ready, _, _ := unstructured.NestedInt64(set.Object, "status", "readyReplicas")
			seen, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
			current, _, _ := unstructured.NestedString(set.Object, "status", "currentRevision")
			update, _, _ := unstructured.NestedString(set.Object, "status", "updateRevision")
			if ready != want || seen != set.GetGeneration() || current != update {
				return false
			}
		}
		return len(sets) > 0
	})
}

// UIDs gives the UIDs of all objects of a kind in the sandbox, by name: equal
// before and after means that nothing was replaced.
func (s *Sandbox) UIDs(t *testing.T, kind string) map[string]types.UID {
	t.Helper()
	found, err := s.objects(kind).List(detached(t), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("listing %s: %v", kind, err)
	}
	uids := make(map[string]types.UID, len(found.Items))
	for i := range found.Items {
		uids[found.Items[i].GetName()] = found.Items[i].GetUID()
	}
	return uids
}
