package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func uid(id types.UID) func(*corev1.Pod) { return func(p *corev1.Pod) { p.UID = id } }

// A wait ends when a failure lasts, and not before.
func TestWaitFails(t *testing.T) {
	pull := func(reason string) corev1.Pod { return pod(0, newest, pending, unready(waiting(reason, "not found"))) }
	crash := func(restarts int32) corev1.Pod { return pod(0, newest, unready(crashing(restarts, ended("Error", 1)))) }
	up := func(restarts int32, ready bool) corev1.Pod { return pod(0, newest, unready(running(restarts, ready))) }
	other := func(p corev1.Pod, id types.UID) corev1.Pod { p.UID = id; return p }
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	tests := map[string]struct {
		events []event
		claims []answer
		after  time.Duration // zero if the wait does not fail
		reason string
	}{
		"after the grace, although nothing changes any more": {
			events: []event{modified(pull("ImagePullBackOff"))}, after: seconds(20), reason: "ImagePullBackOff",
		},
		"the two reasons of a failed pull alternate": {
			events: []event{
				modified(pull("ErrImagePull")), later(seconds(12), modified(pull("ImagePullBackOff"))),
				later(seconds(6), modified(pull("ErrImagePull"))),
			},
			after: seconds(20), reason: "ErrImagePull",
		},
		"the image arrives in time": {
			events: []event{modified(pull("ErrImagePull")), later(seconds(15), modified(up(0, false)))},
		},
		"the image arrives in time, and then the container crashes": {
			events: []event{modified(pull("ErrImagePull")), later(seconds(15), modified(up(0, false))), later(seconds(30), modified(crash(1)))},
			after:  seconds(65), reason: "CrashLoopBackOff",
		},
		"another pod has a grace of its own": {
			events: []event{
				modified(pull("ErrImagePull")), later(seconds(15), deleted(pull("ErrImagePull"))),
				added(other(pull("ErrImagePull"), "second")),
			},
			after: seconds(35), reason: "ErrImagePull",
		},
		"a crash, and then it runs": {
			events: []event{modified(crash(1)), later(seconds(10), modified(up(1, false)))},
		},
		"a crash, it runs past the grace, and crashes again": {
			events: []event{modified(crash(1)), later(seconds(10), modified(up(1, false))), later(seconds(50), modified(crash(2)))},
			after:  seconds(60), reason: "CrashLoopBackOff",
		},
		"a crash, it is ready for a moment, and crashes again": {
			events: []event{modified(crash(1)), later(seconds(10), modified(up(1, true))), later(seconds(15), modified(crash(2)))},
			after:  seconds(25), reason: "CrashLoopBackOff",
		},
		"a crash, it is ready for long, and crashes again": {
			events: []event{
				modified(crash(1)), later(seconds(10), modified(up(1, true))),
				later(seconds(30), modified(crash(2))), later(seconds(5), modified(up(2, true))),
			},
		},
		"no node, for a while": {
			events: []event{modified(pod(0, newest, unscheduled(noRoom))), later(seconds(200), modified(up(0, false)))},
		},
		"no node": {
			events: []event{modified(pod(0, newest, unscheduled(noRoom)))}, after: seconds(300), reason: "Unschedulable",
		},
		"a claim that is not bound": {
			events: []event{modified(pod(0, newest, unscheduled(immediate), mounts("data")))},
			claims: []answer{object(claim("data", corev1.ClaimPending))},
			after:  seconds(300), reason: "UnboundClaim",
		},
		"the scheduler waits for a volume": {
			events: []event{modified(pod(0, newest, fresh, mounts("data")))},
			claims: []answer{object(claim("data", corev1.ClaimPending, nodeSelected))},
			after:  seconds(300), reason: "UnboundClaim",
		},
		"the scheduler needs some time, and then waits for a volume": {
			events: []event{modified(pod(0, newest, fresh, mounts("data")))},
			claims: []answer{object(claim("data", corev1.ClaimPending)), object(claim("data", corev1.ClaimPending, nodeSelected))},
			after:  seconds(600), reason: "UnboundClaim",
		},
		"one eviction, and its successor starts": {
			events: []event{
				modified(pod(0, newest, evicted)), later(seconds(1), deleted(pod(0, newest, evicted))),
				added(other(up(0, false), "second")),
			},
		},
		"evictions again and again": {
			events: []event{
				modified(pod(0, newest, evicted)), deleted(pod(0, newest, evicted)),
				later(seconds(15), added(other(up(0, false), "second"))),
				modified(pod(0, newest, evicted, uid("second"))), deleted(pod(0, newest, evicted, uid("second"))),
				later(seconds(15), added(other(up(0, false), "third"))),
				modified(pod(0, newest, evicted, uid("third"))), deleted(pod(0, newest, evicted, uid("third"))),
				added(other(up(0, false), "fourth")),
			},
			after: seconds(30), reason: "Evicted",
		},
		"three evictions at once: not before the grace": {
			events: []event{
				modified(pod(0, newest, evicted)), deleted(pod(0, newest, evicted)),
				added(pod(0, newest, evicted, uid("second"))), deleted(pod(0, newest, evicted, uid("second"))),
				added(pod(0, newest, evicted, uid("third"))), deleted(pod(0, newest, evicted, uid("third"))),
			},
			after: seconds(20), reason: "Evicted",
		},
		"a pod of an older revision": {
			events: []event{modified(pod(0, older, pending, unready(waiting("ImagePullBackOff", ""))))},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script{
					list:     []answer{listed(at("100", counts(1, 1, 0)))},
					pods:     []answer{podList(pod(0, newest, fresh))},
					podWatch: []answer{stream(test.events...)},
					claims:   test.claims,
				}.serve(t)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
				defer cancel()
				start := time.Now()
				_, err := server.wait(ctx, 4)
				var failed *rollout.FailedError
				switch {
				case test.after == 0:
					if _, ok := errors.AsType[*rollout.PendingError](err); !ok {
						t.Errorf("after %s: got %v, want a PendingError", time.Since(start), err)
					}
					return
				case !errors.As(err, &failed):
					t.Fatalf("after %s: got %v, want a FailedError", time.Since(start), err)
				}
				if after := time.Since(start); after != test.after || failed.Waited != after {
					t.Errorf("failed after %s (%s), want %s", after, failed.Waited, test.after)
				}
				if len(failed.Failures) != 1 || failed.Failures[0].Reason != test.reason {
					t.Errorf("failures %v, want %s", failed.Failures, test.reason)
				}
			})
		})
	}
}

