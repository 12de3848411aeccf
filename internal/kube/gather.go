package kube

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// crowdSize is how many owners make a crowd: as many as this, and their objects
	// are listed rather than read one by one.
	crowdSize = 4
	// burst is how many owners need not be waited for any longer, as the CLI asks for
	// no more at a time by default. How much of a kind is listed goes by them: see
	// ahead.
	burst = 10
	// lull is how long no new owner must have come before a few are taken for all
	// that there are. The CLI asks for ten at a time, within a millisecond or two of
	// each other, and waits for the answers before it asks for more.
	lull = 25 * time.Millisecond
	// ahead bounds how many objects of a kind are listed for each owner that was
	// asked for, but for one page: a large cluster must not be listed for the sake of
	// a few.
	ahead = 50
	// pageSize bounds a page. Fifty kilobytes of StatefulSets are two on the wire:
	// the server compresses answers of more than 128 KiB.
	pageSize = 500
	// gatherAge bounds how old an answer can be. A plan is a snapshot, which takes the
	// CLI about as long for the largest fleets, and what is written was read afresh.
	gatherAge = time.Minute
	// gatherBytes bounds how much of the lists is held. Three objects of the sample
	// template are about 12 KiB.
	gatherBytes = 256 << 20
)

// gatherer answers reads of many objects with few requests.
//
// The objects of the first owner are read by GET, at once. Further owners make
// their askers wait until no new one has come for a moment ([lull]), or a [burst] is
// there. If there are fewer than [crowdSize] by then, one LIST that names them in its
// label selector reads all that is asked for of a kind, or a GET where it is one object.
// Otherwise the kind is listed by the owner label, page by page and as far as
// somebody asks for what comes next, each page for all askers. What the pages do
// not hold is read by GET: the list never says that an object is not there.
//
// So the number of requests for all objects of a configuration is that of the
// pages and a few more, and the number of bytes for a few clients in a large
// cluster is bound by the number of the clients: see [ahead]. Where as much as
// that was listed, owners are named again.
//
// Requests that serve several askers go on when one of them is cancelled, and end
// with the last. Their failure is the failure of all who waited for them, and of
// nobody else; who asks next tries again. A server that refuses to list is asked
// for each object.
type gatherer struct {
	client *Client

	recent lately[objectKey, *unstructured.Unstructured]

	mu      sync.Mutex
	crowds  map[string]*crowd  // by namespace
	written map[objectKey]bool // by us: read afresh for ever
}

// objectKey names an object by its endpoint.
type objectKey struct {
	resource        schema.GroupVersionResource
	namespace, name string
	nameOnly        bool // nothing but its being there matters, and it has no label
}

// crowd is what was asked for in a namespace, and answered, in the time of
// [gatherAge].
type crowd struct {
	begun  time.Time
	owners map[string]bool
	newest time.Time     // when the last new owner came
	large  chan struct{} // closed when it has reached burst
	kinds  map[schema.GroupVersionResource]*gathering
}

// gathering is what is known of the objects of a kind, and who waits for more.
type gathering struct {
	crowd     *crowd
	resource  schema.GroupVersionResource
	namespace string
	nameOnly  bool
	waiting   []*ask
	isRunning bool
	isRefused bool // by the server: there are no lists

	objects map[string][]byte // as the server wrote them, by name
	size    int               // of objects, in bytes
	upTo    string            // the last name listed; names come in their order
	next    string            // continues the list; empty before the first page, and after the last
	isBegun bool
	isWhole bool // there are no further pages
}

// ask is a read that waits.
type ask struct {
	ctx    context.Context
	owner  string
	name   string
	done   chan struct{}
	object []byte // nil where it has to be read by GET
	err    error
}

func newGatherer(c *Client) *gatherer {
	return &gatherer{
		client:  c,
		crowds:  make(map[string]*crowd),
		written: make(map[objectKey]bool),
	}
}

