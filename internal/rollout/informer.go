package rollout

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// informer holds the newest copies of the objects of one kind in one scope. It needs
// one LIST and one WATCH.
//
// It is client-go's shared informer, which continues after dropped watches, expired
// resource versions and restarts of the server. It adds what the shared informer
// does not report: whether the server answers or refuses, and which pods have
// terminated.
type informer[T object] struct {
	shared   cache.TypedSharedIndexInformer[T]
	scope    scope
	resource string // the name of the kind in the API
	users    int    // guarded by the Watcher
	stop     context.CancelFunc
	contact  contact
	// wake makes the waiters of a StatefulSet look again; all waiters if the name is
	// empty.
	wake func(statefulSet string)
	// terminated is empty unless the objects are pods.
	terminated terminatedPods
}

// byOwner is the index of the objects by the UID of their controller.
const byOwner = "owner"

func ownerOf[T object](object T) ([]string, error) {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return []string{string(owner.UID)}, nil
	}
	return nil, nil
}

// startInformer starts an informer, which runs until its stop function is called.
func startInformer[T object](
	ctx context.Context, client dynamic.Interface, k kind[T], s scope, wake func(statefulSet string),
) *informer[T] {
	// Without a logger, client-go writes its log to standard error.
	logger := logr.FromContextOrDiscard(ctx)
	i := &informer[T]{scope: s, resource: k.resource.Resource, users: 1, wake: wake}
	i.shared = cache.NewTypedSharedIndexInformer[T](cache.NewSharedIndexInformerWithOptions(
		i.requests(client.Resource(k.resource).Namespace(s.namespace)), &unstructured.Unstructured{},
		cache.SharedIndexInformerOptions{Indexers: cache.TypedIndexersToIndexers(cache.TypedIndexers[T]{byOwner: ownerOf[T]})}))
	var none T
	changed := func(object T) {
		if object == none { // deleted while there was no copy of it
			wake("")
			return
		}
		i.terminated.note(object)
		if name := k.statefulSet(object); name != "" {
			wake(name)
		}
	}
	// These return errors only if the informer has started already.
	_ = i.shared.SetTransform(func(object any) (any, error) { return i.read(object.(*unstructured.Unstructured), k.convert) })
	_ = i.shared.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}) // contact has noted the error
	_, _ = i.shared.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[T]{
		AddFunc:    changed,
		UpdateFunc: func(_, object T) { changed(object) },
		DeleteFunc: func(deleted cache.DeletedObject[T]) { changed(deleted.OptionalObj) },
	}, cache.HandlerOptions{Logger: &logger})

	ctx, cancel := context.WithCancel(klog.NewContext(ctx, logger)) //nolint:gosec // stop is called with the last user
	i.stop = cancel
	go i.shared.RunWithContext(ctx)
	go func() {
		select {
		case <-i.shared.HasSyncedChecker().Done():
			wake("")
		case <-ctx.Done():
		}
	}()
	return i
}

// read converts an object to what is kept of it. An object that cannot be read stops
// the informer.
func (i *informer[T]) read(object *unstructured.Unstructured, convert func(*unstructured.Unstructured) (T, error)) (T, error) {
	unstructured.RemoveNestedField(object.Object, "metadata", "managedFields")
	read, err := convert(object)
	if err != nil {
		i.contact.refuse(err)
		i.stop()
		i.wake("")
	}
	return read, err
}

// view is how much the copies of an informer can be relied on.
type view struct {
	// synced reports whether the first LIST has been read.
	synced bool
	// refused is the refusal that stopped the informer, lost the last failure to
	// reach the server, if it has not been reached since.
	refused, lost error
}

func (i *informer[T]) view() view {
	refused, lost := i.contact.state()
	return view{synced: i.shared.HasSynced(), refused: refused, lost: lost}
}

// named returns the newest copy of an object; nil if there is none.
func (i *informer[T]) named(name string) (T, view) {
	view := i.view() // first: a copy may be missing because the list had not been read
	found, _, _ := i.shared.GetStore().GetByKey(cache.NewObjectName(i.scope.namespace, name).String())
	object, _ := found.(T)
	return object, view
}

// ownedBy returns the objects that a controller owns, in no particular order, and
// those of its pods that have terminated.
func (i *informer[T]) ownedBy(owner types.UID) ([]T, []terminatedPod, view) {
	view := i.view()
	owned, _ := i.shared.GetTypedIndexer().ByTypedIndex(byOwner, string(owner)) // the index exists
	return owned, i.terminated.of(owner), view
}

// listAndWatch makes client-go use LIST and WATCH instead of streamed lists, which
// not every server has.
type listAndWatch struct{ cache.ListWatch }

// IsWatchListSemanticsUnSupported is how client-go asks for it.
func (*listAndWatch) IsWatchListSemanticsUnSupported() bool { return true }

// requests returns the requests of the informer. They note how the server answers.
func (i *informer[T]) requests(resource dynamic.ResourceInterface) cache.ListerWatcher {
	selecting := func(options metav1.ListOptions) metav1.ListOptions {
		options.LabelSelector, options.FieldSelector = i.scope.labels, i.scope.fields
		return options
	}
	return &listAndWatch{cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return untilAnswered(ctx, i, false, func() (*unstructured.UnstructuredList, error) { return resource.List(ctx, selecting(options)) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return untilAnswered(ctx, i, true, func() (watch.Interface, error) { return resource.Watch(ctx, selecting(options)) })
		},
	}}
}

// untilAnswered repeats a request while the server cannot be reached. The shared
// informer would repeat it, too, but after pauses that grow up to a minute and that
// cannot be set.
func untilAnswered[T object, R any](ctx context.Context, i *informer[T], isWatch bool, send func() (R, error)) (R, error) {
	for pauses := retryPauses(); ; {
		response, err := send()
		if ctx.Err() != nil {
			return response, err
		}
		change := i.contact.note(isWatch, err)
		i.logContact(ctx, change, err)
		if change == contactRefused {
			i.stop()
		}
		if change == contactRegained || err != nil {
			i.wake("")
		}
		if !isOutage(err) {
			return response, err
		}
		select {
		case <-time.After(pauses.Step()):
		case <-ctx.Done():
			return response, ctx.Err()
		}
	}
}

func (i *informer[T]) logContact(ctx context.Context, change contactChange, err error) {
	about := []any{"resource", i.resource, "namespace", i.scope.namespace}
	switch change {
	case contactLost:
		logging.Debug(ctx, "Lost contact with the API server", append(about, "error", err)...)
	case contactRegained:
		logging.Debug(ctx, "Regained contact with the API server", about...)
	case contactRefused:
		logging.Debug(ctx, "The API server refuses a watch", append(about, "error", err)...)
	case contactUnchanged:
	}
}
