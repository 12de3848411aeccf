package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PendingError says that the caller's context ended before the rollout did, and what the
// rollout was waiting for. [errors.Is] tells a time-out, context.DeadlineExceeded, from
// an interrupt, context.Canceled. Either way the rollout goes on in the cluster.
type PendingError struct {
	Namespace, Name string
	// Status is the last known status.
	Status Status
	// Waited is how long the wait lasted.
	Waited time.Duration
	// Details are further findings about the pods and claims that were waited for.
	Details []Details
	// Notes say what could not be found out, for example because the right to list pods
	// is missing.
	Notes []string
	// ContactLost reports whether the server could not be reached at the end. The status
	// is older then.
	ContactLost bool
	// Soaking reports whether all pods were ready in the end, with no restart since then,
	// but not for the time of the soak.
	Soaking bool
	// Err is why the context ended.
	Err error
}

// IsOutcomeUnknown reports whether the rollout may succeed as well as fail, because the
// wait has ended before that could be seen. Otherwise it has not succeeded in time.
func (e *PendingError) IsOutcomeUnknown() bool {
	return e.ContactLost || e.Soaking || !errors.Is(e.Err, context.DeadlineExceeded)
}

// FailedError says that pods of the newest revision fail, and have done so for longer
// than their grace.
type FailedError struct {
	Namespace, Name string
	// Status is the last known status.
	Status Status
	// Failures are the failures of the pods, in the order of their ordinals.
	Failures []Failure
	// Waited is how long the wait lasted.
	Waited time.Duration
	// Details are further findings about the pods and claims that fail.
	Details []Details
	// Notes say what could not be found out.
	Notes []string
}

// DeletedError says that the StatefulSet was deleted, or is being deleted, so that there
// is no rollout to wait for.
type DeletedError struct {
	Namespace, Name string
	// Replaced reports whether another StatefulSet of the same name exists now.
	Replaced bool
}

// Limits of an error's text.
const (
	maxPods     = 5   // described one by one
	maxMessage  = 600 // characters
	maxLogLine  = 300
	maxLogLines = 10
	maxEvents   = 5
)

// Error is the report with advice on how to look further.
func (e *PendingError) Error() string {
	return fmt.Sprintf("%s\nThe rollout goes on in the cluster. For details, run:\n  kubectl --namespace %s describe %s",
		e.Report(), e.Namespace, e.subject())
}

// Report returns the error's text without the advice that holds only while the rollout
// goes on.
func (e *PendingError) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "StatefulSet %s/%s: ", e.Namespace, e.Name)
	switch {
	case errors.Is(e.Err, context.Canceled):
		fmt.Fprintf(&b, "waiting for its rollout was interrupted after %s: %s", rounded(e.Waited), e.Status.Message)
	case e.ContactLost:
		fmt.Fprintf(&b, "the outcome of its rollout is not known after %s, because contact with the API server was lost; last seen: %s",
			rounded(e.Waited), e.Status.Message)
	default:
		fmt.Fprintf(&b, "its rollout did not complete within %s: %s", rounded(e.Waited), e.Status.Message)
	}
	writeDetails(&b, e.Details, e.Name)
	for i, pod := range e.Status.Pending {
		if i == maxPods {
			fmt.Fprintf(&b, "\n  and %s", morePods(len(e.Status.Pending)-maxPods))
			break
		}
		fmt.Fprintf(&b, "\n  %s", pod)
		writeDetails(&b, e.Details, pod.Name)
	}
	writeNotes(&b, e.Status, e.Notes)
	return b.String()
}

// subject is the object that the advice names: the first pending pod that exists.
func (e *PendingError) subject() string {
	for _, pod := range e.Status.Pending {
		if !pod.Missing {
			return "pod " + pod.Name
		}
	}
	return "statefulset " + e.Name
}

// Unwrap returns why the context ended.
func (e *PendingError) Unwrap() error { return e.Err }

// Reason says in one line what the rollout was waiting for.
func (e *PendingError) Reason() string {
	switch {
	case errors.Is(e.Err, context.Canceled):
		return fmt.Sprintf("waiting for it was interrupted after %s", rounded(e.Waited))
	case e.ContactLost:
		return "contact with the API server was lost"
	}
	reason := fmt.Sprintf("it did not complete within %s: %s", rounded(e.Waited), e.Status.Message)
	if len(e.Status.Pending) > 0 {
		reason += "; " + e.Status.Pending[0].String()
	}
	return reason
}

