package managedfields

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// AdmissionChange is a field that the server stores with a value other than the one
// applied, as an admission policy or webhook can make it do.
type AdmissionChange struct {
	Field       string
	Wanted, Got string
	Removed     bool // Got is empty because the field is absent
}

// AdmissionChanges returns the fields of an applied object that came back with another
// value, in the order of their paths. What the server merely writes in another way, such
// as a quantity, and what it adds to lists and maps by default, does not count.
func (m *Manager) AdmissionChanges(applied, result *unstructured.Unstructured) []AdmissionChange {
	var changed []AdmissionChange
	for path, at := range leaves(m.ownedSet(result)) {
		wanted, ok := m.valueAt(applied, at)
		if !ok {
			continue // a merge key by default
		}
		got, has := m.valueAt(result, at)
		wanted, got = m.Show(applied, wanted, got), m.Show(result, got, wanted)
		if !has && wanted != "{}" && wanted != "[]" && wanted != "" || has && wanted != got && !stores(applied, result, at) {
			changed = append(changed, AdmissionChange{Field: path, Wanted: wanted, Got: got, Removed: !has})
		}
	}
	slices.SortFunc(changed, func(a, b AdmissionChange) int { return strings.Compare(a.Field, b.Field) })
	return changed
}

// stores reports whether a result has what was applied at a path, as [covers] compares it.
func stores(applied, result *unstructured.Unstructured, at fieldpath.Path) bool {
	wanted, _ := lookUp(applied.Object, at)
	got, _ := lookUp(result.Object, at)
	var where place
	for _, element := range at {
		if element.FieldName != nil {
			where = where.below(*element.FieldName)
		}
	}
	return covers(where, wanted, got)
}

// labelMaps are the fields whose keys are the user's, so that the server adds none
// by default.
var labelMaps = sets.New("labels", "annotations", "selector", "matchLabels", "nodeSelector")

// covers reports whether the value of a field that was stored holds what was applied,
// and beyond it nothing but what the server adds to maps by default.
func covers(at place, applied, stored any) bool {
	switch applied := applied.(type) {
	case map[string]any:
		stored, ok := stored.(map[string]any)
		if !ok {
			return false
		}
		for key, value := range applied {
			if got, ok := stored[key]; (!ok || !covers(at.below(key), value, got)) && value != nil && key != "status" {
				return false
			}
		}
		_, isSelector := applied["matchLabels"] // of the same name as a plain map of labels
		return !labelMaps.Has(at.field) || isSelector || len(applied) == len(stored)
	case []any:
		stored, ok := stored.([]any)
		return ok && slices.EqualFunc(applied, stored, func(a, b any) bool { return covers(at, a, b) })
	case nil:
		return stored == nil
	}
	switch stored.(type) {
	case map[string]any, []any, nil:
		return false
	}
	if at.isQuantity() {
		return sameQuantity(text(applied), text(stored))
	}
	return sameKind(applied, stored) && text(applied) == text(stored)
}

// sameKind reports whether two scalars are both texts, both booleans or both numbers. JSON
// has one kind of number.
func sameKind(a, b any) bool {
	switch a.(type) {
	case string:
		_, ok := b.(string)
		return ok
	case bool:
		_, ok := b.(bool)
		return ok
	}
	switch b.(type) {
	case string, bool:
		return false
	}
	return true
}

// OverriddenSpecFields returns the fields of the spec that an admission policy sets to
// what the live object has already, whatever is applied. `fresh` is the object as the
// server would create it.
func OverriddenSpecFields(object, live, fresh *unstructured.Unstructured) []string {
	wanted, _, _ := unstructured.NestedMap(object.Object, "spec")
	has, _, _ := unstructured.NestedMap(live.Object, "spec")
	gets, _, _ := unstructured.NestedMap(fresh.Object, "spec")
	var overridden []string
	for field, value := range wanted {
		isKept := equality.Semantic.DeepEqual(withoutListStatus(has[field]), withoutListStatus(gets[field]))
		if isKept && !covers(place{}.below("spec").below(field), value, gets[field]) {
			overridden = append(overridden, field)
		}
	}
	return overridden
}

// withoutListStatus returns a field; where it is a list, without the status of its items.
func withoutListStatus(field any) any {
	if items, ok := field.([]any); ok {
		return withoutStatus(items)
	}
	return field
}

// DifferingSpecFields returns the names of the fields of the spec that differ
// between two copies of an object, sorted.
func DifferingSpecFields(live, fresh *unstructured.Unstructured) []string {
	has, _, _ := unstructured.NestedMap(live.Object, "spec")
	gets, _, _ := unstructured.NestedMap(fresh.Object, "spec")
	fields := maps.Clone(has)
	maps.Copy(fields, gets)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), func(field string) bool {
		return equality.Semantic.DeepEqual(withoutListStatus(has[field]), withoutListStatus(gets[field]))
	})
}
