package rollout_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

func at(resourceVersion string, changes ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	return statefulSet(1, append(changes, func(s *appsv1.StatefulSet) { s.ResourceVersion = resourceVersion })...)
}

var unfinished = counts(1, 0, 1)

// patient lets nothing fail, so that the time runs out.
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
		"the watch was dropped, and what it would have told was missed": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), listed(at("101"))},
				watch: []answer{drop(), stream()},
				pods:  []answer{podList(pod(0, newest))},
			},
			requests: []string{"list", "watch from 100", "list"},
		},
		"the API server restarts in between": {
			script: script{
				list:  []answer{listed(at("100", unfinished)), down, status(503, metav1.StatusReasonServiceUnavailable, "starting"), listed(at("100", unfinished))},
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
			script: script{list: []answer{down, status(500, metav1.StatusReasonInternalError, "etcd"), status(429, metav1.StatusReasonTooManyRequests, "slow down"), listed(at("100"))}},
		},
		"a copy from before the caller's write is not believed": {
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
		"a list from before the StatefulSet was created: it is asked for": {
			script: script{
				list: []answer{object(sets("99"))},
				get:  []answer{object(at("100"))},
			},
		},
		"it is asked for, and the server is away": {
			script: script{
				list: []answer{object(sets("99"))},
				get:  []answer{down, status(500, metav1.StatusReasonInternalError, "etcd"), object(at("100"))},
			},
		},
		"it lacks the label that the shared watch goes by": {
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
		"with OnDelete the pods do not matter as long as none was replaced": {
			script: script{list: []answer{listed(statefulSet(2, onDelete, counts(2, 0, 1)))}, pods: []answer{hang}},
		},
		"with OnDelete the pods tell which of them is not ready": {
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
				// Whether there was time for a last watch is a matter of luck.
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

func TestWaitGivesUpWhenTheStatefulSetGoesAway(t *testing.T) {
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
			script: script{list: []answer{listed(at("100", unfinished))}, watch: []answer{stream(deleted(at("101", unfinished)))}},
		},
		"it waits for its pods to go": {
			script: script{list: []answer{listed(at("100", unfinished))}, watch: []answer{stream(modified(dying))}},
		},
		"it went while the watch was down": {
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

// A StatefulSet that has just been recreated may be listed as it was before.
func TestWaitDoesNotTakeAFormerStatefulSetForTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := func(s *appsv1.StatefulSet) { s.UID = "former" }
		server := script{
			list:  []answer{listed(at("99", former))},
			get:   []answer{object(at("101", unfinished))},
			watch: []answer{stream(deleted(at("100", former)), added(at("101", unfinished)), modified(at("102")))},
			pods:  []answer{podList(pod(0, newest))},
		}.serve(t)
		status, err := server.watcher().Wait(minutes(t), rollout.Target{Namespace: "default", Name: "mira-acme", UID: "acme", MinGeneration: 1}, rollout.Options{})
		if err != nil || !status.Done {
			t.Errorf("done %t, %v", status.Done, err)
		}
	})
}

func TestWaitPassesOnWhatTheServerRefuses(t *testing.T) {
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

func TestWaitSaysWhatIsPendingWhenTheContextEnds(t *testing.T) {
	unscheduled := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "pod has unbound immediate PersistentVolumeClaims",
		}}
		p.Spec.Volumes = []corev1.Volume{
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-mira-acme-0"}}},
			{Name: "cache", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "cache-mira-acme-0"}}},
			{Name: "gone", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "gone-mira-acme-0"}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		}
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
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
		},
		"claims that are not bound": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				pods: []answer{podList(pod(0, newest, pending, unscheduled))},
				claims: []answer{
					claim("cache-mira-acme-0", corev1.ClaimBound), claim("data-mira-acme-0", corev1.ClaimPending), status(404, metav1.StatusReasonNotFound, "not found"),
				},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; Unschedulable: pod has unbound immediate PersistentVolumeClaims; claim data-mira-acme-0 is not bound; claim gone-mira-acme-0 is not bound
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
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
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
		},
		"pods that may not be listed": {
			script: script{
				list: []answer{listed(at("100", counts(1, 1, 0)))},
				pods: []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  (why is not known, since the pods could not be listed: pods is forbidden)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"more pods than one wants to read about": {
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
  and 2 pods more
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
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
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
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
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
		},
		"a controller that does not run": {
			script: script{
				list: []answer{listed(at("100", func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 }))},
				pods: []answer{podList(pod(0, older))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the StatefulSet controller has not seen generation 4 yet, only 3
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that never shows the write": {
			script: script{
				list: []answer{listed(at("99", func(s *appsv1.StatefulSet) { s.Generation, s.Status.ObservedGeneration = 3, 3 }))},
				pods: []answer{podList(pod(0, newest))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the server still shows generation 3 of the StatefulSet, not 4
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that went away": {
			script: script{
				list:  []answer{listed(at("100", counts(1, 1, 0))), down},
				watch: []answer{drop()},
				pods:  []answer{down},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  (the API server could not be reached any more: Get "https://script.test/apis/apps/v1/namespaces/default/statefulsets?labelSelector=mira-cluster.io%2Fclient&resourceVersion=100": connection refused)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that was never there": {
			script: script{list: []answer{down}},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the StatefulSet has not been read yet
  (the API server could not be reached any more: Get "https://script.test/apis/apps/v1/namespaces/default/statefulsets?labelSelector=mira-cluster.io%2Fclient&limit=500&resourceVersion=0": connection refused)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
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
		"even from a server that does not answer any more": {
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
				interrupt := errors.New("somebody pressed Ctrl-C")
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
