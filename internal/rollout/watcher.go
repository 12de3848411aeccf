package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

var (
	statefulSets  = appsv1.SchemeGroupVersion.WithResource("statefulsets")
	podResource   = corev1.SchemeGroupVersion.WithResource("pods")
	claimResource = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	eventResource = corev1.SchemeGroupVersion.WithResource("events")
)

// LogReader reads the last lines of a container's log: of the run before the
// present one if previous is true.
type LogReader func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) (string, error)

// Watcher waits for rollouts. One serves a whole process: all who wait in a
// namespace share one watch of its StatefulSets and one of its pods. The watches
// start with the first who waits and stop with the last. It is safe for
// concurrent use.
type Watcher struct {
	client   dynamic.Interface
	logs     LogReader
	selector string

	mu      sync.Mutex
	sets    map[scope]*shared[*appsv1.StatefulSet]
	pods    map[scope]*shared[*corev1.Pod]
	waiters map[types.NamespacedName]map[*waiter]struct{}
}

// NewWatcher makes a watcher. It does not talk to the server.
//
// The selector is that of the labels by which StatefulSets are watched; empty
// for all. It only saves traffic: one that does not match is waited for as well,
// by a watch of its own. Without logs, which may be nil, errors hold no log lines.
func NewWatcher(client dynamic.Interface, logs LogReader, selector string) *Watcher {
	return &Watcher{
		client: client, logs: logs, selector: selector,
		sets:    make(map[scope]*shared[*appsv1.StatefulSet]),
		pods:    make(map[scope]*shared[*corev1.Pod]),
		waiters: make(map[types.NamespacedName]map[*waiter]struct{}),
	}
}

// scope is the part of a cluster that a feed covers.
type scope struct {
	namespace, labels, fields string
}

// shared is a feed and the number of those who use it.
type shared[T metav1.Object] struct {
	*feed[T]
	users int
}

func (w *Watcher) acquireSets(ctx context.Context, s scope) *feed[*appsv1.StatefulSet] {
	return acquire(ctx, w, w.sets, s, &feed[*appsv1.StatefulSet]{
		resource: w.client.Resource(statefulSets).Namespace(s.namespace),
		convert:  convertSet,
		subject:  func(sts *appsv1.StatefulSet) string { return sts.Name },
	})
}

func (w *Watcher) acquirePods(ctx context.Context, s scope) *feed[*corev1.Pod] {
	return acquire(ctx, w, w.pods, s, &feed[*corev1.Pod]{
		resource: w.client.Resource(podResource).Namespace(s.namespace),
		convert:  convertPod,
		subject: func(pod *corev1.Pod) string {
			if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "StatefulSet" {
				return owner.Name
			}
			return ""
		},
	})
}

// acquire gives the feed of a scope, started if it is not there yet. It outlives
// the caller's context, since others may use it by then.
func acquire[T metav1.Object](ctx context.Context, w *Watcher, feeds map[scope]*shared[T], s scope, fresh *feed[T]) *feed[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if there, ok := feeds[s]; ok {
		there.users++
		return there.feed
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fresh.scope, fresh.stop = s, cancel
	fresh.byName, fresh.byOwner = make(map[string]T), make(map[types.UID]map[string]T)
	fresh.fallen = make(map[types.UID][]fallenPod)
	fresh.wake = func(subject string) { w.wake(s.namespace, subject) }
	feeds[s] = &shared[T]{feed: fresh, users: 1}
	go fresh.run(ctx)
	return fresh
}

// release stops a feed with its last user.
func release[T metav1.Object](w *Watcher, feeds map[scope]*shared[T], f *feed[T]) {
	if f == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	there := feeds[f.scope]
	if there.users--; there.users == 0 {
		delete(feeds, f.scope)
		f.stop()
	}
}

// convert reads an object of a kind.
func convert[T any](object *unstructured.Unstructured) (*T, error) {
	read := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, read); err != nil {
		return nil, fmt.Errorf("reading %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return read, nil
}

// convertSet keeps what a rollout depends on: a fleet has thousands of them.
func convertSet(object *unstructured.Unstructured) (*appsv1.StatefulSet, error) {
	unstructured.RemoveNestedField(object.Object, "spec", "template")
	unstructured.RemoveNestedField(object.Object, "spec", "volumeClaimTemplates")
	return convert[appsv1.StatefulSet](object)
}

// convertPod does the same for pods.
func convertPod(object *unstructured.Unstructured) (*corev1.Pod, error) {
	pod, err := convert[corev1.Pod](object)
	if err != nil {
		return nil, err
	}
	spec := corev1.PodSpec{NodeName: pod.Spec.NodeName}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			spec.Volumes = append(spec.Volumes, volume)
		}
	}
	for _, c := range pod.Spec.InitContainers {
		spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy})
	}
	for _, c := range pod.Spec.Containers {
		spec.Containers = append(spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	pod.Spec, pod.Annotations = spec, nil
	return pod, nil
}

func (w *Watcher) register(v *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := types.NamespacedName{Namespace: v.Namespace, Name: v.Name}
	if w.waiters[key] == nil {
		w.waiters[key] = make(map[*waiter]struct{})
	}
	w.waiters[key][v] = struct{}{}
}

func (w *Watcher) unregister(v *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := types.NamespacedName{Namespace: v.Namespace, Name: v.Name}
	delete(w.waiters[key], v)
	if len(w.waiters[key]) == 0 {
		delete(w.waiters, key)
	}
}

// wake lets the waiters of a StatefulSet look again, or all of a namespace.
func (w *Watcher) wake(namespace, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name != "" {
		for v := range w.waiters[types.NamespacedName{Namespace: namespace, Name: name}] {
			v.rouse()
		}
		return
	}
	for key, waiters := range w.waiters {
		if key.Namespace == namespace {
			for v := range waiters {
				v.rouse()
			}
		}
	}
}

// byName is the scope of one StatefulSet.
func byName(namespace, name string) scope {
	return scope{namespace: namespace, fields: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
}

// isFinal tells an answer that will not change from an outage.
func isFinal(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return false
	}
	switch code := answer.Status().Code; code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusGone:
		return false
	default:
		return code >= 400 && code < 500
	}
}
