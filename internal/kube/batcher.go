package kube

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// recentAge bounds how old an answer can be. A plan is a snapshot, which takes the
	// CLI about as long for the largest fleets, and what is written was read afresh.
	recentAge = time.Minute
	// recentTTL is recentAge for a cache, which still returns a value at the very
	// moment when its time ends.
	recentTTL = recentAge - time.Nanosecond
	// recentObjects bounds for how many objects the last answer is remembered. The CLI
	// works at ten clients at a time by default, and asks for the same again before it
	// goes on to the next. Without, 3 clients of 2,000 take 11 requests instead of 6.
	recentObjects = 128
	// maxHeldBytes bounds how much of the lists is held in memory. Three objects of the
	// sample template are about 8 KiB.
	maxHeldBytes = 256 << 20
)

// tuning are the numbers by which a [Batcher] decides what to list, and when. What
// each buys is measured by TestBatcher_tuning, with round trips of 20 ms and ten
// clients at a time; docs/decisions/0003-batched-reads.md has the whole table.
type tuning struct {
	// minBatch is how many owners make it worth listing a kind: from as many as this,
	// their objects are listed rather than read owner by owner. With 2, a plan of 3
	// clients of 2,000 has 1,959 objects sent instead of 9. With 10, one client at a
	// time costs 18 requests more.
	minBatch int
	// fullBatch is how many owners need not be waited for any longer, as the CLI asks
	// for no more at a time by default. Without, each batch takes quietPeriod longer:
	// 300 clients take 65 ms instead of 21 ms.
	fullBatch int
	// quietPeriod is how long no new owner must have come before a few are taken for
	// all that there are. The CLI asks for ten at a time, within a millisecond or two
	// of each other, and waits for the answers before it asks for more. Without, 300
	// clients take 15 requests and 40 ms instead of 6 and 21 ms, and 3 clients 9 requests
	// instead of 6; but 3 clients get their answers 25 ms earlier.
	quietPeriod time.Duration
	// prefetchPerOwner bounds how many objects of a kind are listed for each owner that
	// was asked for, but for one page: a large cluster must not be listed for the sake
	// of a few. Without, 10 clients of 5,000 have 15,003 objects sent (38 MiB) instead
	// of 3,027 (8 MiB). It costs requests where the clients are some of many, 22
	// instead of 15 for 30 clients of 2,000; with 10 it costs fleets requests, too: 27
	// instead of 9 for 1,000.
	prefetchPerOwner int
	// pageSize bounds a page: 500 StatefulSets of the sample template are 2.7 MiB, and
	// a twentieth of that on the wire, as the server compresses. With 100, 1,000 clients take 33 requests
	// instead of 9. With 5,000, they still take 9, and 10 clients of 5,000 have all
	// objects sent.
	pageSize int
	// maxSelected bounds how many owners a selector names, and so the length of a URL.
	// It has no effect as long as no more clients are asked for at a time.
	maxSelected int
}

var defaultTuning = tuning{
	minBatch:         4,
	fullBatch:        10,
	quietPeriod:      25 * time.Millisecond,
	prefetchPerOwner: 50,
	pageSize:         500,
	maxSelected:      50,
}

// Batcher answers reads of many objects with few requests.
//
// The objects of the first owner are read by GET, at once. The callers of further
// owners wait until no new owner has come for a moment (quietPeriod), or fullBatch
// owners are there. If there are fewer than minBatch by then, one LIST that names them
// in its label selector reads all that is asked for of a kind, or a GET where it is
// one object. Otherwise the kind is listed by the owner label, page by page and as far
// as callers ask for what comes next, each page for all of them. What the pages do
// not hold is read by GET: the list never says that an object is not there.
//
// So the number of requests for all objects of a configuration is that of the pages
// and a few more, and the number of bytes for a few clients in a large cluster is
// bound by the number of the clients: see prefetchPerOwner. Where as much as that was
// listed, owners are named again.
//
// Requests that serve several callers go on when one of them is cancelled, and end
// with the last. Their failure is the failure of all who waited for them, and of
// nobody else; who asks next tries again. A server that refuses to list is asked for
// each object.
type Batcher struct {
	client *Client
	tuning tuning

	recent *cache.LRUExpireCache // of *unstructured.Unstructured by batchedKey

	mu      sync.Mutex
	batches map[string]*batch // by namespace
}

// batchedKey names an object, and what is read of it.
type batchedKey struct {
	objectKey
	nameOnly bool // nothing but its being there matters, and it has no label
}

// NewBatcher returns a batcher that reads through a client. Its answers are never
// older than the client's own writes.
func NewBatcher(client *Client) *Batcher {
	return &Batcher{
		client:  client,
		tuning:  defaultTuning,
		recent:  cache.NewLRUExpireCache(recentObjects),
		batches: make(map[string]*batch),
	}
}

