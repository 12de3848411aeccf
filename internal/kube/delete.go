package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
	_, err := c.DeleteSame(ctx, ref)
	return err
}

// Deletion is what a delete has found.
type Deletion int

const (
	// Deleted says that the object was there, and is gone.
	Deleted Deletion = iota + 1
	// Absent says that there was no object of that name.
	Absent
	// Replaced says that another object has the name by now. It was left alone.
	Replaced
)

// DeleteSame is [Client.Delete] for a reference with a UID, and tells what it has found.
func (c *Client) DeleteSame(ctx context.Context, ref Ref) (Deletion, error) {
	resource, err := c.writable(ref)
	if err != nil {
		return 0, err
	}
	d := deletion{client: c, resource: resource, ref: ref}
	progress, err := d.request(ctx)
	if err != nil {
		return 0, err
	}
	return d.finish(ctx, progress)
}

// DeleteWatched is [Client.DeleteSame] for an object that is looked at first: it is watched, and
// deleted if `check` does not object to it as it is. The error of `check` comes back as it is.
func (c *Client) DeleteWatched(ctx context.Context, ref Ref, check func(live *unstructured.Unstructured) error) (Deletion, error) {
	resource, err := c.writable(ref)
	if err != nil {
		return 0, err
	}
	d := deletion{client: c, resource: resource, ref: ref}
	progress := deleteProgress(0)
	var failed error
	isMet := false
	begin := func(live *unstructured.Unstructured) (isDone bool) {
		isMet = true
		switch {
		case live == nil:
			progress = deleteAbsent
		case live.GetUID() != ref.UID:
			progress = deleteReplaced
		default:
			if failed = check(live); failed == nil {
				progress, failed = d.request(ctx)
			}
		}
		return failed != nil || progress != deleteBegun
	}
	watching, cancel := context.WithTimeout(ctx, lookAgain)
	err = watchGone(watching, resource, ref, begin)
	cancel()
	switch {
	case failed != nil:
		return 0, failed
	case err == nil && progress == deleteBegun:
		return Deleted, nil // and it was seen to go
	case !isMet && err != nil:
		// Without a watch the object is read.
		live, err := c.Get(ctx, ref)
		if err != nil {
			return 0, err
		}
		begin(live)
		if failed != nil {
			return 0, failed
		}
	}
	return d.finish(ctx, progress)
}

// deletion is the delete of one object.
type deletion struct {
	client   *Client
	resource dynamic.ResourceInterface
	ref      Ref
}

// deleteProgress is what the request for a deletion has come to.
type deleteProgress int

const (
	deleteBegun    deleteProgress = iota + 1 // it is on its way
	deleteDone                               // the object is gone at once
	deleteAbsent                             // there was none
	deleteReplaced                           // another object has the name
)

// finish waits for the end of a deletion that has begun.
func (d deletion) finish(ctx context.Context, progress deleteProgress) (Deletion, error) {
	switch progress {
	case deleteAbsent:
		return Absent, nil
	case deleteReplaced:
		return Replaced, nil
	case deleteDone:
		return Deleted, nil
	case deleteBegun:
	}
	begun := time.Now()
	if err := d.wait(ctx); err != nil {
		return 0, err
	}
	logging.Debug(ctx, "Deleted an object", "object", d.ref, "waited", time.Since(begun))
	return Deleted, nil
}

