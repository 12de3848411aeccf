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

// Declaration says how a resource of the configuration or of the state stands to a client,
// as its plan has it.
type Declaration int

const (
	// DeclaresNew plans the client as a new one: the resource has none in the state, or a
	// tainted one, which is deleted first.
	DeclaresNew Declaration = iota + 1
	// DeclaresKept plans the client that the resource has in the state.
	DeclaresKept
	// DeclaresReplaced plans the client once more, as a new one, after it was planned as
	// [DeclaresKept]: the CLI has decided to replace it.
	DeclaresReplaced
	// DeclaresGone plans to delete the client that the resource has in the state: the
	// resource is gone from the configuration, or is about another client.
	DeclaresGone
)

// clientRegister knows which clients the state of this run has, and what the resources
// of this run plan for each. The protocol does not say which resource a call is about.
// In one walk each resource is planned once, and a replaced one twice in a row, so that
// counting tells resources apart; docs/decisions/0009-ownership.md has the details.
type clientRegister struct {
	mu      sync.Mutex
	clients map[string]*clientRecord // by namespace/name
}

// clientRecord is what is known of one client in this run.
type clientRecord struct {
	isInState bool
	// recorded is what the state has of a client that is deleted with its data; nil for
	// any other, and once it is deleted.
	recorded            *State
	created, kept, gone int // the resources that plan so
}

// of returns the record of a client. The caller holds the lock.
func (r *clientRegister) of(namespace, name string) *clientRecord {
	key := namespace + "/" + name
	if r.clients == nil {
		r.clients = make(map[string]*clientRecord)
	}
	if r.clients[key] == nil {
		r.clients[key] = &clientRecord{}
	}
	return r.clients[key]
}

// addState notes that the state has a client.
func (r *clientRegister) addState(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(namespace, name).isInState = true
}

// addData notes that the state has a client that is deleted with its data.
func (r *clientRegister) addData(namespace, name string, recorded *State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(namespace, name).recorded = recorded
}

// withData returns what the state has of a client that is deleted with its data; nil for
// any other.
func (r *clientRegister) withData(namespace, name string) *State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(namespace, name).recorded
}

// isInState reports whether the state has a client, as far as the CLI has shown it.
func (r *clientRegister) isInState(namespace, name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(namespace, name).isInState
}

// declare notes what a resource plans for a client, and refuses it where another
// resource has planned something that does not go with it.
func (r *clientRegister) declare(namespace, name string, as Declaration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.of(namespace, name)
	switch {
	case as == DeclaresKept:
		c.kept++
	case as == DeclaresGone:
		c.gone++
	case as == DeclaresReplaced && c.kept > 0:
		// It was counted when it was planned the first time.
	default:
		c.created++
	}
	switch {
	case c.gone > 0 && c.created > 0:
		return &RenamedClientError{Namespace: namespace, Name: name}
	case c.gone > 0 && c.kept > 0:
		return &SharedClientError{Namespace: namespace, Name: name}
	case c.created+c.kept > 1:
		return &DuplicateClientError{Namespace: namespace, Name: name}
	}
	return nil
}

// begin notes that the apply of a client begins. What was planned for it so far does not
// count any more: the CLI plans the destruction of a replaced client right before it, also
// when the new one is there already.
func (r *clientRegister) begin(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.of(namespace, name)
	c.created, c.kept, c.gone = 0, 0, 0
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
