package rollout_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func TestStatusSaysWhatEachPodIsWaitedFor(t *testing.T) {
	exit := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error"}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	started, always := true, corev1.ContainerRestartPolicyAlways
	withCondition := func(c corev1.PodCondition) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{c} }
	}
	withInit := func(statuses ...corev1.ContainerStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.InitContainerStatuses = statuses }
	}

	tests := map[string]struct {
		pod  corev1.Pod
		says string
	}{
		"an image that cannot be pulled": {
			pod(0, newest, pending, unready(waiting("ImagePullBackOff", "Back-off pulling image \"mira:3.1\":\n not found"))),
			`pod mira-acme-0: Pending; container mira: ImagePullBackOff: Back-off pulling image "mira:3.1": not found`,
		},
		"a container that crashes over and over": {
			pod(0, newest, unready(corev1.ContainerStatus{
				Name: "mira", RestartCount: 4, LastTerminationState: exit(137),
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			})),
			"pod mira-acme-0: container mira: CrashLoopBackOff, last exit code 137, restarted 4 times",
		},
		"a container that has just ended": {
			pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", RestartCount: 1, State: exit(2)})),
			"pod mira-acme-0: container mira: Error, last exit code 2, restarted once",
		},
		"a container that runs and is not ready": {
			pod(0, newest, unready(
				corev1.ContainerStatus{Name: "mira", State: running}, corev1.ContainerStatus{Name: "caddy", State: running, Ready: true},
			)),
			"pod mira-acme-0: container mira: NotReady",
		},
		"no node for the pod": {
			pod(0, newest, pending, withCondition(corev1.PodCondition{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason: "Unschedulable", Message: "0/3 nodes are available: insufficient memory.",
			})),
			"pod mira-acme-0: Pending; Unschedulable: 0/3 nodes are available: insufficient memory.",
		},
		"an init container that fails": {
			pod(0, newest, pending, unready(waiting("PodInitializing", "")), withInit(
				corev1.ContainerStatus{Name: "prepare", State: exit(0)},
				corev1.ContainerStatus{Name: "migrate", State: exit(1), RestartCount: 2},
				corev1.ContainerStatus{Name: "warm", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}},
			)),
			"pod mira-acme-0: Pending; init container migrate: Error, last exit code 1, restarted 2 times",
		},
		"an init container that takes its time": {
			pod(0, newest, pending, unready(waiting("PodInitializing", "")), withInit(corev1.ContainerStatus{Name: "migrate", State: running})),
			"pod mira-acme-0: Pending; init container migrate: Running",
		},
		"a sidecar that runs is not what is waited for": {
			pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", State: running}),
				withInit(corev1.ContainerStatus{Name: "caddy", State: running, Started: &started, Ready: true}),
				func(p *corev1.Pod) {
					p.Spec.InitContainers = []corev1.Container{{Name: "caddy", RestartPolicy: &always}}
				}),
			"pod mira-acme-0: container mira: NotReady",
		},
		"a sidecar that is not ready is": {
			pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", State: running, Ready: true}),
				withInit(corev1.ContainerStatus{Name: "caddy", State: running, Started: &started}),
				func(p *corev1.Pod) {
					p.Spec.InitContainers = []corev1.Container{{Name: "caddy", RestartPolicy: &always}}
				}),
			"pod mira-acme-0: init container caddy: NotReady",
		},
		"a readiness gate": {
			pod(0, newest, withCondition(corev1.PodCondition{
				Type: corev1.PodReady, Status: corev1.ConditionFalse,
				Reason: "ReadinessGatesNotReady", Message: "the status of pod readiness gate \"lb\" is not \"True\"",
			})),
			`pod mira-acme-0: ReadinessGatesNotReady: the status of pod readiness gate "lb" is not "True"`,
		},
		"a pod that was evicted": {
			pod(0, newest, unready(), func(p *corev1.Pod) {
				p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: memory."
			}),
			"pod mira-acme-0: Failed; Evicted: The node was low on resource: memory.",
		},
		"a pod that has just been created": {
			pod(0, newest, func(p *corev1.Pod) { p.Status = corev1.PodStatus{} }),
			"pod mira-acme-0: not ready",
		},
		"a pod that is being deleted, whose containers do not matter any more": {
			pod(0, newest, deleting, unready(waiting("CrashLoopBackOff", ""))),
			"pod mira-acme-0: being deleted",
		},
		"a pod of the former revision": {
			pod(0, older),
			"pod mira-acme-0: to be replaced, still at revision mira-acme-old",
		},
		"a pod of the former revision that is broken, so that OrderedReady never replaces it": {
			pod(0, older, unready(waiting("ImagePullBackOff", "no such image"))),
			"pod mira-acme-0: to be replaced, still at revision mira-acme-old; container mira: ImagePullBackOff: no such image",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status := rollout.StatusOf(statefulSet(1, counts(1, 0, 0)), []corev1.Pod{test.pod}, nil)
			if len(status.Pending) != 1 {
				t.Fatalf("waits for %v", status.Pending)
			}
			if got := status.Pending[0].String(); got != test.says {
				t.Errorf("got  %s\nwant %s", got, test.says)
			}
		})
	}
}

func TestStatusNamesUnboundClaims(t *testing.T) {
	held := pod(0, newest, unscheduled(immediate), mounts("bound", "pending", "absent"))
	claims := []corev1.PersistentVolumeClaim{
		claim("pending", corev1.ClaimPending), claim("bound", corev1.ClaimBound), claim("other", corev1.ClaimPending),
	}
	tests := map[string]struct {
		pod    corev1.Pod
		claims []corev1.PersistentVolumeClaim
		says   string
	}{
		"a pod that no node has": {
			held, claims, "pod mira-acme-0: Pending; Unschedulable: " + immediate + "; claim absent is not bound; claim pending is not bound",
		},
		"claims that are not known": {
			held, nil, "pod mira-acme-0: Pending; Unschedulable: " + immediate,
		},
		"a pod that has its node": {
			pod(0, newest, fresh, mounts("pending"), func(p *corev1.Pod) { p.Spec.NodeName = "node-0" }), claims, "pod mira-acme-0: Pending",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pending := rollout.StatusOf(statefulSet(1, counts(1, 1, 0)), []corev1.Pod{test.pod}, test.claims).Pending
			if len(pending) != 1 || pending[0].String() != test.says {
				t.Errorf("got  %v\nwant %s", pending, test.says)
			}
		})
	}
}
