package kube

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// batch is what was asked for in a namespace, and answered, in the time of
// [recentAge].
type batch struct {
	begun  time.Time
	owners map[string]bool
	newest time.Time     // when the last new owner came
	full   chan struct{} // closed when there are as many owners as need be waited for
	kinds  map[schema.GroupVersionResource]*kindBatch
}

func newBatch(begun time.Time) *batch {
	return &batch{
		begun:  begun,
		owners: make(map[string]bool),
		full:   make(chan struct{}),
		kinds:  make(map[schema.GroupVersionResource]*kindBatch),
	}
}

func (b *batch) add(owner string, now time.Time, fullBatch int) {
	if b.owners[owner] {
		return
	}
	b.owners[owner] = true
	b.newest = now
	if len(b.owners) == fullBatch {
		close(b.full)
	}
}

// kindBatch is what is known of the objects of a kind, and who waits for more. Its
// fields are guarded by the batcher's mutex.
type kindBatch struct {
	batcher   *Batcher
	batch     *batch
	resource  schema.GroupVersionResource
	namespace string
	nameOnly  bool
	waiting   []*waiter
	isRunning bool
	isRefused bool // by the server: there are no lists

	objects map[string][]byte // as the server wrote them, by name
	size    int               // of objects, in bytes
	upTo    string            // the last name listed; names come in their order
	next    string            // continues the list; empty before the first page, and after the last
	isBegun bool
	isWhole bool // there are no further pages
}

// waiter is a read that waits.
type waiter struct {
	ctx    context.Context
	owner  string
	name   string
	done   chan struct{}
	object []byte // nil where it has to be read by GET
	err    error
}

// answer answers a waiting read from what is known: with the object, or with none
// where no list will have it.
func (k *kindBatch) answer(w *waiter) bool {
	object, ok := k.objects[w.name]
	if !ok && !k.isRefused && !k.isWhole && (!k.isBegun || w.name > k.upTo) {
		return false
	}
	w.object = object
	close(w.done)
	return true
}

// run serves those who wait for objects of a kind, until there are none.
func (k *kindBatch) run(ctx context.Context) {
	for {
		k.batcher.mu.Lock()
		if len(k.waiting) == 0 {
			k.isRunning = false
			k.batcher.mu.Unlock()
			return
		}
		quiet := time.Until(k.batch.newest.Add(k.batcher.tuning.quietPeriod))
		if quiet > 0 && len(k.batch.owners) < k.batcher.tuning.fullBatch {
			k.batcher.mu.Unlock()
			timer := time.NewTimer(quiet)
			select {
			case <-timer.C:
			case <-k.batch.full:
			}
			timer.Stop()
			continue
		}
		waiters := k.take()
		limit := k.room()
		k.batcher.mu.Unlock()
		switch {
		case len(waiters) == 0:
		case limit > 0:
			k.readPage(ctx, waiters, limit)
		case len(waiters) > 1 && !k.nameOnly:
			k.readOwners(ctx, waiters)
		default:
			for _, w := range waiters {
				close(w.done)
			}
		}
	}
}

// take returns those who wait and cannot be answered from what is known by now.
func (k *kindBatch) take() []*waiter {
	var waiters []*waiter
	for _, w := range k.waiting {
		if w.ctx.Err() == nil && !k.answer(w) {
			waiters = append(waiters, w)
		}
	}
	k.waiting = nil
	return waiters
}

// room returns how many more objects may be listed now; zero where the owners are
// too few, or as many objects as they are worth are listed already.
func (k *kindBatch) room() int {
	tuning := k.batcher.tuning
	worth := tuning.prefetchPerOwner * len(k.batch.owners)
	switch {
	case len(k.batch.owners) < tuning.minBatch, len(k.objects) > worth, k.size >= maxHeldBytes:
		return 0
	case k.isBegun:
		return tuning.pageSize
	}
	return min(worth, tuning.pageSize)
}

// readPage reads the next page of a kind, and answers those whom it, or the fact
// that it lacks their object, serves. The others go on waiting.
func (k *kindBatch) readPage(ctx context.Context, waiters []*waiter, limit int) {
	ctx, end := together(ctx, waiters)
	options := listOptions{resource: k.resource, namespace: k.namespace, limit: limit, next: k.next, nameOnly: k.nameOnly}
	if !k.nameOnly {
		options.selector = k.batcher.ownerLabel()
	}
	page, err := listPage(ctx, k.batcher.client.requests, options)
	end()
	k.batcher.mu.Lock()
	defer k.batcher.mu.Unlock()
	logging.Debug(ctx, "Listed a page for a batch", "resource", k.resource.Resource, "namespace", k.namespace,
		"owners", len(k.batch.owners), "waiting", len(waiters), "limit", limit, "objects", len(page.items))
	switch {
	case isNoList(err):
		k.isRefused = true
	case err != nil:
		fail(waiters, err)
		return
	default:
		for _, item := range page.items {
			k.objects[item.name] = item.data
			k.size += len(item.data)
			k.upTo = max(k.upTo, item.name)
		}
		k.isBegun, k.next, k.isWhole = true, page.next, page.next == ""
	}
	for _, w := range waiters {
		if !k.answer(w) {
			k.waiting = append(k.waiting, w)
		}
	}
}

// readOwners reads the objects of those owners who are asked for.
func (k *kindBatch) readOwners(ctx context.Context, waiters []*waiter) {
	for some := range slices.Chunk(waiters, k.batcher.tuning.maxSelected) {
		flight, end := together(ctx, some)
		options := listOptions{resource: k.resource, namespace: k.namespace, selector: ownersSelector(k.batcher.ownerLabel(), some)}
		page, err := listPage(flight, k.batcher.client.requests, options)
		end()
		logging.Debug(ctx, "Listed the objects of some owners for a batch", "resource", k.resource.Resource, "namespace", k.namespace,
			"waiting", len(some), "objects", len(page.items))
		if isNoList(err) {
			k.batcher.mu.Lock()
			k.isRefused = true
			k.batcher.mu.Unlock()
		} else if err != nil {
			fail(some, err)
			continue
		}
		found := make(map[string][]byte)
		for _, item := range page.items {
			found[item.name] = item.data
		}
		for _, w := range some {
			w.object = found[w.name]
			close(w.done)
		}
	}
}

// ownersSelector selects the objects of the owners who are asked for.
func ownersSelector(label string, waiters []*waiter) string {
	owners := make([]string, 0, len(waiters))
	for _, w := range waiters {
		owners = append(owners, w.owner)
	}
	slices.Sort(owners)
	return label + " in (" + strings.Join(slices.Compact(owners), ",") + ")"
}

func fail(waiters []*waiter, err error) {
	for _, w := range waiters {
		w.err = err
		close(w.done)
	}
}

// together returns a context that ends when those of all waiters have ended.
func together(ctx context.Context, waiters []*waiter) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	var left atomic.Int64
	left.Store(int64(len(waiters)))
	stops := make([]func() bool, 0, len(waiters))
	for _, w := range waiters {
		stops = append(stops, context.AfterFunc(w.ctx, func() {
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
