package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// tracker tells failures that last from those that pass. It has no clock of its
// own.
type tracker struct {
	grace, slowGrace time.Duration
	start            time.Time
	seen             map[trackedKey]*tracked
	// recovered is when a pod of a name was last ready.
	recovered map[string]time.Time
}

// trackedKey is a container, or with "" a pod. Init containers and others share
// their names.
type trackedKey struct {
	pod       types.UID
	container string
}

// tracked is a failure, seen for the first time some while ago. The reason may
// have changed since: ErrImagePull and ImagePullBackOff take turns.
type tracked struct {
	since   time.Time
	failure Failure
	// readySince is set while the container is ready again.
	readySince time.Time
}

// minRecurrences is how many pods of one name in a row have to end before it is
// the revision that is to blame.
const minRecurrences = 3

func newTracker(now time.Time, grace, slowGrace time.Duration) *tracker {
	return &tracker{grace: grace, slowGrace: slowGrace, start: now, seen: make(map[trackedKey]*tracked), recovered: make(map[string]time.Time)}
}

// observe takes in the pods of a StatefulSet as they are now. It gives the
// failures that have outlasted their grace, together with the others of the
// same pods, and when to ask again if nothing happens, the zero time for never.
//
// A container that crashed stays suspect while it runs again, until it has been
// ready for as long as the grace, but is not called failed while it runs. One
// that could not be started is cleared as soon as it runs.
func (t *tracker) observe(now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod, fallen []terminatedPod) (fatal []Failure, next time.Time) {
	newest := newestPods(sts, pods)
	there := make(map[types.UID]bool, len(newest))
	for _, pod := range newest {
		there[pod.UID] = true
		found := podFailures(pod, nil)
		if len(found) == 0 && isUnscheduled(pod) && len(claimsOf(pod)) > 0 {
			// The scheduler may wait for a volume, which only the claims tell.
			found = []Failure{Failure{Slow: true}.of(pod)}
		}
		failing := make(map[string]bool, len(found))
		isFatal := false
		for _, f := range found {
			failing[f.Container] = true
			entry := t.note(now, f)
			if due := entry.since.Add(t.graceOf(f)); due.After(now) {
				next = earlier(next, due)
			} else {
				isFatal = true
			}
		}
		if isFatal {
			fatal = append(fatal, found...)
		}
		t.clear(now, pod, failing)
		if isReady(pod) {
			t.recovered[pod.Name] = now
		}
	}
	for key := range t.seen {
		if !there[key.pod] {
			delete(t.seen, key)
		}
	}
	recurring, due := t.recurring(now, sts, fallen)
	return append(fatal, recurring...), earlier(next, due)
}

func (t *tracker) graceOf(f Failure) time.Duration {
	if f.Slow {
		return t.slowGrace
	}
	return t.grace
}

func (t *tracker) note(now time.Time, f Failure) *tracked {
	key := trackedKey{f.UID, f.Container}
	entry := t.seen[key]
	if entry == nil || t.isOver(now, entry) || entry.failure.Slow != f.Slow {
		entry = &tracked{since: now}
		t.seen[key] = entry
	}
	entry.failure, entry.readySince = f, time.Time{}
	return entry
}

func (t *tracker) isOver(now time.Time, entry *tracked) bool {
	return !entry.readySince.IsZero() && now.Sub(entry.readySince) >= t.grace
}

// clear drops what a pod has got over.
func (t *tracker) clear(now time.Time, pod *corev1.Pod, failing map[string]bool) {
	for key, entry := range t.seen {
		if key.pod != pod.UID || failing[key.container] {
			continue
		}
		status := containerStatus(pod, key.container)
		switch {
		case status == nil, // a pod that has found a node, or that has been reset
			status.State.Running != nil && !entry.failure.isCrash(),
			status.State.Terminated != nil && status.State.Terminated.ExitCode == 0:
			delete(t.seen, key)
		case status.Ready && entry.readySince.IsZero():
			entry.readySince = now
		}
	}
}

// again says that what is suspected has to be asked for again only after another
// grace.
func (t *tracker) again(now time.Time, pod types.UID) time.Time {
	for key, entry := range t.seen {
		if key.pod == pod && key.container == "" {
			entry.since = now
		}
	}
	return now.Add(t.slowGrace)
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

// recurring finds pods that end as a whole time and again: the controller
// replaces each of them, so that none fails for long.
func (t *tracker) recurring(now time.Time, sts *appsv1.StatefulSet, fallen []terminatedPod) (fatal []Failure, next time.Time) {
	if !isObserved(sts) {
		return nil, time.Time{}
	}
	p := planOf(sts)
	byName := make(map[string][]terminatedPod)
	var names []string
	for _, f := range fallen {
		_, ok := p.index(f.pod.Name)
		if !ok || revisionOf(f.pod) != sts.Status.UpdateRevision || f.at.Before(t.start) || !f.at.After(t.recovered[f.pod.Name]) {
			continue
		}
		if byName[f.pod.Name] == nil {
			names = append(names, f.pod.Name)
		}
		byName[f.pod.Name] = append(byName[f.pod.Name], f)
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
			f.Recurred = len(all)
			fatal = append(fatal, f)
		}
	}
	return fatal, next
}

// earlier is the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
