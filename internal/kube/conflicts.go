package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// ConflictRemoval is how an object can be applied that the server refuses because of
// fields that were added by hand: without them.
type ConflictRemoval struct {
	// Fields that go, with their live values; none where the object is not adopted
	// yet, as adopting it takes all that former managers have set.
	Fields managedfields.Fields
	// Claimed are those of the fields that were ours before others took them, whoever that
	// is, and the fields that no manager owns and that a new object would not have.
	Claimed managedfields.Leftovers
	// Result is the object as it will be.
	Result *unstructured.Unstructured
}

// ConflictRemoval finds out, after the server has refused the apply, which
// fields of people with kubectl stand in its way: another member of a union, such as
// a second handler of a probe, or a port of the same name under another number. It
// removes as few as the server asks for; it returns nil when they are not the reason.
// It only asks, by dry runs, and changes nothing.
//
// Where a new object would be taken, but nothing that could be removed helps, the
// error is a [*ForeignFieldsError] that holds the refusal.
func (p *Probe) ConflictRemoval(ctx context.Context, recorded managedfields.Fields, refusal error) (*ConflictRemoval, error) {
	c, object, live := p.client, p.object, p.live
	isAdopted := c.fields.Adopted(live)
	var reclaimed managedfields.Fields
	if c.force {
		reclaimed = recorded
	}
	foreign := c.fields.Foreign(object, live, reclaimed)
	owners := foreign.Owners()
	if len(owners) == 0 {
		return nil, nil
	}
	fresh, err := p.fresh(ctx)
	if err != nil {
		return nil, ctx.Err() // what we apply is bad by itself, or cannot be tried under another name
	}
	removals := foreign.Removals()
	if !isAdopted && len(removals) > 0 {
		removals = removals[len(removals)-1:] // adoption takes all of them anyway
	}
	for _, removal := range removals {
		body := foreign.Applied(fresh, removal)
		leftovers := c.fields.Adoption(live, body, recorded).Leftovers(fresh)
		after, err := p.update(ctx, leftovers.Without(body, fresh))
		if _, ok := errors.AsType[*RejectedError](err); ok {
			continue
		}
		if err != nil {
			return nil, err
		}
		after.SetManagedFields(fresh.GetManagedFields())
		removed := &ConflictRemoval{Result: after}
		if isAdopted {
			removed.Fields, removed.Claimed = foreign.Below(removal), slices.Concat(leftovers, foreign.Reclaimed(removal))
		}
		logging.Debug(ctx, "Conflicting fields can be removed", "object", RefOf(live), "removedFields", len(removed.Fields))
		return removed, nil
	}
	if !isAdopted {
		return nil, nil
	}
	explained := p.Explain(ctx, refusal)
	if _, isImmutable := errors.AsType[*ImmutableFieldError](explained); isImmutable {
		return nil, explained
	}
	return nil, &ForeignFieldsError{Ref: RefOf(live), Fields: owners, Err: refusal}
}

// ForeignFieldsError says that the server would take the object as a new one, but not
// together with the fields that other managers have set on the live one.
type ForeignFieldsError struct {
	Ref    Ref
	Fields []managedfields.FieldOwner // of other managers, sorted
	Err    error                      // the server's refusal
}

// Error is the refusal, and the fields with their managers.
func (e *ForeignFieldsError) Error() string {
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, fmt.Sprintf("%s, by %s", f.Field, f.Manager))
	}
	return fmt.Sprintf("%v. Other field managers have added %s", e.Err, strings.Join(lines, "; "))
}

// Unwrap returns the refusal.
func (e *ForeignFieldsError) Unwrap() error { return e.Err }
