package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// failureTracker separates failures that last from those that pass. It has no clock of
// its own.
type failureTracker struct {
	grace, unschedulableGrace time.Duration
	start                     time.Time
	seen                      map[trackedKey]*tracked
	// ready is when a pod of a name was last ready.
	ready map[string]time.Time
}

// trackedKey identifies a container, or a pod if the container is "". An init
// container cannot have the name of another container.
type trackedKey struct {
	pod       types.UID
	container string
}

// tracked is a failure that was seen before. The reason may have changed since then:
// ErrImagePull and ImagePullBackOff alternate.
type tracked struct {
	since   time.Time
	failure Failure
	// readySince is set while the container is ready again.
	readySince time.Time
}

// minRecurrences is how many pods of one name in a row have to end until the revision
// is taken for the cause.
const minRecurrences = 3

func newFailureTracker(now time.Time, options Options) *failureTracker {
	return &failureTracker{
		grace: options.Grace, unschedulableGrace: options.UnschedulableGrace, start: now,
		seen: make(map[trackedKey]*tracked), ready: make(map[string]time.Time),
	}
}

// observation is what a look at the pods of a StatefulSet has shown.
type observation struct {
	// fatal are the failures that have lasted longer than their grace, together with
	// the other failures of the same pods.
	fatal []Failure
	// fresh are the failures that were not there at the last look.
	fresh []Failure
	// next is when to look again if nothing changes; the zero time for never.
	next time.Time
}

// observe takes in the pods of a StatefulSet as they are now.
//
// A container that crashed remains under suspicion while it runs again, until it has
// been ready for the time of the grace. It is not reported while it runs. A container
// that could not be started is cleared as soon as it runs.
func (t *failureTracker) observe(
	now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod, terminated []terminatedPod,
) observation {
	var o observation
	newest := newestPods(sts, pods)
	exists := make(map[types.UID]bool, len(newest))
	for _, pod := range newest {
		exists[pod.UID] = true
		found := podFailures(pod, nil)
		if len(found) == 0 && isUnscheduled(pod) && len(claimsOf(pod)) > 0 {
			// The scheduler may be waiting for a volume, which only the claims show.
			found = []Failure{Failure{Unschedulable: true}.of(pod)}
		}
		failing := make(map[string]bool, len(found))
		isFatal := false
		for _, f := range found {
			failing[f.Container] = true
			entry, isFresh := t.note(now, f)
			if isFresh && f.Reason != "" {
				o.fresh = append(o.fresh, f)
			}
			if due := entry.since.Add(t.graceOf(f)); due.After(now) {
				o.next = earlier(o.next, due)
			} else {
				isFatal = true
			}
		}
		if isFatal {
			o.fatal = append(o.fatal, found...)
		}
		t.clear(now, pod, failing)
		if isReady(pod) {
			t.ready[pod.Name] = now
		}
	}
	for key := range t.seen {
		if !exists[key.pod] {
			delete(t.seen, key)
		}
	}
	recurring, due := t.recurring(now, sts, terminated)
	o.fatal, o.next = append(o.fatal, recurring...), earlier(o.next, due)
	return o
}

func (t *failureTracker) graceOf(f Failure) time.Duration {
	if f.Unschedulable {
		return t.unschedulableGrace
	}
	return t.grace
}

// note records that a failure is there now, and reports whether it is a fresh one.
func (t *failureTracker) note(now time.Time, f Failure) (entry *tracked, isFresh bool) {
	key := trackedKey{f.UID, f.Container}
	entry = t.seen[key]
	isFresh = entry == nil || t.isOver(now, entry) || entry.failure.Unschedulable != f.Unschedulable
	if isFresh {
		entry = &tracked{since: now}
		t.seen[key] = entry
	}
	entry.failure, entry.readySince = f, time.Time{}
	return entry, isFresh
}

// isOver reports whether the container has been ready for so long that another failure
// starts a grace of its own.
func (t *failureTracker) isOver(now time.Time, entry *tracked) bool {
	return !entry.readySince.IsZero() && now.Sub(entry.readySince) >= t.grace
}

// clear drops the failures that a pod has recovered from.
func (t *failureTracker) clear(now time.Time, pod *corev1.Pod, failing map[string]bool) {
	for key, entry := range t.seen {
		if key.pod != pod.UID || failing[key.container] {
			continue
		}
		status := containerStatus(pod, key.container)
		switch {
		case status == nil, // the pod has a node now, or its status was reset
			status.State.Running != nil && !entry.failure.isCrash(),
			status.State.Terminated != nil && status.State.Terminated.ExitCode == 0:
			delete(t.seen, key)
		case status.Ready && entry.readySince.IsZero():
			entry.readySince = now
		}
	}
}

// postpone restarts the grace of a pod that turned out not to fail. It returns when the
// grace ends.
func (t *failureTracker) postpone(now time.Time, pod types.UID) time.Time {
	for key, entry := range t.seen {
		if key.pod == pod && key.container == "" {
			entry.since = now
		}
	}
	return now.Add(t.unschedulableGrace)
}

func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	if name == "" {
		return nil
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == name {
				return &statuses[i]
			}
		}
	}
	return nil
}

// recurring returns the failures of pods that end as a whole again and again. The
// controller replaces each of them, so that no single one fails for long.
func (t *failureTracker) recurring(now time.Time, sts *appsv1.StatefulSet, terminated []terminatedPod) (fatal []Failure, next time.Time) {
	if !isObserved(sts) {
		return nil, time.Time{}
	}
	r := replicasOf(sts)
	byName := make(map[string][]terminatedPod)
	var names []string
	for _, ended := range terminated {
		name := ended.pod.Name
		_, ok := r.index(name)
		if !ok || revisionOf(ended.pod) != sts.Status.UpdateRevision || ended.at.Before(t.start) || !ended.at.After(t.ready[name]) {
			continue
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], ended)
	}
	for _, name := range names {
		all := byName[name]
		if len(all) < minRecurrences {
			continue
		}
		if due := all[0].at.Add(t.grace); due.After(now) {
			next = earlier(next, due)
			continue
		}
		for _, f := range podFailures(all[len(all)-1].pod, nil) {
			f.Recurrences = len(all)
			fatal = append(fatal, f)
		}
	}
	return fatal, next
}

// earlier returns the earlier of two times. The zero time means that there is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
