package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// Bounds of the pauses between attempts at a server that does not answer as it
// should.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// feed holds the newest copies of the objects of one kind in one scope, by one
// LIST and one WATCH. It is the store of a client-go reflector, which outlasts
// dropped watches, forgotten resource versions, and restarts of the server.
type feed[T metav1.Object] struct {
	resource dynamic.ResourceInterface
	scope    scope
	// convert reads an object; managedFields are gone by then.
	convert func(*unstructured.Unstructured) (T, error)
	// subject names the StatefulSet that an object is about; "" for none.
	subject func(T) string
	// wake tells the waiters of a StatefulSet, or with "" all, to look again.
	wake func(subject string)
	stop context.CancelFunc

	mu      sync.Mutex
	byName  map[string]T
	byOwner map[types.UID]map[string]T
	fallen  map[types.UID][]fallenPod
	// synced says that the first LIST has come.
	synced bool
	// refused is an answer of the server that will not change.
	refused error
	// contact is the last failure to reach the server, nil after a success.
	contact error
	// watched says that a WATCH has succeeded, so that the rights were there.
	watched bool
	// refusals is how many answers in a row did not look like an outage.
	refusals int
}

// A server that restarts may refuse those who have every right for as long as it
// has not read its roles. So a feed that went well is not given up at the first
// refusal.
const maxRefusals = 5

// fallenPod is a pod that ended as a whole, for example by an eviction. The
// StatefulSet controller deletes it at once, so that a waiter may never see it.
type fallenPod struct {
	pod *corev1.Pod
	at  time.Time
}

// maxFallen bounds how many of them are kept for a StatefulSet.
const maxFallen = 20

// run follows the objects until the context ends.
func (f *feed[T]) run(ctx context.Context) {
	// client-go's own log would go to standard error.
	ctx = klog.NewContext(ctx, klog.Logger{})
	reflector := cache.NewReflectorWithOptions(listWatch[T]{f}, &unstructured.Unstructured{}, f, cache.ReflectorOptions{
		Name:    "rollout",
		Logger:  &klog.Logger{},
		Backoff: &wait.Backoff{Duration: firstRetry, Factor: 2, Steps: 10, Cap: lastRetry, Jitter: 0.1},
	})
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		start := time.Now()
		_ = reflector.ListAndWatchWithContext(ctx) // the requests note their errors
		if time.Since(start) > lastRetry {
			delay = firstRetry
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// listWatch makes the requests of a feed and notes how the server answers.
type listWatch[T metav1.Object] struct{ feed *feed[T] }

// IsWatchListSemanticsUnSupported keeps client-go to LIST and WATCH, which
// every server answers from its cache.
func (listWatch[T]) IsWatchListSemanticsUnSupported() bool { return true }

// List implements [cache.ListerWatcher], which the reflector prefers to call with
// a context.
func (l listWatch[T]) List(options metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(wait.ContextForChannel(nil), options)
}

// Watch implements [cache.ListerWatcher].
func (l listWatch[T]) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(wait.ContextForChannel(nil), options)
}

// ListWithContext implements [cache.ListerWatcherWithContext].
func (l listWatch[T]) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.LabelSelector, options.FieldSelector = l.feed.scope.labels, l.feed.scope.fields
	list, err := l.feed.resource.List(ctx, options)
	l.feed.answered(ctx, false, err)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// WatchWithContext implements [cache.ListerWatcherWithContext].
func (l listWatch[T]) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector, options.FieldSelector = l.feed.scope.labels, l.feed.scope.fields
	watcher, err := l.feed.resource.Watch(ctx, options)
	l.feed.answered(ctx, true, err)
	return watcher, err
}

// answered notes the outcome of a request. An answer that will not change ends
// the feed.
func (f *feed[T]) answered(ctx context.Context, isWatch bool, err error) {
	if ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	former := f.contact
	f.contact = err
	switch {
	case err == nil:
		f.refusals = 0
		f.watched = f.watched || isWatch
	case isFinal(err):
		f.refusals++
		most := 1
		if apierrors.IsUnauthorized(err) {
			// client-go runs a credential plugin again for the request after
			// the one that was refused.
			most = 2
		}
		if f.watched {
			most = maxRefusals
		}
		if f.refusals >= most {
			f.refused, f.contact = err, nil
		}
	}
	refused, isNews := f.refused, former != nil || err != nil
	f.mu.Unlock()
	if refused != nil {
		f.stop()
	}
	if isNews {
		f.wake("")
	}
}

