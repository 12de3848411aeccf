package mira

import (
	"context"
	"errors"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// knowsObjects reports whether the plan of a delete need not look at the recorded objects, and
// the delete can go by their UIDs: the last refresh has found nothing out of the ordinary.
func (d *deletion) knowsObjects() bool {
	return !d.recorded.ReadBeforeDelete && !slices.ContainsFunc(d.recorded.Refs, func(ref kube.Ref) bool { return ref.UID == "" })
}

// runByUID deletes the recorded objects by their UIDs, in reverse order: an object that took the
// name of one is left alone by the server. A StatefulSet is watched from before its deletion,
// as its claims depend on what it is by then. Meanwhile the claims are listed, and the other
// objects read, together with those of other clients: one may carry the label of another client.
//
// What was not found as recorded is looked at in the end. If nothing was, this may be another cluster.
func (d *deletion) runByUID(ctx context.Context) (*Deleted, error) {
	ahead := d.readAhead(ctx)
	live := make(map[string]*unstructured.Unstructured)
	isFound := false
	var replaced []kube.Ref
	for _, ref := range slices.Backward(d.recorded.Refs) {
		found, err := d.deleteByUID(ctx, ref, ahead, func(statefulSet *unstructured.Unstructured) error {
			live[ref.Key()] = statefulSet
			<-ahead.done
			if ahead.err != nil {
				return ahead.err // before anything is deleted
			}
			return d.keepFound(ctx, live)
		})
		if err != nil {
			return nil, err
		}
		isFound = isFound || found == kube.Deleted
		if found == kube.Replaced {
			replaced = append(replaced, ref)
		}
	}
	if len(live) == 0 {
		<-ahead.done
		if err := d.keepFound(ctx, live); err != nil {
			return nil, err
		}
	}
	if !isFound {
		if err := d.services.checkCluster(ctx, d.namespace, d.client, d.recorded); err != nil {
			return nil, err
		}
	}
	for _, ref := range replaced {
		kept, err := d.deleteOwn(ctx, ref, d.client, false)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			d.result.Warnings = append(d.result.Warnings, kept)
			delete(d.found, ref.Key()) // the claims go with the object, to its new owner
		}
	}
	return &d.result, d.deleteClaims(ctx) // which stay
}

// objectsAhead are the recorded objects but for StatefulSets, which are being read.
type objectsAhead struct {
	done    chan struct{}                         // closed when they are there
	objects map[string]*unstructured.Unstructured // by key; nil for one that is not there
	err     error
}

// readAhead begins to read the objects, and to list the claims of the namespace, which are
// remembered for a moment. An error shows up when the claims are asked for.
func (d *deletion) readAhead(ctx context.Context) *objectsAhead {
	ahead := &objectsAhead{done: make(chan struct{}), objects: make(map[string]*unstructured.Unstructured)}
	others := slices.DeleteFunc(slices.Clone(d.recorded.Refs), func(ref kube.Ref) bool { return ref.Kind == statefulSetKind })
	go func() {
		defer close(ahead.done)
		var claims sync.WaitGroup
		claims.Go(func() { _, _ = d.findClaims(ctx, nil) })
		var objects []*unstructured.Unstructured
		objects, ahead.err = d.batcher.GetAll(ctx, d.client, others)
		for i, object := range objects {
			ahead.objects[others[i].Key()] = object
		}
		claims.Wait()
	}()
	return ahead
}

// keepFound notes the client's claims, of the StatefulSets that are known by now. They are only to
// be kept, which needs no list.
func (d *deletion) keepFound(ctx context.Context, live map[string]*unstructured.Unstructured) error {
	found, err := d.findClaims(ctx, live)
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil && len(d.result.KeptClaims) == 0:
		d.result.Warnings = append(d.result.Warnings, ClaimsUnreadableWarning{Client: d.client, Err: err})
		d.result.KeptClaims = d.recorded.Claims
	case err == nil:
		d.found = found
	}
	return nil
}

// errOfAnother says that a StatefulSet carries the label of another client by now.
var errOfAnother = errors.New("the StatefulSet is another client's")

// deleteByUID deletes one recorded object. `before` is called with a StatefulSet that is about to be deleted.
func (d *deletion) deleteByUID(
	ctx context.Context, ref kube.Ref, ahead *objectsAhead, before func(statefulSet *unstructured.Unstructured) error,
) (kube.Deletion, error) {
	if ref.Kind != statefulSetKind {
		<-ahead.done
		switch object := ahead.objects[ref.Key()]; {
		case ahead.err != nil:
			return 0, ahead.err
		case object == nil:
			return kube.Absent, nil
		case object.GetUID() != ref.UID || checkOwner(object, d.client) != nil:
			return kube.Replaced, nil //nolint:nilerr // it is looked at in the end
		}
		return d.kube.DeleteSame(ctx, ref)
	}
	found, err := d.kube.DeleteWatched(ctx, ref, func(live *unstructured.Unstructured) error {
		if checkOwner(live, d.client) != nil {
			return errOfAnother
		}
		if err := before(live); err != nil {
			return err
		}
		_, err := d.keepClaims(ctx, live)
		return err
	})
	switch {
	case errors.Is(err, errOfAnother):
		return kube.Replaced, nil
	case isGone(err):
		return kube.Absent, nil
	}
	return found, err
}

// isGone reports whether an error says that an object is not there any more.
func isGone(err error) bool {
	_, ok := errors.AsType[*kube.NotFoundError](err)
	return ok
}
