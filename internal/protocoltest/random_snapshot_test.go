package protocoltest_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// snapshot is what is compared before and after a step.
type snapshot struct {
	pods, claims map[string]types.UID
	objects      map[string]*unstructured.Unstructured
	storage      map[string]resource.Quantity
	podTemplate  any
	generation   int64
}

// ready returns why the StatefulSet does not serve yet what it was last asked for; nil
// if it does.
func (k *runner) ready() error {
	sets := k.s.List(k.t, "StatefulSet")
	if len(sets) != 1 {
		return fmt.Errorf("%d StatefulSets", len(sets))
	}
	return isReady(sets[0], k.s.List(k.t, "Pod"), k.template.Replicas)
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
		has := pod.GetLabels()["controller-revision-hash"]
		if has != revision || phase != string(corev1.PodRunning) || pod.GetDeletionTimestamp() != nil {
			return fmt.Errorf("pod %s is %s, of revision %s, not %s", pod.GetName(), phase, has, revision)
		}
	}
	return nil
}

// settle waits until everything is rolled out.
func (k *runner) settle() {
	k.t.Helper()
	if k.ready() == nil {
		return
	}
	var set *unstructured.Unstructured
	k.s.WaitFor(k.t, "StatefulSet", "the controller has seen the last change", func(sets []*unstructured.Unstructured) bool {
		if len(sets) != 1 {
			return false
		}
		set = sets[0]
		observed, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
		return observed == set.GetGeneration()
	})
	k.s.WaitFor(k.t, "Pod", "the pods are ready", func(pods []*unstructured.Unstructured) bool {
		return isReady(set, pods, k.template.Replicas) == nil
	})
}

// snapshot returns the present state of the cluster.
func (k *runner) snapshot() snapshot {
	k.t.Helper()
	now := snapshot{
		pods: k.s.UIDs(k.t, "Pod"), claims: k.s.UIDs(k.t, "PersistentVolumeClaim"),
		objects: map[string]*unstructured.Unstructured{}, storage: map[string]resource.Quantity{},
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		for _, object := range k.s.List(k.t, kind) {
			now.objects[kind+"/"+object.GetName()] = object
			if kind == "StatefulSet" {
				now.podTemplate, _, _ = unstructured.NestedMap(object.Object, "spec", "template")
				now.generation = object.GetGeneration()
			}
		}
	}
	for _, claim := range k.s.List(k.t, "PersistentVolumeClaim") {
		text, _, _ := unstructured.NestedString(claim.Object, "spec", "resources", "requests", "storage")
		now.storage[claim.GetName()] = resource.MustParse(text)
	}
	return now
}
