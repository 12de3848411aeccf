package protocoltest_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// snapshot is what of the cluster is compared over a step.
type snapshot struct {
	pods, claims map[string]types.UID
	objects      map[string]*unstructured.Unstructured
	storage      map[string]resource.Quantity
	podTemplate  any
	generation   int64
}

// ready tells why the StatefulSet does not serve yet what it was last asked for.
func (k *runner) ready() error {
	sets := k.list("StatefulSet")
	if len(sets) != 1 {
		return fmt.Errorf("%d StatefulSets", len(sets))
	}
	return isReady(sets[0], k.list("Pod"), k.template.Replicas)
}

func isReady(set *unstructured.Unstructured, pods []*unstructured.Unstructured, replicas int) error {
	revision, _, _ := unstructured.NestedString(set.Object, "status", "updateRevision")
	observed, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
	if observed != set.GetGeneration() {
		return errors.New("the controller has not seen the StatefulSet's last change")
	}
	if len(pods) != replicas {
		return fmt.Errorf("%d pods, not %d", len(pods), replicas)
	}
	for _, pod := range pods {
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		if has := pod.GetLabels()["controller-revision-hash"]; has != revision || phase != string(corev1.PodRunning) || pod.GetDeletionTimestamp() != nil {
			return fmt.Errorf("pod %s is %s, of revision %s, not %s", pod.GetName(), phase, has, revision)
		}
	}
	return nil
}

// settle waits until everything is rolled out.
func (k *runner) settle() {
	k.t.Helper()
	if k.ready() != nil {
		k.await(func(*unstructured.Unstructured) int { return k.template.Replicas })
	}
}

func (k *runner) await(replicas func(*unstructured.Unstructured) int) {
	k.t.Helper()
	var set *unstructured.Unstructured
	k.s.WaitFor(k.t, "StatefulSet", "the controller has seen the last change", func(sets []*unstructured.Unstructured) bool {
		if len(sets) != 1 {
			return false
		}
		set = sets[0]
		observed, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
		return observed == set.GetGeneration()
	})
	k.s.WaitFor(k.t, "Pod", "the pods are ready", func(pods []*unstructured.Unstructured) bool { return isReady(set, pods, replicas(set)) == nil })
}

// look takes a snapshot.
func (k *runner) look() snapshot {
	k.t.Helper()
	now := snapshot{
		pods: k.s.UIDs(k.t, "Pod"), claims: k.s.UIDs(k.t, "PersistentVolumeClaim"),
		objects: map[string]*unstructured.Unstructured{}, storage: map[string]resource.Quantity{},
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		for _, object := range k.list(kind) {
			now.objects[kind+"/"+object.GetName()] = object
			if kind == "StatefulSet" {
				now.podTemplate, _, _ = unstructured.NestedMap(object.Object, "spec", "template")
				now.generation = object.GetGeneration()
			}
		}
	}
	for _, claim := range k.list("PersistentVolumeClaim") {
		text, _, _ := unstructured.NestedString(claim.Object, "spec", "resources", "requests", "storage")
		now.storage[claim.GetName()] = resource.MustParse(text)
	}
	return now
}

// endpoints of the kinds that the test looks at.
var endpoints = map[string]schema.GroupVersionResource{
	"Service": {Version: "v1", Resource: "services"}, "Pod": {Version: "v1", Resource: "pods"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
	"Ingress":               {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	"StatefulSet":           {Group: "apps", Version: "v1", Resource: "statefulsets"},
}

func (k *runner) list(kind string) []*unstructured.Unstructured {
	k.t.Helper()
	found, err := k.s.Admin.Resource(endpoints[kind]).Namespace(k.s.Namespace).List(k.t.Context(), metav1.ListOptions{})
	if err != nil {
		k.t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for i := range found.Items {
		objects = append(objects, &found.Items[i])
	}
	return objects
}
