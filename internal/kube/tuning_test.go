package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

// roundTrip is how long an answer takes in these tests. The server needs no time of
// its own.
const roundTrip = 20 * time.Millisecond

// apart is how long after each other the CLI asks for the first clients.
const apart = 200 * time.Microsecond

// cost is what reading the objects of some clients takes.
type cost struct {
	requests, gets, objects int
	took                    time.Duration
}

// costOf reads the objects of clients as a plan does, in this order.
func costOf(t *testing.T, change func(*Batcher), stored *fakeServer, order []int) cost {
	t.Helper()
	var result cost
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{objects: stored.objects, owners: stored.owners, sorted: stored.sorted}
		server.before = func(*http.Request) (*http.Response, error) {
			<-time.After(roundTrip) // of the bubble's clock
			return nil, nil
		}
		batcher := NewBatcher(server.client(t))
		change(batcher)
		begun := time.Now()
		planClients(t, batcher, order)
		gets := server.requests("get ")
		result = cost{requests: len(server.log), gets: gets, objects: server.listed + gets, took: time.Since(begun)}
	})
	return result
}

// planClients reads the three objects of each client: ten clients at a time, the objects
// of one together, and all of them twice.
func planClients(t *testing.T, batcher *Batcher, order []int) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for worker := range 10 {
		workers.Go(func() {
			<-time.After(time.Duration(worker) * apart) // of the bubble's clock
			for i := range next {
				var refs []Ref
				for _, kind := range clientKinds {
					refs = append(refs, Ref{APIVersion: kind.apiVersion, Kind: kind.kind, Namespace: "default", Name: "mira-" + clientName(i)})
				}
				for range 2 {
					objects, err := batcher.GetAll(t.Context(), clientName(i), refs)
					if err != nil || objects[0] == nil || objects[1] == nil || objects[2] == nil {
						t.Errorf("client %d: %v (%v)", i, objects, err)
					}
				}
			}
		})
	}
	for _, i := range order {
		next <- i
	}
	close(next)
	workers.Wait()
}

type fleet struct{ planned, inCluster int }

func (f fleet) String() string { return fmt.Sprintf("%d of %d", f.planned, f.inCluster) }

// order returns the numbers of the planned clients: some of all, in no order.
func (f fleet) order() []int { return rand.New(rand.NewPCG(1, 2)).Perm(f.inCluster)[:f.planned] }

// objectSize returns the average size of the objects of the sample client, in bytes.
func objectSize(t *testing.T) int {
	t.Helper()
	size := 0
	for _, kind := range clientKinds {
		data, err := json.Marshal(liveObject(t, kind.resource).Object)
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
	}
	return size / len(clientKinds)
}

// Each number by which the batcher decides buys something:
// docs/decisions/0003-batched-reads.md has the table, which `-v` prints.
func TestBatcher_tuning(t *testing.T) {
	fleets := []fleet{{3, 2000}, {10, 5000}, {30, 30}, {30, 2000}, {300, 300}, {1000, 1000}}
	size := objectSize(t)
	servers := make(map[int]*fakeServer)
	for _, fleet := range fleets {
		if servers[fleet.inCluster] == nil {
			server := newFakeServer()
			server.putClients(fleet.inCluster)
			server.sorted = slices.Sorted(maps.Keys(server.objects))
			servers[fleet.inCluster] = server
		}
	}
	costs := make(map[string]map[fleet]cost)
	var table strings.Builder
	for _, variant := range []struct {
		name   string
		change func(*Batcher)
	}{
		{"default", func(*Batcher) {}},
		{"minBatch 2", func(b *Batcher) { b.tuning.minBatch = 2 }},
		{"minBatch 10", func(b *Batcher) { b.tuning.minBatch = 10 }},
		{"no fullBatch", func(b *Batcher) { b.tuning.fullBatch = 1 << 30 }},
		{"no quietPeriod", func(b *Batcher) { b.tuning.quietPeriod = 0 }},
		{"no prefetchPerOwner", func(b *Batcher) { b.tuning.prefetchPerOwner = 1 << 20 }},
		{"prefetchPerOwner 10", func(b *Batcher) { b.tuning.prefetchPerOwner = 10 }},
		{"pageSize 100", func(b *Batcher) { b.tuning.pageSize = 100 }},
		{"pageSize 5000", func(b *Batcher) { b.tuning.pageSize = 5000 }},
		{"no maxSelected", func(b *Batcher) { b.tuning.maxSelected = 1 << 30 }},
		{"no recentObjects", func(b *Batcher) { b.recent = cache.NewLRUExpireCache(1) }},
	} {
		costs[variant.name] = make(map[fleet]cost)
		for _, fleet := range fleets {
			c := costOf(t, variant.change, servers[fleet.inCluster], fleet.order())
			costs[variant.name][fleet] = c
			fmt.Fprintf(&table, "| %s | %s | %d | %d | %d | %d | %d |\n",
				variant.name, fleet, c.requests, c.gets, c.objects, c.objects*size>>10, c.took.Milliseconds())
		}
	}
	t.Logf("\n| | clients | requests | GETs | objects | KiB | ms |\n|---|---|---|---|---|---|---|\n%s", table.String())

	// What the quiet period saves depends on the order in which goroutines run, so that
	// the table alone tells it.
	few, some, many := fleet{3, 2000}, fleet{10, 5000}, fleet{300, 300}
	now := costs["default"]
	for _, claim := range []struct {
		what  string
		holds bool
	}{
		{"minBatch keeps a few clients from listing a large cluster", costs["minBatch 2"][few].objects > 100*now[few].objects},
		{"fullBatch saves a fleet the quiet period", costs["no fullBatch"][many].took >= now[many].took+defaultTuning.quietPeriod/2},
		{"prefetchPerOwner keeps some clients from listing a large cluster", costs["no prefetchPerOwner"][some].objects > 2*now[some].objects},
		{"more prefetched objects save requests for a fleet", costs["prefetchPerOwner 10"][many].requests > now[many].requests},
		{"larger pages save requests for a fleet", costs["pageSize 100"][many].requests > now[many].requests},
	} {
		if !claim.holds {
			t.Errorf("no longer true: %s", claim.what)
		}
	}
}
