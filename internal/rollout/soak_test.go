package rollout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func soaking(o *rollout.Options) { o.Soak = 10 * time.Second }

// readySince sets when a pod has become ready, as its node says.
func readySince(ago time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(time.Now().Add(-ago)) }
}

// restarted makes a pod one whose container was restarted, and is ready again.
func restarted(times int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{running(times, true)} }
}

// A rollout counts when its pods have stayed ready for the time of the soak.
func TestWaitSoaks(t *testing.T) {
	crash := pod(0, newest, unready(crashing(1, ended("Error", 1))))
	notReady := pod(0, newest, unready(running(0, false)))
	done := func() []answer { return []answer{listed(at("100"))} }
	ready := func(changes ...func(*corev1.Pod)) answer { return podList(pod(0, newest, changes...)) }
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	tests := map[string]struct {
		script func() script
		after  time.Duration
		reason string // of the failure; "" for a success
	}{
		"the pod stays ready": {
			script: func() script { return script{list: done(), pods: []answer{ready()}} },
			after:  seconds(10),
		},
		"the pod has become ready lately, as the node says": {
			script: func() script { return script{list: done(), pods: []answer{ready(readySince(time.Minute))}} },
			after:  seconds(10),
		},
		"the pod has been ready for long": {
			script: func() script { return script{list: done(), pods: []answer{ready(readySince(time.Hour))}} },
		},
		"the pod is ready for two seconds, and crashes then": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					get:      []answer{object(at("101", counts(1, 1, 0)))},
					watch:    []answer{stream(later(seconds(2), modified(at("101", counts(1, 1, 0)))))},
					podWatch: []answer{stream(later(seconds(2), modified(crash)))},
				}
			},
			after: seconds(22), reason: "CrashLoopBackOff",
		},
		"the pod crashes again and again, and is ready in between": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					get: []answer{object(at("101", counts(1, 1, 0)))},
					podWatch: []answer{stream(
						later(seconds(2), modified(crash)), later(seconds(8), modified(pod(0, newest, restarted(1)))),
						later(seconds(5), modified(crash)), later(seconds(5), modified(pod(0, newest, restarted(2)))),
						later(seconds(5), modified(crash)),
					)},
				}
			},
			after: seconds(25), reason: "CrashLoopBackOff",
		},
		"the pod was restarted, and nobody has seen it in between": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready(restarted(0))},
					podWatch: []answer{stream(later(seconds(5), modified(pod(0, newest, restarted(1)))))},
				}
			},
			after: seconds(15),
		},
		"the pod is not ready for a moment": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					podWatch: []answer{stream(later(seconds(5), modified(notReady)), later(seconds(3), modified(pod(0, newest))))},
				}
			},
			after: seconds(18),
		},
		"the pod was not ready for a moment, and nobody has seen it": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					podWatch: []answer{stream(later(seconds(5), modified(pod(0, newest, readySince(0)))))},
				}
			},
			after: seconds(15),
		},
		"the pod is replaced": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					podWatch: []answer{stream(later(seconds(5), deleted(pod(0, newest))), added(pod(0, newest, uid("second"))))},
				}
			},
			after: seconds(15),
		},
		"contact is lost for a minute, and the pod stays ready": {
			script: func() script {
				down := outage(seconds(5), seconds(60))
				return script{
					list: done(), pods: []answer{ready()},
					podWatch: []answer{drop(later(seconds(5), modified(pod(0, newest)))), down(stream())},
				}
			},
			after: seconds(62), // with the time to catch up
		},
		"contact is lost for a minute, and the pod is restarted": {
			script: func() script {
				down := outage(seconds(5), seconds(60))
				return script{
					list: done(), pods: []answer{ready(restarted(0))},
					podWatch: []answer{
						drop(later(seconds(5), modified(pod(0, newest, restarted(0))))),
						down(stream(later(seconds(1), modified(pod(0, newest, restarted(1)))))),
					},
				}
			},
			after: seconds(71),
		},
		"the watches hang, and the pod is not ready any more": {
			script: func() script {
				return script{
					list: done(), pods: []answer{ready()},
					get: []answer{object(at("101", counts(1, 1, 0))), object(at("102"))},
				}
			},
			after: seconds(22),
		},
		"scaled to zero": {
			script: func() script { return script{list: []answer{listed(statefulSet(0))}, pods: []answer{hang}} },
		},
		"with OnDelete, no pod was replaced": {
			script: func() script {
				return script{list: []answer{listed(statefulSet(2, onDelete, counts(2, 0, 2)))}, pods: []answer{hang}}
			},
		},
		"with OnDelete, the pod that was replaced": {
			script: func() script {
				return script{
					list: []answer{listed(statefulSet(2, onDelete, counts(2, 1, 2)))},
					pods: []answer{podList(pod(0, older), pod(1, newest))},
				}
			},
			after: seconds(10),
		},
		"with a partition below which all pods are": {
			script: func() script {
				return script{
					list: []answer{listed(statefulSet(2, partition(2), counts(2, 0, 2)))},
					pods: []answer{podList(pod(0, older), pod(1, older))},
				}
			},
		},
		"with a partition, only the pods above it": {
			script: func() script {
				return script{
					list:     []answer{listed(statefulSet(2, partition(1), counts(2, 1, 2)))},
					pods:     []answer{podList(pod(0, older, restarted(0)), pod(1, newest))},
					podWatch: []answer{stream(later(seconds(5), modified(pod(0, older, restarted(1)))))},
				}
			},
			after: seconds(10),
		},
		"without the right to list pods the numbers decide": {
			script: func() script {
				return script{
					list:  done(),
					watch: []answer{stream(later(seconds(4), modified(at("101", counts(1, 1, 0)))), later(seconds(1), modified(at("102"))))},
					pods:  []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
				}
			},
			after: seconds(15),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				reached, err := test.script().serve(t).wait(minutes(t), 4, soaking)
				if after := time.Since(start).Truncate(time.Second); after != test.after {
					t.Errorf("ended after %s, want %s", after, test.after)
				}
				var failed *rollout.FailedError
				switch {
				case test.reason == "" && (err != nil || !reached.Done):
					t.Errorf("done %t, %v", reached.Done, err)
				case test.reason != "" && (!errors.As(err, &failed) || failed.Failures[0].Reason != test.reason):
					t.Errorf("got %v, want a FailedError for %s", err, test.reason)
				}
			})
		})
	}
}

