package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Status is how far a rollout is. The numbers are those of the StatefulSet's own
// status.
type Status struct {
	// Done reports whether the newest revision serves, as far as the update strategy
	// lets it.
	Done bool
	// Message says in one line what was reached or what is waited for.
	Message string
	// Desired is the number of pods that there should be.
	Desired int32
	// Replicas is the number of pods that exist, including those being deleted.
	Replicas int32
	// Updated is the number of pods of the newest revision.
	Updated int32
	// Ready is the number of ready pods, of any revision.
	Ready int32
	// Available is the number of pods that have been ready for minReadySeconds.
	Available int32
	// Revision names the newest revision; "" until the controller has named it.
	Revision string
	// Pending lists the pods that the rollout waits for, in the order of their
	// ordinals. It is nil while the pods or the newest revision are not known.
	Pending []PodStatus
	// DeletedPods names the pods of older revisions that were deleted because the
	// rollout was stuck on them. [StatusOf] does not know them; [Watcher.Wait] fills
	// them in.
	DeletedPods []string
}

// replicas is what a StatefulSet's specification says about its pods.
type replicas struct {
	name      string
	desired   int32
	start     int32 // the ordinal of the first pod
	partition int32 // the index of the first pod to update, at most desired
	onDelete  bool
}

func replicasOf(sts *appsv1.StatefulSet) replicas {
	r := replicas{name: sts.Name, desired: 1}
	if sts.Spec.Replicas != nil {
		r.desired = *sts.Spec.Replicas
	}
	if sts.Spec.Ordinals != nil {
		r.start = sts.Spec.Ordinals.Start
	}
	strategy := sts.Spec.UpdateStrategy
	r.onDelete = strategy.Type == appsv1.OnDeleteStatefulSetStrategyType
	// The controller counts the partition from the first pod, whatever its ordinal
	// is. A partition beyond the last pod means that no pod is updated. The strategy
	// Recreate, of Kubernetes 1.37, knows no partition: it updates all pods.
	isRolling := strategy.Type == appsv1.RollingUpdateStatefulSetStrategyType || strategy.Type == ""
	if isRolling && strategy.RollingUpdate != nil && strategy.RollingUpdate.Partition != nil {
		r.partition = min(*strategy.RollingUpdate.Partition, r.desired)
	}
	return r
}

// toUpdate is the number of pods that the controller brings to the newest revision.
func (r replicas) toUpdate() int32 {
	if r.onDelete {
		return 0
	}
	return r.desired - r.partition
}

// updates reports whether the controller brings the pod at an index to the newest
// revision.
func (r replicas) updates(index int32) bool { return !r.onDelete && index >= r.partition }

// index returns the place of a pod among the desired ones; false for other pods.
func (r replicas) index(pod string) (int32, bool) {
	ordinal, ok := r.ordinal(pod)
	index := ordinal - r.start
	return index, ok && index >= 0 && index < r.desired
}

func (r replicas) ordinal(pod string) (int32, bool) {
	suffix, ok := strings.CutPrefix(pod, r.name+"-")
	if !ok {
		return 0, false
	}
	ordinal, err := strconv.ParseInt(suffix, 10, 32)
	return int32(ordinal), err == nil && ordinal >= 0
}

// compare orders pods by their ordinals.
func (r replicas) compare(podA, podB string) int {
	ordinalA, _ := r.ordinal(podA)
	ordinalB, _ := r.ordinal(podB)
	return cmp.Compare(ordinalA, ordinalB)
}

func (r replicas) podName(index int32) string { return fmt.Sprintf("%s-%d", r.name, r.start+index) }

// StatusOf returns how far the rollout of a StatefulSet is.
//
// Nil pods mean that they are not known. The status then rests on the numbers in the
// StatefulSet's status alone, which leave two questions open:
//
//   - With a partition: are the updated pods those above it? After a second change in
//     the middle of an update, there can be updated pods below it. StatusOf then
//     requires that all pods are ready.
//   - Where pods of older revisions stay: are they the ones that are not ready? With
//     OnDelete, StatusOf then assumes that they are, and does not wait for them.
//
// Pods that the StatefulSet does not control are ignored, since the clients of a
// fleet may share a selector.
//
// Nil claims mean that they are not known. Claims only add to what is said about pods
// that have no node.
func StatusOf(sts *appsv1.StatefulSet, pods []corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	return statusOf(sts, pointers(pods), claims)
}

