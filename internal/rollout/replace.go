package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

// Pod identifies a pod: another pod of the same name has another UID.
type Pod struct {
	Name string
	UID  types.UID
}

// ReplaceError says which pods were not replaced.
type ReplaceError struct {
	Namespace string
	// Remaining are the pods that are still the former ones; at least one.
	Remaining []Pod
	Err       error
}

// Error names the first pod that was not replaced.
func (e *ReplaceError) Error() string {
	return fmt.Sprintf("replacing pod %s/%s: %v", e.Namespace, e.Remaining[0].Name, e.Err)
}

// Unwrap returns why it was not replaced.
func (e *ReplaceError) Unwrap() error { return e.Err }

// Replace deletes pods of a StatefulSet, so that its controller creates new ones. It
// deletes them in the given order and one after the other: the next pod is deleted when
// the successor of the one before is ready. Pods that do not exist any more count as
// replaced.
//
// The controller does not replace a pod that lacks a claim which the StatefulSet has by
// now. It tries to change the pod, which the server refuses, and stops there. The pods
// must be given in the order of their ordinals, because the controller uses it, too.
//
// The error is a [*ReplaceError]. It wraps a [*FailedError] if a new pod fails for longer
// than the grace of the options.
func (w *Watcher) Replace(ctx context.Context, target Target, pods []Pod, options Options) error {
	resource := w.client.Resource(podResource).Namespace(target.Namespace)
	for i, pod := range pods {
		if err := deletePod(ctx, resource, pod); err != nil {
			return &ReplaceError{Namespace: target.Namespace, Remaining: pods[i:], Err: err}
		}
		if i == len(pods)-1 {
			break
		}
		if err := w.awaitSuccessorOrFailure(ctx, target, pod, options); err != nil {
			return &ReplaceError{
				Namespace: target.Namespace, Remaining: pods[i+1:], Err: fmt.Errorf("waiting for the new pod %s: %w", pod.Name, err),
			}
		}
	}
	return nil
}

// awaitSuccessorOrFailure waits until another pod of the same name is ready, or until the
// rollout has failed.
func (w *Watcher) awaitSuccessorOrFailure(ctx context.Context, target Target, former Pod, options Options) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := w.Wait(watching, target, options)
		if _, isFailed := errors.AsType[*FailedError](err); isFailed {
			cancel()
		}
		ended <- err
	}()
	err := awaitSuccessor(watching, w.client.Resource(podResource).Namespace(target.Namespace), former)
	cancel()
	var failed *FailedError
	if waited := <-ended; err != nil && errors.As(waited, &failed) {
		return waited
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// deletePod deletes a pod, unless another one has its name by now. A conflict alone does not
// say so: the pod tells.
func deletePod(ctx context.Context, pods dynamic.ResourceInterface, pod Pod) error {
	pauses := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6}
	return retry.OnError(pauses, apierrors.IsConflict, func() error {
		err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
		if apierrors.IsConflict(err) {
			live, failed := pods.Get(ctx, pod.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(failed) || failed == nil && (live.GetUID() != pod.UID || live.GetDeletionTimestamp() != nil) {
				return nil
			}
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// awaitSuccessor waits until another pod of the same name is ready.
func awaitSuccessor(ctx context.Context, pods dynamic.ResourceInterface, former Pod) error {
	byName := fields.OneTermEqualSelector("metadata.name", former.Name).String()
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = byName
			return pods.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = byName
			return pods.Watch(ctx, options)
		},
	}
	_, err := watchtools.UntilWithSync(ctx, lw, &unstructured.Unstructured{}, nil, func(event watch.Event) (bool, error) {
		live, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Deleted || live.GetUID() == former.UID {
			return false, nil
		}
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, pod); err != nil {
			return false, err
		}
		ready := condition(pod, corev1.PodReady)
		return ready != nil && ready.Status == corev1.ConditionTrue, nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
