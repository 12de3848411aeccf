package managedfields

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// orderedLists are the fields of a pod that hold lists whose order has a meaning: init
// containers run one after the other, containers start so, and a variable of the
// environment can use those before it. Lists of fields and volumes are looked up by their
// keys. `envFrom` has no merge key, so its order is part of its value.
var orderedLists = sets.New("initContainers", "containers", "env")

// keyedList is a list with merge keys of an object, and the items of it that a set has.
type keyedList struct {
	path  fieldpath.Path // of the list
	items []any
	keys  []string       // names of the merge keys
	ours  map[string]int // how often each item of the set is in the list, by its keys' values
}

// keyedLists returns the lists with merge keys of which a set has items, and that an object
// has.
func keyedLists(object map[string]any, set *fieldpath.Set) []keyedList {
	var lists []keyedList
	var walk func(at any, below *fieldpath.Set, path fieldpath.Path)
	walk = func(at any, below *fieldpath.Set, path fieldpath.Path) {
		if items, ok := at.([]any); ok {
			if list := newKeyedList(items, below, path); list != nil {
				lists = append(lists, *list)
			}
		}
		below.Children.Iterate(func(element fieldpath.PathElement) {
			next, isThere := descend(at, element)
			if deeper, ok := below.Children.Get(element); ok && isThere {
				walk(next, deeper, append(path.Copy(), element))
			}
		})
	}
	walk(object, set, nil)
	return lists
}

// newKeyedList returns nil for a list without merge keys.
func newKeyedList(items []any, set *fieldpath.Set, path fieldpath.Path) *keyedList {
	list := &keyedList{path: path, items: items, ours: make(map[string]int)}
	add := func(element fieldpath.PathElement) {
		if element.Key == nil {
			return
		}
		if list.keys == nil {
			for _, key := range *element.Key {
				list.keys = append(list.keys, key.Name)
			}
		}
		list.ours[shownKey(element)] = 0
	}
	set.Members.Iterate(add)
	set.Children.Iterate(add)
	if list.keys == nil {
		return nil
	}
	for _, item := range items {
		if key := list.keyOf(item); list.has(key) {
			list.ours[key]++
		}
	}
	return list
}

// keyOf returns the values of an item's merge keys, as they stand in its path.
func (l *keyedList) keyOf(item any) string {
	fields, _ := item.(map[string]any)
	values := make([]string, 0, len(l.keys))
	for _, key := range l.keys {
		values = append(values, text(fields[key]))
	}
	return strings.Join(values, ",")
}

// has reports whether the set has an item.
func (l *keyedList) has(key string) bool {
	_, ok := l.ours[key]
	return ok
}

// shownKey returns the values of the keys by which a path names an item.
func shownKey(element fieldpath.PathElement) string {
	return strings.TrimSuffix(strings.TrimPrefix(FormatPath(fieldpath.Path{element}), "["), "]")
}

// listFields returns what the items of lists do not tell: orders and copies. `fields` are
// those of the items.
func (m *Manager) listFields(object *unstructured.Unstructured, set *fieldpath.Set, fields Fields) (orders, copies Fields) {
	lists := keyedLists(object.Object, set)
	return m.orders(object, lists), m.copies(object, lists, fields)
}

// orders returns the order of the lists in which it has a meaning. What others have added
// does not count, and one item alone has no order.
func (m *Manager) orders(object *unstructured.Unstructured, lists []keyedList) Fields {
	orders := make(Fields)
	for _, list := range lists {
		if len(list.ours) < 2 || !orderedLists.Has(lastName(list.path)) || !slices.Equal(list.keys, []string{"name"}) {
			continue
		}
		var names []any
		seen := make(map[string]bool, len(list.ours))
		for _, item := range list.items {
			if key := list.keyOf(item); list.has(key) && !seen[key] {
				names = append(names, key)
				seen[key] = true
			}
		}
		if len(names) > 1 {
			orders[FormatPath(list.path)+".order"] = m.Show(object, text(names), "")
		}
	}
	return m.withoutSecrets(orders)
}

// copies returns the further items with the same merge key as an item of the set. No apply
// has two such items, but an update by hand can leave them. The last one counts, and stands
// in the fields as the item itself.
func (m *Manager) copies(object *unstructured.Unstructured, lists []keyedList, fields Fields) Fields {
	copies := make(Fields)
	for _, list := range lists {
		if !list.hasCopies() {
			continue
		}
		seen := make(map[string]int)
		for _, item := range list.items {
			key := list.keyOf(item)
			seen[key]++
			if !list.has(key) || seen[key] == list.ours[key] {
				continue
			}
			path := fmt.Sprintf("%s[%s]", FormatPath(list.path), key)
			copies[fmt.Sprintf("%s[%d]", path, seen[key])] = m.Show(object, text(item), fields.hashBelow(path))
		}
	}
	return m.withoutSecrets(copies)
}

func (l *keyedList) hasCopies() bool {
	for _, times := range l.ours {
		if times > 1 {
			return true
		}
	}
	return false
}

// arrange gives the items of a set, in the lists of an object, the order that they have in
// another one, as an apply does. The items of others stay where they are.
func arrange(object, like map[string]any, set *fieldpath.Set) {
	for _, list := range keyedLists(like, set) {
		at, ok := lookUp(object, list.path)
		items, isList := at.([]any)
		if !ok || !isList {
			continue
		}
		var places []int
		byKey := make(map[string]any, len(items))
		for i, item := range items {
			if key := list.keyOf(item); list.has(key) {
				places = append(places, i)
				byKey[key] = item
			}
		}
		if len(places) != len(byKey) {
			continue // copies by hand
		}
		for _, item := range list.items {
			if own, ok := byKey[list.keyOf(item)]; ok && len(places) > 0 {
				items[places[0]], places = own, places[1:]
			}
		}
	}
}

// hashBelow returns a value below a path that is shown as a hash; empty if there is none.
func (f Fields) hashBelow(path string) string {
	for field, value := range f {
		if strings.HasPrefix(field, path+".") && IsHash(value) {
			return value
		}
	}
	return ""
}
