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
	// Differing are those that never were ours, and that the server does not give the value of
	// a new object.
	Differing managedfields.Leftovers
	// Emptied are the maps that it takes a second apply to leave empty: the first removes them
	// with their last fields.
	Emptied managedfields.EmptyMaps
	// Result is the object as it will be.
	Result *unstructured.Unstructured
}

// Converge compares the result of the apply with a new object of the same content, and
// finds out by the dry run of an update what of the difference can be removed. It returns
// nil if the server does not say what a new object would be.
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
	adoption := p.client.fields.Adoption(p.live, result, recorded)
	converged := &Convergence{Emptied: p.client.fields.Emptied(result, fresh), Result: result}
	all := adoption.Leftovers(fresh)
	converged.Differing = all.Others()
	for _, leftovers := range []managedfields.Leftovers{all, all.Ours()} {
		if len(leftovers) == 0 {
			break
		}
		after, err := p.update(ctx, leftovers.Without(result, fresh))
		if isAnyRefusal(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after.SetManagedFields(result.GetManagedFields())
		converged.Result = after
		converged.Removed, converged.Kept = leftovers.Removed(after, fresh)
		_, converged.Differing = converged.Differing.Removed(after, fresh)
		converged.Kept = converged.Kept.Ours()
		break
	}
	converged.Result = converged.Emptied.In(converged.Result)
	logging.Debug(ctx, "Compared with a new object", "object", RefOf(p.live), "removedFields", len(converged.Removed),
		"keptFields", len(converged.Kept), "differingFields", len(converged.Differing), "emptiedMaps", len(converged.Emptied))
	return converged, nil
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
