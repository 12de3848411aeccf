package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// client returns a StatefulSet of another name, and its pod.
func client(i int, changes ...func(*appsv1.StatefulSet)) (*appsv1.StatefulSet, corev1.Pod) {
	sts := statefulSet(1, changes...)
	sts.Name, sts.UID = fmt.Sprintf("mira-%d", i), types.UID(fmt.Sprintf("uid-%d", i))
	p := pod(0, newest)
	p.Name = sts.Name + "-0"
	p.OwnerReferences[0].Name, p.OwnerReferences[0].UID = sts.Name, sts.UID
	return sts, p
}

func TestWaitersShareTheirWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		var before []appsv1.StatefulSet
		var after []event
		var pods []corev1.Pod
		for i := range n {
			sts, p := client(i, unfinished)
			before = append(before, *sts)
			pods = append(pods, p)
			done, _ := client(i)
			done.ResourceVersion = fmt.Sprint(101 + i)
			after = append(after, later(time.Second, modified(done)))
		}
		list := sets("100")
		list.Items = before
		server := script{list: []answer{object(list)}, watch: []answer{stream(after...)}, pods: []answer{podList(pods...)}}.serve(t)
		watcher := server.watcher()
		start := time.Now()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				name := fmt.Sprintf("mira-%d", i)
				target := rollout.Target{Namespace: "default", Name: name, MinGeneration: 4}
				_, err := watcher.Wait(minutes(t), target, rollout.Options{DeleteStuckPods: true})
				if want := time.Duration(i+1) * time.Second; err != nil || time.Since(start) != want {
					t.Errorf("%s ended after %s, want %s: %v", name, time.Since(start), want, err)
				}
			})
		}
		all.Wait()
		for _, resource := range []string{"statefulsets", "pods"} {
			if diff := cmp.Diff([]string{"list", "watch from 100"}, server.requests(resource)); diff != "" {
				t.Errorf("%s: %s", resource, diff)
			}
		}
	})
}

func TestWatchesStopWithTheLastWaiterAndStartAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(map[*http.Request]bool)
		var mu sync.Mutex
		watched := func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			open[r] = true
			mu.Unlock()
			context.AfterFunc(r.Context(), func() {
				mu.Lock()
				delete(open, r)
				mu.Unlock()
			})
			return stream()(r)
		}
		wantOpen := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(open) != want {
				t.Errorf("%d watches are open, want %d", len(open), want)
			}
		}
		server := script{
			list: []answer{listed(at("100", counts(1, 1, 0)))}, watch: []answer{watched},
			pods: []answer{podList(pod(0, newest, unready()))}, podWatch: []answer{watched},
		}.serve(t)
		watcher := server.watcher()
		for range 2 {
			ended := make(chan error, 2)
			start := func() context.CancelFunc {
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					_, err := watcher.Wait(ctx, rollout.Target{Namespace: "default", Name: "mira-acme"}, rollout.Options{})
					ended <- err
				}()
				return cancel
			}
			wantOpen(0)
			first := start()
			wantOpen(2)
			second := start()
			wantOpen(2)
			first()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			wantOpen(2)
			select {
			case err := <-ended:
				t.Errorf("the second waiter ended with the first: %v", err)
			default:
			}
			second()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			wantOpen(0)
		}
		if got := len(server.requests("pods")); got != 4 {
			t.Errorf("%d requests for pods in two rounds", got)
		}
	})
}
