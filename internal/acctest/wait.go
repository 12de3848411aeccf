package acctest

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// WaitFor watches the objects of a kind until a condition holds for all of them
// together. `what` says for the error which condition that is.
func (o *Objects) WaitFor(t *testing.T, kind, what string, holds func([]*unstructured.Unstructured) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	client := o.of(kind)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, options)
		},
	}
	now := make(map[string]*unstructured.Unstructured)
	check := func() bool {
		objects := make([]*unstructured.Unstructured, 0, len(now))
		for _, object := range now {
			objects = append(objects, object)
		}
		return holds(objects)
	}
	_, err := watchtools.UntilWithSync(ctx, lw, &unstructured.Unstructured{},
		func(store cache.Store) (bool, error) {
			for _, item := range store.List() {
				if object, ok := item.(*unstructured.Unstructured); ok {
					now[object.GetName()] = object
				}
			}
			return check(), nil
		},
		func(event watch.Event) (bool, error) {
			if object, ok := event.Object.(*unstructured.Unstructured); ok {
				now[object.GetName()] = object
				if event.Type == watch.Deleted {
					delete(now, object.GetName())
				}
			}
			return check(), nil
		})
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// endOfWrites is the name of the Service whose creation ends the events of
// [Objects.FollowServices].
const endOfWrites = "end-of-writes"

// FollowServices notes from now on which Services are written, also those that are
// gone again. The function that it returns lists them, an event each, such as
// `ADDED mira-acme`.
func (o *Objects) FollowServices(t *testing.T) (events func() []string) {
	t.Helper()
	client := o.of("Service")
	now, err := client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	since := now.GetResourceVersion()
	return func() []string {
		t.Helper()
		watcher, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: since})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
		// All has been seen when a write of our own is.
		o.Create(t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": endOfWrites},
			"spec": map[string]any{"type": "ExternalName", "externalName": "end.example"},
		}}, "test")
		defer o.Delete(t, "Service", endOfWrites)
		var seen []string
		timeout := time.After(Patience)
		for {
			select {
			case event, open := <-watcher.ResultChan():
				object, ok := event.Object.(*unstructured.Unstructured)
				if !open || !ok || event.Type == watch.Error {
					t.Fatalf("watching Services: %v", event)
				}
				if object.GetName() == endOfWrites {
					return seen
				}
				seen = append(seen, string(event.Type)+" "+object.GetName())
			case <-timeout:
				t.Fatal("the watch of Services does not reach the end")
			}
		}
	}
}