// The caller chooses the graces.
func TestWaitObservesTheGraces(t *testing.T) {
	tests := map[string]corev1.Pod{
		"2s":   pod(0, newest, pending, unready(waiting("ImagePullBackOff", ""))),
		"3m0s": pod(0, newest, unscheduled(noRoom)),
	}
	for want, broken := range tests {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script{list: []answer{listed(at("100", counts(1, 1, 0)))}, pods: []answer{podList(broken)}}.serve(t)
				start := time.Now()
				_, err := server.wait(minutes(t), 4, func(o *rollout.Options) { o.Grace, o.UnschedulableGrace = 2*time.Second, 3*time.Minute })
				if got := time.Since(start).String(); got != want {
					t.Errorf("failed after %s, want %s: %v", got, want, err)
				}
			})
		})
	}
}

func warning(about types.UID, reason, message string, count int32, minute int) corev1.Event {
	return corev1.Event{
		TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		InvolvedObject: corev1.ObjectReference{UID: about},
		Reason:         reason, Message: message, Count: count, Type: corev1.EventTypeWarning,
		LastTimestamp: metav1.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC),
	}
}

func eventList(events ...corev1.Event) answer {
	return object(corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}, Items: events})
}

func TestFailureText(t *testing.T) {
	forbidden := status(http.StatusForbidden, metav1.StatusReasonForbidden, "events is forbidden")
	tests := map[string]struct {
		sts    *appsv1.StatefulSet
		pods   []corev1.Pod
		events []answer
		claims []answer
		del    []answer
		logs   rollout.LogReader
		says   string
		asked  []string // the selectors of the events
	}{
		"a crash": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(3, ended("Error", 2))))},
			events: []answer{eventList(
				warning("mira-acme-0-"+newest, "BackOff", "Back-off restarting\nfailed container", 4, 5),
				warning("mira-acme-0-"+newest, "Unhealthy", "Readiness probe failed", 1, 3),
			)},
			logs: func(_ context.Context, namespace, pod, container string, previous bool, lines int64) (string, error) {
				return fmt.Sprintf("%s %s %s %t %d\n\n\x1b[31mpanic:\tno database\x1b[0m\r\n", namespace, pod, container, previous, lines), nil
			},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod ready
  pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; ` +
				`its last run ended with exit code 2; restarted 3 times
    last lines of the log of container mira:
      default mira-acme-0 mira true 10
      panic: no database
    events:
      Unhealthy: Readiness probe failed
      BackOff (4 times): Back-off restarting failed container
