package managedfields

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Foreign is what other managers have on a live object in addition to what is
// applied. Those fields that former managers have added can be removed; each
// begins at a root, the first part of its path that is not applied.
type Foreign struct {
	manager   *Manager
	object    *unstructured.Unstructured
	live      *unstructured.Unstructured
	removable map[string]Fields         // by root
	reclaimed map[string]fieldpath.Path // of the removable fields, those that were ours
}

// Foreign returns what other managers have on a live object in addition to an object
// that is applied. `reclaimed` are fields that were ours and that may be taken back from
// whoever has taken them.
func (m *Manager) Foreign(object, live *unstructured.Unstructured, reclaimed Fields) *Foreign {
	removable, ours := make(map[string]Fields), make(map[string]fieldpath.Path)
	former := leaves(setOf(live, m.isFormer))
	for path, at := range leaves(setOf(live, func(entry metav1.ManagedFieldsEntry) bool { return !m.isOurs(entry) && !m.isFormer(entry) })) {
		if _, wasOurs := reclaimed[path]; wasOurs {
			former[path], ours[path] = at, at
		}
	}
	for path, at := range former {
		value, ok := m.valueAt(live, at)
		if !ok || *at[0].FieldName == metadataField {
			continue
		}
		for end := range at {
			if _, isApplied := lookUp(object.Object, at[:end+1]); !isApplied {
				root := FormatPath(at[:end+1])
				if removable[root] == nil {
					removable[root] = make(Fields)
				}
				removable[root][path] = value
				break
			}
		}
	}
	for root, fields := range removable {
		removable[root] = withoutMergeKeys(fields, former)
	}
	return &Foreign{manager: m, object: object, live: live, removable: removable, reclaimed: ours}
}

// Owners returns the fields of all other managers that are not applied, with their
// managers, in the order of their paths. Metadata do not count.
func (f *Foreign) Owners() []FieldOwner {
	var owners []FieldOwner
	for _, entry := range f.live.GetManagedFields() {
		if f.manager.isOurs(entry) || entry.Subresource != "" {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			_, isThere := lookUp(f.live.Object, at)
			_, isApplied := lookUp(f.object.Object, at)
			if isThere && !isApplied && *at[0].FieldName != metadataField {
				owners = append(owners, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	return sortedOwners(owners)
}

// Removals returns the sets of roots whose removal to try, in this order: each root
// alone, then all of them.
func (f *Foreign) Removals() [][]string {
	all := slices.Sorted(maps.Keys(f.removable))
	var removals [][]string
	for _, root := range all {
		removals = append(removals, []string{root})
	}
	if len(all) > 1 {
		removals = append(removals, all)
	}
	return removals
}

// Below returns the removable fields below some roots, with their live values.
func (f *Foreign) Below(roots []string) Fields {
	fields := make(Fields)
	for _, root := range roots {
		maps.Copy(fields, f.removable[root])
	}
	return fields
}

// Reclaimed returns the removable fields below some roots that were ours and that others
// have taken.
func (f *Foreign) Reclaimed(roots []string) Leftovers {
	var taken Leftovers
	for path, at := range f.reclaimed {
		if isBelow(at, roots) {
			taken = append(taken, Leftover{Field: path, Value: f.Below(roots)[path], IsExtra: true, IsDropped: true, at: at})
		}
	}
	return taken
}

// Overlay returns the live object as an apply leaves it: with what we apply, which
// `fresh` has as a new object, and without what we do not apply any more. What lies
// below some roots is removed.
func (f *Foreign) Overlay(fresh *unstructured.Unstructured, roots []string) *unstructured.Unstructured {
	m := f.manager
	body := f.live.DeepCopy()
	ours := m.ownedSet(fresh)
	others := setOf(f.live, func(entry metav1.ManagedFieldsEntry) bool { return !m.isOurs(entry) })
	kept := prefixes(ours.Union(others))
	Remove(body, goingPaths(m.ownedSet(f.live), kept))
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
	arrange(body.Object, fresh.Object, ours)
	return body
}

// Applied is the overlay with the owners that its fields have after the apply.
func (f *Foreign) Applied(fresh *unstructured.Unstructured, roots []string) *unstructured.Unstructured {
	body := f.Overlay(fresh, roots)
	entries := slices.DeleteFunc(f.live.GetManagedFields(), f.manager.isOurs)
	for _, entry := range fresh.GetManagedFields() {
		if f.manager.isOurs(entry) {
			entries = append(entries, entry)
		}
	}
	body.SetManagedFields(entries)
	return body
}

// Merge returns a new object, `fresh`, with what others own on the live one. It does
// what the server does at an apply, except that new items of lists come last. What
// lies below some roots is left out. The error says that a set of fields could not be
// written as JSON.
func (f *Foreign) Merge(fresh *unstructured.Unstructured, roots []string) (*unstructured.Unstructured, error) {
	m, live := f.manager, f.live
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
