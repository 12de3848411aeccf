package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PendingError says that the caller's context ended before the rollout did, and
// what the rollout was waiting for. [errors.Is] tells context.DeadlineExceeded,
// a time-out, from context.Canceled, an interrupt. Either way the rollout goes
// on in the cluster.
type PendingError struct {
	Namespace, Name string
	// Status is the last that was known.
	Status Status
	// Waited is for how long.
	Waited time.Duration
	// Details are what was found out about the objects it waited for.
	Details []Details
	// Notes say what could not be found out, such as pods that may not be read.
	Notes []string
	// Err is why the context ended.
	Err error
}

// FailedError says that pods of the newest revision fail, for longer than it
// would take to recover.
type FailedError struct {
	Namespace, Name string
	// Status is the last that was known.
	Status Status
	// Failures are what is wrong, in the order of the pods' ordinals.
	Failures []Failure
	// Waited is for how long.
	Waited time.Duration
	// Details are what was found out about the pods and claims that fail.
	Details []Details
	// Notes say what could not be found out.
	Notes []string
}

// Bounds of what an error says.
const (
	maxPods     = 5   // listed one by one
	maxMessage  = 600 // characters
	maxLogLine  = 300
	maxLogLines = 10
	maxEvents   = 5
)

func (e *PendingError) Error() string {
	return fmt.Sprintf("%s\nThe rollout goes on in the cluster; look further with: kubectl --namespace %s describe %s", e.Report(), e.Namespace, e.subject())
}

// Report is the error's text without what holds only as long as the rollout goes on.
func (e *PendingError) Report() string {
	var b strings.Builder
	if errors.Is(e.Err, context.Canceled) {
		fmt.Fprintf(&b, "StatefulSet %s/%s: waiting for its rollout was interrupted after %s", e.Namespace, e.Name, rounded(e.Waited))
	} else {
		fmt.Fprintf(&b, "StatefulSet %s/%s: its rollout did not complete within %s", e.Namespace, e.Name, rounded(e.Waited))
	}
	fmt.Fprintf(&b, ": %s", e.Status.Message)
	writeDetails(&b, e.Details, e.Name)
	for i, pod := range e.Status.Pending {
		if i == maxPods {
			fmt.Fprintf(&b, "\n  and %s more", podCount(int32(len(e.Status.Pending)-maxPods)))
			break
		}
		fmt.Fprintf(&b, "\n  %s", pod)
		writeDetails(&b, e.Details, pod.Name)
	}
	writeNotes(&b, e.Status, e.Notes)
	return b.String()
}

// subject is what to describe next: the first pod that is there.
func (e *PendingError) subject() string {
	for _, pod := range e.Status.Pending {
		if !pod.Missing {
			return "pod " + pod.Name
		}
	}
	return "statefulset " + e.Name
}

func (e *PendingError) Unwrap() error { return e.Err }

func (e *FailedError) Error() string {
	return fmt.Sprintf("%s\nLook further with: kubectl --namespace %s %s", e.Report(), e.Namespace, e.command())
}

// Report is the error's text without what holds only as long as the pods are there.
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
			fmt.Fprintf(&b, "\n  and %s more", podCount(int32(len(pods)-maxPods)))
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

// command is what to ask next: the log of a container that ran, and otherwise the
// description of the object.
func (e *FailedError) command() string {
	if len(e.Failures) == 0 {
		return "describe statefulset " + e.Name
	}
	f := e.Failures[0]
	switch {
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

// rounded is a time that one can read.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

// writeDetails writes what was found out about a pod, or about the StatefulSet.
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
	if len(status.Freed) > 0 {
		fmt.Fprintf(b, "\n  deleted, as the rollout was stuck on an older revision of: pod %s", strings.Join(status.Freed, ", "))
	}
	for _, note := range notes {
		fmt.Fprintf(b, "\n  (%s)", note)
	}
}

// DeletedError says that the StatefulSet is gone, or on its way out, so that
// there is no rollout to wait for.
type DeletedError struct {
	Namespace, Name string
	// Replaced says that another one of the same name has taken its place.
	Replaced bool
}

func (e *DeletedError) Error() string {
	if e.Replaced {
		return fmt.Sprintf("StatefulSet %s/%s was deleted and created anew by someone else while its rollout was waited for; plan again to see what is there now", e.Namespace, e.Name)
	}
	return fmt.Sprintf("StatefulSet %s/%s was deleted while its rollout was waited for; apply again to create it", e.Namespace, e.Name)
}