For details, run:
  kubectl --namespace default logs mira-acme-0 --container mira --previous`,
			asked: []string{"involvedObject.uid=mira-acme-0-mira-acme-new,type=Warning"},
		},
		"a crash, without the rights": {
			pods:   []corev1.Pod{pod(0, newest, unready(corev1.ContainerStatus{Name: "mira", State: ended("Error", 1)}))},
			events: []answer{forbidden},
			logs: func(context.Context, string, string, string, bool, int64) (string, error) {
				return "", errors.New("pods/log is forbidden")
			},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod ready
  pod mira-acme-0, container mira: Error; its last run ended with exit code 1
    (the log of container mira could not be read: pods/log is forbidden)
    (events could not be listed: events is forbidden)
For details, run:
  kubectl --namespace default logs mira-acme-0 --container mira`,
		},
		"a server that has stopped answering": {
			pods:   []corev1.Pod{pod(0, newest, unready(crashing(1, ended("OOMKilled", 137))))},
			events: []answer{hang},
			logs: func(ctx context.Context, _, _, _ string, _ bool, _ int64) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod ready
  pod mira-acme-0, container mira: OOMKilled: back-off 10s restarting failed container; ` +
				`its last run ended with exit code 137, by signal 9; restarted once
    (the log of container mira could not be read: no answer in time)
    (events could not be listed: no answer in time)
For details, run:
  kubectl --namespace default logs mira-acme-0 --container mira --previous`,
		},
		"an empty log": {
			pods: []corev1.Pod{pod(0, newest, unready(crashing(1, ended("Error", 1))))},
			logs: func(context.Context, string, string, string, bool, int64) (string, error) { return "", nil },
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod ready
  pod mira-acme-0, container mira: CrashLoopBackOff: back-off 10s restarting failed container; ` +
				`its last run ended with exit code 1; restarted once
    the log of container mira is empty
For details, run:
  kubectl --namespace default logs mira-acme-0 --container mira --previous`,
		},
		"an image, for which there are no logs": {
			pods: []corev1.Pod{pod(0, newest, pending, unready(waiting("ImagePullBackOff", `Back-off pulling image "mira:3.1"`)))},
			logs: func(context.Context, string, string, string, bool, int64) (string, error) {
				return "", errors.New("asked for a log")
			},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod ready
  pod mira-acme-0, container mira: ImagePullBackOff: Back-off pulling image "mira:3.1"
For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"a claim": {
			pods:   []corev1.Pod{pod(0, newest, unscheduled(immediate), mounts("data"))},
			claims: []answer{object(claim("data", corev1.ClaimPending, storageClass("none")))},
			events: []answer{eventList(), eventList(warning("data", "ProvisioningFailed", `storageclass "none" not found`, 12, 1))},
			says: `StatefulSet default/mira-acme: its rollout failed after 5m0s: 0 of 1 pod ready
  pod mira-acme-0, claim data: UnboundClaim: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. (StorageClass none)
    events:
      ProvisioningFailed (12 times): storageclass "none" not found
For details, run:
  kubectl --namespace default describe persistentvolumeclaim data`,
			asked: []string{
				"involvedObject.uid=mira-acme-0-mira-acme-new,type=Warning",
				"involvedObject.kind=PersistentVolumeClaim,involvedObject.name=data,type=Warning",
			},
		},
		"a claim that may not be read": {
			pods:   []corev1.Pod{pod(0, newest, unscheduled(immediate), mounts("data"))},
			claims: []answer{status(http.StatusForbidden, metav1.StatusReasonForbidden, "persistentvolumeclaims is forbidden")},
			says: `StatefulSet default/mira-acme: its rollout failed after 5m0s: 0 of 1 pod ready
  pod mira-acme-0: Unschedulable: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.
  (claims could not be read: persistentvolumeclaims is forbidden)
For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"several pods and containers": {
			sts: statefulSet(7, counts(7, 7, 0)),
			pods: []corev1.Pod{
				pod(1, newest, pending, unready(waiting("ErrImagePull", "not found"))),
				pod(0, newest, pending, unready(waiting("ErrImagePull", "not found"), corev1.ContainerStatus{
					Name: "caddy", State: corev1.ContainerState{
						Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: `configmap "caddy" not found`},
					},
				})),
				pod(2, newest, pending, unready(waiting("ErrImagePull", "not found"))),
				pod(3, newest, pending, unready(waiting("ErrImagePull", "not found"))),
				pod(4, newest, pending, unready(waiting("ErrImagePull", "not found"))),
				pod(5, newest, pending, unready(waiting("ErrImagePull", "not found"))),
				pod(6, newest, pending, unready(waiting("ErrImagePull", "not found"))),
			},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 7 pods ready
  pod mira-acme-0, container mira: ErrImagePull: not found
  pod mira-acme-0, container caddy: CreateContainerConfigError: configmap "caddy" not found
  pod mira-acme-1, container mira: ErrImagePull: not found
  pod mira-acme-2, container mira: ErrImagePull: not found
  pod mira-acme-3, container mira: ErrImagePull: not found
  pod mira-acme-4, container mira: ErrImagePull: not found
  and 2 more pods
For details, run:
  kubectl --namespace default describe pod mira-acme-0`,
		},
		"beside a stuck pod that may not be deleted": {
			sts: statefulSet(2, counts(2, 1, 0)),
			pods: []corev1.Pod{
				pod(0, older, unready(crashing(1, ended("Error", 1)))),
				pod(1, newest, pending, unready(waiting("InvalidImageName", ""))),
			},
			del: []answer{status(http.StatusForbidden, metav1.StatusReasonForbidden, "pods is forbidden")},
			says: `StatefulSet default/mira-acme: its rollout failed after 20s: 1 of 2 pods updated to revision mira-acme-new
  pod mira-acme-1, container mira: InvalidImageName
  (pods of an older revision that are not ready were not deleted, so the rollout may be stuck on them: pods is forbidden)
For details, run:
  kubectl --namespace default describe pod mira-acme-1`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.sts == nil {
					test.sts = at("100", counts(1, 1, 0))
				}
				server := script{
					list: []answer{listed(test.sts)}, pods: []answer{podList(test.pods...)}, events: test.events, claims: test.claims, del: test.del,
				}.serve(t)
				watcher := rollout.NewWatcher(server.client(), test.logs, clientLabel)
				got, err := watcher.Wait(minutes(t), rollout.Target{Namespace: "default", Name: "mira-acme"}, rollout.Options{DeleteStuckPods: true})
				var failed *rollout.FailedError
				if !errors.As(err, &failed) {
					t.Fatalf("got %v, want a FailedError", err)
				}
				if diff := cmp.Diff(test.says, err.Error()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(got, failed.Status); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.asked, server.requests("events")); diff != "" && test.asked != nil {
					t.Error(diff)
				}
			})
		})
	}
}

