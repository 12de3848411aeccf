package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

// Details are what was found out about a pod, or about the StatefulSet itself,
// beyond its status.
type Details struct {
	// Name is that of the pod, or of the StatefulSet.
	Name string
	Logs []Log
	// Events are the last warnings about it, and about its claims, the newest
	// last.
	Events []Event
	// Notes say what could not be found out.
	Notes []string
}

// Log is the end of a container's log.
type Log struct {
	Container string
	Lines     []string
}

// Event is a warning that somebody in the cluster has given.
type Event struct {
	Reason, Message string
	Count           int32 // how often it was given
	Last            time.Time
}

func (e Event) String() string {
	text := e.Reason
	if e.Count > 1 {
		text += " (" + times(e.Count) + ")"
	}
	if message := bounded(oneLine(e.Message), maxMessage); message != "" {
		text += ": " + message
	}
	return text
}

// Whoever presses Ctrl-C waits for what is pending.
const (
	timeToDiagnose  = 5 * time.Second
	timeToInterrupt = 3 * time.Second
)

// failed finds out what it can about failures, also when the context has ended.
func (v *waiter) failed(ctx context.Context, sts *appsv1.StatefulSet, pods []*corev1.Pod, failures []Failure) error {
	failure := &FailedError{
		Namespace: v.Namespace, Name: v.Name, Failures: failures,
		Waited: time.Since(v.start), Notes: append(v.notes, v.freer.note()...),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeToDiagnose)
	defer cancel()
	var subjects []subject
	for _, f := range failures {
		i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == f.Pod })
		if i < 0 {
			if len(subjects) == maxPods {
				continue
			}
			i = len(subjects)
			subjects = append(subjects, subject{name: f.Pod, kind: "Pod", uid: f.UID})
		}
		s := &subjects[i]
		if f.Claim != "" {
			s.claims = append(s.claims, f.Claim)
		}
		if f.isCrash() {
			if status := containerStatusIn(pods, f); status != nil {
				s.containers = append(s.containers, logOf{f.Container, status.State.Terminated == nil && status.LastTerminationState.Terminated != nil})
			}
		}
	}
	p := planOf(sts)
	slices.SortStableFunc(failure.Failures, func(a, b Failure) int {
		ordinalA, _ := p.ordinal(a.Pod)
		ordinalB, _ := p.ordinal(b.Pod)
		return cmp.Compare(ordinalA, ordinalB)
	})
	failure.Details = v.ask(ctx, subjects)
	return failure
}

func containerStatusIn(pods []*corev1.Pod, f Failure) *corev1.ContainerStatus {
	for _, pod := range pods {
		if pod.UID == f.UID {
			return containerStatus(pod, f.Container)
		}
	}
	return nil
}

