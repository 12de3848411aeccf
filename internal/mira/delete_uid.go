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
// watched from before its deletion, as its claims depend on what it is by then.
//
// What was not found as recorded is looked at in the end. If nothing was, this may be another cluster.
func (d *deletion) runByUID(ctx context.Context) (*Deleted, error) {
	d.result.KeptClaims = d.recorded.Claims
	isFound := false
	var replaced []kube.Ref
	for _, ref := range slices.Backward(d.recorded.Refs) {
		found, err := d.deleteByUID(ctx, ref)
		if err != nil {
			return nil, err
		}
		isFound = isFound || found == kube.Deleted
		if found == kube.Replaced {
			replaced = append(replaced, ref)
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
			d.leaveClaims(ref)
		}
	}
	return &d.result, nil
}

// leaveClaims takes the claims of a StatefulSet out of those that are told: they go with it to
// its new owner.
func (d *deletion) leaveClaims(ref kube.Ref) {
	if ref.Kind != statefulSetKind {
		return
	}
	d.result.KeptClaims = slices.DeleteFunc(slices.Clone(d.result.KeptClaims), func(claim string) bool {
		_, isOf := claimTemplateOf(claim, ref.Name)
		return isOf
	})
}

// errNotSafe says that a StatefulSet cannot be deleted as it is.
var errNotSafe = errors.New("the StatefulSet is another client's, or has its claims deleted")

// deleteByUID deletes one recorded object.
func (d *deletion) deleteByUID(ctx context.Context, ref kube.Ref) (kube.Deletion, error) {
	if ref.Kind != statefulSetKind {
		return d.kube.DeleteSame(ctx, ref)
	}
	found, err := d.kube.DeleteWatched(ctx, ref, func(live *unstructured.Unstructured) error {
		if checkOwner(live, d.client) != nil || len(kube.DeletesClaims(live)) > 0 {
			return errNotSafe
		}
		return nil
	})
	if !errors.Is(err, errNotSafe) {
		return found, err
	}
	kept, err := d.deleteOwn(ctx, ref, d.client, false)
	if kept != nil {
		d.result.Warnings = append(d.result.Warnings, kept)
		d.leaveClaims(ref)
	}
	return kube.Deleted, err
}
