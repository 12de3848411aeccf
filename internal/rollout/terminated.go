package rollout

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// terminatedPod is a pod that ended as a whole, for example by an eviction.
type terminatedPod struct {
	pod *corev1.Pod
	at  time.Time
}

// terminatedPods remembers pods that ended as a whole. The StatefulSet controller
// deletes them at once, so that a waiter may never see them among the others.
type terminatedPods struct {
	mu      sync.Mutex
	byOwner map[types.UID][]terminatedPod
}

// maxTerminated bounds how many are remembered for a StatefulSet.
const maxTerminated = 20

// note remembers a pod that has terminated, once. It ignores all other objects.
func (t *terminatedPods) note(object metav1.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Status.Phase != corev1.PodFailed {
		return
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	noted := t.byOwner[owner.UID]
	if slices.ContainsFunc(noted, func(other terminatedPod) bool { return other.pod.UID == pod.UID }) {
		return
	}
	if len(noted) == maxTerminated {
		noted = noted[1:]
	}
	if t.byOwner == nil {
		t.byOwner = make(map[types.UID][]terminatedPod)
	}
	t.byOwner[owner.UID] = append(noted, terminatedPod{pod, time.Now()})
}

// of returns the terminated pods of a StatefulSet, in the order in which they were
// seen.
func (t *terminatedPods) of(owner types.UID) []terminatedPod {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.byOwner[owner])
}
