package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	watchtools "k8s.io/client-go/tools/watch"
)

var statefulSets = appsv1.SchemeGroupVersion.WithResource("statefulsets")

// Wait returns when the newest revision of a StatefulSet serves. minGeneration
// is the metadata.generation that the caller's own write gave: an older copy of
// the object, which a busy server may still hand out, is not believed.
//
// It costs one GET and one WATCH of the one object, and both again whenever the
// watch breaks off; it does not poll. Where the numbers in the status do not
// suffice, see [Of], and when the context ends, it lists the StatefulSet's pods;
// without the right to do so it makes do with the numbers.
//
// When the context ends the error is a [*PendingError], when the StatefulSet
// goes away a [*DeletedError], and otherwise what the API server answered. The
// status is the last that was known in any case.
func Wait(ctx context.Context, client dynamic.Interface, namespace, name string, minGeneration int64) (Status, error) {
	w := &waiter{
		statefulSets:  client.Resource(statefulSets).Namespace(namespace),
		pods:          client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace),
		claims:        client.Resource(corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")).Namespace(namespace),
		namespace:     namespace,
		name:          name,
		minGeneration: minGeneration,
		start:         time.Now(),
		status:        Status{Message: "the StatefulSet has not been read yet"},
	}
	err := w.wait(ctx)
	if err == nil {
		return w.status, nil
	}
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return w.interrupted(ctx)
	}
	var deleted *DeletedError
	if !errors.As(err, &deleted) {
		err = fmt.Errorf("waiting for the rollout of StatefulSet %s/%s: %w", namespace, name, err)
	}
	return w.status, err
}

// waiter is one call of [Wait].
type waiter struct {
	statefulSets, pods, claims dynamic.ResourceInterface
	namespace, name            string
	minGeneration              int64
	start                      time.Time

	uid    types.UID           // of the StatefulSet first seen
	last   *appsv1.StatefulSet // the newest copy seen
	status Status
	// contact is the last failure to reach the server, nil after a success.
	contact error
}

// errResync asks for a new read and a new watch.
var errResync = errors.New("the watch cannot go on from where it was")

// wait reads and watches, over and over where the server has forgotten what it
// sent last.
func (w *waiter) wait(ctx context.Context) error {
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		object, err := w.read(ctx)
		if err != nil {
			return err
		}
		if done, err := w.observe(ctx, object); done || err != nil {
			return err
		}
		start := time.Now()
		err = w.watch(ctx, object.GetResourceVersion())
		if !errors.Is(err, errResync) {
			return err
		}
		if time.Since(start) > lastRetry {
			delay = firstRetry
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// Bounds of the pauses between attempts at a server that does not answer as it
// should.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// contacted remembers whether the server could be reached.
func (w *waiter) contacted(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.contact = err
	}
}

// read gets the StatefulSet. It does not give up while the server cannot be
// reached or is overloaded: the caller has just written to it.
func (w *waiter) read(ctx context.Context) (*unstructured.Unstructured, error) {
	refused := false
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		object, err := w.statefulSets.Get(ctx, w.name, metav1.GetOptions{})
		w.contacted(ctx, err)
		switch {
		case err == nil:
			return object, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case apierrors.IsNotFound(err):
			return nil, &DeletedError{Namespace: w.namespace, Name: w.name}
		case apierrors.IsUnauthorized(err) && !refused:
			// client-go runs a credential plugin again for the request after
			// the one that was refused.
			refused = true
		case isFinal(err):
			return nil, err
		}
		if err := pause(ctx, delay); err != nil {
			return nil, err
		}
	}
}

// isFinal tells an answer that will not change from an outage.
func isFinal(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return false
	}
	code := answer.Status().Code
	return code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests
}

