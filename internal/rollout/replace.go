package rollout

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// Pod names the very pod that is to be replaced.
type Pod struct {
	Name string
	UID  types.UID
}

// ReplaceError says which pods were not replaced.
type ReplaceError struct {
	Namespace string
	Left      []Pod // still the former ones
	Err       error
}

func (e *ReplaceError) Error() string {
	return fmt.Sprintf("replacing pod %s/%s: %v", e.Namespace, e.Left[0].Name, e.Err)
}

func (e *ReplaceError) Unwrap() error { return e.Err }

// Replace deletes pods of a StatefulSet, so that it makes new ones, in the order
// given and one after the other: each but the last must have a successor that is
// ready before the next one goes. Pods that are gone already, or replaced, count
// as done.
//
// The StatefulSet controller does not do so itself where a pod lacks a claim that
// the StatefulSet has by now: it tries to change the pod, which the server
// refuses, and stops there. As it goes by the ordinals, so must this.
func Replace(ctx context.Context, client dynamic.Interface, namespace string, pods []Pod) error {
	resource := client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace)
	for i, pod := range pods {
		err := resource.Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return &ReplaceError{Namespace: namespace, Left: pods[i:], Err: err}
		}
		if i == len(pods)-1 {
			break
		}
		if err := awaitSuccessor(ctx, resource, pod); err != nil {
			return &ReplaceError{Namespace: namespace, Left: pods[i+1:], Err: fmt.Errorf("waiting for the new pod %s: %w", pod.Name, err)}
		}
	}
	return nil
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
