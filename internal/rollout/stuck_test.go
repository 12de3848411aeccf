package rollout_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
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

func parallel(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }

func deletingStuck(o *rollout.Options) { o.DeleteStuckPods = true }

func deletingUnready(o *rollout.Options) { o.DeleteUnreadyPods = true }

// The StatefulSet controller never replaces a broken pod of an older revision
// (kubernetes/kubernetes issue 67250), so the wait has to delete it.
func TestWaitDeletesStuckPods(t *testing.T) {
	const stale = "mira-acme-stale"
	broken := func(ordinal int, revision string) corev1.Pod {
		return pod(ordinal, revision, pending, unready(waiting("ImagePullBackOff", "")))
	}
	slow := func(ordinal int, revision string) corev1.Pod {
		return pod(ordinal, revision, unready(running(0, false)))
	}
	successor := func(p corev1.Pod) corev1.Pod { p.UID += "-successor"; return p }
	changed := func(p corev1.Pod) corev1.Pod { p.ResourceVersion = "101"; return p }
	minute := time.Minute
	tests := map[string]struct {
		sts     *appsv1.StatefulSet
		pods    []corev1.Pod
		events  []event
		options func(*rollout.Options)
		del     []answer
		deleted []string // each with the time before it
	}{
		"a broken pod is deleted at once": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: deletingStuck,
			deleted: []string{"0s mira-acme-0"},
		},
		"nothing is deleted without the option": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: patient,
		},
		"a pod without a node is broken, too": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{pod(0, older, unscheduled(noRoom))}, options: deletingStuck,
			deleted: []string{"0s mira-acme-0"},
		},
		"a pod that is only not ready gets some time": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{slow(0, older)}, options: deletingStuck,
			deleted: []string{"5m0s mira-acme-0"},
		},
		"a pod of a revision that was never complete gets less": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{slow(0, stale)}, options: deletingStuck,
			deleted: []string{"20s mira-acme-0"},
		},
		"a pod that is only not ready, and then fails": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{slow(0, older)}, options: deletingStuck,
			events:  []event{later(minute, modified(broken(0, older)))},
			deleted: []string{"1m0s mira-acme-0"},
		},
		"a pod that becomes ready is left to the controller": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{slow(0, older)}, options: deletingStuck,
			events: []event{later(minute, modified(pod(0, older)))},
		},
		"a roll back does not wait for a pod that is only not ready": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{slow(0, older)}, options: deletingUnready,
			deleted: []string{"0s mira-acme-0"},
		},
		"a roll back does not delete a pod that is ready": {
			sts: statefulSet(1, counts(1, 0, 1)), pods: []corev1.Pod{pod(0, older)}, options: deletingUnready,
		},
		"a pod of the newest revision stays, even if it fails": {
			sts: statefulSet(1, counts(1, 1, 0)), pods: []corev1.Pod{slow(0, newest)}, options: deletingUnready,
		},
		"a pod that is being deleted already": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{pod(0, older, deleting, unready())}, options: deletingUnready,
		},
		"the newest revision is not known yet": {
			sts:  statefulSet(1, counts(1, 0, 0), func(s *appsv1.StatefulSet) { s.Generation = 5 }),
			pods: []corev1.Pod{broken(0, older)}, options: deletingUnready,
		},
		"OnDelete": {
			sts:     statefulSet(2, onDelete, counts(2, 1, 0)),
			pods:    []corev1.Pod{broken(0, older), pod(1, newest, unready())},
			options: deletingUnready,
		},
		"below the partition": {
			sts: statefulSet(2, partition(1), counts(2, 0, 0)), pods: []corev1.Pod{broken(0, older), broken(1, older)}, options: deletingStuck,
			deleted: []string{"0s mira-acme-1"},
		},
		"pods of another client": {
			sts:     statefulSet(1, counts(1, 0, 0)),
			pods:    []corev1.Pod{broken(0, older), pod(1, older, ownedBy("globex"), unready())},
			options: deletingUnready,
			deleted: []string{"0s mira-acme-0"},
		},
		"one after the other, starting from the lowest ordinal": {
			sts: statefulSet(3, counts(3, 0, 0)), pods: []corev1.Pod{broken(2, older), broken(0, older), broken(1, stale)}, options: deletingStuck,
			events: []event{
				later(minute, deleted(broken(0, older))), later(minute, added(slow(0, newest))), later(minute, modified(pod(0, newest))),
				later(minute, modified(broken(1, stale))),
			},
			deleted: []string{"0s mira-acme-0", "3m0s mira-acme-1"},
		},
		"a successor that is outdated by now is deleted as well": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: deletingStuck,
			events:  []event{later(minute, deleted(broken(0, older))), added(successor(broken(0, stale)))},
			deleted: []string{"0s mira-acme-0", "1m0s mira-acme-0"},
		},
		"Parallel: all at once": {
			sts:     statefulSet(3, parallel, counts(3, 0, 0)),
			pods:    []corev1.Pod{broken(0, older), slow(1, older), broken(2, older)},
			options: deletingStuck,
			deleted: []string{"0s mira-acme-0", "0s mira-acme-2", "5m0s mira-acme-1"},
		},
		"the pod has changed in the meantime": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: deletingStuck,
			del:     []answer{status(http.StatusConflict, metav1.StatusReasonConflict, "the UID or resource version does not match")},
			events:  []event{later(minute, modified(changed(broken(0, older))))},
			deleted: []string{"0s mira-acme-0", "1m0s mira-acme-0"},
		},
		"the server does not answer at first": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: deletingStuck,
			del:     []answer{down, down, status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")},
			deleted: []string{"0s mira-acme-0", "500ms mira-acme-0", "1.5s mira-acme-0"},
		},
		"the right is missing": {
			sts: statefulSet(1, counts(1, 0, 0)), pods: []corev1.Pod{broken(0, older)}, options: deletingStuck,
			del:     []answer{status(http.StatusForbidden, metav1.StatusReasonForbidden, "pods is forbidden")},
			events:  []event{later(minute, modified(broken(0, older)))},
			deleted: []string{"0s mira-acme-0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var deletions []string
				start := time.Now()
				if test.del == nil {
					test.del = []answer{object(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess})}
				}
				succeeded := 0
				for i, answer := range test.del {
					test.del[i] = func(r *http.Request) (*http.Response, error) {
						deletions = append(deletions, time.Since(start).String()+r.URL.Path[strings.LastIndex(r.URL.Path, "/"):])
						response, err := answer(r)
						if err == nil && response.StatusCode == http.StatusOK {
							succeeded++
						}
						return response, err
					}
				}
				server := script{
					list: []answer{listed(test.sts)}, pods: []answer{podList(test.pods...)}, podWatch: []answer{stream(test.events...)},
					del: test.del,
				}.serve(t)
				status, err := server.wait(minutes(t), 4, test.options)
				var pending *rollout.PendingError
				if !errors.As(err, &pending) {
					t.Fatalf("got %v, want a PendingError", err)
				}
				for i := range deletions {
					deletions[i] = strings.Replace(deletions[i], "/", " ", 1)
				}
				if diff := cmp.Diff(test.deleted, deletions); diff != "" {
					t.Error(diff)
				}
				if len(status.DeletedPods) != succeeded || !slices.Equal(status.DeletedPods, pending.Status.DeletedPods) {
					t.Errorf("reports %v after %d deletions", status.DeletedPods, succeeded)
				}
				if succeeded > 0 && !strings.Contains(err.Error(), "\n  deleted because the rollout was stuck on an older revision: pod mira-acme-") {
					t.Errorf("does not say what was deleted:\n%v", err)
				}
			})
		})
	}
}

func TestWaitDeletesOnlyThePodThatItExamined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body string
		server := script{
			list: []answer{listed(statefulSet(1, counts(1, 0, 0)))},
			pods: []answer{podList(pod(0, older, pending, unready(waiting("ErrImagePull", "")), uid("the-one")))},
			del: []answer{func(r *http.Request) (*http.Response, error) {
				data := make([]byte, 1000)
				n, _ := r.Body.Read(data)
				body = string(data[:n])
				return nil, context.DeadlineExceeded
			}},
		}.serve(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _ = server.wait(ctx, 4, deletingStuck)
		if !strings.Contains(body, `"uid":"the-one"`) || !strings.Contains(body, `"resourceVersion":"100"`) {
			t.Errorf("deleted with %s", body)
		}
	})
}
