package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const ownerLabel = "mira-cluster.io/client"

// fakeServer stands in for the API server where a real one cannot be made to fail,
// or to be slow, in a certain way. It reads and lists objects.
type fakeServer struct {
	mu      sync.Mutex
	objects map[string][]byte // by `resource/name`
	owners  map[string]string // label, by the same
	sorted  []string          // the same; nil where it has to be sorted again
	log     []string          // `get resource/name`, `list resource`
	listed  int               // objects in the answers to lists
	bytes   int

	// before is called for each request; what it returns is the answer, if anything.
	before func(*http.Request) (*http.Response, error)
}

func newFakeServer() *fakeServer {
	return &fakeServer{objects: make(map[string][]byte), owners: make(map[string]string)}
}

// client returns a client that talks to the server.
func (s *fakeServer) client(t testing.TB) *Client {
	t.Helper()
	conn := &connection.Connection{Config: &rest.Config{Host: "http://cluster", Transport: s, QPS: -1}}
	client, err := New(conn, Options{Manager: managedfields.NewManager("", ownerLabel), Force: true})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// put stores an object; owner may be empty.
func (s *fakeServer) put(resource, name, owner string) {
	metadata := map[string]any{"name": name, "namespace": "default", "uid": "uid-" + name}
	if owner != "" {
		metadata["labels"] = map[string]any{ownerLabel: owner}
	}
	data, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		panic(err)
	}
	s.putData(resource, name, owner, data)
}

func (s *fakeServer) putData(resource, name, owner string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[resource+"/"+name], s.owners[resource+"/"+name] = data, owner
	s.sorted = nil
}

// putClients stores the three objects of many clients.
func (s *fakeServer) putClients(count int) {
	for i := range count {
		for _, kind := range clientKinds {
			s.put(kind.resource, "mira-"+clientName(i), clientName(i))
		}
	}
}

func clientName(i int) string { return fmt.Sprintf("c%04d", i) }

// clientKinds are those of a client.
var clientKinds = []struct{ apiVersion, kind, resource string }{
	{"v1", "Service", "services"},
	{"networking.k8s.io/v1", "Ingress", "ingresses"},
	{"apps/v1", "StatefulSet", "statefulsets"},
}

func (s *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	at := slices.Index(segments, "namespaces") + 2
	resource := segments[at]
	entry := "list " + resource
	if len(segments) > at+1 {
		entry = strings.ToLower(r.Method) + " " + resource + "/" + segments[at+1]
	}
	s.mu.Lock()
	s.log = append(s.log, entry)
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if answer, err := before(r); answer != nil || err != nil {
			return answer, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(segments) == at+1 {
		return s.list(r, resource), nil
	}
	object, ok := s.objects[resource+"/"+segments[at+1]]
	if !ok {
		return status(r, http.StatusNotFound, "NotFound"), nil
	}
	var fields map[string]any
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = "v1", ClaimKind.Kind
	for _, kind := range clientKinds {
		if kind.resource == resource {
			fields["apiVersion"], fields["kind"] = kind.apiVersion, kind.kind
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return answer(r, http.StatusOK, data), nil
}

func (s *fakeServer) list(r *http.Request, resource string) *http.Response {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return status(r, http.StatusBadRequest, "BadRequest")
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, next := r.URL.Query().Get("continue"), ""
	var items []json.RawMessage
	if s.sorted == nil {
		s.sorted = slices.Sorted(maps.Keys(s.objects))
	}
	begin, _ := slices.BinarySearch(s.sorted, max(from, resource+"/"))
	for _, key := range s.sorted[begin:] {
		object, ok := s.objects[key]
		if !strings.HasPrefix(key, resource+"/") {
			break
		}
		if !ok || key == from || !selector.Matches(labelsOf(s.owners[key])) {
			continue
		}
		if limit > 0 && len(items) == limit {
			break
		}
		items = append(items, object)
		next = key
	}
	if limit == 0 || len(items) < limit {
		next = ""
	}
	s.listed += len(items)
	data, err := json.Marshal(map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"continue": next}, "items": items})
	if err != nil {
		return status(r, http.StatusInternalServerError, "InternalError")
	}
	s.bytes += len(data)
	return answer(r, http.StatusOK, data)
}

func labelsOf(owner string) labels.Set {
	if owner == "" {
		return nil
	}
	return labels.Set{ownerLabel: owner}
}

func answer(r *http.Request, code int, data []byte) *http.Response {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/2.0", ProtoMajor: 2, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
	}
}

func status(r *http.Request, code int, reason string) *http.Response {
	const form = `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"no"}`
	return answer(r, code, fmt.Appendf(nil, form, code, reason))
}

// isList reports whether a request is one for many objects.
func isList(r *http.Request) bool {
	return r.URL.Query().Has("labelSelector") || r.URL.Query().Has("limit")
}

// requests counts the requests whose entry in the log begins with a word.
func (s *fakeServer) requests(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, entry := range s.log {
		if strings.HasPrefix(entry, prefix) {
			count++
		}
	}
	return count
}
