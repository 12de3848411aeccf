package rollout

import (
	"context"
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DefaultSoak is how long the pods of a new revision have to stay ready, unless a fleet
// is told otherwise.
const DefaultSoak = 10 * time.Second

// maxClockSkew is how far the clock of a node may differ from ours.
const maxClockSkew = 5 * time.Minute

// soak measures for how long all pods of the newest revision have been ready, with no
// restart. It has no clock of its own.
//
// It compares the pods with what they were at its start, and so notices what happened
// while there was no contact with the server: each restart is counted, and a pod that is
// ready again has a new time of its transition.
type soak struct {
	required time.Duration
	since    time.Time // the zero time while not all pods are ready
	pods     map[types.UID]readiness
	isBroken bool // some pod was restarted or did not stay ready
}

// readiness tells a pod that has stayed ready from one that is ready again.
type readiness struct {
	since    time.Time // as the node says
	restarts int32
}

// observe takes in the pods of the newest revision, which all are ready; nil if they are
// not known. It returns when they will have been ready for long enough; the zero time if
// there is nothing to wait for.
func (s *soak) observe(now time.Time, pods []*corev1.Pod) time.Time {
	seen := make(map[types.UID]readiness, len(pods))
	isLongReady := len(pods) > 0
	for _, pod := range pods {
		seen[pod.UID] = readinessOf(pod)
		since := seen[pod.UID].since
		isLongReady = isLongReady && !since.IsZero() && now.Sub(since) > s.required+maxClockSkew
	}
	if !s.since.IsZero() && !maps.Equal(s.pods, seen) {
		s.interrupt()
	}
	if s.since.IsZero() {
		s.since, s.pods = now, seen
	}
	if isLongReady {
		return time.Time{}
	}
	return s.since.Add(s.required)
}

// interrupt ends the measurement, because not all pods are ready any more.
func (s *soak) interrupt() {
	s.isBroken = s.isBroken || !s.since.IsZero()
	s.since, s.pods = time.Time{}, nil
}

func readinessOf(pod *corev1.Pod) readiness {
	var r readiness
	if ready := condition(pod, corev1.PodReady); ready != nil {
		r.since = ready.LastTransitionTime.Time
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			r.restarts += status.RestartCount
		}
	}
	return r
}

// isNeeded reports whether there are pods of the newest revision that have to stay ready.
func (s *soak) isNeeded(status Status) bool {
	return s.required > 0 && status.Desired > 0 && status.Updated > 0
}

// message completes that of a status.
func (s *soak) message(of string) string {
	text := fmt.Sprintf("%s; the pods are ready, but have not been for %s yet", of, s.required)
	if s.isBroken {
		text += ", as one was restarted or did not stay ready"
	}
	return text
}

// isServing reports whether the rollout is done, and its pods have stayed ready. If they
// have to stay ready for longer, the status says so. Nil pods mean that they are not
// known.
func (v *waiter) isServing(ctx context.Context, now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod) (bool, error) {
	defer v.logPending(ctx)
	if !v.status.Done {
		v.soak.interrupt()
		return false, ctx.Err()
	}
	over := v.soakEnd(now, sts, pods)
	switch {
	case over.IsZero():
		return true, nil
	case over.After(now):
		v.next = earlier(v.next, over)
	case v.isPresent(now):
		// A watch may hang without an error.
		present, err := v.read(ctx)
		switch {
		case present == nil:
			return false, err
		case v.statusOf(present, pods, nil).Done:
			return true, nil
		}
		v.soak.interrupt()
		v.next = earlier(v.next, now.Add(catchUpTime))
	}
	v.status.Done, v.status.Message = false, v.soak.message(v.status.Message)
	return false, ctx.Err()
}

// soakEnd returns when the pods of a rollout that is done will have stayed ready for long
// enough; the zero time if there is nothing to wait for.
func (v *waiter) soakEnd(now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod) time.Time {
	if !v.soak.isNeeded(v.status) {
		return time.Time{}
	}
	return v.soak.observe(now, newestPods(sts, pods))
}