// view is what a feed knows at one moment.
type view struct {
	synced           bool
	refused, contact error
}

// named gives the newest copy of an object; the zero value when there is none.
func (f *feed[T]) named(name string) (T, view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byName[name], view{f.synced, f.refused, f.contact}
}

// ownedBy gives the objects that have a controller, in no particular order, and
// those pods of it that have ended.
func (f *feed[T]) ownedBy(owner types.UID) ([]T, []fallenPod, view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	owned := make([]T, 0, len(f.byOwner[owner]))
	for _, object := range f.byOwner[owner] {
		owned = append(owned, object)
	}
	return owned, slices.Clone(f.fallen[owner]), view{f.synced, f.refused, f.contact}
}

// Add implements [cache.ReflectorStore].
func (f *feed[T]) Add(object any) error {
	read, err := f.read(object)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.put(read)
	f.mu.Unlock()
	f.tell(read)
	return nil
}

// Update implements [cache.ReflectorStore].
func (f *feed[T]) Update(object any) error { return f.Add(object) }

// Delete implements [cache.ReflectorStore].
func (f *feed[T]) Delete(object any) error {
	read, err := f.read(object)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.note(read)
	f.remove(read.GetName())
	f.mu.Unlock()
	f.tell(read)
	return nil
}

// Replace implements [cache.ReflectorStore].
func (f *feed[T]) Replace(objects []any, _ string) error {
	all := make([]T, 0, len(objects))
	for _, object := range objects {
		read, err := f.read(object)
		if err != nil {
			return err
		}
		all = append(all, read)
	}
	f.mu.Lock()
	f.byName, f.byOwner = make(map[string]T, len(all)), make(map[types.UID]map[string]T)
	for _, object := range all {
		f.put(object)
	}
	f.synced = true
	f.mu.Unlock()
	f.wake("")
	return nil
}

// Resync implements [cache.ReflectorStore].
func (f *feed[T]) Resync() error { return nil }

func (f *feed[T]) read(object any) (read T, err error) {
	raw, ok := object.(*unstructured.Unstructured)
	if !ok {
		err = fmt.Errorf("the server sent a %T", object)
	} else {
		unstructured.RemoveNestedField(raw.Object, "metadata", "managedFields")
		read, err = f.convert(raw)
	}
	if err != nil {
		f.mu.Lock()
		f.refused = err
		f.mu.Unlock()
		f.stop()
		f.wake("")
	}
	return read, err
}

func (f *feed[T]) tell(object T) {
	if subject := f.subject(object); subject != "" {
		f.wake(subject)
	}
}

// put and what follows need the lock.
func (f *feed[T]) put(object T) {
	f.remove(object.GetName())
	f.note(object)
	f.byName[object.GetName()] = object
	if owner := metav1.GetControllerOf(object); owner != nil {
		if f.byOwner[owner.UID] == nil {
			f.byOwner[owner.UID] = make(map[string]T)
		}
		f.byOwner[owner.UID][object.GetName()] = object
	}
}

func (f *feed[T]) remove(name string) {
	former, ok := f.byName[name]
	if !ok {
		return
	}
	delete(f.byName, name)
	if owner := metav1.GetControllerOf(former); owner != nil {
		delete(f.byOwner[owner.UID], name)
		if len(f.byOwner[owner.UID]) == 0 {
			delete(f.byOwner, owner.UID)
		}
	}
}

// note remembers a pod that has ended, once.
func (f *feed[T]) note(object T) {
	pod, ok := any(object).(*corev1.Pod)
	owner := metav1.GetControllerOf(object)
	if !ok || owner == nil || pod.Status.Phase != corev1.PodFailed {
		return
	}
	noted := f.fallen[owner.UID]
	if slices.ContainsFunc(noted, func(fallen fallenPod) bool { return fallen.pod.UID == pod.UID }) {
		return
	}
	if len(noted) == maxFallen {
		noted = noted[1:]
	}
	f.fallen[owner.UID] = append(noted, fallenPod{pod, time.Now()})
}
