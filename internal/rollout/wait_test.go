package rollout_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func at(resourceVersion string, changes ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	return statefulSet(1, append(changes, func(s *appsv1.StatefulSet) { s.ResourceVersion = resourceVersion })...)
}

var unfinished = counts(1, 0, 1)

// patient has such long graces that the wait times out before anything fails.
func patient(o *rollout.Options) { o.Grace, o.UnschedulableGrace = time.Hour, time.Hour }

func TestWaitReturnsWhenTheNewestRevisionServes(t *testing.T) {
	tests := map[string]struct {
		script   script
		requests []string
	}{
		"it does already: one list": {
			script: script{list: []answer{listed(at("100"))}, pods: []answer{hang}},
		},
		"after some events: one watch": {
			script: script{
				list:  []answer{listed(at("100", unfinished))},
				watch: []answer{stream(modified(at("101", counts(1, 1, 0))), modified(at("102")))},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100"},
		},
		"the watch was dropped": {
			script: script{
				list:  []answer{listed(at("100", unfinished))},
				watch: []answer{drop(modified(at("101", counts(1, 1, 0)))), stream(modified(at("102")))},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "watch from 101"},
		},
		"the watch was dropped, and an event was missed": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), listed(at("101"))},
				watch: []answer{drop(), stream()},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list"},
		},
		"the API server restarts in between": {
			script: script{
				list: []answer{
					listed(at("100", unfinished)), down, status(503, metav1.StatusReasonServiceUnavailable, "starting"),
					listed(at("100", unfinished)),
				},
				watch: []answer{drop(), down, down, stream(modified(at("102")))},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list", "list", "list", "watch from 100", "watch from 100", "watch from 100"},
		},
		"the server has forgotten the resource version, and says so in an event": {
			script: script{
				list: []answer{listed(at("100", unfinished)), listed(at("200", unfinished))},
				watch: []answer{
					stream(event{Type: "ERROR", Object: failure(410, metav1.StatusReasonExpired, "too old resource version")}),
					stream(modified(at("201"))),
				},
				pods: []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list", "watch from 200"},
		},
		"the server has forgotten the resource version, and says so at once": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), listed(at("200"))},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version"), stream()},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list"},
		},
		"the credentials expired, and were renewed": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), listed(at("200"))},
				watch: []answer{status(401, metav1.StatusReasonUnauthorized, "Unauthorized"), stream()},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list"},
		},
		"the API server restarts, and has not read its roles yet": {
			script: script{
				list: []answer{listed(at("100", unfinished)), status(403, metav1.StatusReasonForbidden, "statefulsets is forbidden"),
					status(401, metav1.StatusReasonUnauthorized, "Unauthorized"), listed(at("101"))},
				watch:    []answer{drop(), stream()},
				pods:     []answer{podList(pod(0, newest)), status(403, metav1.StatusReasonForbidden, "pods is forbidden"), podList(pod(0, newest))},
				podWatch: []answer{drop(), stream()},
			},
			requests: []string{"list", "watch from 100", "list", "list", "list"},
		},
		"the first list fails for a while": {
			script: script{list: []answer{
				down, status(500, metav1.StatusReasonInternalError, "etcd"),
				status(429, metav1.StatusReasonTooManyRequests, "slow down"), listed(at("100")),
			}},
		},
		"a copy from before the caller's write is ignored": {
			script: script{
				list: []answer{listed(at("99", func(s *appsv1.StatefulSet) { s.Generation, s.Status.ObservedGeneration = 3, 3 }))},
				watch: []answer{stream(
					modified(at("100", func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 })),
					modified(at("101")),
				)},
				pods: []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 99"},
		},
		"a list from before the StatefulSet was created: it is read by its name": {
			script: script{
				list: []answer{object(sets("99"))},
				get:  []answer{object(at("100"))},
			},
		},
		"it is read by its name, and the server is unreachable": {
			script: script{
				list: []answer{object(sets("99"))},
				get:  []answer{down, status(500, metav1.StatusReasonInternalError, "etcd"), object(at("100"))},
			},
		},
		"it lacks the label that the shared watch selects": {
			script: script{
				list: []answer{object(sets("99")), listed(at("100", unlabelled, unfinished))},
				get:  []answer{object(at("100", unlabelled, unfinished))},
				watch: []answer{func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Get("fieldSelector") == "" {
						return stream()(r)
					}
					return stream(modified(at("101", unlabelled)))(r)
				}},
				pods: []answer{podList(pod(0, newest))},
			},
		},
		"with a partition the pods decide": {
			script: script{
				list:     []answer{listed(statefulSet(2, partition(1), counts(2, 1, 1)))},
				pods:     []answer{podList(pod(0, older), pod(1, newest, unready()))},
				podWatch: []answer{stream(modified(pod(0, older, unready())), modified(pod(1, newest)))},
			},
			requests: []string{"list", "watch from 100"},
		},
		"with OnDelete the pods do not matter as long as no pod was replaced": {
			script: script{list: []answer{listed(statefulSet(2, onDelete, counts(2, 0, 1)))}, pods: []answer{hang}},
		},
		"with OnDelete the pods decide which of them may be unready": {
			script: script{
				list:     []answer{listed(statefulSet(2, onDelete, counts(2, 1, 1)))},
				watch:    []answer{stream(modified(statefulSet(2, onDelete, counts(2, 1, 2))))},
				pods:     []answer{podList(pod(0, older), pod(1, newest, unready()))},
				podWatch: []answer{stream(modified(pod(1, newest)))},
			},
			requests: []string{"list", "watch from 100"},
		},
		"with a partition and without the right to list pods the numbers decide": {
			script: script{
				list: []answer{listed(statefulSet(2, partition(1), counts(2, 1, 2)))},
				pods: []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
			},
		},
		"the numbers are ahead of the pods": {
			script: script{
				list:     []answer{listed(at("100", counts(1, 1, 0)))},
				watch:    []answer{stream(modified(at("101")))},
				pods:     []answer{podList(pod(0, newest, unready()))},
				podWatch: []answer{stream(modified(pod(0, newest)))},
			},
			requests: []string{"list", "watch from 100"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				reached, err := server.wait(minutes(t), 4)
				if err != nil {
					t.Fatal(err)
				}
				if !reached.Done {
					t.Errorf("returned before the end: %s", reached.Message)
				}
				synctest.Wait()
				// There may have been no time for the last watch.
				want, got := test.requests, server.requests("statefulsets")
				if n := len(want); n > 0 && len(got) < n && strings.HasPrefix(want[n-1], "watch") {
					want = want[:n-1]
				}
				if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" && test.requests != nil {
					t.Error(diff)
				}
			})
		})
	}
}

