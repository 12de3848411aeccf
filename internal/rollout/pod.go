package rollout

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// PodStatus is a pod that a rollout waits for, and why.
type PodStatus struct {
	Name string
	// Missing reports whether the pod does not exist yet. All other fields are zero
	// then.
	Missing bool
	// Revision is the revision that the pod carries.
	Revision string
	// Updated reports whether that is the newest revision.
	Updated bool
	// ToBeReplaced reports whether the controller will replace the pod by one of the
	// newest revision.
	ToBeReplaced bool
	Phase        corev1.PodPhase
	// Ready reports whether the pod runs and is ready.
	Ready bool
	// Deleting reports whether the pod is being deleted.
	Deleting bool
	// Surplus reports whether the pod is outside the ordinals of the StatefulSet, so
	// that the controller will delete it.
	Surplus bool
	// Causes are the reasons why the pod is not ready, as far as its status says.
	Causes []Cause
	// UnboundClaims names the claims without a volume, for a pod that is not
	// scheduled. It is empty if the claims are not known.
	UnboundClaims []string
}

// Cause is one reason for a pod not to be ready.
type Cause struct {
	// Container is the container that is not ready; "" for the pod as a whole.
	Container string
	// Init reports whether Container is an init container.
	Init bool
	// Reason is a word from the status, for example "ImagePullBackOff" or
	// "Unschedulable"; "NotReady" for a container that runs but is not ready.
	Reason string
	// Message is the status's explanation; it may be empty.
	Message string
	// ExitCode is that of the container's last run, if that has ended.
	ExitCode *int32
	// Restarts is how often the container was restarted.
	Restarts int32
}

// notReady is our reason for a container that runs but is not ready: the kubelet has
// no word for it.
const notReady = "NotReady"

// String describes the cause in one line.
func (c Cause) String() string {
	var b strings.Builder
	if c.Container != "" {
		if c.Init {
			b.WriteString("init ")
		}
		fmt.Fprintf(&b, "container %s: ", c.Container)
	}
	b.WriteString(c.Reason)
	if message := oneLine(c.Message); message != "" {
		b.WriteString(": " + message)
	}
	if c.ExitCode != nil {
		fmt.Fprintf(&b, ", last exit code %d", *c.ExitCode)
	}
	if c.Restarts > 0 {
		fmt.Fprintf(&b, ", restarted %s", times(c.Restarts))
	}
	return b.String()
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// oneLine replaces the line breaks that container runtimes put into messages.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// String says in one line why the rollout waits for the pod.
func (p PodStatus) String() string {
	var parts []string
	switch {
	case p.Missing:
		parts = append(parts, "not created yet")
	case p.Surplus && !p.Deleting:
		parts = append(parts, "surplus, to be deleted")
	case p.Deleting:
		parts = append(parts, "being deleted")
	case p.ToBeReplaced:
		parts = append(parts, "to be replaced, still at revision "+p.Revision)
	case p.Phase != "" && p.Phase != corev1.PodRunning:
		parts = append(parts, string(p.Phase))
	}
	if !p.Surplus && !p.Deleting {
		for _, cause := range p.Causes {
			parts = append(parts, cause.String())
		}
	}
	for _, claim := range p.UnboundClaims {
		parts = append(parts, "claim "+claim+" is not bound")
	}
	if len(parts) == 0 {
		parts = append(parts, "not ready")
	}
	return "pod " + p.Name + ": " + strings.Join(parts, "; ")
}

// state names the pod and the state that it is in, without what the server says about
// it.
func (p PodStatus) state() string {
	switch {
	case p.Missing:
		return p.Name + ": not created yet"
	case p.Deleting:
		return p.Name + ": being deleted"
	case p.Surplus, p.ToBeReplaced:
		return p.Name + ": to be deleted"
	case p.Ready:
		return p.Name + ": ready"
	}
	return fmt.Sprintf("%s: %s, not ready", p.Name, p.Phase)
}

// podStatus returns the status of one pod. revision is the newest one.
func podStatus(pod *corev1.Pod, revision string, claims []corev1.PersistentVolumeClaim) PodStatus {
	s := PodStatus{
		Name:     pod.Name,
		Revision: revisionOf(pod),
		Phase:    pod.Status.Phase,
		Deleting: pod.DeletionTimestamp != nil,
	}
	s.Updated = s.Revision == revision
	s.Ready = isReady(pod)
	if !s.Ready {
		s.Causes = causes(pod)
	}
	if claims != nil && isUnscheduled(pod) {
		s.UnboundClaims = unboundClaims(pod, claims)
	}
	return s
}

func unboundClaims(pod *corev1.Pod, claims []corev1.PersistentVolumeClaim) (unbound []string) {
	for _, name := range claimsOf(pod) {
		if !slices.ContainsFunc(claims, func(claim corev1.PersistentVolumeClaim) bool {
			return claim.Name == name && claim.Status.Phase == corev1.ClaimBound
		}) {
			unbound = append(unbound, name)
		}
	}
	return unbound
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// causes returns why a pod is not ready, in the order of a pod's life: scheduling, init
// containers, containers.
func causes(pod *corev1.Pod) []Cause {
	var found []Cause
	if pod.Status.Reason != "" { // Evicted, NodeLost, DeadlineExceeded
		found = append(found, Cause{Reason: pod.Status.Reason, Message: pod.Status.Message})
	}
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		found = append(found, Cause{Reason: c.Reason, Message: c.Message})
	}
	for _, status := range pod.Status.InitContainerStatuses {
		if cause, ok := initCause(pod, status); ok {
			found = append(found, cause)
		}
	}
	blocked := len(found) > 0
	for _, status := range pod.Status.ContainerStatuses {
		if cause, ok := containerCause(status); ok && (!blocked || cause.Reason != podInitializing) {
			found = append(found, cause)
		}
	}
	if len(found) == 0 {
		// For example a readiness gate, or a node that does not answer.
		for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
			if c := condition(pod, kind); c != nil && c.Status != corev1.ConditionTrue && c.Reason != "" {
				return []Cause{{Reason: c.Reason, Message: c.Message}}
			}
		}
	}
	return found
}

