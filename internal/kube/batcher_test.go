package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// readClients reads the objects of clients as a plan does: so many clients at a
// time, the objects of one after the other, and all of them twice.
func readClients(t *testing.T, batcher *Batcher, parallel int, order []int) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range next {
				for range 2 {
					for _, kind := range clientKinds {
						if err := readObject(t.Context(), batcher, kind.apiVersion, kind.kind, i); err != nil {
							t.Error(err)
						}
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

func readObject(ctx context.Context, batcher *Batcher, apiVersion, kind string, i int) error {
	ref := Ref{APIVersion: apiVersion, Kind: kind, Namespace: "default", Name: "mira-" + clientName(i)}
	object, err := batcher.Get(ctx, clientName(i), ref)
	if err != nil {
		return err
	}
	if object == nil || object.GetName() != ref.Name || object.GroupVersionKind() != ref.GroupVersionKind() ||
		object.GetLabels()[ownerLabel] != clientName(i) {
		return fmt.Errorf("%s: got %v", ref, object)
	}
	return nil
}

// upTo returns the numbers below one.
func upTo(count int) []int {
	all := make([]int, count)
	for i := range all {
		all[i] = i
	}
	return all
}

// delayed has each request take a while, as it does in a network.
func delayed(*http.Request) (*http.Response, error) {
	<-time.After(3 * time.Millisecond) // of the bubble's clock
	return nil, nil
}

func TestBatcher_requestsOfPlans(t *testing.T) {
	shuffled := func(count int) []int { return rand.New(rand.NewPCG(1, 2)).Perm(count) }
	for _, test := range []struct {
		name               string
		inCluster          int
		clients            []int
		parallel           int
		mostRequests       int
		mostListed         int // objects
		leastGets, maxGets int
	}{
		{"one of many", 2000, []int{700}, 10, 3, 0, 3, 3},
		{"three of many", 2000, []int{3, 700, 1900}, 10, 9, 6, 3, 9},
		{"three of many, one at a time", 2000, []int{3, 700, 1900}, 1, 9, 0, 9, 9},
		{"a hundred", 100, upTo(100), 10, 6, 300, 1, 3},
		{"a hundred in no order", 100, shuffled(100), 10, 6, 300, 1, 3},
		{"a hundred, one at a time", 100, upTo(100), 1, 12, 300, 9, 9},
		{"a thousand", 1000, upTo(1000), 10, 6 + 2*3, 3000, 1, 3},
		{"a thousand in no order", 1000, shuffled(1000), 10, 10 + 2*3, 3100, 1, 8},
		{"a thousand, a hundred at a time", 1000, shuffled(1000), 100, 6 + 2*3, 3000, 1, 3},
		{"five thousand in no order", 5000, shuffled(5000), 10, 120, 15500, 1, 60},
		{"twenty of five thousand", 5000, shuffled(5000)[:20], 10, 40, 3*(20*defaultTuning.prefetchPerOwner+defaultTuning.pageSize) + 60, 1, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(test.inCluster)
				server.before = delayed
				readClients(t, NewBatcher(server.client(t)), test.parallel, test.clients)
				requests, gets := len(server.log), server.requests("get ")
				t.Logf("%d requests, %d of them GETs, %d objects listed", requests, gets, server.listed)
				if requests > test.mostRequests || gets < test.leastGets || gets > test.maxGets || server.listed > test.mostListed {
					t.Errorf("want at most %d requests, %d to %d GETs, at most %d objects listed\n%v",
						test.mostRequests, test.leastGets, test.maxGets, test.mostListed, server.log)
				}
			})
		})
	}
}

// What carries no label, or is not there, is read by itself: a list never says that
// an object is not there.
func TestBatcher_notListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		server.put("services", "unlabelled", "")
		client := server.client(t)
		batcher := NewBatcher(client)
		readClients(t, batcher, 10, upTo(20))
		found, err := batcher.Get(t.Context(), "other", Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "unlabelled"})
		if err != nil || found == nil || found.GetName() != "unlabelled" {
			t.Errorf("got %v (%v), want the object without a label", found, err)
		}
		found, err = batcher.Get(t.Context(), "other", Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "absent"})
		if err != nil || found != nil {
			t.Errorf("got %v (%v), want nothing", found, err)
		}
	})
}

// Claims carry no label: a batch has all of them listed.
func TestBatcher_claims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 600
		server := newFakeServer()
		for i := range clients {
			server.put("persistentvolumeclaims", "data-mira-"+clientName(i)+"-1", "")
		}
		server.before = delayed
		client := server.client(t)
		batcher := NewBatcher(client)
		has := func(i int, claim string) bool {
			found, err := batcher.HasClaim(t.Context(), clientName(i), "default", claim)
			if err != nil {
				t.Error(err)
			}
			return found
		}
		var workers sync.WaitGroup
		for worker := range 10 {
			workers.Go(func() {
				for i := worker; i < clients; i += 10 {
					if !has(i, "data-mira-"+clientName(i)+"-1") {
						t.Errorf("the claim of client %d is not found", i)
					}
				}
			})
		}
		workers.Wait()
		if requests := len(server.log); requests > 30 {
			t.Errorf("%d requests for %d claims", requests, clients)
		}
		if has(0, "data-mira-c0000-2") {
			t.Error("a claim is found that is not there")
		}
		write(t, client, NewRef(ClaimKind, "default", "data-mira-c0001-1"))
		server.mu.Lock()
		delete(server.objects, "persistentvolumeclaims/data-mira-c0001-1")
		server.mu.Unlock()
		if has(1, "data-mira-c0001-1") {
			t.Error("a claim is found that we have deleted")
		}
	})
}

