package managedfields

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// Agreement says how far a live object is what is asked for.
type Agreement struct {
	// Differing are the paths of the fields that are not as asked for, and of those that were
	// applied once and are not asked for any more, sorted.
	Differing []string
	// Open are the paths of the fields of which it is not known what is asked for, sorted.
	Open []string
}

// Agreement compares a live object with one that would be applied, without the server: it is
// for those who look at a whole fleet. A plan, which has the server's dry run, is more exact.
//
//   - What is asked for must be there with an equal value. Quantities are compared as such,
//     texts in Unicode NFC, items of lists by their merge keys, and the order of containers and
//     of the environment counts.
//   - What we own must be asked for, unless it has the value that the server gives it anyway.
//     On an object that is not adopted yet, what former managers own counts as ours.
//   - What others have added does not count.
//
// isOpen reports whether a text that is asked for stands for one that is not known.
func (m *Manager) Agreement(object, live *unstructured.Unstructured, isOpen func(text string) bool) Agreement {
	isAdopted := m.Adopted(live)
	owned := setOf(live, func(entry metav1.ManagedFieldsEntry) bool {
		return m.isOurs(entry) || m.endsWithAdoption(entry, isAdopted)
	})
	c := &agreement{isOpen: isOpen, differing: sets.New[string](), open: sets.New[string]()}
	in := ownedField{membership: membership{owned: owned, known: setOf(live, isAny)}}
	for _, name := range slices.Sorted(maps.Keys(union(object.Object, live.Object))) {
		if name == "apiVersion" || name == "kind" || name == statusSubresource {
			continue
		}
		element := fieldpath.FieldNameElement(name)
		c.field(spot{path: fieldpath.Path{element}, around: live.Object, place: place{field: name}}, in.at(element),
			valueIn(object.Object, name), valueIn(live.Object, name))
	}
	return Agreement{Differing: sets.List(c.differing), Open: sets.List(c.open)}
}

// agreement walks over what is asked for and what is there.
type agreement struct {
	isOpen          func(string) bool
	differing, open sets.Set[string]
}

// spot is where a field stands.
type spot struct {
	path   fieldpath.Path
	place  place
	around map[string]any // the live mapping with the field
	// isOwned: the field is part of a value that we own as a whole.
	isOwned bool
}

// optional is a value, or none.
type optional struct {
	value   any
	isThere bool
}

func valueIn(fields map[string]any, name string) optional {
	value, ok := fields[name]
	return optional{value, ok && value != nil}
}

func (c *agreement) differ(at spot) { c.differing.Insert(FormatPath(at.path)) }

func (c *agreement) field(at spot, in ownedField, wanted, has optional) {
	switch {
	case !wanted.isThere && !has.isThere:
	case !wanted.isThere:
		c.extra(at, in, has.value)
	case !has.isThere:
		c.absent(at, in, wanted.value)
	default:
		at.isOwned = at.isOwned || in.isOwned && in.owned.Empty()
		c.values(at, in, wanted.value, has.value)
	}
}

// absent takes in a field that is asked for and not there. The server leaves out what means
// nothing to it; that is still ours then.
func (c *agreement) absent(at spot, in ownedField, wanted any) {
	name := lastName(at.path)
	isLeftOut := isNothing(wanted) && !meaningfulZeros.Has(name) && !freeMaps.Has(at.place.name)
	if isDropped := in.isOwned && in.owned.Empty(); !isDropped && !isLeftOut {
		c.differ(at)
	}
}

