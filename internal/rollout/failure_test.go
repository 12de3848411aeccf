package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// ended returns the state of a container that has ended.
func ended(reason string, code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code}}
}

// crashing returns the status of container mira between two runs.
func crashing(restarts int32, last corev1.ContainerState) corev1.ContainerStatus {
	status := waiting("CrashLoopBackOff", "back-off 10s restarting failed container")
	status.RestartCount, status.LastTerminationState = restarts, last
	return status
}

// running returns the status of container mira while it runs.
func running(restarts int32, ready bool) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: "mira", Ready: ready, RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
}

func initContainers(statuses ...corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.InitContainerStatuses = statuses }
}

func unscheduled(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message,
		}}
	}
}

// fresh makes a pod one that no scheduler and no kubelet has seen.
func fresh(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }

func mounts(claims ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, name := range claims {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			}})
		}
	}
}

func evicted(p *corev1.Pod) {
	p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}
}

func claim(
	name string, phase corev1.PersistentVolumeClaimPhase, changes ...func(*corev1.PersistentVolumeClaim),
) corev1.PersistentVolumeClaim {
	c := corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func nodeSelected(c *corev1.PersistentVolumeClaim) {
	c.Annotations = map[string]string{"volume.kubernetes.io/selected-node": "node-0"}
}

func storageClass(name string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &name }
}

const (
	noRoom    = "0/3 nodes are available: 3 Insufficient memory."
	immediate = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
)

