package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ConflictRemoval is how an object that the server does not take, as somebody has put
// something by hand beside what we apply, can be applied: without that.
type ConflictRemoval struct {
	// Fields that go, with their live values; none where the object is not adopted
	// yet, as adopting it takes all that former managers have set.
	Fields managedfields.Fields
	// Result is the object as it will be.
	Result *unstructured.Unstructured
}

// RemoveConflictingFields finds out, after an apply was rejected, which fields of people with
// kubectl stand in its way: another member of a union, as a second handler of a
// probe, or a port of the same name under another number. It takes away as little
// as the server asks for; nil when that is not the reason. It only asks.
func (c *Client) RemoveConflictingFields(ctx context.Context, object, live *unstructured.Unstructured) (*ConflictRemoval, error) {
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	isAdopted := c.fields.Adopted(live)
	beside := c.fields.Beside(object, live)
	if len(beside) == 0 {
		return nil, nil
	}
	fresh, err := c.dryRunCreate(ctx, resource, object)
	if err != nil {
		return nil, ctx.Err() // what we apply is bad by itself, or cannot be tried under another name
	}
	var rejected *RejectedError
	foreign := c.fields.Foreign(object, live)
	ways := foreign.Removals()
	if !isAdopted && len(ways) > 0 {
		ways = ways[len(ways)-1:] // adoption takes all of them anyway
	}
	for _, roots := range ways {
		after, err := c.dryRunUpdate(ctx, resource, c.fields.Over(fresh, live, roots), live)
		if errors.As(err, &rejected) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after.SetManagedFields(fresh.GetManagedFields())
		reclaimed := &ConflictRemoval{Result: after}
		if isAdopted {
			reclaimed.Fields = foreign.Below(roots)
		}
		return reclaimed, nil
	}
	if !isAdopted {
		return nil, nil
	}
	return nil, &BesideError{Ref: ref, Fields: beside}
}

// BesideError says that a new object would be taken, but not what an apply makes of
// the live one: together with what others have put beside it.
type BesideError struct {
	Ref    Ref
	Fields []managedfields.FieldOwner // those that others have, sorted
	Err    error                      // the server's refusal
}

func (e *BesideError) Error() string {
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, fmt.Sprintf("%s, by %s", f.Field, f.Manager))
	}
	return fmt.Sprintf("%v. Others have put beside the template's fields: %s", e.Err, strings.Join(lines, "; "))
}

func (e *BesideError) Unwrap() error { return e.Err }