// extra takes in a field that is there and not asked for.
func (c *agreement) extra(at spot, in ownedField, has any) {
	isOurs := at.isOwned || in.isOwned || !in.owned.Empty()
	name := lastName(at.path)
	switch {
	case !isOurs, FormatPath(at.path) == lastApplied:
		return
	case at.path[len(at.path)-1].FieldName == nil || freeMaps.Has(at.place.name):
		c.differ(at) // the server adds no items
		return
	}
	fields, isMap := has.(map[string]any)
	if !isMap || at.isOwned || in.owned.Empty() {
		if !isServerDefault(name, has, at.around) {
			c.differ(at)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		element := fieldpath.FieldNameElement(name)
		c.field(at.below(element, fields), in.at(element), optional{}, valueIn(fields, name))
	}
}

func (s spot) below(element fieldpath.PathElement, around map[string]any) spot {
	next := spot{path: append(s.path.Copy(), element), place: s.place, around: around, isOwned: s.isOwned}
	if element.FieldName != nil {
		next.place = s.place.below(*element.FieldName)
	}
	return next
}

// values compares what is asked for with what is there.
func (c *agreement) values(at spot, in ownedField, wanted, has any) {
	switch wanted := wanted.(type) {
	case map[string]any:
		fields, ok := has.(map[string]any)
		if !ok {
			c.differ(at)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(union(wanted, fields))) {
			element := fieldpath.FieldNameElement(name)
			c.field(at.below(element, fields), in.at(element), valueIn(wanted, name), valueIn(fields, name))
		}
	case []any:
		items, ok := has.([]any)
		if !ok {
			c.differ(at)
			return
		}
		c.lists(at, in, wanted, items)
	default:
		c.scalars(at, wanted, has)
	}
}

func (c *agreement) scalars(at spot, wanted, has any) {
	text1, text2 := text(wanted), text(has)
	wantedText, isText := wanted.(string)
	switch {
	case isText && c.isOpen(wantedText):
		c.open.Insert(FormatPath(at.path))
	case at.place.isQuantity() && (text1 == text2 || sameQuantity(text1, text2)):
	case text1 != text2 || isText != isString(has):
		c.differ(at)
	}
}

func isString(value any) bool {
	_, ok := value.(string)
	return ok
}

// lists compares lists: by merge keys, as sets, or item by item.
func (c *agreement) lists(at spot, in ownedField, wanted, has []any) {
	names := keyNames(in.known)
	switch {
	case at.isOwned:
	case len(names) > 0:
		c.keyed(at, in, MergeKey{Fields: names}, wanted, has)
		return
	case isSet(in.known):
		for _, item := range wanted {
			if !slices.ContainsFunc(has, func(other any) bool { return equality.Semantic.DeepEqual(item, other) }) {
				c.differ(at)
			}
		}
		c.ownedItems(at, in, wanted, has)
		return
	}
	if len(wanted) != len(has) {
		c.differ(at)
		return
	}
	for i := range wanted {
		c.values(at.below(fieldpath.PathElement{Index: &i}, nil), in.at(fieldpath.PathElement{Index: &i}), wanted[i], has[i])
	}
}

// ownedItems takes in the items of a set that are ours and not asked for.
func (c *agreement) ownedItems(at spot, in ownedField, wanted, has []any) {
	for _, item := range has {
		element := fieldpath.ValueElement(value.NewValueInterface(item))
		if in.at(element).isOwned && !slices.ContainsFunc(wanted, func(other any) bool { return equality.Semantic.DeepEqual(item, other) }) {
			c.differ(at.below(element, nil))
		}
	}
}

// isSet reports whether a list is one of scalars, each of which has an owner of its own.
func isSet(known *fieldpath.Set) bool {
	found := false
	known.Members.Iterate(func(element fieldpath.PathElement) { found = found || element.Value != nil })
	return found
}

// keyed compares the items of lists by their merge keys.
func (c *agreement) keyed(at spot, in ownedField, key MergeKey, wanted, has []any) {
	last, seen := -1, sets.New[string]()
	for _, item := range wanted {
		fields, element, ok := keyedItem(key, item)
		if !ok {
			c.differ(at)
			continue
		}
		next := at.below(element, nil)
		seen.Insert(FormatPath(fieldpath.Path{element}))
		isSame := func(other any) bool { return isItem(withKeyDefaults(other), element) }
		i := lastIndex(has, isSame)
		switch {
		case i < 0:
			c.differ(next)
			continue
		case slices.IndexFunc(has, isSame) != i:
			c.differ(next) // a copy by hand
		case i < last && orderedLists.Has(lastName(at.path)):
			c.differing.Insert(FormatPath(at.path) + ".order")
		}
		last = i
		c.values(next, in.at(element), fields, withKeyDefaults(has[i]))
	}
	for _, item := range has {
		_, element, ok := keyedItem(key, item)
		if ok && !seen.Has(FormatPath(fieldpath.Path{element})) {
			c.field(at.below(element, nil), in.at(element), optional{}, optional{item, true})
		}
	}
}

// keyedItem returns an item with the default values of merge keys, and how managedFields name it.
func keyedItem(key MergeKey, item any) (map[string]any, fieldpath.PathElement, bool) {
	fields, ok := withKeyDefaults(item).(map[string]any)
	if !ok {
		return nil, fieldpath.PathElement{}, false
	}
	element, ok := key.elementOf(fields)
	return fields, element, ok
}

// withKeyDefaults returns a port with its protocol, which is a part of its merge key, and anything
// else as it is.
func withKeyDefaults(item any) any {
	fields, ok := item.(map[string]any)
	if !ok || fields["protocol"] != nil || fields["port"] == nil && fields["containerPort"] == nil {
		return item
	}
	fields = maps.Clone(fields)
	fields["protocol"] = serverDefaults["protocol"]
	return fields
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]any, len(b))
	}
	maps.Copy(all, b)
	return all
}

// String lists the fields that differ, for logs and tests.
func (a Agreement) String() string {
	return fmt.Sprintf("differing: %q, open: %q", a.Differing, a.Open)
}
