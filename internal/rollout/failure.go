package rollout

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Failure is a problem of a pod that usually does not go away by itself.
type Failure struct {
	Pod string
	UID types.UID // of the pod; "" for one that could not be created
	// Container is the container that fails; "" for the pod as a whole.
	Container string
	// Image is the image of the container.
	Image string
	// Init reports whether Container is an init container.
	Init bool
	// Claim is the claim that is not bound; "" if the problem is another one.
	Claim string
	// Reason is a word from the status, for example "ImagePullBackOff", with two
	// exceptions: "OOMKilled" for a container in a crash loop that ran out of memory,
	// and "UnboundClaim", for which Kubernetes has no word.
	Reason string
	// Message is the status's explanation; it may be empty.
	Message string
	// ExitCode and Signal are those of the container's last run, if that has ended.
	// Signal is 0 if no signal ended it.
	ExitCode *int32
	Signal   int32
	// LastMessage is what the last run wrote to its termination log.
	LastMessage string
	// Restarts is how often the container was restarted.
	Restarts int32
	// Recurrences is how many pods of this name have ended this way, if that makes it
	// a failure.
	Recurrences int
	// Unschedulable reports whether the pod has no node, or its claim no volume. The
	// cluster may solve this in a few minutes, for example by adding a node, so the
	// longer [Options.UnschedulableGrace] applies.
	Unschedulable bool
}

// Reasons that the API has no constants for. Those of the kubelet are in
// pkg/kubelet/images/types.go, container/sync_result.go and
// kuberuntime/kuberuntime_container.go of kubernetes/kubernetes.
const (
	reasonCrashLoop    = "CrashLoopBackOff"
	reasonOOMKilled    = "OOMKilled"
	reasonUnboundClaim = "UnboundClaim"
)

// cannotStart are the reasons why a container waits and will not start.
var cannotStart = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "PreCreateHookError": true,
	"PreStartHookError": true, "RunContainerError": true, "PostStartHookError": true,
}

// isUncreated reports whether the pod does not exist.
func (f Failure) isUncreated() bool { return f.Reason == ReasonFailedCreate }

// isCrash reports whether the container ran and ended.
func (f Failure) isCrash() bool { return f.Container != "" && !cannotStart[f.Reason] }

// String describes the failure in one line.
func (f Failure) String() string {
	var b strings.Builder
	b.WriteString(f.brief())
	if message := truncated(oneLine(f.Message), maxMessage); message != "" {
		b.WriteString(": " + message)
	}
	if f.ExitCode != nil {
		fmt.Fprintf(&b, "; its last run ended with exit code %d", *f.ExitCode)
		if f.Signal > 0 {
			fmt.Fprintf(&b, ", by signal %d", f.Signal)
		}
		if said := truncated(oneLine(f.LastMessage), maxMessage); said != "" && said != oneLine(f.Message) {
			fmt.Fprintf(&b, " (%s)", said)
		}
	}
	if f.Restarts > 0 {
		b.WriteString("; restarted " + times(f.Restarts))
	}
	if f.Recurrences > 0 {
		fmt.Fprintf(&b, "; it happened to %d pods of this name in a row", f.Recurrences)
	}
	return b.String()
}

// brief returns what fails and the reason, without the explanation.
func (f Failure) brief() string {
	var b strings.Builder
	b.WriteString("pod " + f.Pod)
	if f.Container != "" {
		b.WriteString(", ")
		if f.Init {
			b.WriteString("init ")
		}
		b.WriteString("container " + f.Container)
		if f.Image != "" {
			b.WriteString(" (image " + f.Image + ")")
		}
	}
	if f.Claim != "" {
		b.WriteString(", claim " + f.Claim)
	}
	b.WriteString(": " + f.Reason)
	return b.String()
}

// failuresOf returns the present failures of the pods of the newest revision. Pods of
// older revisions cannot fail a rollout, because it replaces them. There are no
// failures before the StatefulSet controller has seen the newest generation. Nil
// claims mean that they are not known.
func failuresOf(sts *appsv1.StatefulSet, pods []corev1.Pod, claims []corev1.PersistentVolumeClaim) []Failure {
	var found []Failure
	for _, pod := range newestPods(sts, controlledBy(sts, pointers(pods))) {
		found = append(found, podFailures(pod, claims)...)
	}
	return found
}

func pointers[T any](items []T) []*T {
	if items == nil {
		return nil
	}
	pointers := make([]*T, len(items))
	for i := range items {
		pointers[i] = &items[i]
	}
	return pointers
}

// newestPods returns the pods of the newest revision that will stay, in the order of
// their ordinals.
func newestPods(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	if !isObserved(sts) {
		return nil
	}
	r := replicasOf(sts)
	var newest []*corev1.Pod
	for _, pod := range pods {
		if _, ok := r.index(pod.Name); ok && pod.DeletionTimestamp == nil && revisionOf(pod) == sts.Status.UpdateRevision {
			newest = append(newest, pod)
		}
	}
	slices.SortFunc(newest, func(a, b *corev1.Pod) int { return r.compare(a.Name, b.Name) })
	return newest
}

// isObserved reports whether the status describes the newest generation.
func isObserved(sts *appsv1.StatefulSet) bool {
	return sts.DeletionTimestamp == nil && sts.Status.ObservedGeneration >= sts.Generation && sts.Status.UpdateRevision != ""
}

func revisionOf(pod *corev1.Pod) string { return pod.Labels[appsv1.StatefulSetRevisionLabel] }

func isReady(pod *corev1.Pod) bool {
	ready := condition(pod, corev1.PodReady)
	return pod.Status.Phase == corev1.PodRunning && ready != nil && ready.Status == corev1.ConditionTrue
}

