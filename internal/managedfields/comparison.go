package managedfields

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// compare returns the fields of an object, but for metadata and status, that another one
// lacks or has with another value, and that are not in a set: those of other managers. The
// projection says what is shown of their values.
func compare(shown projection, object, other *unstructured.Unstructured, owned *fieldpath.Set) Leftovers {
	known := setOf(object, isAny).Union(setOf(other, isAny))
	c := &comparison{}
	for name, field := range object.Object {
		switch name {
		case "apiVersion", "kind", metadataField, statusSubresource:
			continue
		}
		element := fieldpath.FieldNameElement(name)
		theirs, isThere := other.Object[name]
		c.field(fieldpath.Path{element}, field, theirs, isThere, membership{owned, known}.at(element))
	}
	for i := range c.found {
		found := &c.found[i]
		found.Field = FormatPath(found.at)
		found.Value, _ = shown.valueAt(object, found.at)
		found.Wanted, _ = shown.valueAt(other, found.at)
	}
	slices.SortFunc(c.found, func(a, b Leftover) int { return strings.Compare(a.Field, b.Field) })
	return c.found
}

func isAny(metav1.ManagedFieldsEntry) bool { return true }

// membership is what two sets say of one field: of those that others own, and of those
// that any manager owns.
type membership struct {
	owned, known *fieldpath.Set
}

func (s membership) at(element fieldpath.PathElement) ownedField {
	below := func(set *fieldpath.Set) *fieldpath.Set {
		if children, ok := set.Children.Get(element); ok {
			return children
		}
		return &fieldpath.Set{}
	}
	return ownedField{membership: membership{below(s.owned), below(s.known)}, isOwned: s.owned.Members.Has(element)}
}

// ownedField is a field whose membership is known, with that of the fields below it.
type ownedField struct {
	membership
	isOwned bool
}

// comparison walks over two objects.
type comparison struct {
	found Leftovers
}

func (c *comparison) field(at fieldpath.Path, has, other any, isThere bool, in ownedField) {
	switch {
	case in.isOwned && in.owned.Empty():
		return // it is another manager's as a whole
	case !isThere && !in.isOwned && (at[len(at)-1].Key != nil || in.owned.Empty()):
		// An item of a list goes whatever others own of it, unless they own the item. A
		// struct stays as long as others own a field of it.
		c.found = append(c.found, Leftover{IsExtra: true, at: at.Copy()})
		return
	}
	switch has := has.(type) {
	case map[string]any:
		others, _ := other.(map[string]any)
		for name, field := range has {
			element := fieldpath.FieldNameElement(name)
			theirs, isThere := others[name]
			c.field(append(at.Copy(), element), field, theirs, isThere, in.at(element))
		}
		return
	case []any:
		if c.items(at, has, other, in) {
			return
		}
	}
	if isThere && !equality.Semantic.DeepEqual(withoutListStatus(has), withoutListStatus(other)) {
		c.found = append(c.found, Leftover{at: at.Copy()})
	}
}

// items compares the items of a list by their merge keys; false if it has none.
func (c *comparison) items(at fieldpath.Path, has []any, other any, in ownedField) bool {
	var names []string
	for _, set := range []*fieldpath.Set{in.known, in.owned} {
		names = append(names, keyNames(set)...)
	}
	if len(names) == 0 {
		return false
	}
	slices.Sort(names)
	key := MergeKey{Fields: slices.Compact(names)}
	for _, item := range has {
		fields, ok := item.(map[string]any)
		if !ok {
			return false
		}
		element, ok := key.elementOf(fields)
		if !ok {
			continue
		}
		theirs, isThere := descend(other, element)
		c.field(append(at.Copy(), element), item, theirs, isThere, in.at(element))
	}
	return true
}
