package managedfields

import (
	"bytes"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// ownership is what we own of an object. Its parts are shared, and must not be
// changed.
type ownership struct {
	entries []ourEntry
	set     *fieldpath.Set
	fields  Fields
	orders  Fields // those of the fields that are the orders of lists
}

// ourEntry is an entry of managedFields of ours, its fields in a form that is the
// same for the same fields.
type ourEntry struct {
	apiVersion string
	fields     []byte
}

// ownership returns what we own of an object. It is worked out once for an object
// that is remembered, which a plan looks at several times.
func (m *Manager) ownership(live *unstructured.Unstructured) ownership {
	known, ok := m.known.Get(live)
	if !ok && m.base != nil {
		if _, isRemembered := m.base.known.Get(live); isRemembered {
			m.Remember(live)
			known, ok = m.known.Get(live)
		}
	}
	if ok {
		return known.(func() ownership)()
	}
	return m.readOwnership(live)
}

func (m *Manager) readOwnership(live *unstructured.Unstructured) ownership {
	entries := m.ourEntries(live)
	set := unionOf(entries)
	fields, orders := m.project(live, leaves(set), set)
	return ownership{entries: entries, set: set, fields: fields, orders: orders}
}

func unionOf(entries []ourEntry) *fieldpath.Set {
	union := &fieldpath.Set{}
	for _, entry := range entries {
		set := &fieldpath.Set{}
		if err := set.FromJSON(bytes.NewReader(entry.fields)); err != nil {
			continue // see decodeSet
		}
		union = union.Union(set)
	}
	return union
}

// Owned returns the fields of a live object that our field manager owns.
func (m *Manager) Owned(live *unstructured.Unstructured) Fields {
	return maps.Clone(m.ownership(live).fields)
}

func (m *Manager) ownedSet(live *unstructured.Unstructured) *fieldpath.Set {
	if known, ok := m.known.Get(live); ok {
		return known.(func() ownership)().set
	}
	return unionOf(m.ourEntries(live))
}

// OwnsAll reports whether we own all fields of the live object that we own on the result
// of an apply.
func (m *Manager) OwnsAll(live, result *unstructured.Unstructured) bool {
	return m.ownedSet(result).Difference(m.ownedSet(live)).Empty()
}
