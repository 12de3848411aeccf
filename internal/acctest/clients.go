package acctest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// ClaimName is the claim of client acme of the sample template.
const ClaimName = "mira-data-mira-acme-0"

// clientKinds are the kinds of object that the sample template makes a client of.
var clientKinds = []string{"Service", "Ingress", "StatefulSet"}

// Snapshot returns the objects of all clients, by `Kind/name`. Where it is equal
// before and after, nobody wrote to them: a write that changes no value leaves its
// time and the fields of its manager. What controllers write is left out: the status,
// and the resourceVersion that counts it.
func (s *Sandbox) Snapshot(t *testing.T) map[string]any {
	t.Helper()
	objects := make(map[string]any)
	for _, kind := range clientKinds {
		for _, object := range s.List(t, kind) {
			object.SetResourceVersion("")
			unstructured.RemoveNestedField(object.Object, "status")
			object.SetManagedFields(slices.DeleteFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
				return entry.Subresource == "status"
			}))
			objects[kind+"/"+object.GetName()] = object.Object
		}
	}
	return objects
}

// WaitReady waits until every StatefulSet serves its newest revision.
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

// CheckNoClients returns an error that names the objects of clients in the sandbox.
// Claims do not count: a destroy leaves them.
func (s *Sandbox) CheckNoClients(t *testing.T) error {
	t.Helper()
	for _, kind := range clientKinds {
		if names := s.Names(t, kind); len(names) > 0 {
			return fmt.Errorf("%s left behind: %s", kind, strings.Join(names, ", "))
		}
	}
	return nil
}

// Image returns the image of the container mira of a StatefulSet or a pod.
func Image(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	at := []string{"spec", "containers"}
	if object.GetKind() == "StatefulSet" {
		at = []string{"spec", "template", "spec", "containers"}
	}
	containers, _, _ := unstructured.NestedSlice(object.Object, at...)
	for _, container := range containers {
		if fields, ok := container.(map[string]any); ok && fields["name"] == "mira" {
			return fmt.Sprint(fields["image"])
		}
	}
	t.Fatalf("%s %s has no container mira", object.GetKind(), object.GetName())
	return ""
}

// CheckPodImage returns an error unless a pod runs an image.
func (s *Sandbox) CheckPodImage(t *testing.T, pod, image string) error {
	t.Helper()
	if got := Image(t, s.Get(t, "Pod", pod)); got != image {
		return fmt.Errorf("pod %s runs %s, not %s", pod, got, image)
	}
	return nil
}

// WantImages waits until all clients serve, and fails the test unless all of them,
// and their pods, have an image.
func (s *Sandbox) WantImages(t *testing.T, image string) {
	t.Helper()
	s.WaitReady(t)
	for _, kind := range []string{"StatefulSet", "Pod"} {
		for _, name := range s.Names(t, kind) {
			if got := Image(t, s.Get(t, kind, name)); got != image {
				t.Errorf("%s %s runs %s, not %s", kind, name, got, image)
			}
		}
	}
}

// Running is what client acme runs on: all of it, but for the StatefulSet itself, has
// to survive when the StatefulSet is recreated. The maps are from names to UIDs.
type Running struct {
	StatefulSet             types.UID
	Pods, Claims, Revisions map[string]types.UID
}

// Running returns what client acme runs on at present.
func (s *Sandbox) Running(t *testing.T) Running {
	t.Helper()
	return Running{
		StatefulSet: s.Get(t, "StatefulSet", "mira-acme").GetUID(),
		Pods:        s.UIDs(t, "Pod"),
		Claims:      s.UIDs(t, "PersistentVolumeClaim"),
		Revisions:   s.UIDs(t, "ControllerRevision"),
	}
}

// CheckRecreated returns an error unless client acme has another StatefulSet by now,
// and the pods, claims and revisions that it had before. No pod may have restarted.
func (before Running) CheckRecreated(t *testing.T, s *Sandbox) error {
	t.Helper()
	after := s.Running(t)
	if after.StatefulSet == before.StatefulSet {
		return errors.New("the StatefulSet was not recreated")
	}
	for what, pair := range map[string][2]map[string]types.UID{
		"pods": {before.Pods, after.Pods}, "claims": {before.Claims, after.Claims}, "revisions": {before.Revisions, after.Revisions},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" || len(pair[0]) == 0 {
			return fmt.Errorf("%s (-before +after):\n%s", what, diff)
		}
	}
	for name := range after.Pods {
		if restarts := restartsOf(s.Get(t, "Pod", name)); restarts != 0 {
			return fmt.Errorf("pod %s restarted %d times", name, restarts)
		}
	}
	return nil
}

func restartsOf(pod *unstructured.Unstructured) (restarts int64) {
	statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	for _, status := range statuses {
		count, _, _ := unstructured.NestedInt64(status.(map[string]any), "restartCount")
		restarts += count
	}
	return restarts
}
