package rollout

import (
	"context"
	"regexp"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// ReasonFailedCreate is the reason of the events with which the StatefulSet controller
// says that it cannot create a pod or one of its claims: because of a quota, a service
// account that does not exist, or an admission policy
// (pkg/controller/statefulset/stateful_pod_control.go in kubernetes/kubernetes).
const ReasonFailedCreate = "FailedCreate"

// maxEventPause bounds the pauses between two requests for the events of a StatefulSet.
const maxEventPause = 5 * time.Minute

// missingPods tells pods that cannot be created from those whose turn has not come. A
// StatefulSet has no condition that says so, only events. They are asked for only when a
// pod has been missing for the time of the grace, and then more and more rarely. It has
// no clock of its own.
type missingPods struct {
	grace time.Duration
	start time.Time
	since map[string]time.Time // when a pod was first seen missing
	pause time.Duration        // until the next request
	next  time.Time            // not before then
	// counts holds how often an event had occurred by the last request, by its message.
	counts map[string]int32
	// refusal is set if the right to list events is missing.
	refusal error
}

func newMissingPods(now time.Time, options Options) *missingPods {
	return &missingPods{grace: options.Grace, start: now, since: make(map[string]time.Time), pause: options.Grace}
}

// observe takes in the pods that the rollout waits for. It returns when to ask for the
// events; the zero time for never.
func (m *missingPods) observe(now time.Time, pending []PodStatus) time.Time {
	before := m.since
	m.since = make(map[string]time.Time)
	var due time.Time
	for _, pod := range pending {
		if !pod.Missing {
			continue
		}
		since, ok := before[pod.Name]
		if !ok {
			since = now
		}
		m.since[pod.Name] = since
		due = earlier(due, since.Add(m.grace))
	}
	if due.IsZero() || m.refusal != nil {
		return time.Time{}
	}
	if due.Before(m.next) {
		return m.next
	}
	return due
}

// failures returns the pods that have been missing for the time of the grace and cannot
// be created, as the events of the StatefulSet say.
//
// The events of a former rollout stay for an hour. Those count that have occurred during
// the wait and, since the cluster's clock may be behind ours, those that have occurred once
// more since the last request.
func (m *missingPods) failures(now time.Time, events []Event) []Failure {
	counts := make(map[string]int32)
	for _, event := range events {
		counts[event.Message] += event.Count
	}
	latest := make(map[string]Event)
	for _, event := range events {
		isCurrent := !event.Last.Before(m.start.Truncate(time.Second)) || m.counts != nil && counts[event.Message] > m.counts[event.Message]
		if event.Reason != ReasonFailedCreate || !isCurrent {
			continue
		}
		for name, since := range m.since {
			if !since.Add(m.grace).After(now) && mentions(event.Message, name) && !event.Last.Before(latest[name].Last) {
				latest[name] = event
			}
		}
	}
	m.counts = counts
	m.postpone(now)
	var found []Failure
	for name, event := range latest {
		found = append(found, Failure{Pod: name, Reason: event.Reason, Message: event.Message})
	}
	return found
}

// postpone lets some time pass until the next request, and more until that after it.
func (m *missingPods) postpone(now time.Time) {
	m.next = now.Add(m.pause)
	m.pause = min(2*m.pause, max(m.grace, maxEventPause))
}

// mentions reports whether a message names an object, not only one whose name is longer.
func mentions(message, name string) bool {
	return regexp.MustCompile(`(^|[^a-z0-9-])` + regexp.QuoteMeta(name) + `($|[^a-z0-9-])`).MatchString(message)
}

// uncreated returns the failures of pods that cannot be created.
func (v *waiter) uncreated(ctx context.Context, now time.Time, sts *appsv1.StatefulSet) []Failure {
	if !isObserved(sts) {
		return nil
	}
	due := v.missing.observe(now, v.status.Pending)
	if due.IsZero() || due.After(now) {
		v.next = earlier(v.next, due)
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	events, err := v.details.warnings(bounded, fields.OneTermEqualSelector("involvedObject.uid", string(sts.UID)))
	var found []Failure
	switch {
	case err == nil:
		found = v.missing.failures(now, events)
	case isRefusal(err):
		v.log(ctx, "May not list events", "error", err)
		v.missing.refusal = err
		return nil
	default:
		v.log(ctx, "Could not list events", "error", err)
		v.missing.postpone(now)
	}
	v.next = earlier(v.next, v.missing.next)
	return found
}
