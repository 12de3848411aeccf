package kube

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Convergence is how a live object comes to be what a new one of the same content would
// be, except for what other managers own.
type Convergence struct {
	// Removed are the fields that go, or fall back to the server's default, although no
	// manager owns them.
	Removed managedfields.Leftovers
	// Kept are those of which the server does not let go.
	Kept managedfields.Leftovers
	// Result is the object as it will be.
	Result *unstructured.Unstructured
}

// Converge compares the result of the apply with a new object of the same content, and
// finds out by the dry run of an update what of the difference can be removed. It returns
// nil if there is no difference, or if the server does not say what a new object would be,
// or does not accept the object without the difference.
//
// `result` is the dry run of the apply, or what [Probe.Overlay] returns after the server
// has refused it.
func (p *Probe) Converge(ctx context.Context, result *unstructured.Unstructured, recorded managedfields.Fields) (*Convergence, error) {
	fresh, err := p.fresh(ctx)
	if isAnyRefusal(err) {
		logging.Debug(ctx, "Cannot compare with a new object", "object", RefOf(p.live))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := p.client.fields.Adoption(p.live, result, recorded).Leftovers(fresh)
	for _, leftovers := range []managedfields.Leftovers{all, all.Ours()} {
		if len(leftovers) == 0 {
			return nil, nil
		}
		after, err := p.update(ctx, leftovers.Without(result, fresh))
		if isAnyRefusal(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after.SetManagedFields(result.GetManagedFields())
		removed, kept := leftovers.Removed(after, fresh)
		logging.Debug(ctx, "Compared with a new object", "object", RefOf(p.live), "removedFields", len(removed), "keptFields", len(kept))
		return &Convergence{Removed: removed, Kept: kept.Ours(), Result: after}, nil
	}
	return nil, nil
}

// Overlay returns the live object as the apply would leave it that the server has refused,
// as far as it is known without the server. It returns nil if the server would not create
// the object either, or does not say so.
func (p *Probe) Overlay(ctx context.Context) (*unstructured.Unstructured, error) {
	fresh, err := p.fresh(ctx)
	if isAnyRefusal(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return p.client.fields.Foreign(p.object, p.live, nil).Applied(fresh, nil), nil
}

// isAnyRefusal reports whether the server has answered, and refused the request.
func isAnyRefusal(err error) bool {
	_, isRejected := errors.AsType[*RejectedError](err)
	_, isForbidden := errors.AsType[*ForbiddenError](err)
	_, isDenied := errors.AsType[*DeniedError](err)
	_, isConflict := errors.AsType[*ConflictError](err)
	return isRejected || isForbidden || isDenied || isConflict
}
