package rollout

import (
	"context"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// LogReader reads the last lines of a container's log. If previous is true, it reads
// the log of the run before the present one.
type LogReader func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) (string, error)

// Watcher waits for rollouts. One serves a whole process: all who wait in a
// namespace share one watch of its StatefulSets and one of its pods. The watches
// start with the first waiter and stop with the last. It is safe for concurrent use.
type Watcher struct {
	client   dynamic.Interface
	logs     LogReader
	selector string

	mu      sync.Mutex
	sets    informers[*appsv1.StatefulSet]
	pods    informers[*corev1.Pod]
	waiters map[types.NamespacedName]map[*waiter]struct{}
}

// NewWatcher returns a watcher. It does not talk to the server.
//
// StatefulSets are watched by the label selector; by all of them if it is empty. It
// only saves traffic: a StatefulSet that does not match can be waited for as well,
// and gets a watch of its own. Without logs, which may be nil, errors hold no log
// lines.
func NewWatcher(client dynamic.Interface, logs LogReader, selector string) *Watcher {
	return &Watcher{
		client: client, logs: logs, selector: selector,
		sets:    make(informers[*appsv1.StatefulSet]),
		pods:    make(informers[*corev1.Pod]),
		waiters: make(map[types.NamespacedName]map[*waiter]struct{}),
	}
}

// scope is the part of a cluster that an informer covers.
type scope struct {
	namespace, labels, fields string
}

// labelScope covers the StatefulSets that the watcher's selector matches.
func (w *Watcher) labelScope(namespace string) scope {
	return scope{namespace: namespace, labels: w.selector}
}

// nameScope covers one StatefulSet.
func nameScope(namespace, name string) scope {
	return scope{namespace: namespace, fields: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
}

// podScope covers the pods of all StatefulSets.
func podScope(namespace string) scope {
	return scope{namespace: namespace, labels: appsv1.StatefulSetPodNameLabel}
}

// informers are those that run.
type informers[T object] map[scope]*informer[T]

func (w *Watcher) acquireSets(ctx context.Context, s scope) *informer[*appsv1.StatefulSet] {
	return acquire(ctx, w, w.sets, setKind, s)
}

func (w *Watcher) acquirePods(ctx context.Context, namespace string) *informer[*corev1.Pod] {
	return acquire(ctx, w, w.pods, podKind, podScope(namespace))
}

// acquire returns the informer of a scope, and starts it if it does not run. It
// outlives the caller's context, since others may use it by then.
func acquire[T object](ctx context.Context, w *Watcher, running informers[T], k kind[T], s scope) *informer[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, ok := running[s]; ok {
		i.users++
		return i
	}
	running[s] = startInformer(context.WithoutCancel(ctx), w.client, k, s, func(name string) { w.wake(s.namespace, name) })
	return running[s]
}

// release stops an informer with its last user. It ignores nil.
func release[T object](w *Watcher, running informers[T], i *informer[T]) {
	if i == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i.users--
	if i.users == 0 {
		delete(running, i.scope)
		i.stop()
	}
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

// wake makes the waiters of a StatefulSet look again; all waiters of the namespace
// if the name is empty.
func (w *Watcher) wake(namespace, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name != "" {
		for v := range w.waiters[types.NamespacedName{Namespace: namespace, Name: name}] {
			v.wake()
		}
		return
	}
	for key, waiters := range w.waiters {
		if key.Namespace == namespace {
			for v := range waiters {
				v.wake()
			}
		}
	}
}
