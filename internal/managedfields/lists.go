package managedfields

import (
	"strings"

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
