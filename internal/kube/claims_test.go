package kube

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fleet that is destroyed finds the claims of each client without listing all of
// them for each. Who is going to delete claims sees those that came since.
func TestClaims_shareTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 1200
		server := newFakeServer()
		for i := range clients {
			server.put("persistentvolumeclaims", fmt.Sprintf("data-mira-%s-0", clientName(i)), "")
		}
		claims := NewClaims(server.client(t))
		find := func(i int, fresh bool) int {
			of := ListClaims{Namespace: "default", StatefulSet: "mira-" + clientName(i), Templates: []string{"data"}, Fresh: fresh}
			found, err := claims.List(t.Context(), of)
			if err != nil {
				t.Error(err)
			}
			for _, claim := range found {
				if claim.UID == "" {
					t.Errorf("%s has no UID", claim)
				}
			}
			return len(found)
		}
		var workers sync.WaitGroup
		for worker := range 10 {
			workers.Go(func() {
				for i := worker; i < clients; i += 10 {
					if found := find(i, false); found != 1 {
						t.Errorf("%d claims of client %d", found, i)
					}
				}
			})
		}
		workers.Wait()
		const pages = 3
		if len(server.log) != pages {
			t.Errorf("%d requests, want the pages of one list: %v", len(server.log), server.log)
		}

		server.put("persistentvolumeclaims", "data-mira-c0000-1", "")
		if old, fresh := find(0, false), find(0, true); old != 1 || fresh != 2 {
			t.Errorf("found %d claims in the shared list and %d in a fresh one", old, fresh)
		}
		server.put("persistentvolumeclaims", "data-mira-c0000-2", "")
		<-time.After(recentAge)
		if found := find(0, false); found != 3 {
			t.Errorf("found %d claims when the list is old", found)
		}
	})
}

// A few new clients have their claims read one by one, many have them listed once. Only
// what is there is read.
func TestClaims_getAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, there = 1000, 7
		server := newFakeServer()
		for i := range there {
			server.put("persistentvolumeclaims", fmt.Sprintf("data-mira-%s-0", clientName(i*100)), "")
		}
		claims := NewClaims(server.client(t))
		found := 0
		for i := range clients {
			got, err := claims.GetAll(t.Context(), "default", []string{fmt.Sprintf("data-mira-%s-0", clientName(i))})
			if err != nil {
				t.Fatal(err)
			}
			found += len(got)
			if i == 2 && len(server.log) != 3 {
				t.Errorf("three claims took %v", server.log)
			}
		}
		if found != there {
			t.Errorf("found %d claims, want %d", found, there)
		}
		if lists := server.requests("list"); lists != 1 || len(server.log) > singleClaims+there+1 {
			t.Errorf("%d clients took %d requests, %d of them lists", clients, len(server.log), lists)
		}
	})
}

// A server that refuses to list claims is asked for each.
func TestClaims_getAllWithoutList(t *testing.T) {
	server := newFakeServer()
	server.before = func(r *http.Request) (*http.Response, error) {
		if isList(r) {
			return status(r, http.StatusForbidden, "Forbidden"), nil
		}
		return nil, nil
	}
	var names []string
	for i := range 3 * singleClaims {
		name := fmt.Sprintf("data-mira-%s-0", clientName(i))
		server.put("persistentvolumeclaims", name, "")
		names = append(names, name)
	}
	found, err := NewClaims(server.client(t)).GetAll(t.Context(), "default", names)
	if err != nil || len(found) != len(names) {
		t.Errorf("found %d of %d claims, error %v", len(found), len(names), err)
	}
}
