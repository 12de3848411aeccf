package managedfields

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Leftover is a field of an object that no other manager owns, and in which it differs
// from another object of the same content: the server has filled it in, or has kept it,
// for what the object was before.
type Leftover struct {
	Field string // path, as [Fields] has it
	// Value is what is shown of the field.
	Value string
	// IsExtra: the other object does not have the field. Otherwise it has another value.
	IsExtra bool
	// IsDropped: we owned the field, and do not apply it any more. IsApplied: we apply it.
	// Where neither holds, it never was ours.
	IsDropped, IsApplied bool

	at fieldpath.Path
}

// Leftovers are some leftovers of one object, in the order of their paths.
type Leftovers []Leftover

// Drops reports whether the apply drops a field that the live object has, or changes one
// from which the server derives others. Only then can there be [Adoption.Leftovers].
func (a Adoption) Drops() bool {
	if !a.dropped().Empty() {
		return true
	}
	had, gets := a.manager.Owned(a.live), a.manager.Owned(a.result)
	for field, value := range gets {
		if before, ok := had[field]; ok && before != value && steersDefaults(field, before, value) {
			return true
		}
	}
	return false
}

// steersDefaults reports whether the server fills in other fields by this one, so that a
// change of it can leave them as they were.
func steersDefaults(field, before, after string) bool {
	switch name := field[strings.LastIndexByte(field, '.')+1:]; name {
	case "image":
		return isLatest(before) != isLatest(after) // the imagePullPolicy
	case "hostNetwork", "type", "serviceAccountName":
		return true
	}
	return false
}

// isLatest reports whether an image has the tag latest, or none.
func isLatest(image string) bool {
	name := image[strings.LastIndexByte(image, '/')+1:]
	return strings.HasSuffix(name, ":latest") || !strings.ContainsAny(name, ":@")
}

// AppliesEmpty reports whether a field is applied as an empty text and has another value
// on the result: the server takes that for a field that is not there, and keeps it.
func (a Adoption) AppliesEmpty(applied *unstructured.Unstructured) bool {
	for _, at := range leaves(a.manager.ownedSet(a.result)) {
		wanted, ok := lookUp(applied.Object, at)
		if got, _ := lookUp(a.result.Object, at); ok && wanted == "" && got != "" && got != nil {
			return true
		}
	}
	return false
}

// Leftovers returns in what the result of the apply differs from `fresh`, a new object of
// the same content, by no other manager's doing. Metadata and status do not count, nor
// what is the server's choice for each object, unless we drop it. Neither does the number
// of replicas: a scale to zero leaves it to no manager.
//
// What never was ours below a pod template counts only if the pods are replaced anyway.
func (a Adoption) Leftovers(fresh *unstructured.Unstructured) Leftovers {
	dropped, applied := a.dropped(), a.manager.ownedSet(a.result)
	found := a.manager.compare(a.result, fresh, a.others(dropped))
	found = slices.DeleteFunc(found, func(leftover Leftover) bool {
		return !hasBelow(dropped, leftover.at) && isChosen(a.result, leftover)
	})
	replacesPods := !sameField(a.live, a.result, "spec", "template")
	for i := range found {
		found[i].IsApplied = applied.Has(found[i].at)
		found[i].IsDropped = !found[i].IsApplied && hasBelow(dropped, found[i].at)
		replacesPods = replacesPods || found[i].isOfPods() && (found[i].IsDropped || found[i].IsApplied)
	}
	return slices.DeleteFunc(found, func(leftover Leftover) bool {
		return leftover.isOfPods() && !leftover.IsDropped && !leftover.IsApplied && !replacesPods
	})
}

// Fallbacks returns the fields that the apply drops, and those of some leftovers, that get
// another value by that: what they have, and what the server fills in.
func (a Adoption) Fallbacks(leftovers Leftovers) (before, after Fields) {
	before, after = make(Fields), make(Fields)
	dropped := a.dropped()
	others := a.others(dropped)
	paths := leaves(dropped)
	for _, leftover := range leftovers {
		paths[leftover.Field] = leftover.at
	}
	for path, at := range paths {
		had, wasThere := a.manager.valueAt(a.live, at)
		gets, isThere := a.manager.valueAt(a.result, at)
		if wasThere && isThere && had != gets && !hasBelow(others, at) && !isMergeKey(at) {
			before[path], after[path] = had, gets
		}
	}
	return before, after
}

// others returns the fields that other managers own on the result, without those that the
// apply takes from them.
func (a Adoption) others(dropped *fieldpath.Set) *fieldpath.Set {
	isAdopted := a.manager.Adopted(a.live)
	others := &fieldpath.Set{}
	for _, entry := range a.result.GetManagedFields() {
		switch {
		case a.manager.isOurs(entry), a.manager.endsWithAdoption(entry, isAdopted), entry.Subresource == statusSubresource:
		case a.manager.isFormer(entry):
			others = others.Union(decodeSet(entry).Difference(dropped))
		default:
			others = others.Union(decodeSet(entry))
		}
	}
	return others
}

func (l Leftover) isOfPods() bool {
	return l.Field == podTemplate || strings.HasPrefix(l.Field, podTemplate+".")
}

const podTemplate = "spec.template"

// isChosen reports whether a field has a value that the server chooses for each object, or
// that is scaled by others without their owning it.
func isChosen(object *unstructured.Unstructured, l Leftover) bool {
	name := lastName(l.at)
	if IsService(object) {
		return slices.Contains(allocated, name) || name == "nodePort"
	}
	return l.Field == "spec.replicas"
}

func sameField(a, b *unstructured.Unstructured, path ...string) bool {
	of := func(object *unstructured.Unstructured) any {
		field, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		return field
	}
	return equality.Semantic.DeepEqual(of(a), of(b))
}

// hasBelow reports whether a set has a path, or one below it.
func hasBelow(set *fieldpath.Set, path fieldpath.Path) bool {
	if set.Has(path) {
		return true
	}
	for _, element := range path {
		below, ok := set.Children.Get(element)
		if !ok {
			return false
		}
		set = below
	}
	return !set.Empty()
}

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

// Without returns an object without the leftovers.
func (l Leftovers) Without(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	for _, leftover := range l {
		without(object.Object, leftover.at)
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

// insertFields adds the fields of nested maps to a set.
func insertFields(set *fieldpath.Set, at fieldpath.Path, of any) {
	fields, ok := of.(map[string]any)
	if !ok {
		return
	}
	for name, field := range fields {
		below := append(at.Copy(), fieldpath.FieldNameElement(name))
		set.Insert(below)
		insertFields(set, below, field)
	}
}

// compare returns the fields of an object, but for metadata and status, that another one
// lacks or has with another value, and that are not in a set: those of other managers.
func (m *Manager) compare(object, other *unstructured.Unstructured, owned *fieldpath.Set) Leftovers {
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
		found.Value, _ = m.valueAt(object, found.at)
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

// keyNames returns the names of the merge keys by which a set names the items of a list.
func keyNames(set *fieldpath.Set) []string {
	var names []string
	add := func(element fieldpath.PathElement) {
		if element.Key != nil && names == nil {
			for _, key := range *element.Key {
				names = append(names, key.Name)
			}
		}
	}
	set.Members.Iterate(add)
	set.Children.Iterate(add)
	return names
}
