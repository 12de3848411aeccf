package managedfields

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
)

// InLiveSpelling returns a copy of the object that is applied, with the quantities of the
// live one where the two only write them in another way (`268435456`, `256Mi`). It is the
// same object where there are none.
//
// The server stores a quantity in the notation of the apply, and counts no new generation
// for another one. But the revision of a pod template is made of what is stored: another
// notation alone replaces all pods, and nothing shows when the controller has seen it.
func InLiveSpelling(applied, live *unstructured.Unstructured) *unstructured.Unstructured {
	result := applied.DeepCopy()
	if !spellAs("", "", result.Object, live.Object) {
		return applied
	}
	return result
}

// spellAs gives the quantities of a value the notation of the live one, and reports
// whether there are any in another. `name` is the field that holds the value, and `outer`
// the one around it.
func spellAs(outer, name string, wanted, has any) bool {
	found := false
	switch wanted := wanted.(type) {
	case map[string]any:
		has, _ := has.(map[string]any)
		for key, value := range wanted {
			live, isThere := has[key]
			switch {
			case !isThere:
			case !isQuantity(outer, name, key):
				found = spellAs(name, key, value, live) || found
			case text(value) != text(live) && sameQuantity(text(value), text(live)):
				wanted[key], found = live, true
			}
		}
	case []any:
		has, _ := has.([]any)
		for _, item := range wanted {
			key := nameOf(item)
			if at := slices.IndexFunc(has, func(live any) bool { return key != "" && nameOf(live) == key }); at >= 0 {
				found = spellAs(outer, name, item, has[at]) || found
			}
		}
	}
	return found
}

// nameOf returns the name of a container, a volume or a claim template; empty for an item
// of another list.
func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		name, _ = metadata["name"].(string)
	}
	return name
}

var quantityMaps = sets.New("requests", "limits")

// isQuantity reports whether a field, `outer.name.field`, is a quantity in the kinds that
// templates hold: requests and limits of containers and claims, the size of an `emptyDir`,
// and the divisor of a `resourceFieldRef`.
func isQuantity(outer, name, field string) bool {
	switch name {
	case "emptyDir":
		return field == "sizeLimit"
	case "resourceFieldRef":
		return field == "divisor"
	}
	return outer == "resources" && quantityMaps.Has(name)
}

func sameQuantity(a, b string) bool {
	x, errX := resource.ParseQuantity(a)
	y, errY := resource.ParseQuantity(b)
	return errX == nil && errY == nil && x.Cmp(y) == 0
}