// watch follows the StatefulSet from a resource version on, until the rollout is
// done or the watch ends, which it does for a hundred reasons: the server closes
// it after a while, or restarts, or has forgotten the resource version, or the
// network breaks, or credentials have to be renewed. All but a missing right are
// mended by reading again.
func (w *waiter) watch(ctx context.Context, resourceVersion string) error {
	watcher, err := w.statefulSets.Watch(ctx, metav1.ListOptions{
		FieldSelector:       fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String(),
		ResourceVersion:     resourceVersion,
		AllowWatchBookmarks: true,
	})
	w.contacted(ctx, err)
	switch {
	case apierrors.IsForbidden(err):
		return err
	case err != nil:
		return errResync
	}
	_, err = watchtools.UntilWithoutRetry(ctx, watcher, func(event watch.Event) (bool, error) {
		return w.handle(ctx, event)
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, watchtools.ErrWatchClosed):
		return errResync
	}
	return err
}

func (w *waiter) handle(ctx context.Context, event watch.Event) (done bool, err error) {
	switch event.Type {
	case watch.Added, watch.Modified:
		object, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			return false, fmt.Errorf("the server sent a %T", event.Object)
		}
		return w.observe(ctx, object)
	case watch.Deleted:
		return false, &DeletedError{Namespace: w.namespace, Name: w.name}
	case watch.Error:
		return false, errResync
	}
	return false, nil // a bookmark
}

func convert(object *unstructured.Unstructured) (*appsv1.StatefulSet, error) {
	sts := &appsv1.StatefulSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, sts); err != nil {
		return nil, fmt.Errorf("reading the StatefulSet: %w", err)
	}
	return sts, nil
}

// observe judges a copy of the StatefulSet.
func (w *waiter) observe(ctx context.Context, object *unstructured.Unstructured) (done bool, err error) {
	sts, err := convert(object)
	if err != nil {
		return false, err
	}
	switch {
	case w.uid == "":
		w.uid = sts.UID
	case w.uid != sts.UID:
		return false, &DeletedError{Namespace: w.namespace, Name: w.name, Replaced: true}
	}
	if sts.DeletionTimestamp != nil {
		return false, &DeletedError{Namespace: w.namespace, Name: w.name}
	}
	w.last = sts
	w.status = w.judge(sts, nil)
	if !needPods(sts, w.status) {
		return w.status.Done, nil
	}
	pods, err := w.listPods(ctx)
	switch {
	case err == nil:
		w.status = w.judge(sts, pods)
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	return w.status.Done, nil
}

// judge is [Of] for copies that are new enough.
func (w *waiter) judge(sts *appsv1.StatefulSet, pods []corev1.Pod) Status {
	status := Of(sts, pods)
	if sts.Generation < w.minGeneration {
		status.Done = false
		status.Message = fmt.Sprintf("the server still shows generation %d of the StatefulSet, not %d", sts.Generation, w.minGeneration)
	}
	return status
}

// interrupted finds out what is pending once the context has ended.
func (w *waiter) interrupted(ctx context.Context) (Status, error) {
	failure := &PendingError{Namespace: w.namespace, Name: w.name, Err: ctx.Err(), Waited: time.Since(w.start)}
	if cause := context.Cause(ctx); !errors.Is(failure.Err, cause) {
		failure.Err = fmt.Errorf("%w: %w", failure.Err, cause)
	}
	// Whoever presses Ctrl-C waits for this.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if w.last == nil {
		// The context ended before the first answer came.
		if object, err := w.statefulSets.Get(ctx, w.name, metav1.GetOptions{}); err == nil {
			w.last, _ = convert(object)
		}
	}
	if w.last != nil {
		w.status = w.judge(w.last, nil)
		failure.Notes = w.lookCloser(ctx)
		if w.status.Done {
			return w.status, nil
		}
	}
	if w.contact != nil {
		failure.Notes = append(failure.Notes, fmt.Sprintf("the API server could not be reached any more: %v", w.contact))
	}
	failure.Status = w.status
	return w.status, failure
}
