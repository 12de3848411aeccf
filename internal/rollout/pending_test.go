package rollout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func TestWaitSaysWhatIsPendingWhenTheContextEnds(t *testing.T) {
	unscheduled := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: "Unschedulable", Message: "pod has unbound immediate PersistentVolumeClaims",
		}}
		mounts("data-mira-acme-0", "cache-mira-acme-0", "gone-mira-acme-0")(p)
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{
			Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		})
	}
	claim := func(name string, phase corev1.PersistentVolumeClaimPhase) answer {
		return object(corev1.PersistentVolumeClaim{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
		})
	}
	tests := map[string]struct {
		script script
		lost   bool
		says   string
	}{
		"an image that cannot be pulled, beside another client's pod": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				pods: []answer{podList(
					pod(0, newest, pending, unready(waiting("ImagePullBackOff", `Back-off pulling image "mira:3.1"`))),
					pod(1, newest, ownedBy("globex"), pending, unready(waiting("ErrImagePull", ""))),
				)},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; container mira: ImagePullBackOff: Back-off pulling image "mira:3.1"
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"claims that are not bound": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				pods: []answer{podList(pod(0, newest, pending, unscheduled))},
				claims: []answer{
					claim("cache-mira-acme-0", corev1.ClaimBound), claim("data-mira-acme-0", corev1.ClaimPending),
					status(404, metav1.StatusReasonNotFound, "not found"),
				},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; Unschedulable: pod has unbound immediate PersistentVolumeClaims; ` +
				`claim data-mira-acme-0 is not bound; claim gone-mira-acme-0 is not bound
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"claims that may not be read": {
			script: script{
				list:   []answer{listed(at("100", counts(1, 1, 0)))},
				watch:  []answer{stream()},
				pods:   []answer{podList(pod(0, newest, pending, unscheduled))},
				claims: []answer{status(403, metav1.StatusReasonForbidden, "persistentvolumeclaims is forbidden")},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; Unschedulable: pod has unbound immediate PersistentVolumeClaims
  (claims could not be read: persistentvolumeclaims is forbidden)
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"pods that may not be listed": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				pods: []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  (the reason is not known, because the pods could not be listed: pods is forbidden)
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
		"more pods than an error describes": {
			script: script{
				list: []answer{listed(statefulSet(7, counts(1, 1, 0)))},
				pods: []answer{podList(pod(0, newest, pending))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 1 of 7 pods updated to revision mira-acme-new
  pod mira-acme-0: Pending
  pod mira-acme-1: not created yet
  pod mira-acme-2: not created yet
  pod mira-acme-3: not created yet
  pod mira-acme-4: not created yet
  and 2 more pods
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"a pod that cannot be created": {
			script: script{
				list:   []answer{listed(at("100", counts(0, 0, 0)))},
				events: []answer{eventList(warning("acme", "FailedCreate", "create Pod mira-acme-0 failed: exceeded quota: pods", 7, 1))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod updated to revision mira-acme-new
    events:
      FailedCreate (7 times): create Pod mira-acme-0 failed: exceeded quota: pods
  pod mira-acme-0: not created yet
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
		"a pod whose volume cannot be mounted": {
			script: script{
				list:   []answer{listed(at("100", counts(1, 1, 0)))},
				pods:   []answer{podList(pod(0, newest, pending, unready(waiting("ContainerCreating", ""))))},
				events: []answer{eventList(warning("", "FailedMount", `secret "mira-tls" not found`, 1, 1))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; container mira: ContainerCreating
    events:
      FailedMount: secret "mira-tls" not found
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"a controller that does not run": {
			script: script{
				list: []answer{listed(at("100", func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 }))},
				pods: []answer{podList(pod(0, older))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: ` +
				`the StatefulSet controller has not seen generation 4 yet, only 3
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that never shows the write": {
			script: script{
				list: []answer{listed(at("99", func(s *appsv1.StatefulSet) { s.Generation, s.Status.ObservedGeneration = 3, 3 }))},
				pods: []answer{podList(pod(0, newest))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: ` +
				`the server still shows generation 3 of the StatefulSet, not 4
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that has become unreachable": {
			script: script{
				list:  []answer{listed(at("100", counts(1, 1, 0))), down},
				watch: []answer{drop()},
				pods:  []answer{down},
			},
			lost: true,
			says: `StatefulSet default/mira-acme: the outcome of its rollout is not known after 10m0s, ` +
				`because contact with the API server was lost; last seen: 0 of 1 pod ready
  (the API server could not be reached: Get "https://script.test/apis/apps/v1/namespaces/default/statefulsets/mira-acme": ` +
				`connection refused)
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that has stopped answering": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				get:  []answer{hang},
				pods: []answer{podList(pod(0, newest, pending))},
			},
			lost: true,
			says: `StatefulSet default/mira-acme: the outcome of its rollout is not known after 10m0s, ` +
				`because contact with the API server was lost; last seen: 0 of 1 pod ready
  pod mira-acme-0: Pending
    (events could not be listed: no answer in time)
  (the API server could not be reached: no answer in time)
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"a server that was unreachable for a while": {
			script: script{
				list:     []answer{listed(at("100", counts(1, 1, 0)))},
				pods:     []answer{podList(pod(0, newest, pending))},
				podWatch: []answer{drop(), down, down, down, stream()},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"a server that was never reachable": {
			script: script{list: []answer{down}},
			lost:   true,
			says: `StatefulSet default/mira-acme: the outcome of its rollout is not known after 10m0s, ` +
				`because contact with the API server was lost; last seen: the StatefulSet has not been read yet
  (the API server could not be reached: Get "https://script.test/apis/apps/v1/namespaces/default/statefulsets/mira-acme": ` +
				`connection refused)
The rollout goes on in the cluster. For details, run:
  kubectl --namespace default describe statefulset mira-acme`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				got, err := server.wait(minutes(t), 4, patient)
				var failed *rollout.PendingError
				if !errors.As(err, &failed) {
					t.Fatalf("got %v, want a PendingError", err)
				}
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Errorf("%#v is not a time-out", failed.Err)
				}
				if failed.Namespace != "default" || failed.Name != "mira-acme" || failed.Waited != 10*time.Minute {
					t.Errorf("got %#v", failed)
				}
				if failed.ContactLost != test.lost || failed.IsOutcomeUnknown() != test.lost {
					t.Errorf("contact lost %t, outcome unknown %t, want %t", failed.ContactLost, failed.IsOutcomeUnknown(), test.lost)
				}
				if diff := cmp.Diff(got, failed.Status); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.says, err.Error()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWaitReturnsQuicklyWhenItIsInterrupted(t *testing.T) {
	tests := map[string]struct {
		pods   answer
		says   string
		within time.Duration
	}{
		"and says what is pending": {
			podList(pod(0, newest, pending, unready())), "\n  pod mira-acme-0: Pending\n", 0,
		},
		"even if the server has stopped answering": {
			hang, "the server has not answered with the pods yet", 3 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script{
					list: []answer{listed(at("100", counts(1, 1, 0)))}, pods: []answer{test.pods},
				}.serve(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				interrupt := errors.New("the operator pressed Ctrl-C")
				time.AfterFunc(2*time.Second, func() { cancel(interrupt) })
				start := time.Now()
				_, err := server.wait(ctx, 4)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, interrupt) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %#v", err)
				}
				if after := time.Since(start) - 2*time.Second; after > test.within {
					t.Errorf("returned %s after the interrupt", after)
				}
				if !strings.Contains(err.Error(), "interrupted after 2s: 0 of 1 pod ready") || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