// GetBatched reads the live object of a reference, as [Client.Get] does, but together
// with others that are asked for at about the same time: it may be up to a
// minute old, though never older than our own last write of it, and must not be
// changed. `owner` is the value of the owner label that the object has, if it is
// there and ours.
//
// Who is about to write an object needs [Client.Get].
func (c *Client) GetBatched(ctx context.Context, owner string, ref Ref) (*unstructured.Unstructured, error) {
	if c.fields.OwnerLabel() == "" || owner == "" || len(validation.IsValidLabelValue(owner)) > 0 {
		return c.Get(ctx, ref)
	}
	mapping, err := c.mapping(ref.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	key := objectKey{resource: mapping.Resource, namespace: ref.Namespace, name: ref.Name}
	return c.gatherer.read(ctx, owner, key, ref)
}

// GetAllBatched gathers the objects of one owner at the same time, so that their lists are
// on their way together. The objects come in the order of the references; nil stands
// for one that is not there.
func (c *Client) GetAllBatched(ctx context.Context, owner string, refs []Ref) ([]*unstructured.Unstructured, error) {
	objects, failed := make([]*unstructured.Unstructured, len(refs)), make([]error, len(refs))
	var all sync.WaitGroup
	for i, ref := range refs {
		all.Go(func() { objects[i], failed[i] = c.GetBatched(ctx, owner, ref) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// HasClaim tells whether a claim is there. It gathers as [Client.GetBatched] does, for
// those who look after claims that no StatefulSet uses any more: claims carry no
// owner label, so that a crowd has those of all owners listed, by name only.
func (c *Client) HasClaim(ctx context.Context, owner, namespace, name string) (bool, error) {
	mapping, err := c.mapping(ClaimKind)
	if err != nil {
		return false, err
	}
	key := objectKey{resource: mapping.Resource, namespace: namespace, name: name, nameOnly: true}
	found, err := c.gatherer.read(ctx, owner, key, NewRef(ClaimKind, namespace, name))
	return found != nil, err
}

func (g *gatherer) read(ctx context.Context, owner string, key objectKey, ref Ref) (*unstructured.Unstructured, error) {
	recent, waiting := g.ask(ctx, owner, key)
	if recent != nil {
		return recent, nil
	}
	if waiting != nil {
		select {
		case <-waiting.done:
		case <-ctx.Done():
			return nil, g.client.classify("get", ref, ctx.Err())
		}
		if waiting.err != nil {
			return nil, g.client.classify("get", ref, waiting.err)
		}
		if waiting.object != nil {
			object, err := decodeItem(waiting.object, ref)
			if err != nil {
				return nil, g.client.classify("get", ref, err)
			}
			g.keep(key, object)
			return object, nil
		}
	}
	object, err := g.client.Get(ctx, ref)
	if object != nil && err == nil {
		g.keep(key, object)
	}
	return object, err
}

// ask answers a read at once, with the object where it was read a moment ago, or
// has it wait; neither, where the asker is to read the object by itself.
func (g *gatherer) ask(ctx context.Context, owner string, key objectKey) (*unstructured.Unstructured, *ask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.isWritten(key) {
		return nil, nil
	}
	if recent, ok := g.recent.get(key); ok {
		return recent, nil
	}
	c := g.crowds[key.namespace]
	if c == nil || now.Sub(c.begun) >= gatherAge {
		c = &crowd{begun: now, owners: make(map[string]bool), large: make(chan struct{}), kinds: make(map[schema.GroupVersionResource]*gathering)}
		g.crowds[key.namespace] = c
	}
	c.add(owner, now)
	if len(c.owners) == 1 {
		return nil, nil
	}
	k := c.kinds[key.resource]
	if k == nil {
		k = &gathering{crowd: c, resource: key.resource, namespace: key.namespace, nameOnly: key.nameOnly, objects: make(map[string][]byte)}
		c.kinds[key.resource] = k
	}
	waiting := &ask{ctx: ctx, owner: owner, name: key.name, done: make(chan struct{})}
	if k.answer(waiting) {
		return nil, waiting
	}
	k.waiting = append(k.waiting, waiting)
	if !k.isRunning {
		k.isRunning = true
		go g.run(context.WithoutCancel(ctx), k)
	}
	return nil, waiting
}

func (c *crowd) add(owner string, now time.Time) {
	if c.owners[owner] {
		return
	}
	c.owners[owner] = true
	c.newest = now
	if len(c.owners) == burst {
		close(c.large)
	}
}

// answer answers an ask from what is known: with the object, or with none where
// no list will have it.
func (k *gathering) answer(a *ask) bool {
	object, ok := k.objects[a.name]
	if !ok && !k.isRefused && !k.isWhole && (!k.isBegun || a.name > k.upTo) {
		return false
	}
	a.object = object
	close(a.done)
	return true
}

// run serves those who wait for objects of a kind, until there are none.
func (g *gatherer) run(ctx context.Context, k *gathering) {
	for {
		g.mu.Lock()
		if len(k.waiting) == 0 {
			k.isRunning = false
			g.mu.Unlock()
			return
		}
		if rest := time.Until(k.crowd.newest.Add(lull)); rest > 0 && len(k.crowd.owners) < burst {
			g.mu.Unlock()
			timer := time.NewTimer(rest)
			select {
			case <-timer.C:
			case <-k.crowd.large:
			}
			timer.Stop()
			continue
		}
		asks := k.take()
		limit := k.room()
		g.mu.Unlock()
		switch {
		case len(asks) == 0:
		case limit > 0:
			g.readPage(ctx, k, asks, limit)
		case len(asks) > 1 && !k.nameOnly:
			g.readOwners(ctx, k, asks)
		default:
			for _, a := range asks {
				close(a.done)
			}
		}
	}
}

// take gives those who wait and have not been answered by now.
func (k *gathering) take() []*ask {
	var asks []*ask
	for _, a := range k.waiting {
		if a.ctx.Err() == nil && !k.answer(a) {
			asks = append(asks, a)
		}
	}
	k.waiting = nil
	return asks
}

// room gives how many more objects may be listed now; zero where as many as the
// owners are worth are listed already.
func (k *gathering) room() int {
	worth := ahead * len(k.crowd.owners)
	switch {
	case len(k.crowd.owners) < crowdSize, len(k.objects) > worth, k.size >= gatherBytes:
		return 0
	case k.isBegun:
		return pageSize
	}
	return min(worth, pageSize)
}

// readPage reads the next page of a kind, and answers those whom it, or the fact
// that it lacks their object, serves. The others go on waiting.
func (g *gatherer) readPage(ctx context.Context, k *gathering, asks []*ask, limit int) {
	ctx, end := together(ctx, asks)
	options := listOptions{selector: g.client.fields.OwnerLabel(), limit: limit, next: k.next}
	if k.nameOnly {
		options.selector, options.nameOnly = "", true
	}
	page, err := g.client.listItems(ctx, k.resource, k.namespace, options)
	end()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case isNoList(err):
		k.isRefused = true
	case err != nil:
		fail(asks, err)
		return
	default:
		for _, item := range page.items {
			k.objects[item.name] = item.data
			k.size += len(item.data)
			k.upTo = max(k.upTo, item.name)
		}
		k.isBegun, k.next, k.isWhole = true, page.next, page.next == ""
	}
	for _, a := range asks {
		if !k.answer(a) {
			k.waiting = append(k.waiting, a)
		}
	}
}

// maxOwners bounds the length of a selector, and so of a URL.
const maxOwners = 50

// readOwners reads the objects of those owners who are asked for.
func (g *gatherer) readOwners(ctx context.Context, k *gathering, asks []*ask) {
	for len(asks) > 0 {
		some := asks[:min(len(asks), maxOwners)]
		asks = asks[len(some):]
		flight, end := together(ctx, some)
		page, err := g.client.listItems(flight, k.resource, k.namespace, listOptions{selector: ownersSelector(g.client.fields.OwnerLabel(), some)})
		end()
		if isNoList(err) {
			g.mu.Lock()
			k.isRefused = true
			g.mu.Unlock()
		} else if err != nil {
			fail(some, err)
			continue
		}
		found := make(map[string][]byte)
		for _, item := range page.items {
			found[item.name] = item.data
		}
		for _, a := range some {
			a.object = found[a.name]
			close(a.done)
		}
	}
}

func fail(asks []*ask, err error) {
	for _, a := range asks {
		a.err = err
		close(a.done)
	}
}

// together gives a context that ends when those of all askers have ended.
func together(ctx context.Context, asks []*ask) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	var left atomic.Int64
	left.Store(int64(len(asks)))
	stops := make([]func() bool, 0, len(asks))
	for _, a := range asks {
		stops = append(stops, context.AfterFunc(a.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// keep remembers an object for who asks for it next.
func (g *gatherer) keep(key objectKey, object *unstructured.Unstructured) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isWritten(key) {
		g.recent.put(key, object)
		g.client.fields.Remember(object)
	}
}

func (g *gatherer) isWritten(key objectKey) bool {
	key.nameOnly = false
	return g.written[key]
}

// forget has an object read afresh from now on, as we are about to write it. That
// lasts: a list that is on its way may hold it as it was before.
func (c *Client) forget(mapping *meta.RESTMapping, ref Ref) {
	g := c.gatherer
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written[objectKey{resource: mapping.Resource, namespace: ref.Namespace, name: ref.Name}] = true
}
