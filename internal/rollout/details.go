package rollout

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Details are the logs and events of a pod, or the events of the StatefulSet itself.
type Details struct {
	// Name is that of the pod or of the StatefulSet.
	Name string
	Logs []Log
	// Events are the last warnings about the object and its claims, the newest last.
	Events []Event
	// Notes say what could not be read.
	Notes []string
}

// Log is the end of a container's log.
type Log struct {
	Container string
	Lines     []string
}

// Event is a warning that the cluster has recorded.
type Event struct {
	Reason, Message string
	Count           int32 // how often it was recorded
	Last            time.Time
}

// String describes the event in one line.
func (e Event) String() string {
	text := e.Reason
	if e.Count > 1 {
		text += " (" + times(e.Count) + ")"
	}
	if message := truncated(oneLine(e.Message), maxMessage); message != "" {
		text += ": " + message
	}
	return text
}

// subject is an object whose details are wanted.
type subject struct {
	name       string
	uid        types.UID
	claims     []string
	containers []containerLog
}

// containerLog is a log whose end is wanted: that of the present run, or of the one
// before.
type containerLog struct {
	container string
	previous  bool
}

// detailReader reads the details of objects in one namespace.
type detailReader struct {
	events    dynamic.ResourceInterface
	logs      LogReader
	namespace string
}

// read returns the details of all subjects. It reads them at the same time, and leaves
// out those without any.
func (r detailReader) read(ctx context.Context, subjects []subject) []Details {
	all := make([]Details, len(subjects))
	var reading sync.WaitGroup
	for i, s := range subjects {
		all[i].Name = s.name
		reading.Go(func() {
			var ofLogs, ofEvents []string // notes
			var both sync.WaitGroup
			both.Go(func() { all[i].Logs, ofLogs = r.logsOf(ctx, s) })
			both.Go(func() { all[i].Events, ofEvents = r.eventsOf(ctx, s) })
			both.Wait()
			all[i].Notes = slices.Concat(ofLogs, ofEvents)
		})
	}
	reading.Wait()
	return slices.DeleteFunc(all, func(d Details) bool { return len(d.Events)+len(d.Logs)+len(d.Notes) == 0 })
}

func (r detailReader) logsOf(ctx context.Context, s subject) (logs []Log, notes []string) {
	if r.logs == nil {
		return nil, nil
	}
	for _, log := range s.containers {
		text, err := r.logs(ctx, r.namespace, s.name, log.container, log.previous, maxLogLines)
		if err != nil {
			notes = append(notes, fmt.Sprintf("the log of container %s could not be read: %v", log.container, timedOut(ctx, err)))
			continue
		}
		logs = append(logs, Log{Container: log.container, Lines: lastLines(text)})
	}
	return logs, notes
}

func (r detailReader) eventsOf(ctx context.Context, s subject) (last []Event, notes []string) {
	selectors := []fields.Selector{fields.OneTermEqualSelector("involvedObject.uid", string(s.uid))}
	for _, claim := range s.claims {
		selectors = append(selectors, fields.AndSelectors(
			fields.OneTermEqualSelector("involvedObject.kind", "PersistentVolumeClaim"),
			fields.OneTermEqualSelector("involvedObject.name", claim)))
	}
	var all []Event
	for _, selector := range selectors {
		events, err := r.warnings(ctx, selector)
		if err != nil {
			notes = append(notes, fmt.Sprintf("events could not be listed: %v", timedOut(ctx, err)))
			break
		}
		all = append(all, events...)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.Last.Compare(b.Last) })
	return all[max(0, len(all)-maxEvents):], notes
}

// warnings returns the events of type Warning about an object.
func (r detailReader) warnings(ctx context.Context, object fields.Selector) ([]Event, error) {
	list, err := r.events.List(ctx, metav1.ListOptions{
		FieldSelector: fields.AndSelectors(object, fields.OneTermEqualSelector("type", corev1.EventTypeWarning)).String(),
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
		events = append(events, eventOf(event))
	}
	return events, nil
}

// eventOf returns what counts of an event, by whichever version of the API it was recorded.
func eventOf(event *corev1.Event) Event {
	e := Event{Reason: event.Reason, Message: event.Message, Count: event.Count, Last: event.LastTimestamp.Time}
	if event.Series != nil {
		e.Count, e.Last = event.Series.Count, event.Series.LastObservedTime.Time
	}
	for _, at := range []time.Time{event.EventTime.Time, event.FirstTimestamp.Time, event.CreationTimestamp.Time} {
		if e.Last.IsZero() {
			e.Last = at
		}
	}
	return e
}

// timedOut replaces an error by a short one if it comes from a time-out of our own.
func timedOut(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errNoAnswer
	}
	return err
}

// lastLines returns the last lines of a log, without anything that would confuse a
// terminal.
func lastLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = printable(line); line != "" {
			lines = append(lines, truncated(line, maxLogLine))
		}
	}
	return lines[max(0, len(lines)-maxLogLines):]
}

// escapeSequence matches what colours a terminal.
var escapeSequence = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)

func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, escapeSequence.ReplaceAllString(line, ""))
	return strings.TrimRight(line, " ")
}

func truncated(text string, characters int) string {
	if runes := []rune(text); len(runes) > characters {
		return string(runes[:characters]) + "..."
	}
	return text
}
