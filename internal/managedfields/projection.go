package managedfields

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// projection turns an object into the values that are shown of it.
type projection struct{ mask }

// project returns what is shown of the fields at some paths, and what the items of lists do
// not tell: the copies and orders of those lists of which `set` has items. The orders are
// also returned on their own.
func (p projection) project(
	object *unstructured.Unstructured, paths map[string]fieldpath.Path, set *fieldpath.Set,
) (fields, orders Fields) {
	fields = p.values(object, paths)
	lists := keyedLists(object.Object, set)
	orders = p.orders(object, lists)
	copies := p.copies(object, lists, fields)
	maps.Copy(fields, orders)
	maps.Copy(fields, copies)
	return fields, orders
}

// values reads the values of fields, by their paths.
func (p projection) values(object *unstructured.Unstructured, paths map[string]fieldpath.Path) Fields {
	fields := make(Fields, len(paths))
	for path, at := range paths {
		if text, ok := p.valueAt(object, at); ok {
			fields[path] = text
		}
	}
	return p.withoutSecrets(withoutMergeKeys(fields, paths))
}

// valueAt returns what is shown of the value at a path; false when the object has none.
func (p projection) valueAt(object *unstructured.Unstructured, path fieldpath.Path) (string, bool) {
	at, ok := lookUp(object.Object, path)
	if !ok || at == nil {
		return "", false
	}
	if object.GetKind() == "Secret" && (isSecretData(path) || FormatPath(path) == lastApplied) {
		// The state must show that it has changed, not the secret.
		return hashed(object, text(at)), true
	}
	if claims, ok := at.([]any); ok && FormatPath(path) == "spec.volumeClaimTemplates" {
		at = withoutStatus(claims)
	}
	return p.Show(object, text(at), ""), true
}

// lastApplied is where kubectl keeps a copy of the whole object.
const lastApplied = "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]"

func isSecretData(path fieldpath.Path) bool {
	return len(path) > 0 && path[0].FieldName != nil && (*path[0].FieldName == "data" || *path[0].FieldName == "stringData")
}

// orders returns the order of the lists in which it has a meaning. What others have added
// does not count, and one item alone has no order.
func (p projection) orders(object *unstructured.Unstructured, lists []keyedList) Fields {
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
			orders[FormatPath(list.path)+".order"] = p.Show(object, text(names), "")
		}
	}
	return p.withoutSecrets(orders)
}

// copies returns the further items with the same merge key as an item of the set. No apply
// has two such items, but an update by hand can leave them. The last one counts, and stands
// in the fields as the item itself. `fields` are those of the items.
func (p projection) copies(object *unstructured.Unstructured, lists []keyedList, fields Fields) Fields {
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
			copies[fmt.Sprintf("%s[%d]", path, seen[key])] = p.Show(object, text(item), fields.hashBelow(path))
		}
	}
	return p.withoutSecrets(copies)
}
