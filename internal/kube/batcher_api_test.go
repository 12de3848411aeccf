package kube_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// roundTripper is a function that sends requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What is read in a batch is the same as what is read object by object, and all of it
// goes over HTTP/2.
func TestClientAPI_batcher(t *testing.T) {
	const label, clients = "mira-cluster.io/client", 20
	s := acctest.NewSandbox(t)
	conn, err := connection.Connect(connection.Settings{ConfigPath: s.Kubeconfig}, connection.SystemEnvironment(), "test")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	protocols := make(map[string]int)
	conn.Config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if err == nil {
				mu.Lock()
				protocols[answer.Proto]++
				mu.Unlock()
			}
			return answer, err
		})
	})
	client, err := kube.New(conn, kube.Options{Force: true, Manager: managedfields.NewManager("", label)})
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for i := range clients {
		object := service(s.Namespace, nil)
		object.SetName("mira-" + clientName(i))
		object.SetLabels(map[string]string{label: clientName(i)})
		all = append(all, object)
	}
	s.CreateAll(t, all, "test")

	batcher := kube.NewBatcher(client)
	var asks sync.WaitGroup
	for i, object := range all {
		asks.Go(func() {
			ref := kube.RefOf(object)
			batched, err := batcher.Get(t.Context(), clientName(i), ref)
			if err != nil {
				t.Error(err)
				return
			}
			read, err := client.Get(t.Context(), ref)
			if err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(read, batched); diff != "" {
				t.Errorf("%s (-read +batched):\n%s", ref, diff)
			}
		})
	}
	asks.Wait()
	if len(protocols) != 1 || protocols["HTTP/2.0"] < clients {
		t.Errorf("the requests went over %v, want HTTP/2 only", protocols)
	}
}

func clientName(i int) string { return fmt.Sprintf("c%03d", i) }
