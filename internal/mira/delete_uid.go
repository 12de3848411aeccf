package mira

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// knowsObjects reports whether the recorded objects can be deleted, and their claims kept,
// without a read before: they are known by their UIDs, and the last refresh has found nothing
// out of the ordinary.
func (d *deletion) knowsObjects() bool {
	return !d.recorded.ReadBeforeDelete && !slices.ContainsFunc(d.recorded.Refs, func(ref kube.Ref) bool { return ref.UID == "" })
}

// runByUID deletes the recorded objects by their UIDs, in reverse order, without reading them
// first: an object that took the name of one is left alone by the server. A StatefulSet is
// watched from before its deletion, as its claims depend on what it is by then, and meanwhile
// the claims are listed.
//
// What was not found as recorded is looked at in the end. If nothing was, this may be another cluster.
func (d *deletion) runByUID(ctx context.Context) (*Deleted, error) {
	listed := d.listClaimsAhead(ctx)
	live := make(map[string]*unstructured.Unstructured)
	isFound := false
	var replaced []kube.Ref
	for _, ref := range slices.Backward(d.recorded.Refs) {
		found, err := d.deleteByUID(ctx, ref, func(statefulSet *unstructured.Unstructured) error {
			live[ref.Key()] = statefulSet
			<-listed
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
		<-listed
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

// listClaimsAhead begins to list the claims of the namespace, which are remembered for a moment.
// The channel is closed when they are there. An error shows up when they are asked for.
func (d *deletion) listClaimsAhead(ctx context.Context) (done <-chan struct{}) {
	listed := make(chan struct{})
	go func() {
		defer close(listed)
		_, _ = d.findClaims(ctx, nil)
	}()
	return listed
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
	ctx context.Context, ref kube.Ref, before func(statefulSet *unstructured.Unstructured) error,
) (kube.Deletion, error) {
	if ref.Kind != statefulSetKind {
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
