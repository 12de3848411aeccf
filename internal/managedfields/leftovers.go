package managedfields

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Leftover is a field of an object that no other manager owns, and in which it differs
// from another object of the same content: the server has filled it in, or has kept it,
// for what the object was before.
type Leftover struct {
	Field string // path, as [Fields] has it
	// Value is what is shown of the field; Wanted is what the other object has there.
	Value, Wanted string
	// IsExtra: the other object does not have the field. Otherwise it has another value.
	IsExtra bool
	// IsDropped: we owned the field, and do not apply it any more. IsApplied: we apply it.
	// Where neither holds, it never was ours.
	IsDropped, IsApplied bool

	at fieldpath.Path
}

func (l Leftover) isOfPods() bool {
	return l.Field == podTemplate || strings.HasPrefix(l.Field, podTemplate+".")
}

const podTemplate = "spec.template"

// Leftovers are some leftovers of one object, in the order of their paths.
type Leftovers []Leftover

// Removed returns which leftovers are gone from an object, or have the value of `fresh`
// there; the others stay.
func (l Leftovers) Removed(from, fresh *unstructured.Unstructured) (removed, kept Leftovers) {
	for _, leftover := range l {
		now, isThere := lookUp(from.Object, leftover.at)
		want, isWanted := lookUp(fresh.Object, leftover.at)
		if isThere == isWanted && equality.Semantic.DeepEqual(now, want) {
			removed = append(removed, leftover)
		} else {
			kept = append(kept, leftover)
		}
	}
	return removed, kept
}

// Ours returns those leftovers that are not there at all on a new object, or that we own
// or owned.
func (l Leftovers) Ours() Leftovers {
	return slices.DeleteFunc(slices.Clone(l), func(leftover Leftover) bool {
		return !leftover.IsExtra && !leftover.IsDropped && !leftover.IsApplied
	})
}

// Others returns those leftovers that are not [Leftovers.Ours].
func (l Leftovers) Others() Leftovers {
	ours := l.Ours()
	return slices.DeleteFunc(slices.Clone(l), func(leftover Leftover) bool { return ours.Has(leftover.Field) })
}

// Without returns an object without the leftovers. Those that we apply have the value of a
// new object, `fresh`.
func (l Leftovers) Without(object, fresh *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	for _, leftover := range l {
		if value, ok := lookUp(fresh.Object, leftover.at); ok && leftover.IsApplied {
			with(object.Object, leftover.at, value)
		} else {
			without(object.Object, leftover.at)
		}
	}
	return object
}

// Keeping returns an object that is applied with the leftovers, as another one has them.
func (l Leftovers) Keeping(object, from *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	for _, leftover := range l {
		if kept, ok := lookUp(from.Object, leftover.at); ok {
			with(object.Object, leftover.at, kept)
		}
	}
	return object
}

// Has reports whether a field is among the leftovers.
func (l Leftovers) Has(field string) bool {
	return slices.ContainsFunc(l, func(leftover Leftover) bool { return leftover.Field == field })
}

// set returns the paths of the leftovers that can be owned, with all below them that an
// object has.
func (l Leftovers) set(object *unstructured.Unstructured) *fieldpath.Set {
	set := fieldpath.NewSet()
	for _, leftover := range l {
		set.Insert(leftover.at)
		if fields, ok := lookUp(object.Object, leftover.at); ok {
			insertFields(set, leftover.at, fields)
		}
	}
	return set
}