// podFailures returns the failures of one pod, of any revision.
func podFailures(pod *corev1.Pod, claims []corev1.PersistentVolumeClaim) []Failure {
	if isReady(pod) {
		return nil
	}
	if pod.Status.Phase == corev1.PodFailed {
		f := Failure{Reason: pod.Status.Reason, Message: pod.Status.Message}
		if f.Reason == "" {
			f.Reason = string(corev1.PodFailed)
		}
		return []Failure{f.of(pod)}
	}
	found := schedulingFailures(pod, claims)
	for _, status := range pod.Status.InitContainerStatuses {
		if f, ok := containerFailure(status); ok {
			f.Init = true
			found = append(found, f)
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if f, ok := containerFailure(status); ok {
			found = append(found, f)
		}
	}
	for i := range found {
		found[i] = found[i].of(pod)
	}
	return found
}

func (f Failure) of(pod *corev1.Pod) Failure {
	f.Pod, f.UID = pod.Name, pod.UID
	containers := pod.Spec.Containers
	if f.Init {
		containers = pod.Spec.InitContainers
	}
	if i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == f.Container }); i >= 0 {
		f.Image = containers[i].Image
	}
	return f
}

// unboundImmediate is a part of the scheduler's message for a pod with unbound claims
// of volumeBindingMode Immediate: ErrReasonUnboundImmediate of the volumebinding
// plugin.
const unboundImmediate = "unbound immediate PersistentVolumeClaims"

// selectedNode is the annotation that the scheduler sets on a claim with
// volumeBindingMode WaitForFirstConsumer once it has chosen a node for the pod. From
// then on the provisioner is waited for (k8s.io/component-helpers/storage/volume).
const selectedNode = "volume.kubernetes.io/selected-node"

// schedulingFailures returns the failures of a pod that has no node. An unbound claim
// is reported instead of the scheduler's message about it, unless the claim itself
// waits until the pod is scheduled.
func schedulingFailures(pod *corev1.Pod, claims []corev1.PersistentVolumeClaim) []Failure {
	if !isUnscheduled(pod) {
		return nil
	}
	scheduled := condition(pod, corev1.PodScheduled)
	isRefused := scheduled != nil && scheduled.Status == corev1.ConditionFalse
	var found []Failure
	for _, name := range claimsOf(pod) {
		i := slices.IndexFunc(claims, func(claim corev1.PersistentVolumeClaim) bool { return claim.Name == name })
		if i < 0 {
			continue
		}
		f := Failure{Claim: name, Reason: reasonUnboundClaim, Unschedulable: true}
		switch phase, isProvisioning := claims[i].Status.Phase, claims[i].Annotations[selectedNode] != ""; {
		case phase == corev1.ClaimLost:
			f.Message = "the volume that it was bound to is gone"
		case phase != corev1.ClaimPending:
			continue
		case isProvisioning:
			f.Message = "its volume is not provisioned"
		case isRefused && strings.Contains(scheduled.Message, unboundImmediate):
			f.Message = scheduled.Message
		default:
			continue
		}
		if class := claims[i].Spec.StorageClassName; class != nil && *class != "" {
			f.Message += " (StorageClass " + *class + ")"
		}
		found = append(found, f)
	}
	if len(found) == 0 && isRefused {
		found = append(found, Failure{Reason: scheduled.Reason, Message: scheduled.Message, Unschedulable: true})
	}
	return found
}

func isUnscheduled(pod *corev1.Pod) bool {
	scheduled := condition(pod, corev1.PodScheduled)
	return pod.Spec.NodeName == "" && (scheduled == nil || scheduled.Status != corev1.ConditionTrue) &&
		(pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "")
}

// claimsOf returns the names of the claims that a pod mounts, sorted.
func claimsOf(pod *corev1.Pod) []string {
	var names []string
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	slices.Sort(names)
	return names
}

// containerFailure returns the failure of one container; false if there is none.
func containerFailure(status corev1.ContainerStatus) (Failure, bool) {
	f := Failure{Container: status.Name, Restarts: status.RestartCount}
	last := status.LastTerminationState.Terminated
	switch waiting, ended := status.State.Waiting, status.State.Terminated; {
	case waiting != nil && cannotStart[waiting.Reason]:
		f.Reason, f.Message = waiting.Reason, waiting.Message
	case waiting != nil && waiting.Reason == reasonCrashLoop:
		f.Reason, f.Message = waiting.Reason, waiting.Message
		if last != nil && last.Reason == reasonOOMKilled {
			f.Reason = reasonOOMKilled
		}
	case ended != nil && (ended.ExitCode != 0 || ended.Signal != 0 || ended.Reason == reasonOOMKilled):
		f.Reason = ended.Reason
		if f.Reason == "" {
			f.Reason = "Error"
		}
		last = ended
	default:
		return Failure{}, false
	}
	if last != nil {
		f.ExitCode, f.Signal, f.LastMessage = &last.ExitCode, signalOf(last), last.Message
	}
	return f, true
}

// maxSignal is the highest number of a signal on Linux.
const maxSignal = 64

// signalOf returns the signal that ended a container; 0 for none. Kubelets leave the
// field for it empty, so it is taken from the exit code, which is 128 plus the number
// of the signal by convention.
func signalOf(ended *corev1.ContainerStateTerminated) int32 {
	if signal := ended.ExitCode - 128; ended.Signal == 0 && signal > 0 && signal <= maxSignal {
		return signal
	}
	return ended.Signal
}

// controlledBy returns the pods that a StatefulSet controls.
func controlledBy(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	var own []*corev1.Pod
	for _, pod := range pods {
		if metav1.IsControlledBy(pod, sts) {
			own = append(own, pod)
		}
	}
	return own
}
