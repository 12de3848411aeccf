package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// IsUnfinished reports whether a rollout of a StatefulSet has begun that has not ended: the
// controller sets the current revision to the update revision once all pods of it are
// ready, and never goes back. So a pod that restarts later does not count.
//
// With a partition the two stay different. Then the number of updated pods has to do,
// which says nothing of whether they are ready. With OnDelete nobody waits.
func IsUnfinished(sts *appsv1.StatefulSet) bool {
	r := replicasOf(sts)
	switch {
	case r.toUpdate() == 0:
		return false
	case sts.Status.ObservedGeneration < sts.Generation:
		return true
	case r.partition > 0:
		return sts.Status.UpdatedReplicas < r.toUpdate()
	}
	return sts.Status.CurrentRevision != sts.Status.UpdateRevision
}

// MayRunOlderRevision reports whether the numbers in the status leave open that some pod is
// of another revision than the newest, although all should be of it. A pod that is being
// replaced looks the same for a moment.
func MayRunOlderRevision(sts *appsv1.StatefulSet) bool {
	r := replicasOf(sts)
	return r.toUpdate() > 0 && r.partition == 0 && sts.Status.Replicas > sts.Status.UpdatedReplicas
}

// HasSoaked reports whether a pod is ready and has been for a time.
func HasSoaked(object *unstructured.Unstructured, soak time.Duration, now time.Time) bool {
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod); err != nil {
		return false
	}
	ready := condition(pod, corev1.PodReady)
	return pod.DeletionTimestamp == nil && ready != nil && ready.Status == corev1.ConditionTrue &&
		now.Sub(ready.LastTransitionTime.Time) >= soak
}