// Error is the report with advice on how to look further.
func (e *FailedError) Error() string {
	return fmt.Sprintf("%s\nFor details, run:\n  kubectl --namespace %s %s", e.Report(), e.Namespace, e.command())
}

// Report returns the error's text without the advice that holds only while the pods
// exist.
func (e *FailedError) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "StatefulSet %s/%s: its rollout failed after %s: %s", e.Namespace, e.Name, rounded(e.Waited), e.Status.Message)
	var pods []string
	for _, f := range e.Failures {
		if !slices.Contains(pods, f.Pod) {
			pods = append(pods, f.Pod)
		}
	}
	for i, pod := range pods {
		if i == maxPods {
			fmt.Fprintf(&b, "\n  and %s", morePods(len(pods)-maxPods))
			break
		}
		for _, f := range e.Failures {
			if f.Pod == pod {
				fmt.Fprintf(&b, "\n  %s", f)
			}
		}
		writeDetails(&b, e.Details, pod)
	}
	writeNotes(&b, e.Status, e.Notes)
	return b.String()
}

// Reason says in one line why the rollout failed: because of the first of the failures.
func (e *FailedError) Reason() string {
	if len(e.Failures) == 0 {
		return e.Status.Message
	}
	reason := e.Failures[0].brief()
	if code := e.Failures[0].ExitCode; code != nil {
		reason += fmt.Sprintf(", exit code %d", *code)
	}
	if e.Failures[0].isUncreated() {
		reason += ": " + truncated(oneLine(e.Failures[0].Message), maxMessage)
	}
	return reason
}

// command is the kubectl command that the advice names: it shows the log of a container
// that ran, and otherwise describes the object.
func (e *FailedError) command() string {
	if len(e.Failures) == 0 {
		return "describe statefulset " + e.Name
	}
	f := e.Failures[0]
	switch {
	case f.isUncreated():
		return "describe statefulset " + e.Name
	case f.Claim != "":
		return "describe persistentvolumeclaim " + f.Claim
	case f.isCrash():
		command := fmt.Sprintf("logs %s --container %s", f.Pod, f.Container)
		if f.Restarts > 0 {
			command += " --previous"
		}
		return command
	}
	return "describe pod " + f.Pod
}

func morePods(n int) string {
	if n == 1 {
		return "1 more pod"
	}
	return fmt.Sprintf("%d more pods", n)
}

// rounded returns a duration with as many digits as a reader needs.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

// writeDetails writes the details of a pod or of the StatefulSet.
func writeDetails(b *strings.Builder, all []Details, name string) {
	for _, d := range all {
		if d.Name != name {
			continue
		}
		for _, log := range d.Logs {
			if len(log.Lines) == 0 {
				fmt.Fprintf(b, "\n    the log of container %s is empty", log.Container)
				continue
			}
			fmt.Fprintf(b, "\n    last lines of the log of container %s:", log.Container)
			for _, line := range log.Lines {
				fmt.Fprintf(b, "\n      %s", line)
			}
		}
		for i, event := range d.Events {
			if i == 0 {
				b.WriteString("\n    events:")
			}
			fmt.Fprintf(b, "\n      %s", event)
		}
		for _, note := range d.Notes {
			fmt.Fprintf(b, "\n    (%s)", note)
		}
	}
}

func writeNotes(b *strings.Builder, status Status, notes []string) {
	if len(status.DeletedPods) > 0 {
		fmt.Fprintf(b, "\n  deleted because the rollout was stuck on an older revision: pod %s", strings.Join(status.DeletedPods, ", "))
	}
	for _, note := range notes {
		fmt.Fprintf(b, "\n  (%s)", note)
	}
}

// Error names the StatefulSet and says what to do.
func (e *DeletedError) Error() string {
	if e.Replaced {
		return fmt.Sprintf("StatefulSet %s/%s was deleted during its rollout, and another one of the same name exists now; "+
			"plan again to see its state", e.Namespace, e.Name)
	}
	return fmt.Sprintf("StatefulSet %s/%s was deleted during its rollout; apply again to create it", e.Namespace, e.Name)
}
