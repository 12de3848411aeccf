package managedfields

import (
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/cache"
)

// DefaultName is the name under which the provider applies, unless the
// configuration names another one.
const DefaultName = "terraform-provider-mira"

const (
	// rememberedObjects bounds for how many objects [Manager.Remember] keeps the
	// answer. The CLI works at ten clients at a time by default, of a few objects
	// each.
	rememberedObjects = 128
	// rememberedFor bounds for how long: an object that is not used any more must not
	// stay in memory.
	rememberedFor = time.Minute
)

// Manager is the field manager of this provider. It knows its entries in managedFields
// from those of others. It is safe for concurrent use.
type Manager struct {
	names
	mask
	// known holds func() ownership by *unstructured.Unstructured.
	known *cache.LRUExpireCache
	// base is the manager that this one was made of by WithSecrets; nil for another.
	base *Manager
}

// NewManager returns a manager. An empty name means [DefaultName]. The owner label
// is put on every object that is applied: a manager that has applied it was this
// provider, whatever its name. It may be empty.
func NewManager(name, ownerLabel string) *Manager {
	if name == "" {
		name = DefaultName
	}
	return &Manager{names: names{name: name, ownerLabel: ownerLabel}, known: cache.NewLRUExpireCache(rememberedObjects)}
}

// Remember has what we own of an object worked out only once. The object must not
// change any more.
func (m *Manager) Remember(object *unstructured.Unstructured) {
	m.known.Add(object, sync.OnceValue(func() ownership { return m.readOwnership(object) }), rememberedFor)
}

// Applied reports whether our field manager has ever applied the live object.
func (m *Manager) Applied(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), m.isOurs)
}

// Adopted reports whether the live object was applied by us, also under a former
// name: former managers have nothing left on it but what they wrote since.
func (m *Manager) Adopted(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return m.isOurs(entry) || m.isFormerName(entry)
	})
}

// AllEndWithAdoption reports whether adopting a live object takes over the fields of all
// these managers, so that a conflict with them does not matter.
func (m *Manager) AllEndWithAdoption(live *unstructured.Unstructured, managers []string) bool {
	isAdopted := m.Adopted(live)
	ends := make(map[string]bool)
	for _, entry := range live.GetManagedFields() {
		if m.endsWithAdoption(entry, isAdopted) {
			ends[entry.Manager] = true
		}
	}
	return !slices.ContainsFunc(managers, func(manager string) bool { return !ends[manager] })
}

// WroteLast reports whether no other manager has changed the spec of a live object since our last
// change. The times of the managed fields count seconds: of two changes within one, ours
// does not count as the last.
func (m *Manager) WroteLast(live *unstructured.Unstructured) bool {
	var ours, others time.Time
	for _, entry := range live.GetManagedFields() {
		switch {
		case entry.Time == nil || entry.Subresource != "":
		case entry.Manager == m.name:
			ours = later(ours, entry.Time.Time)
		default:
			others = later(others, entry.Time.Time)
		}
	}
	return ours.After(others)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// WroteAlone reports whether no manager but ours, by an update, has written an
// object. Writers of the status do not count.
func (m *Manager) WroteAlone(object *unstructured.Unstructured) bool {
	return !slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Subresource != statusSubresource && (entry.Manager != m.name || entry.Operation != metav1.ManagedFieldsOperationUpdate)
	})
}

// IsHalfRecreated reports whether a live object was created again after its deletion, and
// its fields were not given to their owners: all are ours by an update.
func (m *Manager) IsHalfRecreated(live *unstructured.Unstructured) bool {
	return !m.Applied(live) && slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == m.name && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
	})
}
