package kube

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
			found, err := claims.List(t.Context(), ListClaims{Namespace: "default", StatefulSet: "mira-" + clientName(i), Templates: []string{"data"}, Fresh: fresh})
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

func TestClaimNames(t *testing.T) {
	for _, test := range []struct {
		name, spec string
		want       []string
	}{
		{"one replica by default", `{"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`, []string{"data-mira-acme-0"}},
		{"several, of several templates", `{"replicas": 2, "volumeClaimTemplates": [{"metadata": {"name": "data"}}, {"metadata": {"name": "cache"}}]}`,
			[]string{"cache-mira-acme-0", "cache-mira-acme-1", "data-mira-acme-0", "data-mira-acme-1"}},
		{"ordinals that start later", `{"replicas": 2, "ordinals": {"start": 5}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`, []string{"data-mira-acme-5", "data-mira-acme-6"}},
		{"none with no replicas", `{"replicas": 0, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`, nil},
		{"none without templates", `{"replicas": 3}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			text := `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme"}, "spec": ` + test.spec + `}`
			if err := object.UnmarshalJSON([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ClaimNames(object)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}
