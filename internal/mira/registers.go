package mira

import (
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// clientLocks holds a lock for each client of a run.
type clientLocks struct {
	locks sync.Map // of *clientLock, by namespace/name of a client
}

// clientLock lets one operation at a time write a client's objects.
type clientLock struct {
	sync.Mutex
	// created: this run has created or adopted the client. The CLI may create and delete
	// the same client in one run, in any order, when its address changes or
	// create_before_destroy is set.
	created bool
}

// of returns the lock of a client.
func (l *clientLocks) of(namespace, name string) *clientLock {
	found, _ := l.locks.LoadOrStore(namespace+"/"+name, &clientLock{})
	lock, _ := found.(*clientLock)
	return lock
}

// objectOwners knows which client of this run an object belongs to.
type objectOwners struct {
	clients sync.Map // names of clients, by kube.Ref without version and UID
}

// declare registers an object as a client's for this run, and refuses it to every
// other client with a [*ForeignObjectError].
func (o *objectOwners) declare(ref kube.Ref, client string) error {
	ref.UID, ref.APIVersion = "", ref.GroupVersionKind().Group
	found, _ := o.clients.LoadOrStore(ref, client)
	if owner, _ := found.(string); owner != client {
		return &ForeignObjectError{Ref: ref, Owner: owner}
	}
	return nil
}

// onceEach remembers what was told to the operator, for what is to be told once in a run.
type onceEach struct{ keys sync.Map }

// isFirst reports whether this is the first call with a key.
func (o *onceEach) isFirst(key string) bool {
	_, wasThere := o.keys.LoadOrStore(key, true)
	return !wasThere
}

// loadCache remembers what was loaded, for all who ask. Failures are not remembered,
// and callers share what one of them loads but not its failure: that one may have been
// cancelled.
type loadCache[V any] struct {
	flights singleflight.Group
	mu      sync.Mutex
	values  map[string]V
}

// get returns what is remembered under a key, or loads it if there is nothing or if
// the caller does not want what there is. What the caller gets was either accepted by
// it or loaded by its own call, which began after it asked.
func (c *loadCache[V]) get(key string, isStale func(V) bool, load func() (V, error)) (V, error) {
	for {
		if value, ok := c.remembered(key); ok && !isStale(value) {
			return value, nil
		}
		var own V
		var ownErr error
		isOwn := false
		_, _, _ = c.flights.Do(key, func() (any, error) {
			isOwn = true
			if own, ownErr = c.load(key, isStale, load); ownErr != nil {
				return nil, ownErr
			}
			return nil, nil
		})
		if isOwn {
			return own, ownErr
		}
	}
}

// load loads a value unless another caller has just done so.
func (c *loadCache[V]) load(key string, isStale func(V) bool, load func() (V, error)) (V, error) {
	if value, ok := c.remembered(key); ok && !isStale(value) {
		return value, nil
	}
	value, err := load()
	if err == nil {
		c.remember(key, value)
	}
	return value, err
}

func (c *loadCache[V]) remembered(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.values[key]
	return value, ok
}

func (c *loadCache[V]) remember(key string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = make(map[string]V)
	}
	c.values[key] = value
}