// podInitializing is the kubelet's reason for containers that wait for init
// containers.
const podInitializing = "PodInitializing"

// initCause returns why an init container holds up its pod. It returns false for those
// that do not: those that have succeeded, those that wait for an earlier one, and
// sidecars (KEP-753) that are ready.
func initCause(pod *corev1.Pod, status corev1.ContainerStatus) (Cause, bool) {
	switch {
	case status.State.Terminated != nil && status.State.Terminated.ExitCode == 0,
		status.State.Waiting != nil && status.State.Waiting.Reason == podInitializing:
		return Cause{}, false
	case status.State.Running != nil:
		if isSidecar(pod, status.Name) && status.Started != nil && *status.Started {
			return withLastRun(Cause{Container: status.Name, Init: true, Reason: notReady}, status), !status.Ready
		}
		return withLastRun(Cause{Container: status.Name, Init: true, Reason: "Running"}, status), true
	}
	cause, ok := containerCause(status)
	cause.Init = true
	return cause, ok
}

func isSidecar(pod *corev1.Pod, container string) bool {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == container {
			return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
	}
	return false
}

func containerCause(status corev1.ContainerStatus) (Cause, bool) {
	cause := Cause{Container: status.Name}
	switch state := status.State; {
	case state.Waiting != nil && state.Waiting.Reason != "":
		cause.Reason, cause.Message = state.Waiting.Reason, state.Waiting.Message
	case state.Terminated != nil:
		cause.Reason, cause.Message = state.Terminated.Reason, state.Terminated.Message
		if cause.Reason == "" {
			cause.Reason = "Terminated"
		}
		cause.ExitCode = &state.Terminated.ExitCode
		cause.Restarts = status.RestartCount
		return cause, true
	case state.Running != nil && !status.Ready:
		cause.Reason = notReady
	default:
		return Cause{}, false
	}
	return withLastRun(cause, status), true
}

func withLastRun(cause Cause, status corev1.ContainerStatus) Cause {
	cause.Restarts = status.RestartCount
	if last := status.LastTerminationState.Terminated; last != nil {
		cause.ExitCode = &last.ExitCode
	}
	return cause
}