// ownsNothing are kinds whose objects own no pods. Their deletion need not wait for what they
// own: the server removes them at once, unless a finalizer holds them.
var ownsNothing = []schema.GroupKind{
	{Kind: "Service"}, {Kind: "ConfigMap"}, {Kind: "Secret"}, {Kind: "ServiceAccount"},
	{Group: "networking.k8s.io", Kind: "Ingress"}, {Group: "networking.k8s.io", Kind: "NetworkPolicy"},
	{Group: "policy", Kind: "PodDisruptionBudget"}, {Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
}

// request asks for the deletion of the object. It believes neither a conflict nor an
// answer that got lost, but looks at the object.
func (d deletion) request(ctx context.Context) (deleteProgress, error) {
	ref := d.ref
	propagation := metav1.DeletePropagationForeground
	if slices.Contains(ownsNothing, ref.GroupVersionKind().GroupKind()) {
		propagation = metav1.DeletePropagationBackground
	}
	options := metav1.DeleteOptions{PropagationPolicy: &propagation, Preconditions: ref.deletePreconditions()}
	for pauses := deletePauses(); ; {
		isGone, err := d.send(ctx, options)
		switch {
		case err == nil && isGone:
			return deleteDone, nil
		case err == nil:
			return deleteBegun, nil
		}
		failure := d.client.errors.translate("delete", ref, err)
		if _, ok := errors.AsType[*NotFoundError](failure); ok {
			return deleteAbsent, nil
		}
		if !apierrors.IsConflict(err) && !IsOutcomeUnknown(err) {
			return 0, failure
		}
		live, lookErr := d.client.Get(ctx, ref)
		switch {
		case lookErr != nil:
			return 0, errors.Join(failure, lookErr)
		case live == nil:
			return deleteDone, nil
		case ref.UID != "" && live.GetUID() != ref.UID:
			logging.Debug(ctx, "Left alone an object that took the name of a deleted one", "object", ref)
			return deleteReplaced, nil
		case live.GetDeletionTimestamp() != nil:
			return deleteBegun, nil
		}
		if _, isDenied := errors.AsType[*DeniedError](failure); isDenied || !apierrors.IsConflict(err) || pauses.Steps == 0 {
			return 0, failure
		}
		timer := time.NewTimer(pauses.Step())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, failure
		}
	}
}

// send sends the request. The answer says whether the object is gone: it is a status, or the
// object as it was. One that a finalizer holds, or whose pods end first, has a
// deletionTimestamp by now.
func (d deletion) send(ctx context.Context, options metav1.DeleteOptions) (isGone bool, err error) {
	resource, err := d.client.kinds.served(d.ref.GroupVersionKind())
	if err != nil {
		return false, err
	}
	options.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "DeleteOptions"})
	body, err := json.Marshal(options)
	if err != nil {
		return false, err
	}
	path := append(resourcePath(resource, d.ref.Namespace), d.ref.Name)
	result := d.client.requests.Delete().AbsPath(path...).SetHeader("Content-Type", runtime.ContentTypeJSON).Body(body).Do(ctx)
	if err := result.Error(); err != nil {
		return false, err
	}
	var left metav1.PartialObjectMetadata
	if answer, err := result.Raw(); err != nil || json.Unmarshal(answer, &left) != nil {
		return false, nil //nolint:nilerr // whatever was answered, the object is looked at
	}
	return left.Kind == "Status" || left.Kind == d.ref.Kind && left.DeletionTimestamp == nil, nil
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
		err := watchGone(watching, d.resource, d.ref, func(*unstructured.Unstructured) bool { return false })
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

// watchGone watches an object until it is gone. `begin` is called once, with the object as it is at
// first; nil if there is none. If it returns true, nothing is waited for.
func watchGone(
	ctx context.Context, resource dynamic.ResourceInterface, ref Ref, begin func(live *unstructured.Unstructured) (isDone bool),
) error {
	isOther := func(object any) bool {
		live, ok := object.(*unstructured.Unstructured)
		return ok && ref.UID != "" && live.GetUID() != ref.UID
	}
	_, err := watchtools.UntilWithSync(ctx, watchOne(resource, ref.Name), &unstructured.Unstructured{},
		func(store cache.Store) (bool, error) {
			var live *unstructured.Unstructured
			for _, object := range store.List() {
				live, _ = object.(*unstructured.Unstructured)
			}
			isDone := begin(live)
			return isDone || live == nil || isOther(live), nil
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
