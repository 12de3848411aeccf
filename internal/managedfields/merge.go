package managedfields

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Beside returns what others have put beside what is applied, and who.
func (m *Manager) Beside(object, live *unstructured.Unstructured) []FieldOwner {
	var beside []FieldOwner
	for _, entry := range live.GetManagedFields() {
		if m.isOurs(entry) || entry.Subresource != "" {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			_, isThere := lookUp(live.Object, at)
			_, isApplied := lookUp(object.Object, at)
			if isThere && !isApplied && *at[0].FieldName != metadataField {
				beside = append(beside, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	return sortedOwners(beside)
}

// Foreign are the fields that former managers have put beside what is applied,
// with their live values, by the path where they begin.
type Foreign map[string]Fields

// Foreign returns what former managers have put beside what is applied.
func (m *Manager) Foreign(object, live *unstructured.Unstructured) Foreign {
	foreign := make(Foreign)
	former := leaves(setOf(live, m.isFormer))
	for path, at := range former {
		value, ok := valueAt(live, at)
		if !ok || *at[0].FieldName == metadataField {
			continue
		}
		for end := range at {
			if _, isApplied := lookUp(object.Object, at[:end+1]); !isApplied {
				root := FormatPath(at[:end+1])
				if foreign[root] == nil {
					foreign[root] = make(Fields)
				}
				foreign[root][path] = value
				break
			}
		}
	}
	for root, fields := range foreign {
		foreign[root] = withoutMergeKeys(fields, former)
	}
	return foreign
}

// Removals returns the sets of roots to try to remove, in this order: each root
// alone, then all of them.
func (f Foreign) Removals() [][]string {
	all := slices.Sorted(maps.Keys(f))
	var removals [][]string
	for _, root := range all {
		removals = append(removals, []string{root})
	}
	if len(all) > 1 {
		removals = append(removals, all)
	}
	return removals
}

// Below returns the fields below some roots.
func (f Foreign) Below(roots []string) Fields {
	fields := make(Fields)
	for _, root := range roots {
		maps.Copy(fields, f[root])
	}
	return fields
}

// Over returns a live object with what we apply, which `fresh` has as a new object,
// without what we do not apply any more and without what lies below some roots. It
// does what the server does at an apply.
func (m *Manager) Over(fresh, live *unstructured.Unstructured, roots []string) *unstructured.Unstructured {
	body := live.DeepCopy()
	ours := m.ownedSet(fresh)
	others := setOf(live, func(entry metav1.ManagedFieldsEntry) bool { return !m.isOurs(entry) })
	kept := prefixes(ours.Union(others))
	Remove(body, goingPaths(m.ownedSet(live), kept))
	for path := range others.All() {
		for end := range path {
			if part := path[:end+1]; isBelow(part, roots) {
				without(body.Object, part)
			}
		}
	}
	for at := range ours.Leaves().All() {
		if value, ok := lookUp(fresh.Object, at); ok {
			with(body.Object, at, value)
		}
	}
	return body
}

// Merge returns a new object with what others own on the live one. It does what the
// server does at an apply, except that new items of lists come last. What lies below
// some roots is left out. The error says that a set of fields could not be written
// as JSON.
func (m *Manager) Merge(fresh, live *unstructured.Unstructured, roots []string) (*unstructured.Unstructured, error) {
	merged := fresh.DeepCopy()
	ours := m.ownedSet(fresh)
	entries := slices.DeleteFunc(fresh.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool { return !m.isOurs(entry) })
	isAdopted := m.Adopted(live)
	for _, entry := range live.GetManagedFields() {
		if m.isOurs(entry) || m.endsWithAdoption(entry, isAdopted) || entry.Subresource == statusSubresource {
			continue
		}
		for at := range decodeSet(entry).Leaves().All() {
			if value, ok := lookUp(live.Object, at); ok && !ours.Has(at) && !isBelow(at, roots) {
				with(merged.Object, at, value)
			}
		}
		gone := ours
		for path := range decodeSet(entry).All() {
			if isBelow(path, roots) {
				gone = gone.Union(fieldpath.NewSet(path.Copy()))
			}
		}
		left, err := reduced(entry, gone)
		if err != nil {
			return nil, err
		}
		if left != nil {
			entries = append(entries, *left)
		}
	}
	replicas, found, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if found && !ours.Has(fieldpath.MakePathOrDie("spec", "replicas")) {
		// A scale to zero leaves the field to no manager.
		_ = unstructured.SetNestedField(merged.Object, replicas, "spec", "replicas")
	}
	merged.SetManagedFields(entries)
	merged.SetUID(live.GetUID())
	return merged, nil
}

// isBelow reports whether a path is one of some roots, or below one.
func isBelow(path fieldpath.Path, roots []string) bool {
	for end := range path {
		if len(roots) > 0 && slices.Contains(roots, FormatPath(path[:end+1])) {
			return true
		}
	}
	return false
}
