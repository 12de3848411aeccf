package rollout

import (
	"context"
	"errors"
	"fmt"
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
	// Notes say what could not be found out, such as pods that may not be read.
	Notes []string
	// Err is why the context ended.
	Err error
}

// maxPods bounds the pods that an error lists one by one.
const maxPods = 5

func (e *PendingError) Error() string {
	var b strings.Builder
	waited := e.Waited.Round(time.Second)
	if e.Waited < time.Second {
		waited = e.Waited.Round(time.Millisecond)
	}
	if errors.Is(e.Err, context.Canceled) {
		fmt.Fprintf(&b, "StatefulSet %s/%s: waiting for its rollout was interrupted after %s", e.Namespace, e.Name, waited)
	} else {
		fmt.Fprintf(&b, "StatefulSet %s/%s: its rollout did not complete within %s", e.Namespace, e.Name, waited)
	}
	fmt.Fprintf(&b, ": %s", e.Status.Message)
	for i, pod := range e.Status.Pending {
		if i == maxPods {
			fmt.Fprintf(&b, "\n  and %s more", podCount(int32(len(e.Status.Pending)-maxPods)))
			break
		}
		fmt.Fprintf(&b, "\n  %s", pod)
	}
	for _, note := range e.Notes {
		fmt.Fprintf(&b, "\n  (%s)", note)
	}
	fmt.Fprintf(&b, "\nThe rollout goes on in the cluster; look further with: kubectl --namespace %s describe %s", e.Namespace, e.subject())
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