// Get reads the live object of a reference, as [Client.Get] does, but together with
// others that are asked for at about the same time: it may be up to a minute old,
// though never older than our own last write of it, and must not be changed. `owner`
// is the value of the owner label that the object has, if it is there and ours.
//
// Who is about to write an object needs [Client.Get].
func (b *Batcher) Get(ctx context.Context, owner string, ref Ref) (*unstructured.Unstructured, error) {
	if b.ownerLabel() == "" || owner == "" || len(validation.IsValidLabelValue(owner)) > 0 {
		return b.client.Get(ctx, ref)
	}
	resource, err := b.client.kinds.served(ref.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	ref.APIVersion = resource.GroupVersion().String()
	return b.read(ctx, owner, ref, batchedKey{objectKey: objectKey{resource: resource, namespace: ref.Namespace, name: ref.Name}})
}

// GetAll reads the objects of one owner at the same time, so that their lists are on
// their way together. The objects come in the order of the references; nil stands for
// one that is not there.
func (b *Batcher) GetAll(ctx context.Context, owner string, refs []Ref) ([]*unstructured.Unstructured, error) {
	objects, failed := make([]*unstructured.Unstructured, len(refs)), make([]error, len(refs))
	var all sync.WaitGroup
	for i, ref := range refs {
		all.Go(func() { objects[i], failed[i] = b.Get(ctx, owner, ref) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// HasClaim reports whether a claim is there. It reads in batches as [Batcher.Get]
// does, for those who look after claims that no StatefulSet uses any more: claims
// carry no owner label, so that a batch has those of all owners listed, by name only.
func (b *Batcher) HasClaim(ctx context.Context, owner, namespace, name string) (bool, error) {
	resource, err := b.client.kinds.resource(ClaimKind)
	if err != nil {
		return false, err
	}
	key := batchedKey{objectKey: objectKey{resource: resource, namespace: namespace, name: name}, nameOnly: true}
	found, err := b.read(ctx, owner, NewRef(ClaimKind, namespace, name), key)
	return found != nil, err
}

func (b *Batcher) ownerLabel() string { return b.client.fields.OwnerLabel() }

func (b *Batcher) read(ctx context.Context, owner string, ref Ref, key batchedKey) (*unstructured.Unstructured, error) {
	recent, waiting := b.ask(ctx, owner, key)
	if recent != nil {
		return recent, nil
	}
	if waiting != nil {
		select {
		case <-waiting.done:
		case <-ctx.Done():
			return nil, b.client.errors.translate("get", ref, ctx.Err())
		}
		if waiting.err != nil {
			return nil, b.client.errors.translate("get", ref, waiting.err)
		}
		if waiting.object != nil {
			object, err := decodeItem(waiting.object, ref)
			if err != nil {
				return nil, b.client.errors.translate("get", ref, err)
			}
			b.keep(key, object)
			return object, nil
		}
	}
	object, err := b.client.Get(ctx, ref)
	if object != nil && err == nil {
		b.keep(key, object)
	}
	return object, err
}

// ask answers a read at once, with the object where it was read a moment ago, or has
// it wait; neither, where the caller is to read the object by itself.
func (b *Batcher) ask(ctx context.Context, owner string, key batchedKey) (*unstructured.Unstructured, *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.client.writes.has(key.objectKey) {
		return nil, nil
	}
	if recent, ok := b.recent.Get(key); ok {
		return recent.(*unstructured.Unstructured), nil
	}
	current := b.batches[key.namespace]
	if current == nil || now.Sub(current.begun) >= recentAge {
		current = newBatch(now)
		b.batches[key.namespace] = current
	}
	current.add(owner, now, b.tuning.fullBatch)
	if len(current.owners) == 1 {
		return nil, nil
	}
	k := current.kinds[key.resource]
	if k == nil {
		k = &kindBatch{
			batcher: b, batch: current, objects: make(map[string][]byte),
			resource: key.resource, namespace: key.namespace, nameOnly: key.nameOnly,
		}
		current.kinds[key.resource] = k
	}
	waiting := &waiter{ctx: ctx, owner: owner, name: key.name, done: make(chan struct{})}
	if k.answer(waiting) {
		return nil, waiting
	}
	k.waiting = append(k.waiting, waiting)
	if !k.isRunning {
		k.isRunning = true
		go k.run(context.WithoutCancel(ctx))
	}
	return nil, waiting
}

// keep remembers an object for who asks for it next.
func (b *Batcher) keep(key batchedKey, object *unstructured.Unstructured) {
	if !b.client.writes.has(key.objectKey) {
		b.recent.Add(key, object, recentTTL)
		b.client.fields.Remember(object)
	}
}
