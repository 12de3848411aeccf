package rollout

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// HealthState says in a word how a StatefulSet is.
type HealthState string

// The states, the worst first.
const (
	// HealthFailing: a pod has a problem that usually does not go away by itself.
	HealthFailing HealthState = "failing"
	// HealthProgressing: the rollout has not ended, and nothing has failed so far.
	HealthProgressing HealthState = "progressing"
	// HealthReady: the newest revision serves.
	HealthReady HealthState = "ready"
	// HealthStopped: there are no pods, and there shall be none.
	HealthStopped HealthState = "stopped"
)

// Health is how a StatefulSet is at a moment.
type Health struct {
	State HealthState
	// Reason says in one line why a pod fails, or what the rollout waits for; "" for the
	// other states.
	Reason string
	// Desired and Ready are numbers of pods.
	Desired, Ready int32
}

// Parts are what is there of a StatefulSet.
type Parts struct {
	// Pods that the StatefulSet does not control are ignored. Nil means that they are not
	// known: no failure can be seen then.
	Pods []*unstructured.Unstructured
	// Claims add to what is said about pods that have no node.
	Claims []*unstructured.Unstructured
	// Refusals are events of the StatefulSet with [ReasonFailedCreate]. They say why a pod is
	// missing.
	Refusals []*unstructured.Unstructured
}

// HealthOf returns how a StatefulSet is, for an overview: it takes one look, and grants no
// grace. The error says that an object could not be read.
func HealthOf(statefulSet *unstructured.Unstructured, parts Parts) (Health, error) {
	sts, err := convert[appsv1.StatefulSet](statefulSet)
	if err != nil {
		return Health{}, err
	}
	read, err := convertAll[corev1.Pod](parts.Pods)
	if err != nil {
		return Health{}, err
	}
	refusals, err := convertAll[corev1.Event](parts.Refusals)
	if err != nil {
		return Health{}, err
	}
	var unscheduled []corev1.PersistentVolumeClaim
	if slices.ContainsFunc(read, isUnscheduled) {
		found, err := convertAll[corev1.PersistentVolumeClaim](parts.Claims)
		if err != nil {
			return Health{}, err
		}
		for _, claim := range found {
			unscheduled = append(unscheduled, *claim)
		}
	}
	status := statusOf(sts, read, unscheduled)
	health := Health{State: HealthProgressing, Reason: status.Message, Desired: status.Desired, Ready: status.Ready}
	failures := append(presentFailures(sts, read, unscheduled), refusedPods(status.Pending, refusals)...)
	switch {
	case len(failures) > 0:
		health.State, health.Reason = HealthFailing, failures[0].String()
	case status.Done && status.Desired == 0:
		health.State, health.Reason = HealthStopped, ""
	case status.Done:
		health.State, health.Reason = HealthReady, ""
	}
	return health, nil
}

// presentFailures returns what fails at the moment on the pods that the StatefulSet shall
// have, of any revision: one that is stuck on an older revision serves nobody, either.
func presentFailures(sts *appsv1.StatefulSet, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) []Failure {
	r := replicasOf(sts)
	own := controlledBy(sts, pods)
	slices.SortFunc(own, func(a, b *corev1.Pod) int { return r.compare(a.Name, b.Name) })
	var found []Failure
	for _, pod := range own {
		if _, isWanted := r.index(pod.Name); isWanted && pod.DeletionTimestamp == nil {
			found = append(found, podFailures(pod, claims)...)
		}
	}
	return found
}

// refusedPods returns the pods that are not there and that the cluster has refused to create. Events
// go after an hour, and the StatefulSet controller tries more often than that.
func refusedPods(pending []PodStatus, refusals []*corev1.Event) []Failure {
	var found []Failure
	for _, pod := range pending {
		if !pod.Missing {
			continue
		}
		var last Event
		for _, refusal := range refusals {
			if event := eventOf(refusal); mentions(event.Message, pod.Name) && !event.Last.Before(last.Last) {
				last = event
			}
		}
		if last.Reason != "" {
			found = append(found, Failure{Pod: pod.Name, Reason: last.Reason, Message: last.Message})
		}
	}
	return found
}

// convertAll converts objects, and keeps nil as nil.
func convertAll[T any](objects []*unstructured.Unstructured) ([]*T, error) {
	if objects == nil {
		return nil, nil
	}
	converted := make([]*T, 0, len(objects))
	for _, object := range objects {
		one, err := convert[T](object)
		if err != nil {
			return nil, err
		}
		converted = append(converted, one)
	}
	return converted, nil
}