// write has the client take an object for one that it is about to write.
func write(t *testing.T, client *Client, ref Ref) {
	t.Helper()
	if _, err := client.writable(ref); err != nil {
		t.Error(err)
	}
}

// What we write ourselves is read afresh from then on, also where a list with its
// former version was on its way.
func TestBatcher_ownWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		client := server.client(t)
		batcher := NewBatcher(client)
		readClients(t, batcher, 10, upTo(20))
		ref := Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-c0003"}
		write(t, client, ref)
		server.putData("services", ref.Name, "c0003",
			[]byte(`{"metadata":{"name":"mira-c0003","uid":"new","labels":{"mira-cluster.io/client":"c0003"}}}`))
		for range 2 {
			object, err := batcher.Get(t.Context(), "c0003", ref)
			if err != nil || object.GetUID() != "new" {
				t.Errorf("read %v (%v), want what was written", object, err)
			}
		}

		other := Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "default", Name: "mira-c0004"}
		<-time.After(recentAge)
		server.before = func(r *http.Request) (*http.Response, error) {
			if isList(r) {
				write(t, client, other)
			}
			return nil, nil
		}
		readClients(t, batcher, 10, upTo(20))
		before := server.requests("get statefulsets/" + other.Name)
		if err := readObject(t.Context(), batcher, other.APIVersion, other.Kind, 4); err != nil {
			t.Fatal(err)
		}
		if after := server.requests("get statefulsets/" + other.Name); after != before+1 {
			t.Error("an object that was written while the list was read is taken from the list")
		}
	})
}

// Every request that may change an object makes what was read of it before
// unusable.
func TestBatcher_everyWriteCounts(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "mira-c0001", "namespace": "default", "uid": "uid-mira-c0001", "resourceVersion": "1"}}}
	ref := RefOf(live)
	for name, write := range map[string]func(context.Context, *Client){
		"apply":    func(ctx context.Context, c *Client) { _, _ = c.Apply(ctx, live) },
		"delete":   func(ctx context.Context, c *Client) { _ = c.Delete(ctx, ref) },
		"adopt":    func(ctx context.Context, c *Client) { _, _ = c.patchManagedFields(ctx, live, nil) },
		"recreate": func(ctx context.Context, c *Client) { _, _ = c.Recreate(ctx, live, &Recreation{Result: live}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(20)
				server.before = func(r *http.Request) (*http.Response, error) {
					if r.Method != http.MethodGet {
						return status(r, http.StatusForbidden, "Forbidden"), nil
					}
					return nil, nil
				}
				client := server.client(t)
				batcher := NewBatcher(client)
				readClients(t, batcher, 10, upTo(20))
				before := server.requests("get services/mira-c0001")
				write(t.Context(), client)
				if err := readObject(t.Context(), batcher, "v1", "Service", 1); err != nil {
					t.Fatal(err)
				}
				if after := server.requests("get services/mira-c0001"); after <= before {
					t.Error("the object was not read afresh")
				}
			})
		})
	}
}

// An answer is never older than its bound, whichever way it came.
func TestBatcher_age(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		client := server.client(t)
		batcher := NewBatcher(client)
		readClients(t, batcher, 10, upTo(20))
		first := len(server.log)
		<-time.After(recentAge - time.Second)
		readClients(t, batcher, 10, upTo(20))
		if len(server.log) != first {
			t.Errorf("%d more requests before the time has come", len(server.log)-first)
		}
		<-time.After(time.Second)
		readClients(t, batcher, 10, upTo(20))
		if len(server.log) == first {
			t.Error("no further request when the time has come")
		}
	})
}

// Many at once, some of whom give up, while objects are written: for the race
// detector, and for deadlocks.
func TestBatcher_concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(300)
		server.before = delayed
		client := server.client(t)
		batcher := NewBatcher(client)
		var workers sync.WaitGroup
		for worker := range 50 {
			workers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(worker), 1))
				for range 50 {
					i := random.IntN(300)
					kind := clientKinds[random.IntN(len(clientKinds))]
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(30))*time.Millisecond)
					if err := readObject(ctx, batcher, kind.apiVersion, kind.kind, i); err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					cancel()
					if random.IntN(20) == 0 {
						write(t, client, Ref{APIVersion: kind.apiVersion, Kind: kind.kind, Namespace: "default", Name: "mira-" + clientName(i)})
					}
				}
			})
		}
		workers.Wait()
	})
}