func unlabelled(s *appsv1.StatefulSet) { s.Labels = nil }

// hang never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWaitEndsWhenTheStatefulSetIsDeleted(t *testing.T) {
	dying := at("101", unfinished, func(s *appsv1.StatefulSet) { s.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })
	another := at("200", func(s *appsv1.StatefulSet) { s.UID = "another" })
	tests := map[string]struct {
		script   script
		replaced bool
	}{
		"it was never there": {
			script: script{},
		},
		"it is deleted": {
			script: script{
				list: []answer{listed(at("100", unfinished))}, watch: []answer{stream(deleted(at("101", unfinished)))},
				get: []answer{status(404, metav1.StatusReasonNotFound, "not found")},
			},
		},
		"its deletion waits for its pods": {
			script: script{list: []answer{listed(at("100", unfinished))}, watch: []answer{stream(modified(dying))}},
		},
		"it was deleted while the watch was down": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), object(sets("200"))},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version")},
			},
		},
		"another took its place while the watch was down": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), listed(another)},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version")},
				get:   []answer{object(another)},
			},
			replaced: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				_, err := server.wait(minutes(t), 1)
				var deleted *rollout.DeletedError
				if !errors.As(err, &deleted) {
					t.Fatalf("got %v, want a DeletedError", err)
				}
				if deleted.Replaced != test.replaced || !strings.Contains(err.Error(), "StatefulSet default/mira-acme was deleted") {
					t.Errorf("replaced %t: %v", deleted.Replaced, err)
				}
			})
		})
	}
}

