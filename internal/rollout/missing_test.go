package rollout_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// failedCreate is an event about a pod that cannot be created.
func failedCreate(pod string, count int32, last time.Time) corev1.Event {
	event := warning("acme", rollout.ReasonFailedCreate,
		"Create Pod "+pod+" in StatefulSet mira-acme failed error: pods \""+pod+"\" is forbidden: exceeded quota: q", count, 0)
	event.LastTimestamp = metav1.NewTime(last)
	return event
}

// A pod that cannot be created fails after the grace, like one that cannot start.
func TestWaitFailsForAPodThatCannotBeCreated(t *testing.T) {
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	forbidden := status(http.StatusForbidden, metav1.StatusReasonForbidden, "events is forbidden")
	tests := map[string]struct {
		sts      *appsv1.StatefulSet
		pods     answer
		podWatch answer
		events   func(now time.Time) []answer
		after    time.Duration // zero if the wait does not fail
		requests int           // for events
	}{
		"because of a quota": {
			events: func(now time.Time) []answer { return []answer{eventList(failedCreate("mira-acme-0", 12, now))} },
			after:  seconds(20), requests: 1,
		},
		"which its claim holds up": {
			events: func(now time.Time) []answer {
				event := failedCreate("mira-acme-0", 12, now)
				event.Message = "Create Claim data-mira-acme-0 Pod mira-acme-0 in StatefulSet mira-acme failed error: exceeded quota: q"
				return []answer{eventList(event)}
			},
			after: seconds(20), requests: 1,
		},
		"beside one that was created": {
			sts:    statefulSet(2, counts(1, 1, 1)),
			pods:   podList(pod(0, newest)),
			events: func(now time.Time) []answer { return []answer{eventList(failedCreate("mira-acme-1", 12, now))} },
			after:  seconds(20), requests: 1,
		},
		"and the events cannot be listed at first": {
			events: func(now time.Time) []answer { return []answer{down, eventList(failedCreate("mira-acme-0", 12, now))} },
			after:  seconds(40), requests: 2,
		},
		"and the cluster's clock is behind ours": {
			events: func(now time.Time) []answer {
				past := now.Add(-time.Minute)
				return []answer{eventList(failedCreate("mira-acme-0", 12, past)), eventList(failedCreate("mira-acme-0", 13, past))}
			},
			after: seconds(40), requests: 2,
		},
		"but the event is that of a former rollout": {
			events: func(now time.Time) []answer {
				return []answer{eventList(failedCreate("mira-acme-0", 12, now.Add(-time.Minute)))}
			},
			requests: 6,
		},
		"but the event is about a pod that was created since then": {
			sts:      statefulSet(2, counts(1, 1, 0)),
			pods:     podList(pod(0, newest, pending)),
			events:   func(now time.Time) []answer { return []answer{eventList(failedCreate("mira-acme-0", 12, now))} },
			requests: 7,
		},
		"but the event is about a pod with a longer name": {
			sts:      statefulSet(11, counts(1, 1, 1)),
			pods:     podList(pod(0, newest)),
			events:   func(now time.Time) []answer { return []answer{eventList(failedCreate("mira-acme-10-x", 12, now))} },
			requests: 6,
		},
		"but it is created in time": {
			podWatch: stream(later(seconds(15), added(pod(0, newest, pending)))),
			events:   func(now time.Time) []answer { return []answer{eventList(failedCreate("mira-acme-0", 12, now))} },
			requests: 1,
		},
		"but the events may not be listed": {
			events:   func(time.Time) []answer { return []answer{forbidden} },
			requests: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.sts == nil {
					test.sts, test.pods = at("100", counts(0, 0, 0)), answerOr(test.pods, podList())
				}
				server := script{
					list: []answer{listed(test.sts)}, pods: []answer{test.pods}, podWatch: []answer{answerOr(test.podWatch, stream())},
					events: test.events(time.Now()),
				}.serve(t)
				start := time.Now()
				_, err := server.wait(minutes(t), 4)
				var failed *rollout.FailedError
				var pending *rollout.PendingError
				switch {
				case test.after == 0 && !errors.As(err, &pending):
					t.Errorf("after %s: got %v, want a PendingError", time.Since(start), err)
				case test.after > 0 && (!errors.As(err, &failed) || failed.Waited != test.after):
					t.Errorf("after %s: got %v, want a FailedError after %s", time.Since(start), err, test.after)
				}
				if requests := server.requests("events"); len(requests) != test.requests {
					t.Errorf("asked for events %d times, want %d: %q", len(requests), test.requests, requests)
				}
			})
		})
	}
}

// answerOr returns the first answer, or the second one if that is nil.
func answerOr(first, second answer) answer {
	if first != nil {
		return first
	}
	return second
}

func TestFailureTextOfAPodThatCannotBeCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := script{
			list:   []answer{listed(at("100", counts(0, 0, 0)))},
			events: []answer{eventList(failedCreate("mira-acme-0", 12, time.Now()))},
		}.serve(t)
		_, err := server.wait(minutes(t), 4)
		const message = `Create Pod mira-acme-0 in StatefulSet mira-acme failed error: pods "mira-acme-0" is forbidden: exceeded quota: q`
		want := `StatefulSet default/mira-acme: its rollout failed after 20s: 0 of 1 pod updated to revision mira-acme-new
  pod mira-acme-0: FailedCreate: ` + message + `
For details, run:
  kubectl --namespace default describe statefulset mira-acme`
		var failed *rollout.FailedError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v, want a FailedError", err)
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("pod mira-acme-0: FailedCreate: "+message, failed.Reason()); diff != "" {
			t.Error(diff)
		}
	})
}
