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

func podList(pods ...corev1.Pod) answer {
	return object(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: pods})
}

var unfinished = counts(1, 0, 1)

func TestWaitReturnsWhenTheNewestRevisionServes(t *testing.T) {
	tests := map[string]struct {
		script   script
		requests []string
	}{
		"it does already: one request": {
			script:   script{get: []answer{object(at("100"))}},
			requests: []string{"get"},
		},
		"after some events: one watch": {
			script: script{
				get:   []answer{object(at("100", unfinished))},
				watch: []answer{stream(modified(at("101", counts(1, 1, 0))), modified(at("102")))},
			},
			requests: []string{"get", "watch from 100"},
		},
		"the watch was dropped": {
			script: script{
				get:   []answer{object(at("100", unfinished)), object(at("101", counts(1, 1, 0)))},
				watch: []answer{drop(modified(at("101", counts(1, 1, 0)))), stream(modified(at("102")))},
			},
			requests: []string{"get", "watch from 100", "get", "watch from 101"},
		},
		"the watch was dropped, and what it would have told was missed": {
			script: script{
				get:   []answer{object(at("100", unfinished)), object(at("101"))},
				watch: []answer{drop()},
			},
			requests: []string{"get", "watch from 100", "get"},
		},
		"the API server restarts in between": {
			script: script{
				get: []answer{
					object(at("100", unfinished)),
					down, status(503, metav1.StatusReasonServiceUnavailable, "starting"), object(at("100", unfinished)),
					object(at("100", unfinished)),
				},
				watch: []answer{drop(), down, stream(modified(at("102")))},
			},
			requests: []string{"get", "watch from 100", "get", "get", "get", "watch from 100", "get", "watch from 100"},
		},
		"the server has forgotten the resource version, and says so in an event": {
			script: script{
				get: []answer{object(at("100", unfinished)), object(at("200", unfinished))},
				watch: []answer{
					stream(event{"ERROR", failure(410, metav1.StatusReasonExpired, "too old resource version")}),
					stream(modified(at("201"))),
				},
			},
			requests: []string{"get", "watch from 100", "get", "watch from 200"},
		},
		"the server has forgotten the resource version, and says so at once": {
			script: script{
				get:   []answer{object(at("100", unfinished)), object(at("200"))},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version")},
			},
			requests: []string{"get", "watch from 100", "get"},
		},
		"the credentials expired, and were renewed": {
			script: script{
				get:   []answer{object(at("100", unfinished)), status(401, metav1.StatusReasonUnauthorized, "Unauthorized"), object(at("200"))},
				watch: []answer{status(401, metav1.StatusReasonUnauthorized, "Unauthorized")},
			},
			requests: []string{"get", "watch from 100", "get", "get"},
		},
		"the first read fails for a while": {
			script:   script{get: []answer{down, status(500, metav1.StatusReasonInternalError, "etcd"), status(429, metav1.StatusReasonTooManyRequests, "slow down"), object(at("100"))}},
			requests: []string{"get", "get", "get", "get"},
		},
		"a copy from before the caller's write is not believed": {
			script: script{
				get: []answer{object(at("99", func(s *appsv1.StatefulSet) { s.Generation, s.Status.ObservedGeneration = 3, 3 }))},
				watch: []answer{stream(
					modified(at("100", func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 })),
					modified(at("101")),
				)},
			},
			requests: []string{"get", "watch from 99"},
		},
		"with a partition the pods decide": {
			script: script{
				get:   []answer{object(statefulSet(2, partition(1), counts(2, 1, 1)))},
				watch: []answer{stream(modified(statefulSet(2, partition(1), counts(2, 1, 1))))},
				pods: []answer{
					podList(pod(0, older), pod(1, newest, unready())),
					podList(pod(0, older, unready()), pod(1, newest)),
				},
			},
			requests: []string{
				"get", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)",
				"watch from 100", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)",
			},
		},
		"with a partition the pods do not matter before enough of them are there, updated and ready": {
			script: script{
				get: []answer{object(statefulSet(3, partition(1), counts(2, 2, 2)))},
				watch: []answer{stream(
					modified(statefulSet(3, partition(1), counts(3, 1, 3))),
					modified(statefulSet(3, partition(1), counts(3, 2, 1))),
					modified(statefulSet(3, partition(1), counts(3, 3, 2))),
					modified(statefulSet(3, partition(1), counts(3, 3, 3))),
				)},
			},
			requests: []string{"get", "watch from 100"},
		},
		"with OnDelete the pods do not matter as long as none was replaced": {
			script:   script{get: []answer{object(statefulSet(2, onDelete, counts(2, 0, 1)))}},
			requests: []string{"get"},
		},
		"with OnDelete the pods tell which of them is not ready": {
			script: script{
				get:   []answer{object(statefulSet(2, onDelete, counts(2, 1, 1)))},
				watch: []answer{stream(modified(statefulSet(2, onDelete, counts(2, 1, 2))))},
				pods:  []answer{podList(pod(0, older), pod(1, newest, unready()))},
			},
			requests: []string{
				"get", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)", "watch from 100",
			},
		},
		"with a partition and without the right to list pods the numbers decide": {
			script: script{
				get:  []answer{object(statefulSet(2, partition(1), counts(2, 1, 2)))},
				pods: []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
			},
			requests: []string{"get", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)"},
		},
		"the context ends with the numbers behind the pods": {
			script: script{
				get:   []answer{object(statefulSet(2, partition(1), counts(2, 1, 1)))},
				watch: []answer{stream()},
				pods:  []answer{podList(pod(0, older), pod(1, newest, unready())), podList(pod(0, older, unready()), pod(1, newest))},
			},
			requests: []string{
				"get", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)",
				"watch from 100", "pods app=mira,statefulset.kubernetes.io/pod-name in (mira-acme-0,mira-acme-1)",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				got, err := rollout.Wait(minutes(t), server.client(), "default", "mira-acme", 4)
				if err != nil {
					t.Fatal(err)
				}
				if !got.Done {
					t.Errorf("returned before the end: %s", got.Message)
				}
				if diff := cmp.Diff(test.requests, server.requests()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWaitGivesUpWhenTheStatefulSetGoesAway(t *testing.T) {
	dying := at("101", unfinished, func(s *appsv1.StatefulSet) { s.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })
	tests := map[string]struct {
		script   script
		replaced bool
	}{
		"it was never there": {
			script: script{get: []answer{status(404, metav1.StatusReasonNotFound, "not found")}},
		},
		"it is deleted": {
			script: script{get: []answer{object(at("100", unfinished))}, watch: []answer{stream(event{"DELETED", at("101", unfinished)})}},
		},
		"it waits for its pods to go": {
			script: script{get: []answer{object(at("100", unfinished))}, watch: []answer{stream(modified(dying))}},
		},
		"it went while the watch was down": {
			script: script{
				get:   []answer{object(at("100", unfinished)), status(404, metav1.StatusReasonNotFound, "not found")},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version")},
			},
		},
		"another took its place while the watch was down": {
			script: script{
				get:   []answer{object(at("100", unfinished)), object(at("200", func(s *appsv1.StatefulSet) { s.UID = "another" }))},
				watch: []answer{status(410, metav1.StatusReasonGone, "too old resource version")},
			},
			replaced: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				_, err := rollout.Wait(minutes(t), server.client(), "default", "mira-acme", 1)
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

func TestWaitPassesOnWhatTheServerRefuses(t *testing.T) {
	tests := map[string]script{
		"reading": {
			get: []answer{status(403, metav1.StatusReasonForbidden, "may not get statefulsets")},
		},
		"watching": {
			get:   []answer{object(at("100", unfinished))},
			watch: []answer{status(403, metav1.StatusReasonForbidden, "may not watch statefulsets")},
		},
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script.serve(t)
				_, err := rollout.Wait(minutes(t), server.client(), "default", "mira-acme", 1)
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "rollout of StatefulSet default/mira-acme") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
	t.Run("logging in, twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := script{get: []answer{status(401, metav1.StatusReasonUnauthorized, "Unauthorized")}}.serve(t)
			_, err := rollout.Wait(minutes(t), server.client(), "default", "mira-acme", 1)
			if !apierrors.IsUnauthorized(err) || len(server.requests()) != 2 {
				t.Errorf("got %v after %q", err, server.requests())
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
	claim := func(phase corev1.PersistentVolumeClaimPhase) answer {
		return object(corev1.PersistentVolumeClaim{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
			Status:   corev1.PersistentVolumeClaimStatus{Phase: phase},
		})
	}
	tests := map[string]struct {
		script script
		says   string
	}{
		"an image that cannot be pulled, beside another client's pod": {
			script: script{
				get:   []answer{object(at("100", counts(1, 1, 0)))},
				watch: []answer{stream()},
				pods: []answer{podList(
					pod(0, newest, pending, unready(waiting("ImagePullBackOff", `Back-off pulling image "mira:3.1"`))),
					pod(0, newest, ownedBy("globex"), pending, unready(waiting("ErrImagePull", ""))),
				)},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; container mira: ImagePullBackOff: Back-off pulling image "mira:3.1"
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
		},
		"claims that are not bound": {
			script: script{
				get:   []answer{object(at("100", counts(1, 1, 0)))},
				watch: []answer{stream()},
				pods:  []answer{podList(pod(0, newest, pending, unscheduled))},
				claims: []answer{
					claim(corev1.ClaimPending), claim(corev1.ClaimBound), status(404, metav1.StatusReasonNotFound, "not found"),
				},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  pod mira-acme-0: Pending; Unschedulable: pod has unbound immediate PersistentVolumeClaims; claim data-mira-acme-0 is not bound; claim gone-mira-acme-0 is not bound
The rollout goes on in the cluster; look further with: kubectl --namespace default describe pod mira-acme-0`,
		},
		"claims that may not be read": {
			script: script{
				get:    []answer{object(at("100", counts(1, 1, 0)))},
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
				get:   []answer{object(at("100", counts(1, 1, 0)))},
				watch: []answer{stream()},
				pods:  []answer{status(403, metav1.StatusReasonForbidden, "pods is forbidden")},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  (why is not known, since the pods could not be listed: pods is forbidden)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"more pods than one wants to read about": {
			script: script{
				get:   []answer{object(statefulSet(7, counts(1, 1, 0)))},
				watch: []answer{stream()},
				pods:  []answer{podList(pod(0, newest, pending))},
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
		"a controller that does not run": {
			script: script{
				get:   []answer{object(at("100", func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 3 }))},
				watch: []answer{stream()},
				pods:  []answer{podList(pod(0, older))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the StatefulSet controller has not seen generation 4 yet, only 3
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that never shows the write": {
			script: script{
				get:   []answer{object(at("99", func(s *appsv1.StatefulSet) { s.Generation, s.Status.ObservedGeneration = 3, 3 }))},
				watch: []answer{stream()},
				pods:  []answer{podList(pod(0, newest))},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the server still shows generation 3 of the StatefulSet, not 4
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that went away": {
			script: script{
				get:   []answer{object(at("100", counts(1, 1, 0))), down},
				watch: []answer{drop()},
				pods:  []answer{down},
			},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: 0 of 1 pod ready
  (the API server could not be reached any more: Get "https://script.test/api/v1/namespaces/default/pods?labelSelector=app%3Dmira%2Cstatefulset.kubernetes.io%2Fpod-name+in+%28mira-acme-0%29": connection refused)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
		"a server that was never there": {
			script: script{get: []answer{down}},
			says: `StatefulSet default/mira-acme: its rollout did not complete within 10m0s: the StatefulSet has not been read yet
  (the API server could not be reached any more: Get "https://script.test/apis/apps/v1/namespaces/default/statefulsets/mira-acme": connection refused)
The rollout goes on in the cluster; look further with: kubectl --namespace default describe statefulset mira-acme`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := test.script.serve(t)
				got, err := rollout.Wait(minutes(t), server.client(), "default", "mira-acme", 4)
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
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := map[string]struct {
		pods   answer
		says   string
		within time.Duration
	}{
		"and says what is pending": {
			podList(pod(0, newest, pending)), "\n  pod mira-acme-0: Pending\n", 0,
		},
		"even from a server that does not answer any more": {
			hang, "the pods could not be listed", 3 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := script{
					get: []answer{object(at("100", counts(1, 1, 0)))}, watch: []answer{stream()}, pods: []answer{test.pods},
				}.serve(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				interrupt := errors.New("somebody pressed Ctrl-C")
				time.AfterFunc(2*time.Second, func() { cancel(interrupt) })
				start := time.Now()
				_, err := rollout.Wait(ctx, server.client(), "default", "mira-acme", 4)
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
