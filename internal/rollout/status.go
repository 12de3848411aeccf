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

// Status is how far a rollout is. The numbers are those of the StatefulSet's
// own status.
type Status struct {
	// Done says that the newest revision serves, as far as the update strategy
	// lets it.
	Done bool
	// Message says in one line what was reached or what is waited for.
	Message string
	// Desired is the number of pods that there should be.
	Desired int32
	// Replicas is the number of pods that there are, those being deleted
	// included.
	Replicas int32
	// Updated is the number of pods of the newest revision, Ready that of pods
	// of whatever revision that are ready, Available that of pods that have been
	// ready for minReadySeconds.
	Updated, Ready, Available int32
	// Revision names the newest revision; "" until the controller has told.
	Revision string
	// Pending lists the pods that the rollout waits for, in the order of their
	// ordinals. It is nil while the pods or the newest revision are not known.
	Pending []PodStatus
	// Freed names the pods of older revisions that were deleted because the
	// rollout was stuck on them. [Of] does not know them; [Watcher.Wait] fills
	// them in.
	Freed []string
}

// plan is what a StatefulSet's specification asks for.
type plan struct {
	name      string
	desired   int32
	start     int32 // ordinal of the first pod
	partition int32 // index of the first pod that is to be updated, at most desired
	onDelete  bool
}

func planOf(sts *appsv1.StatefulSet) plan {
	p := plan{name: sts.Name, desired: 1}
	if sts.Spec.Replicas != nil {
		p.desired = *sts.Spec.Replicas
	}
	if sts.Spec.Ordinals != nil {
		p.start = sts.Spec.Ordinals.Start
	}
	strategy := sts.Spec.UpdateStrategy
	p.onDelete = strategy.Type == appsv1.OnDeleteStatefulSetStrategyType
	// The controller counts the partition from the first pod on, whatever its
	// ordinal is, and takes one beyond the last pod for "update none".
	if !p.onDelete && strategy.RollingUpdate != nil && strategy.RollingUpdate.Partition != nil {
		p.partition = min(*strategy.RollingUpdate.Partition, p.desired)
	}
	return p
}

// toUpdate is the number of pods that will be brought to the newest revision.
func (p plan) toUpdate() int32 {
	if p.onDelete {
		return 0
	}
	return p.desired - p.partition
}

// willUpdate says whether the pod at an index will be.
func (p plan) willUpdate(index int32) bool { return !p.onDelete && index >= p.partition }

// index is the place of a pod among those desired; false for other pods.
func (p plan) index(pod string) (int32, bool) {
	ordinal, ok := p.ordinal(pod)
	index := ordinal - p.start
	return index, ok && index >= 0 && index < p.desired
}

func (p plan) ordinal(pod string) (int32, bool) {
	suffix, ok := strings.CutPrefix(pod, p.name+"-")
	if !ok {
		return 0, false
	}
	ordinal, err := strconv.ParseInt(suffix, 10, 32)
	return int32(ordinal), err == nil && ordinal >= 0
}

func (p plan) podName(index int32) string { return fmt.Sprintf("%s-%d", p.name, p.start+index) }

// Of says how far the rollout of a StatefulSet is.
//
// Nil pods mean that they are not known: the status then rests on the numbers in
// the StatefulSet's status alone. These leave two things open, which pods
// settle: with a partition the numbers do not tell on which side of it the
// updated pods are (of pods that a second change caught half way, too many can
// be), and where pods of older revisions stay, they do not tell whether it is
// one of those that is not ready. Of then takes pods below a partition for
// required, and with OnDelete pods of older revisions for excused. Pods that the
// StatefulSet does not control are ignored, since the clients of a fleet may
// share a selector.
//
// Nil claims mean that they are not known; they only add to what is said about
// pods that no node has.
func Of(sts *appsv1.StatefulSet, pods []corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	return of(sts, pointers(pods), claims)
}

func of(sts *appsv1.StatefulSet, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	p := planOf(sts)
	s := Status{
		Desired:   p.desired,
		Replicas:  sts.Status.Replicas,
		Updated:   sts.Status.UpdatedReplicas,
		Ready:     sts.Status.ReadyReplicas,
		Available: sts.Status.AvailableReplicas,
		Revision:  sts.Status.UpdateRevision,
	}
	if sts.Status.ObservedGeneration < sts.Generation {
		s.Revision = "" // that of an older generation
	}
	var excused int32
	switch {
	case pods != nil && s.Revision != "":
		s.Pending, excused = p.pending(s.Revision, controlledBy(sts, pods), claims)
	case p.onDelete:
		excused = max(0, p.desired-s.Updated)
	}
	s.Message, s.Done = s.judge(sts, p, excused)
	return s
}

