package managedfields

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// rememberedObjects bounds for how many objects [Manager.Remember] keeps the
	// answer. The CLI works at ten clients at a time by default, of a few objects
	// each.
	rememberedObjects = 128
	// rememberedFor bounds for how long: an object that is not used any more must not
	// stay in memory.
	rememberedFor = time.Minute
)

// Manager is the field manager of this provider: it works out what an apply of ours does
// to an object and to the owners of its fields. It is safe for concurrent use.
type Manager struct {
	identity
	projection
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
	return &Manager{identity: identity{name: name, ownerLabel: ownerLabel}, known: cache.NewLRUExpireCache(rememberedObjects)}
}

// Remember has what we own of an object worked out only once. The object must not
// change any more.
func (m *Manager) Remember(object *unstructured.Unstructured) {
	m.known.Add(object, sync.OnceValue(func() ownership { return m.readOwnership(object) }), rememberedFor)
}

// WithSecrets returns a manager that is the same but for the secrets that it does not show.
func (m *Manager) WithSecrets(secrets *Secrets) *Manager {
	other := NewManager(m.name, m.ownerLabel)
	other.secrets, other.base = secrets, m
	return other
}