// The time runs out, or the operator interrupts, while all pods are ready.
func TestWaitSaysThatItSoaks(t *testing.T) {
	unsteady := stream(
		later(3*time.Second, modified(pod(0, newest, unready(running(0, false))))), later(3*time.Second, modified(pod(0, newest))),
	)
	tests := map[string]struct {
		podWatch        answer
		soaking, failed bool
		says            string
	}{
		"the pods have stayed ready so far": {
			podWatch: stream(), soaking: true,
			says: "its rollout did not complete within 8s: 1 of 1 pod at revision mira-acme-new; " +
				"the pods are ready, but have not been for 10s yet\n",
		},
		"the pods have not stayed ready": {
			podWatch: unsteady, failed: true,
			says: "the pods are ready, but have not been for 10s yet, as one was restarted or did not stay ready\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script{list: []answer{listed(at("100"))}, pods: []answer{podList(pod(0, newest))}, podWatch: []answer{test.podWatch}}
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				reached, err := server.serve(t).wait(ctx, 4, soaking)
				var pending *rollout.PendingError
				if !errors.As(err, &pending) {
					t.Fatalf("got %v, want a PendingError", err)
				}
				if pending.Soaking != test.soaking || pending.IsOutcomeUnknown() == test.failed || reached.Done {
					t.Errorf("soaking %t, outcome unknown %t, done %t", pending.Soaking, pending.IsOutcomeUnknown(), reached.Done)
				}
				if !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