// judge goes through what a rollout has to reach, in order.
func (s *Status) judge(sts *appsv1.StatefulSet, p plan, excused int32) (message string, done bool) {
	switch {
	case sts.DeletionTimestamp != nil:
		return "the StatefulSet is being deleted", false
	case sts.Status.ObservedGeneration < sts.Generation:
		return fmt.Sprintf("the StatefulSet controller has not seen generation %d yet, only %d", sts.Generation, sts.Status.ObservedGeneration), false
	case s.Revision == "":
		return "the StatefulSet controller has not named the newest revision yet", false
	case p.desired == 0 && (s.Replicas > 0 || len(s.Pending) > 0):
		return fmt.Sprintf("%s still to go", podCount(max(s.Replicas, int32(len(s.Pending))))), false
	case s.Replicas > p.desired:
		return fmt.Sprintf("%s, of which %d are to go", podCount(s.Replicas), s.Replicas-p.desired), false
	case p.desired == 0:
		return "scaled to zero, no pods are left", true
	case s.Updated < p.toUpdate() || slices.ContainsFunc(s.Pending, func(pod PodStatus) bool { return pod.ToUpdate }):
		return fmt.Sprintf("%d of %s updated to revision %s", s.updatedAsAsked(p), podCount(p.toUpdate()), s.Revision), false
	case s.Replicas < p.desired:
		return fmt.Sprintf("%d of %s created", s.Replicas, podCount(p.desired)), false
	case s.Ready+excused < p.desired:
		return fmt.Sprintf("%d of %s ready", s.Ready, podCount(p.desired)), false
	case sts.Spec.MinReadySeconds > 0 && s.Available+excused < p.desired:
		return fmt.Sprintf("%d of %s available, that is ready for %d seconds", s.Available, podCount(p.desired), sts.Spec.MinReadySeconds), false
	}
	if n := len(s.Pending); n > 0 {
		// The pods are not those that the numbers were taken from.
		return fmt.Sprintf("%s still to settle", podCount(int32(n))), false
	}
	message = fmt.Sprintf("%d of %s at revision %s", s.Updated, podCount(p.desired), s.Revision)
	switch older := p.desired - s.Updated; {
	case older > 0 && p.onDelete:
		message += "; the others run an older one until they are deleted (update strategy OnDelete)"
	case older > 0:
		message += fmt.Sprintf("; the others, below partition %d, keep an older one", p.partition)
	}
	return message, true
}

// updatedAsAsked is the number of updated pods among those that are to be.
func (s *Status) updatedAsAsked(p plan) int32 {
	updated := min(s.Updated, p.toUpdate())
	outdated := int32(0)
	for _, pod := range s.Pending {
		if pod.ToUpdate {
			outdated++
		}
	}
	return min(updated, p.toUpdate()-outdated)
}

func podCount(n int32) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// pending goes through the pods that there should be, and those that should
// not. excused is the number of pods of older revisions that are not ready, and
// need not be.
func (p plan) pending(revision string, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) (waited []PodStatus, excused int32) {
	waited = []PodStatus{}
	byIndex := make(map[int32]*corev1.Pod, len(pods))
	for _, pod := range pods {
		if index, ok := p.index(pod.Name); ok {
			byIndex[index] = pod
			continue
		}
		status := podStatus(pod, revision, claims)
		status.Surplus = true
		waited = append(waited, status)
	}
	for index := range p.desired {
		pod, ok := byIndex[index]
		if !ok {
			waited = append(waited, PodStatus{Name: p.podName(index), Missing: true})
			continue
		}
		status := podStatus(pod, revision, claims)
		status.ToUpdate = !status.Updated && p.willUpdate(index)
		switch {
		case status.Ready && !status.Deleting && !status.ToUpdate:
		case !status.Deleting && !status.Updated && !status.ToUpdate:
			excused++
		default:
			waited = append(waited, status)
		}
	}
	slices.SortStableFunc(waited, func(a, b PodStatus) int {
		ordinalA, _ := p.ordinal(a.Name)
		ordinalB, _ := p.ordinal(b.Name)
		return cmp.Compare(ordinalA, ordinalB)
	})
	return waited, excused
}
