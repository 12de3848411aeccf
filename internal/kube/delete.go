package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// deletePauses are those between deletes that the server refuses with a conflict although
// the object is the one that is meant: about six seconds.
func deletePauses() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: pauseJitter, Steps: 6}
}

// Delete removes an object and waits until it is gone, and with it, as the
// deletion propagates in the foreground, what it owns: the pods of a
// StatefulSet. A UID in the reference is a precondition: an object that took the
// name in the meantime is left alone, and the one that was meant counts as gone.
func (c *Client) Delete(ctx context.Context, ref Ref) error {
	resource, err := c.writable(ref)
	if err != nil {
		return err
	}
	d := deletion{client: c, resource: resource, ref: ref}
	isGone, err := d.request(ctx)
	if err != nil || isGone {
		return err
	}
	begun := time.Now()
	if err := d.wait(ctx); err != nil {
		return err
	}
	logging.Debug(ctx, "Deleted an object", "object", ref, "waited", time.Since(begun))
	return nil
}

// deletion is the delete of one object.
type deletion struct {
	client   *Client
	resource dynamic.ResourceInterface
	ref      Ref
}

// request asks for the deletion of the object. It believes neither a conflict nor an
// answer that got lost, but looks at the object. It reports whether the object is gone
// already; otherwise, without an error, it is on its way.
func (d deletion) request(ctx context.Context) (isGone bool, err error) {
	ref := d.ref
	propagation := metav1.DeletePropagationForeground
	options := metav1.DeleteOptions{PropagationPolicy: &propagation, Preconditions: ref.deletePreconditions()}
	for pauses := deletePauses(); ; {
		err := d.resource.Delete(ctx, ref.Name, options)
		if err == nil {
			return false, nil
		}
		failure := d.client.errors.translate("delete", ref, err)
		if _, ok := errors.AsType[*NotFoundError](failure); ok {
			return true, nil
		}
		if !apierrors.IsConflict(err) && !IsOutcomeUnknown(err) {
			return false, failure
		}
		live, lookErr := d.client.Get(ctx, ref)
		switch {
		case lookErr != nil:
			return false, errors.Join(failure, lookErr)
		case live == nil:
			return true, nil
		case ref.UID != "" && live.GetUID() != ref.UID:
			logging.Debug(ctx, "Left alone an object that took the name of a deleted one", "object", ref)
			return true, nil
		case live.GetDeletionTimestamp() != nil:
			return false, nil
		}
		if _, isDenied := errors.AsType[*DeniedError](failure); isDenied || !apierrors.IsConflict(err) || pauses.Steps == 0 {
			return false, failure
		}
		timer := time.NewTimer(pauses.Step())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, failure
		}
	}
}

// WaitGone waits until an object that is being deleted is gone. The error is a
// [*StillThereError].
func (c *Client) WaitGone(ctx context.Context, ref Ref) error {
	resource, err := c.readable(ref)
	if err != nil {
		return err
	}
	return deletion{client: c, resource: resource, ref: ref}.wait(ctx)
}

// StillThereError says that an object was not gone within the time given. Its
// deletion goes on in the cluster.
type StillThereError struct {
	Ref Ref
	Err error
}

// Error names the object and says why the wait ended.
func (e *StillThereError) Error() string {
	return fmt.Sprintf("%s is marked for deletion but not gone yet: %v", e.Ref, e.Err)
}

// Unwrap returns why the wait ended.
func (e *StillThereError) Unwrap() error { return e.Err }

// lookAgain is how often a wait for the end of an object lists it again: a watch may hang
// without a sign.
const lookAgain = 30 * time.Second

// wait watches the object until it is deleted or replaced by another.
func (d deletion) wait(ctx context.Context) error {
	for {
		watching, cancel := context.WithTimeout(ctx, lookAgain)
		err := watchGone(watching, d.resource, d.ref)
		hasEnded := watching.Err() != nil
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return &StillThereError{Ref: d.ref, Err: context.Cause(ctx)}
		case !hasEnded:
			return &StillThereError{Ref: d.ref, Err: d.client.connection.Explain(err)}
		}
	}
}

func watchGone(ctx context.Context, resource dynamic.ResourceInterface, ref Ref) error {
	isOther := func(object any) bool {
		live, ok := object.(*unstructured.Unstructured)
		return ok && ref.UID != "" && live.GetUID() != ref.UID
	}
	_, err := watchtools.UntilWithSync(ctx, watchOne(resource, ref.Name), &unstructured.Unstructured{},
		func(store cache.Store) (bool, error) {
			for _, object := range store.List() {
				if !isOther(object) {
					return false, nil
				}
			}
			return true, nil
		},
		func(event watch.Event) (bool, error) {
			return event.Type == watch.Deleted || isOther(event.Object), nil
		})
	return err
}

// watchOne lists and watches one object.
func watchOne(resource dynamic.ResourceInterface, name string) *cache.ListWatch {
	byName := fields.OneTermEqualSelector("metadata.name", name).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = byName
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = byName
			return resource.Watch(ctx, options)
		},
	}
}