// A long log must not fill the operator's screen.
func TestFailureTextIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make([]corev1.Event, 0, 9)
		for i := range 9 {
			events = append(events, warning("", fmt.Sprintf("Reason%d", i), strings.Repeat("x", 5000), 1, 9-i))
		}
		server := script{
			list:   []answer{listed(at("100", counts(1, 1, 0)))},
			pods:   []answer{podList(pod(0, newest, unready(crashing(1, ended("Error", 1)))))},
			events: []answer{eventList(events...)},
		}.serve(t)
		logs := func(context.Context, string, string, string, bool, int64) (string, error) {
			return strings.Repeat(strings.Repeat("ä", 5000)+"\n", 100), nil
		}
		watcher := rollout.NewWatcher(server.client(), logs, clientLabel)
		_, err := watcher.Wait(minutes(t), rollout.Target{Namespace: "default", Name: "mira-acme"}, rollout.Options{})
		if err == nil {
			t.Fatal("no error")
		}
		text := err.Error()
		if n := len([]rune(text)); n > 10000 {
			t.Errorf("got %d characters", n)
		}
		if n := strings.Count(text, "ää\n") + strings.Count(text, "ä..."); n != 10 {
			t.Errorf("%d lines of the log in %s", n, text)
		}
		if strings.Contains(text, "Reason5") || strings.Index(text, "Reason4") > strings.Index(text, "Reason0") {
			t.Errorf("not the last events, the newest last: %s", text)
		}
	})
}