func TestFailures(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sts := statefulSet(2, counts(2, 2, 1))
	tests := map[string]struct {
		sts    *appsv1.StatefulSet
		pods   []corev1.Pod
		claims []corev1.PersistentVolumeClaim
		says   []string
	}{
		"none": {
			pods: []corev1.Pod{pod(0, newest), pod(1, newest, unready(running(0, false)))},
		},
		"an image that cannot be pulled": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("ImagePullBackOff", "Back-off pulling image \"mira:3.1\":\nnot found")))},
			says: []string{`pod mira-acme-0, container mira: ImagePullBackOff: Back-off pulling image "mira:3.1": not found`},
		},
		"an image that could not be pulled a moment ago": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("ErrImagePull", "not found")))},
			says: []string{"pod mira-acme-0, container mira: ErrImagePull: not found"},
		},
		"an invalid image name": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("InvalidImageName", "couldn't parse image reference")))},
			says: []string{"pod mira-acme-0, container mira: InvalidImageName: couldn't parse image reference"},
		},
		"an image that is missing and must not be pulled": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("ErrImageNeverPull", "")))},
			says: []string{"pod mira-acme-0, container mira: ErrImageNeverPull"},
		},
		"a Secret that is missing": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("CreateContainerConfigError", `secret "mira" not found`)))},
			says: []string{`pod mira-acme-0, container mira: CreateContainerConfigError: secret "mira" not found`},
		},
		"a command that is missing": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("RunContainerError", `exec: "mira": not found`)))},
			says: []string{`pod mira-acme-0, container mira: RunContainerError: exec: "mira": not found`},
		},
		"a container that crashes": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(3, ended("Error", 2))))},
			says: []string{"pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; " +
				"its last run ended with exit code 2; restarted 3 times"},
		},
		"a container that a signal ended, with a termination message": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(1, corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 139, Signal: 11, Message: "segmentation\nfault"},
			})))},
			says: []string{"pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; " +
				"its last run ended with exit code 139, by signal 11 (segmentation fault); restarted once"},
		},
		"a container that ends without an error, over and over": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(5, ended("Completed", 0))))},
			says: []string{"pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; " +
				"its last run ended with exit code 0; restarted 5 times"},
		},
		"a container that has just ended with an error": {
			pods: []corev1.Pod{pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", State: ended("Error", 1)}))},
			says: []string{"pod mira-acme-0, container mira: Error; its last run ended with exit code 1"},
		},
		"a container that has just ended without one": {
			pods: []corev1.Pod{pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", State: ended("Completed", 0)}))},
		},
		"a container that runs out of memory again and again: reported instead of the loop": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(2, ended("OOMKilled", 137))))},
			says: []string{"pod mira-acme-0, container mira: OOMKilled: back-off 10s restarting failed container; " +
				"its last run ended with exit code 137, by signal 9; restarted 2 times"},
		},
		"a container that runs again after a crash": {
			pods: []corev1.Pod{pod(0, newest, unready(running(2, false)))},
		},
		"one container of two": {
			pods: []corev1.Pod{pod(0, newest, unready(
				corev1.ContainerStatus{Name: "caddy", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
				crashing(1, ended("Error", 1)),
			))},
			says: []string{"pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; " +
				"its last run ended with exit code 1; restarted once"},
		},
		"an init container that blocks the others": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("PodInitializing", "")), initContainers(
				corev1.ContainerStatus{Name: "prepare", State: ended("Completed", 0)},
				corev1.ContainerStatus{Name: "migrate", RestartCount: 1, State: ended("Error", 1)},
			))},
			says: []string{"pod mira-acme-0, init container migrate: Error; its last run ended with exit code 1; restarted once"},
		},
		"an init container whose image cannot be pulled": {
			pods: []corev1.Pod{
				pod(0, newest, pending, unready(waiting("PodInitializing", "")), initContainers(waiting("ImagePullBackOff", "not found"))),
			},
			says: []string{"pod mira-acme-0, init container mira: ImagePullBackOff: not found"},
		},
		"a sidecar that crashes": {
			pods: []corev1.Pod{pod(0, newest, unready(running(0, true)), initContainers(crashing(1, ended("Error", 1))), func(p *corev1.Pod) {
				p.Spec.InitContainers = []corev1.Container{{Name: "mira", RestartPolicy: &always}}
			})},
			says: []string{"pod mira-acme-0, init container mira: CrashLoopBackOff: back-off 10s restarting failed container; " +
				"its last run ended with exit code 1; restarted once"},
		},
		"no node for the pod": {
			pods: []corev1.Pod{pod(0, newest, unscheduled(noRoom))},
			says: []string{"unschedulable: pod mira-acme-0: Unschedulable: " + noRoom},
		},
		"a claim that cannot be bound": {
			pods:   []corev1.Pod{pod(0, newest, unscheduled(immediate), mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimPending, storageClass("none"))},
			says:   []string{"unschedulable: pod mira-acme-0, claim data: UnboundClaim: " + immediate + " (StorageClass none)"},
		},
		"a claim that is not known": {
			pods: []corev1.Pod{pod(0, newest, unscheduled(immediate), mounts("data"))},
			says: []string{"unschedulable: pod mira-acme-0: Unschedulable: " + immediate},
		},
		"a claim that waits for the pod, which has no node": {
			pods:   []corev1.Pod{pod(0, newest, unscheduled(noRoom), mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimPending)},
			says:   []string{"unschedulable: pod mira-acme-0: Unschedulable: " + noRoom},
		},
		"a claim that waited for the pod, and does not get a volume": {
			pods:   []corev1.Pod{pod(0, newest, fresh, mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimPending, nodeSelected)},
			says:   []string{"unschedulable: pod mira-acme-0, claim data: UnboundClaim: its volume is not provisioned"},
		},
		"a claim whose volume is gone": {
			pods:   []corev1.Pod{pod(0, newest, unscheduled("lost"), mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimLost)},
			says:   []string{"unschedulable: pod mira-acme-0, claim data: UnboundClaim: the volume that it was bound to is gone"},
		},
		"a claim that is bound": {
			pods:   []corev1.Pod{pod(0, newest, fresh, mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimBound)},
		},
		"a pod that has its node waits for no claim": {
			pods:   []corev1.Pod{pod(0, newest, fresh, mounts("data"), func(p *corev1.Pod) { p.Spec.NodeName = "node-0" })},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimPending, nodeSelected)},
		},
		"a pod that was evicted": {
			pods: []corev1.Pod{pod(0, newest, evicted)},
			says: []string{"pod mira-acme-0: Evicted: The node was low on resource: memory."},
		},
		"a pod of an older revision cannot fail a rollout": {
			pods: []corev1.Pod{pod(0, older, pending, unready(waiting("ImagePullBackOff", "")))},
		},
		"a pod that is being deleted cannot either": {
			pods: []corev1.Pod{pod(0, newest, deleting, unready(crashing(1, ended("Error", 1))))},
		},
		"nor can a surplus pod": {
			pods: []corev1.Pod{pod(7, newest, pending, unready(waiting("ImagePullBackOff", "")))},
		},
		"nor can a pod of another client": {
			pods: []corev1.Pod{pod(0, newest, ownedBy("globex"), pending, unready(waiting("ImagePullBackOff", "")))},
		},
		"the newest revision is not known yet": {
			sts:  statefulSet(1, func(s *appsv1.StatefulSet) { s.Generation = 5 }),
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("ImagePullBackOff", "")))},
		},
		"in the order of the ordinals": {
			sts: statefulSet(12),
			pods: []corev1.Pod{
				pod(10, newest, pending, unready(waiting("ErrImagePull", ""))),
				pod(9, newest, pending, unready(waiting("ErrImagePull", ""))),
			},
			says: []string{"pod mira-acme-9, container mira: ErrImagePull", "pod mira-acme-10, container mira: ErrImagePull"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.sts == nil {
				test.sts = sts
			}
			var got []string
			for _, f := range rollout.Failures(test.sts, test.pods, test.claims) {
				text := f.String()
				if f.Unschedulable {
					text = "unschedulable: " + text
				}
				if f.UID == "" {
					t.Errorf("no UID in %v", f)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.says, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
