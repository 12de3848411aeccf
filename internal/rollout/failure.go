package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Failure is something about a pod that does not mend itself as a rule.
type Failure struct {
	Pod string
	UID types.UID // of the pod
	// Container is the container it is about; "" for the pod as a whole.
	Container string
	// Image is what the container was to run.
	Image string
	// Init says that Container is an init container.
	Init bool
	// Claim is the claim that is not bound, if it is about one.
	Claim string
	// Reason is a word such as "ImagePullBackOff", as the status has it, with
	// two exceptions: "OOMKilled" for a container that crashes over and over for
	// want of memory, and "UnboundClaim", for which there is no word.
	Reason string
	// Message is what the status says beyond that; may be empty.
	Message string
	// ExitCode and Signal are those of the container's last run, if it ended;
	// Signal is 0 where there was none.
	ExitCode *int32
	Signal   int32
	// LastMessage is what the last run left in its termination log.
	LastMessage string
	// Restarts is how often the container was started again.
	Restarts int32
	// Recurred is how many pods of this name have ended this way, where it is
	// the recurrence that makes it a failure.
	Recurred int
	// Slow says that the cluster may well mend it in a few minutes, for example
	// by adding a node.
	Slow bool
}

// Reasons that the API has no constants for. Those of the kubelet are in
// pkg/kubelet/images/types.go, container/sync_result.go and
// kuberuntime/kuberuntime_container.go of kubernetes/kubernetes.
const (
	reasonCrashLoop    = "CrashLoopBackOff"
	reasonOOMKilled    = "OOMKilled"
	reasonUnboundClaim = "UnboundClaim"
)

// cannotStart are the reasons for which a container waits in vain.
var cannotStart = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "PreCreateHookError": true,
	"PreStartHookError": true, "RunContainerError": true, "PostStartHookError": true,
}

// isCrash says that the container ran, and ended.
func (f Failure) isCrash() bool { return f.Container != "" && !cannotStart[f.Reason] }

// String says it in one line.
func (f Failure) String() string {
	var b strings.Builder
	b.WriteString(f.brief())
	if message := bounded(oneLine(f.Message), maxMessage); message != "" {
		b.WriteString(": " + message)
	}
	if f.ExitCode != nil {
		fmt.Fprintf(&b, "; its last run ended with exit code %d", *f.ExitCode)
		if f.Signal > 0 {
			fmt.Fprintf(&b, ", by signal %d", f.Signal)
		}
		if said := bounded(oneLine(f.LastMessage), maxMessage); said != "" && said != oneLine(f.Message) {
			fmt.Fprintf(&b, " (%s)", said)
		}
	}
	if f.Restarts > 0 {
		b.WriteString("; restarted " + times(f.Restarts))
	}
	if f.Recurred > 0 {
		fmt.Fprintf(&b, "; it happened to %d pods of this name in a row", f.Recurred)
	}
	return b.String()
}

// brief says what fails and the reason, without what the server says beyond that.
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

// Failures tells what is wrong right now with the pods of the newest revision.
// Those of older revisions cannot fail a rollout: it is there to replace them.
// Nil claims mean that they are not known. Nothing is known as long as the
// StatefulSet controller has not seen the newest generation.
func Failures(sts *appsv1.StatefulSet, pods []corev1.Pod, claims []corev1.PersistentVolumeClaim) []Failure {
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

// newestPods picks the pods of the newest revision that are to stay, in the
// order of their ordinals.
func newestPods(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	if !isObserved(sts) {
		return nil
	}
	p := planOf(sts)
	var newest []*corev1.Pod
	for _, pod := range pods {
		if _, ok := p.index(pod.Name); ok && pod.DeletionTimestamp == nil && revisionOf(pod) == sts.Status.UpdateRevision {
			newest = append(newest, pod)
		}
	}
	p.sort(newest)
	return newest
}

func (p plan) sort(pods []*corev1.Pod) {
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		ordinalA, _ := p.ordinal(a.Name)
		ordinalB, _ := p.ordinal(b.Name)
		return cmp.Compare(ordinalA, ordinalB)
	})
}

// isObserved says that the status is about the newest generation.
func isObserved(sts *appsv1.StatefulSet) bool {
	return sts.DeletionTimestamp == nil && sts.Status.ObservedGeneration >= sts.Generation && sts.Status.UpdateRevision != ""
}

func revisionOf(pod *corev1.Pod) string { return pod.Labels[appsv1.StatefulSetRevisionLabel] }

func isReady(pod *corev1.Pod) bool {
	ready := condition(pod, corev1.PodReady)
	return pod.Status.Phase == corev1.PodRunning && ready != nil && ready.Status == corev1.ConditionTrue
}

// podFailures tells what is wrong with one pod, whatever its revision.
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

// unboundImmediate is in the scheduler's message for a pod whose claims do not
// wait for it: ErrReasonUnboundImmediate of the volumebinding plugin.
const unboundImmediate = "unbound immediate PersistentVolumeClaims"

// selectedNode is what the scheduler writes on a claim with volumeBindingMode
// WaitForFirstConsumer once it has a node for the pod: from then on it is the
// provisioner that is waited for (annotation of
// k8s.io/component-helpers/storage/volume).
const selectedNode = "volume.kubernetes.io/selected-node"

// schedulingFailures looks at a pod that no node has. An unbound claim goes
// before what the scheduler says about it, unless the claim itself waits for the
// pod to be scheduled.
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
		f := Failure{Claim: name, Reason: reasonUnboundClaim, Slow: true}
		switch phase, isWaitedFor := claims[i].Status.Phase, claims[i].Annotations[selectedNode] != ""; {
		case phase == corev1.ClaimLost:
			f.Message = "the volume that it was bound to is gone"
		case phase != corev1.ClaimPending:
			continue
		case isWaitedFor:
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
		found = append(found, Failure{Reason: scheduled.Reason, Message: scheduled.Message, Slow: true})
	}
	return found
}

func isUnscheduled(pod *corev1.Pod) bool {
	scheduled := condition(pod, corev1.PodScheduled)
	return pod.Spec.NodeName == "" && (scheduled == nil || scheduled.Status != corev1.ConditionTrue) &&
		(pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "")
}

// claimsOf names the claims that a pod mounts.
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

// containerFailure looks at one container.
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

// signalOf gives the signal that ended a container; 0 for none. No kubelet fills in
// the field for it: a shell's convention of 128 and the signal's number tells.
func signalOf(ended *corev1.ContainerStateTerminated) int32 {
	if signal := ended.ExitCode - 128; ended.Signal == 0 && signal > 0 && signal <= maxSignal {
		return signal
	}
	return ended.Signal
}

// controlledBy picks the pods of a StatefulSet.
func controlledBy(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	var own []*corev1.Pod
	for _, pod := range pods {
		if metav1.IsControlledBy(pod, sts) {
			own = append(own, pod)
		}
	}
	return own
}
