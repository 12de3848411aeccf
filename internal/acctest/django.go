package acctest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// DjangoManager is the field manager of the Kubernetes Python client.
const DjangoManager = "OpenAPI-Generator"

// DjangoSave writes a client the way the Django controller does: placeholders
// replaced as text, then POST, or a strategic merge PATCH of what exists.
func (s *Sandbox) DjangoSave(t *testing.T, text, client, email string) {
	t.Helper()
	text = strings.NewReplacer("%CLIENT_NAME%", client, "%CLUSTER_DOMAIN%", Domain, "%EMAIL_ADMIN%", email).Replace(text)
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("parsing the template as the Django controller does: %v", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		client := s.objects(object.GetKind())
		_, err = client.Create(t.Context(), object, metav1.CreateOptions{FieldManager: DjangoManager})
		if apierrors.IsAlreadyExists(err) {
			var body []byte
			if body, err = object.MarshalJSON(); err == nil {
				_, err = client.Patch(t.Context(), object.GetName(), types.StrategicMergePatchType, bytes.TrimSpace(body), metav1.PatchOptions{FieldManager: DjangoManager})
			}
		}
		if err != nil {
			t.Fatalf("saving %s %s as the Django controller does: %v", object.GetKind(), object.GetName(), err)
		}
	}
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
