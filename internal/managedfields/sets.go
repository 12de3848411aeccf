package managedfields

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// leaves returns the fields of a set that have no fields below them, by their
// paths.
func leaves(set *fieldpath.Set) map[string]fieldpath.Path {
	found := make(map[string]fieldpath.Path)
	for path := range set.Leaves().All() {
		found[FormatPath(path)] = path.Copy()
	}
	return found
}

// prefixes returns all paths of a set, and those on the way to them.
func prefixes(set *fieldpath.Set) map[string]bool {
	found := make(map[string]bool)
	for path := range set.All() {
		for end := range path {
			found[FormatPath(path[:end+1])] = true
		}
	}
	return found
}

// goingPaths returns the paths of a set that are not kept. A struct goes with its last
// field, whatever defaults it holds besides: the set names no structs.
func goingPaths(set *fieldpath.Set, kept map[string]bool) []fieldpath.Path {
	var going []fieldpath.Path
	for path := range set.All() {
		for end := range path {
			// metadata stays: the name is in no set.
			if part := path[:end+1]; !kept[FormatPath(part)] && FormatPath(part) != metadataField {
				going = append(going, part.Copy())
			}
		}
	}
	return going
}

const metadataField = "metadata"

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