// A list may still show the StatefulSet that was there before a recreation.
func TestWaitDoesNotTakeAFormerStatefulSetForTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := func(s *appsv1.StatefulSet) { s.UID = "former" }
		server := script{
			list:  []answer{listed(at("99", former))},
			get:   []answer{object(at("101", unfinished))},
			watch: []answer{stream(deleted(at("100", former)), added(at("101", unfinished)), modified(at("102")))},
			pods:  []answer{podList(pod(0, newest))},
		}.serve(t)
		target := rollout.Target{Namespace: "default", Name: "mira-acme", UID: "acme", MinGeneration: 1}
		status, err := server.watcher().Wait(minutes(t), target, rollout.Options{})
		if err != nil || !status.Done {
			t.Errorf("done %t, %v", status.Done, err)
		}
	})
}

func TestWaitReturnsWhatTheServerRefuses(t *testing.T) {
	tests := map[string]script{
		"listing": {
			list: []answer{status(403, metav1.StatusReasonForbidden, "may not list statefulsets")},
		},
		"watching": {
			list:  []answer{listed(at("100", unfinished))},
			watch: []answer{status(403, metav1.StatusReasonForbidden, "may not watch statefulsets")},
		},
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script.serve(t)
				start := time.Now()
				_, err := server.wait(minutes(t), 1)
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "rollout of StatefulSet default/mira-acme") {
					t.Errorf("got %v", err)
				}
				if after := time.Since(start); after > 0 {
					t.Errorf("returned after %s", after)
				}
			})
		})
	}
	t.Run("watching on, once the right was withdrawn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := script{
				list:  []answer{listed(at("100", unfinished)), status(403, metav1.StatusReasonForbidden, "may not list statefulsets")},
				watch: []answer{drop()},
			}.serve(t)
			_, err := server.wait(minutes(t), 1)
			if requests := server.requests("statefulsets"); !apierrors.IsForbidden(err) || len(requests) != 7 {
				t.Errorf("got %v after %q", err, requests)
			}
		})
	})
	t.Run("logging in, twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := script{list: []answer{status(401, metav1.StatusReasonUnauthorized, "Unauthorized")}}.serve(t)
			_, err := server.wait(minutes(t), 1)
			if requests := server.requests("statefulsets"); !apierrors.IsUnauthorized(err) || len(requests) != 2 {
				t.Errorf("got %v after %q", err, requests)
			}
		})
	})
}

// A server that comes back after a long outage is noticed soon: the pauses between
// requests must not grow without bounds.
func TestWaitNoticesTheEndOfAnOutage(t *testing.T) {
	const outage = 5 * time.Minute
	tests := map[string]func(afterOutage func(answer) answer) script{
		"listing": func(afterOutage func(answer) answer) script {
			return script{list: []answer{afterOutage(listed(at("101")))}}
		},
		"watching": func(afterOutage func(answer) answer) script {
			return script{
				list:  []answer{listed(at("100", unfinished))},
				watch: []answer{afterOutage(stream(modified(at("101"))))},
				pods:  []answer{podList(pod(0, newest))},
			}
		},
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				afterOutage := func(next answer) answer {
					return func(r *http.Request) (*http.Response, error) {
						if time.Since(start) < outage {
							return down(r)
						}
						return next(r)
					}
				}
				_, err := script(afterOutage).serve(t).wait(minutes(t), 4)
				if late := time.Since(start) - outage; err != nil || late > 10*time.Second {
					t.Errorf("ended %s after the outage: %v", late, err)
				}
			})
		})
	}
}
