package kube

import (
	"fmt"
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