func statusOf(sts *appsv1.StatefulSet, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	r := replicasOf(sts)
	s := Status{
		Desired:   r.desired,
		Replicas:  sts.Status.Replicas,
		Updated:   sts.Status.UpdatedReplicas,
		Ready:     sts.Status.ReadyReplicas,
		Available: sts.Status.AvailableReplicas,
		Revision:  sts.Status.UpdateRevision,
	}
	if sts.Status.ObservedGeneration < sts.Generation {
		s.Revision = "" // it is that of an older generation
	}
	var exempt int32
	switch {
	case pods != nil && s.Revision != "":
		s.Pending, exempt = r.pending(s.Revision, controlledBy(sts, pods), claims)
	case r.onDelete:
		exempt = max(0, r.desired-s.Updated)
	}
	s.Message, s.Done = s.progress(sts, r, exempt)
	return s
}

// progress goes through what a rollout has to reach, in order. exempt is the number
// of pods that need not be ready.
func (s *Status) progress(sts *appsv1.StatefulSet, r replicas, exempt int32) (message string, done bool) {
	switch {
	case sts.DeletionTimestamp != nil:
		return "the StatefulSet is being deleted", false
	case sts.Status.ObservedGeneration < sts.Generation:
		return fmt.Sprintf("the StatefulSet controller has not seen generation %d yet, only %d",
			sts.Generation, sts.Status.ObservedGeneration), false
	case s.Revision == "":
		return "the StatefulSet controller has not named the newest revision yet", false
	}
	if message := s.missing(sts, r, exempt); message != "" {
		return message, false
	}
	if r.desired == 0 {
		return "scaled to zero, no pods are left", true
	}
	if n := len(s.Pending); n > 0 {
		// The watch shows other pods than those that the controller has counted.
		return podCount(n) + " not in the expected state yet", false
	}
	message = fmt.Sprintf("%d of %s at revision %s", s.Updated, podCount(r.desired), s.Revision)
	switch older := r.desired - s.Updated; {
	case older > 0 && r.onDelete:
		message += "; the others run an older one until they are deleted (update strategy OnDelete)"
	case older > 0:
		message += fmt.Sprintf("; the others, below partition %d, keep an older one", r.partition)
	}
	return message, true
}

// missing returns what the numbers lack; "" if they are as they should be.
func (s *Status) missing(sts *appsv1.StatefulSet, r replicas, exempt int32) string {
	switch {
	case r.desired == 0:
		if left := max(int(s.Replicas), len(s.Pending)); left > 0 {
			return podCount(left) + " still to be deleted"
		}
	case s.Replicas > r.desired:
		return fmt.Sprintf("%d of %s still to be deleted", s.Replicas-r.desired, podCount(s.Replicas))
	case s.Updated < r.toUpdate() || slices.ContainsFunc(s.Pending, func(pod PodStatus) bool { return pod.ToBeReplaced }):
		return fmt.Sprintf("%d of %s updated to revision %s", s.updatedAsRequired(r), podCount(r.toUpdate()), s.Revision)
	case s.Replicas < r.desired:
		return fmt.Sprintf("%d of %s created", s.Replicas, podCount(r.desired))
	case s.Ready+exempt < r.desired:
		return fmt.Sprintf("%d of %s ready", s.Ready, podCount(r.desired))
	case sts.Spec.MinReadySeconds > 0 && s.Available+exempt < r.desired:
		return fmt.Sprintf("%d of %s available (ready for %d seconds)", s.Available, podCount(r.desired), sts.Spec.MinReadySeconds)
	}
	return ""
}

// updatedAsRequired is the number of updated pods among those that the controller
// updates.
func (s *Status) updatedAsRequired(r replicas) int32 {
	outdated := int32(0)
	for _, pod := range s.Pending {
		if pod.ToBeReplaced {
			outdated++
		}
	}
	return min(s.Updated, r.toUpdate()-outdated)
}

func podCount[N int | int32](n N) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// pending returns the pods that a rollout waits for: those that should be different,
// and those that should not exist. exempt is the number of pods of older revisions
// that are not ready and need not be.
func (r replicas) pending(revision string, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) (pending []PodStatus, exempt int32) {
	pending = []PodStatus{}
	byIndex := make(map[int32]*corev1.Pod, len(pods))
	for _, pod := range pods {
		if index, ok := r.index(pod.Name); ok {
			byIndex[index] = pod
			continue
		}
		status := podStatus(pod, revision, claims)
		status.Surplus = true
		pending = append(pending, status)
	}
	for index := range r.desired {
		pod, ok := byIndex[index]
		if !ok {
			pending = append(pending, PodStatus{Name: r.podName(index), Missing: true})
			continue
		}
		status := podStatus(pod, revision, claims)
		status.ToBeReplaced = !status.Updated && r.updates(index)
		switch {
		case status.Ready && !status.Deleting && !status.ToBeReplaced:
		case !status.Deleting && !status.Updated && !status.ToBeReplaced:
			exempt++
		default:
			pending = append(pending, status)
		}
	}
	slices.SortStableFunc(pending, func(a, b PodStatus) int { return r.compare(a.Name, b.Name) })
	return pending, exempt
}
