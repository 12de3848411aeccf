package kube

import (
	"errors"
	"net/http"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// answering answers requests.
type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// A cluster is known by the priority level of a request that has the same one whoever
// sends it. A server that does not name it has no identity.
func TestClient_ClusterID(t *testing.T) {
	var answers answering
	conn := &connection.Connection{Config: &rest.Config{
		Host: "http://cluster", Transport: answering(func(r *http.Request) (*http.Response, error) { return answers(r) }),
	}}
	client, err := New(conn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, level string) answering {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/livez" {
				t.Errorf("asked for %s", r.URL)
			}
			header := http.Header{}
			if level != "" {
				header.Set("X-Kubernetes-PF-PriorityLevel-UID", level)
			}
			return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}, nil
		}
	}
	for _, test := range []struct {
		name    string
		answers answering
		want    string
	}{
		{"a server that is well", answer(http.StatusOK, "c9d11738"), "c9d11738"},
		{"a server that is not well", answer(http.StatusInternalServerError, "c9d11738"), "c9d11738"},
		{"without priorities", answer(http.StatusOK, ""), ""},
		{"refused", answer(http.StatusForbidden, ""), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers = test.answers
			if got, err := client.ClusterID(t.Context()); got != test.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	answers = func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp: connection refused") }
	_, err = client.ClusterID(t.Context())
	if _, ok := errors.AsType[*connection.UnreachableError](err); !ok {
		t.Errorf("no answer: %v", err)
	}
}
