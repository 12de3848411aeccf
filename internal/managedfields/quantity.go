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
	if !spellAs(place{}, result.Object, live.Object) {
		return applied
	}
	return result
}

// spellAs gives the quantities of a value the notation of the live one, and reports
// whether there are any in another.
func spellAs(at place, wanted, has any) bool {
	found := false
	switch wanted := wanted.(type) {
	case map[string]any:
		has, _ := has.(map[string]any)
		for key, value := range wanted {
			live, isThere := has[key]
			switch below := at.below(key); {
			case !isThere:
			case !below.isQuantity():
				found = spellAs(below, value, live) || found
			case text(value) != text(live) && sameQuantity(text(value), text(live)):
				wanted[key], found = live, true
			}
		}
	case []any:
		has, _ := has.([]any)
		for _, item := range wanted {
			key := nameOf(item)
			if i := slices.IndexFunc(has, func(live any) bool { return key != "" && nameOf(live) == key }); i >= 0 {
				found = spellAs(at, item, has[i]) || found
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

// place is where a value stands: in a field, and in the two around that. Items of lists stand
// where their list does.
type place struct{ outer, name, field string }

// below returns the place of a field of the value.
func (p place) below(field string) place { return place{p.name, p.field, field} }

var (
	// podResources are the maps of `resources`, of containers and claims.
	podResources = sets.New("requests", "limits")
	// specResources are those of a ResourceQuota and a PersistentVolume, and of a pod.
	specResources = sets.New("hard", "capacity", "overhead")
	// rangeResources are those of the items of a LimitRange.
	rangeResources = sets.New("default", "defaultRequest", "max", "min", "maxLimitRequestRatio")
)

// isQuantity reports whether the value at a place is a quantity, in the kinds that templates
// hold. A text elsewhere may look like one, as `1e3` does in a variable of the environment.
func (p place) isQuantity() bool {
	switch p.outer {
	case "resources":
		return podResources.Has(p.name)
	case "limits":
		return rangeResources.Has(p.name)
	}
	switch p.name {
	case "emptyDir":
		return p.field == "sizeLimit"
	case "resourceFieldRef":
		return p.field == "divisor"
	}
	return p.outer == "spec" && specResources.Has(p.name)
}

func sameQuantity(a, b string) bool {
	x, errX := resource.ParseQuantity(a)
	y, errY := resource.ParseQuantity(b)
	return errX == nil && errY == nil && x.Cmp(y) == 0
}