// interrupted finds out what is pending once the context has ended.
func (v *waiter) interrupted(ctx context.Context) error {
	failure := &PendingError{Namespace: v.Namespace, Name: v.Name, Err: ctx.Err(), Waited: time.Since(v.start)}
	if cause := context.Cause(ctx); !errors.Is(failure.Err, cause) {
		failure.Err = fmt.Errorf("%w: %w", failure.Err, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeToInterrupt)
	defer cancel()
	failure.Notes = v.freer.note()
	if v.last == nil {
		// The context ended before the first answer came.
		v.last, _ = v.read(ctx)
	} else if sts, _ := v.sets.named(v.Name); sts != nil && sts.UID == v.last.UID {
		v.last = sts
	}
	var contact error
	if v.last != nil {
		pods, view := v.awaitPods(ctx)
		v.status = v.judge(v.last, pods, nil)
		if v.status.Done && (pods != nil || !needPods(v.last, v.status)) {
			return nil
		}
		switch {
		case view.refused != nil:
			failure.Notes = append(failure.Notes, fmt.Sprintf("why is not known, since the pods could not be listed: %v", view.refused))
		case pods == nil && view.lost == nil:
			failure.Notes = append(failure.Notes, "why is not known, since the server has not answered with the pods yet")
		}
		contact = view.lost
		if pods != nil && isObserved(v.last) && v.last.Generation >= v.MinGeneration {
			claims, err := v.unscheduledClaims(ctx, pods)
			if err != nil {
				failure.Notes = append(failure.Notes, fmt.Sprintf("claims could not be read: %v", err))
			}
			v.status = v.judge(v.last, pods, claims)
			failure.Details = v.ask(ctx, v.pendingSubjects(pods))
		}
	}
	_, view := v.sets.named(v.Name)
	for _, err := range []error{view.lost, contact, v.lost} {
		if err != nil {
			failure.Notes = append(failure.Notes, fmt.Sprintf("the API server could not be reached any more: %v", err))
			break
		}
	}
	return failure
}

// awaitPods gives the pods, as soon as the server has answered with them; nil when
// they are not known.
func (v *waiter) awaitPods(ctx context.Context) ([]*corev1.Pod, view) {
	if v.pods == nil {
		v.pods = v.watcher.acquirePods(ctx, v.Namespace)
	}
	for {
		pods, _, view := v.pods.ownedBy(v.last.UID)
		switch {
		case view.refused != nil, !view.synced && view.lost != nil, !view.synced && ctx.Err() != nil:
			return nil, view
		case view.synced:
			return pods, view
		}
		select {
		case <-v.roused:
		case <-ctx.Done():
		}
	}
}

// unscheduledClaims reads the claims of pods that no node has; nil when there are
// no such pods.
func (v *waiter) unscheduledClaims(ctx context.Context, pods []*corev1.Pod) ([]corev1.PersistentVolumeClaim, error) {
	var found []corev1.PersistentVolumeClaim
	looked := 0
	for _, pending := range v.status.Pending {
		for _, pod := range pods {
			if pod.Name != pending.Name || !isUnscheduled(pod) || len(claimsOf(pod)) == 0 || looked == maxPods {
				continue
			}
			looked++
			claims, err := v.claimsOf(ctx, pod)
			if err != nil {
				return nil, err
			}
			if found == nil {
				found = claims
			} else {
				found = append(found, claims...)
			}
		}
	}
	return found, nil
}

// pendingSubjects are the pods that are waited for, and the StatefulSet where it
// could not create one.
func (v *waiter) pendingSubjects(pods []*corev1.Pod) []subject {
	var subjects []subject
	for i, pending := range v.status.Pending {
		if i == maxPods {
			break
		}
		if pending.Missing {
			if !slices.ContainsFunc(subjects, func(s subject) bool { return s.uid == v.last.UID }) {
				subjects = append(subjects, subject{name: v.Name, kind: "StatefulSet", uid: v.last.UID})
			}
			continue
		}
		for _, pod := range pods {
			if pod.Name == pending.Name && !pending.Ready {
				subjects = append(subjects, subject{name: pod.Name, kind: "Pod", uid: pod.UID, claims: pending.UnboundClaims})
			}
		}
	}
	return subjects
}

// subject is an object to ask about.
type subject struct {
	kind, name string
	uid        types.UID
	claims     []string
	containers []logOf
}

type logOf struct {
	container string
	previous  bool
}

// ask finds out about all subjects at once.
func (v *waiter) ask(ctx context.Context, subjects []subject) []Details {
	all := make([]Details, len(subjects))
	var asking sync.WaitGroup
	for i, s := range subjects {
		all[i].Name = s.name
		var events, logs Details
		both := make(chan struct{}, 2)
		asking.Go(func() {
			go func() { v.askEvents(ctx, s, &events); both <- struct{}{} }()
			go func() { v.askLogs(ctx, s, &logs); both <- struct{}{} }()
			<-both
			<-both
			all[i].Events, all[i].Logs, all[i].Notes = events.Events, logs.Logs, append(logs.Notes, events.Notes...)
		})
	}
	asking.Wait()
	return slices.DeleteFunc(all, func(d Details) bool { return len(d.Events)+len(d.Logs)+len(d.Notes) == 0 })
}

func (v *waiter) askLogs(ctx context.Context, s subject, d *Details) {
	if v.watcher.logs == nil {
		return
	}
	for _, of := range s.containers {
		text, err := v.watcher.logs(ctx, v.Namespace, s.name, of.container, of.previous, maxLogLines)
		if err != nil {
			d.Notes = append(d.Notes, fmt.Sprintf("the log of container %s could not be read: %v", of.container, shortened(ctx, err)))
			continue
		}
		d.Logs = append(d.Logs, Log{Container: of.container, Lines: lastLines(text)})
	}
}

// shortened says of a time-out of our own no more than that.
func shortened(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("no answer in time")
	}
	return err
}

// lastLines takes the last lines of a log, without what would confuse a terminal.
func lastLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = printable(line); line != "" {
			lines = append(lines, bounded(line, maxLogLine))
		}
	}
	return lines[max(0, len(lines)-maxLogLines):]
}

// colours are the escape sequences of terminals.
var colours = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)

func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, colours.ReplaceAllString(line, ""))
	return strings.TrimRight(line, " ")
}

func bounded(text string, characters int) string {
	if runes := []rune(text); len(runes) > characters {
		return string(runes[:characters]) + "..."
	}
	return text
}

func (v *waiter) askEvents(ctx context.Context, s subject, d *Details) {
	selectors := []fields.Selector{fields.OneTermEqualSelector("involvedObject.uid", string(s.uid))}
	for _, claim := range s.claims {
		selectors = append(selectors, fields.AndSelectors(
			fields.OneTermEqualSelector("involvedObject.kind", "PersistentVolumeClaim"),
			fields.OneTermEqualSelector("involvedObject.name", claim)))
	}
	var all []Event
	for _, selector := range selectors {
		events, err := v.warnings(ctx, selector)
		if err != nil {
			d.Notes = append(d.Notes, fmt.Sprintf("events could not be listed: %v", shortened(ctx, err)))
			break
		}
		all = append(all, events...)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.Last.Compare(b.Last) })
	d.Events = all[max(0, len(all)-maxEvents):]
}

func (v *waiter) warnings(ctx context.Context, about fields.Selector) ([]Event, error) {
	list, err := v.watcher.client.Resource(eventResource).Namespace(v.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.AndSelectors(about, fields.OneTermEqualSelector("type", corev1.EventTypeWarning)).String(),
	})
	if err != nil {
		return nil, err
	}
	var events []Event
	for i := range list.Items {
		event, err := convert[corev1.Event](&list.Items[i])
		if err != nil {
			return nil, err
		}
		e := Event{Reason: event.Reason, Message: event.Message, Count: event.Count, Last: event.LastTimestamp.Time}
		if event.Series != nil {
			e.Count, e.Last = event.Series.Count, event.Series.LastObservedTime.Time
		}
		for _, at := range []time.Time{event.EventTime.Time, event.FirstTimestamp.Time, event.CreationTimestamp.Time} {
			if e.Last.IsZero() {
				e.Last = at
			}
		}
		events = append(events, e)
	}
	return events, nil
}
