package rollout_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// untyped returns an object as a list has it.
func untyped(t *testing.T, object any) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: fields}
}

// failingPod makes a pod one whose container mira has a status.
func failingPod(status corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{status}}
		p.Spec.NodeName = "node"
	}
}

// refused is the event of a pod that could not be created.
func refused(pod, why string, minute int) corev1.Event {
	return corev1.Event{
		Reason: rollout.ReasonFailedCreate, Message: "create Pod " + pod + " in StatefulSet mira-acme failed error: " + why,
		LastTimestamp: metav1.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC),
	}
}

func TestHealthOf(t *testing.T) {
	badPull := failingPod(waiting("ImagePullBackOff", "back-off pulling image"))
	for _, test := range []struct {
		name   string
		set    *appsv1.StatefulSet
		pods   []corev1.Pod // nil: not known
		claims []corev1.PersistentVolumeClaim
		events []corev1.Event
		want   rollout.HealthState
		reason string // part of it
	}{
		{name: "ready", set: statefulSet(2), pods: []corev1.Pod{pod(0, newest), pod(1, newest)}, want: rollout.HealthReady},
		{name: "ready, pods not known", set: statefulSet(2), want: rollout.HealthReady},
		{name: "stopped", set: statefulSet(0), pods: []corev1.Pod{}, want: rollout.HealthStopped},
		{
			name: "stopping", set: statefulSet(0, counts(1, 1, 1)), pods: []corev1.Pod{pod(0, newest)},
			want: rollout.HealthProgressing, reason: "1 pod still to be deleted",
		},
		{
			name: "image that cannot be pulled", set: statefulSet(1, counts(1, 1, 0)), pods: []corev1.Pod{pod(0, newest, badPull)},
			want: rollout.HealthFailing, reason: "pod mira-acme-0, container mira: ImagePullBackOff: back-off pulling image",
		},
		{
			name: "the same, pods not known", set: statefulSet(1, counts(1, 1, 0)),
			want: rollout.HealthProgressing, reason: "0 of 1 pod ready",
		},
		{
			name: "stuck on an older revision", set: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{pod(0, older, badPull)},
			want: rollout.HealthFailing, reason: "ImagePullBackOff",
		},
		{
			name: "a pod of another StatefulSet", set: statefulSet(1), pods: []corev1.Pod{pod(0, newest), pod(0, newest, badPull, ownedBy("other"))},
			want: rollout.HealthReady,
		},
		{
			name: "a surplus pod", set: statefulSet(1, counts(2, 2, 1)), pods: []corev1.Pod{pod(0, newest), pod(1, newest, badPull)},
			want: rollout.HealthProgressing, reason: "1 of 2 pods still to be deleted",
		},
		{
			name: "a claim without volume", set: statefulSet(1, counts(1, 1, 0)),
			pods:   []corev1.Pod{pod(0, newest, unscheduled("pod has unbound immediate PersistentVolumeClaims"), mounts("data"))},
			claims: []corev1.PersistentVolumeClaim{claim("data", corev1.ClaimPending)},
			want:   rollout.HealthFailing, reason: "claim data: UnboundClaim",
		},
		{
			name: "no pod yet", set: statefulSet(1, counts(0, 0, 0)), pods: []corev1.Pod{},
			want: rollout.HealthProgressing, reason: "0 of 1 pod",
		},
		{
			name: "a pod that the cluster refused to create", set: statefulSet(1, counts(0, 0, 0)), pods: []corev1.Pod{},
			events: []corev1.Event{refused("mira-acme-0", "exceeded quota: old", 1), refused("mira-acme-0", "exceeded quota: new", 2)},
			want:   rollout.HealthFailing, reason: "FailedCreate: create Pod mira-acme-0 in StatefulSet mira-acme failed error: exceeded quota: new",
		},
		{
			name: "a pod that was refused before, and is there now", set: statefulSet(1), pods: []corev1.Pod{pod(0, newest)},
			events: []corev1.Event{refused("mira-acme-0", "exceeded quota", 1)}, want: rollout.HealthReady,
		},
		{
			name: "another pod was refused before", set: statefulSet(1, counts(0, 0, 0)), pods: []corev1.Pod{},
			events: []corev1.Event{refused("mira-acme-01", "exceeded quota", 1)}, want: rollout.HealthProgressing, reason: "0 of 1 pod",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var pods, claims []*unstructured.Unstructured
			if test.pods != nil {
				pods = []*unstructured.Unstructured{}
			}
			for i := range test.pods {
				pods = append(pods, untyped(t, &test.pods[i]))
			}
			var refusals []*unstructured.Unstructured
			for i := range test.events {
				refusals = append(refusals, untyped(t, &test.events[i]))
			}
			for i := range test.claims {
				claims = append(claims, untyped(t, &test.claims[i]))
			}
			got, err := rollout.HealthOf(untyped(t, test.set), rollout.Parts{Pods: pods, Claims: claims, Refusals: refusals})
			if err != nil {
				t.Fatal(err)
			}
			if got.State != test.want || !strings.Contains(got.Reason, test.reason) || test.reason == "" && got.Reason != "" {
				t.Errorf("%s: %q, want %s: %q", got.State, got.Reason, test.want, test.reason)
			}
			if got.Desired != *test.set.Spec.Replicas || got.Ready != test.set.Status.ReadyReplicas {
				t.Errorf("%d of %d pods ready", got.Ready, got.Desired)
			}
		})
	}
}
