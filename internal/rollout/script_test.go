package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// script holds what an API server answers to requests of each kind, one answer after the
// other. The last answer is repeated. Without answers there are no objects and no events,
// and a StatefulSet that is read by its name is as in the present list.
type script struct {
	list, watch, get    []answer // of StatefulSets
	pods, podWatch      []answer
	claims, events, del []answer
}

// server simulates an API server at the level of HTTP, below the real client. It does
// what a real one does too rarely, for example forgetting a resource version. And it
// works in a bubble of synctest, where ten minutes take no time.
type server struct {
	t *testing.T

	mu     sync.Mutex
	script script
	seen   map[string][]string // the names of the requests, by resource
}

func (s script) serve(t *testing.T) *server {
	return &server{t: t, script: s, seen: make(map[string][]string)}
}

// answer is what the server does with one request.
type answer func(*http.Request) (*http.Response, error)

func (s *server) client() dynamic.Interface {
	client, err := dynamic.NewForConfig(&rest.Config{Host: "https://script.test", Transport: s, QPS: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

const clientLabel = "mira-cluster.io/client"

// watcher returns a watcher of the simulated server.
func (s *server) watcher() *rollout.Watcher {
	return rollout.NewWatcher(s.client(), nil, clientLabel)
}

// wait waits for StatefulSet mira-acme.
func (s *server) wait(ctx context.Context, generation int64, options ...func(*rollout.Options)) (rollout.Status, error) {
	var o rollout.Options
	for _, option := range options {
		option(&o)
	}
	return s.watcher().Wait(ctx, rollout.Target{Namespace: "default", Name: "mira-acme", MinGeneration: generation}, o)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	request, ok := s.parse(r)
	if !ok {
		s.t.Errorf("unexpected request %s %s", r.Method, r.URL)
	}
	s.seen[request.resource] = append(s.seen[request.resource], request.name)
	next := request.byDefault
	if answers := request.answers; answers != nil && len(*answers) > 0 {
		next = (*answers)[0]
		if len(*answers) > 1 {
			*answers = (*answers)[1:]
		}
	}
	s.mu.Unlock()
	return next(r)
}

// request is what the script says about a request.
type request struct {
	resource, name string
	answers        *[]answer
	byDefault      answer // if there are no answers
}

// parse returns false for requests that no test expects.
func (s *server) parse(r *http.Request) (request, bool) {
	query := r.URL.Query()
	verb := "list"
	if query.Get("watch") == "true" {
		verb = "watch from " + query.Get("resourceVersion")
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/apis/apps/v1/namespaces/default/"); ok {
		isSelected := query.Get("labelSelector") == clientLabel || query.Get("fieldSelector") == "metadata.name=mira-acme"
		switch {
		case path == "statefulsets/mira-acme":
			return request{"statefulsets", "get", &s.script.get, s.script.asListed()}, true
		case path == "statefulsets" && verb == "list":
			return request{"statefulsets", verb, &s.script.list, object(sets("1"))}, isSelected
		case path == "statefulsets":
			return request{"statefulsets", verb, &s.script.watch, stream()}, isSelected
		}
	}
	path, _ := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/default/")
	isSelected := query.Get("labelSelector") == appsv1.StatefulSetPodNameLabel
	switch {
	case path == "pods" && verb == "list":
		return request{"pods", verb, &s.script.pods, podList()}, isSelected
	case path == "pods":
		return request{"pods", verb, &s.script.podWatch, stream()}, isSelected
	case strings.HasPrefix(path, "pods/") && r.Method == http.MethodDelete:
		success := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess}
		return request{"pods", "delete " + path, &s.script.del, object(success)}, true
	case strings.HasPrefix(path, "persistentvolumeclaims/"):
		notFound := status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
		return request{"claims", path, &s.script.claims, notFound}, true
	case path == "events":
		none := corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}}
		return request{"events", query.Get("fieldSelector"), &s.script.events, object(none)}, true
	}
	return request{byDefault: status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")}, false
}

// asListed answers with the StatefulSet of the present list.
func (s script) asListed() answer {
	notFound := status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
	if len(s.list) == 0 {
		return notFound
	}
	list := s.list[0]
	return func(r *http.Request) (*http.Response, error) {
		response, err := list(r)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		var found appsv1.StatefulSetList
		if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
			return nil, err
		}
		if len(found.Items) == 0 {
			return notFound(r)
		}
		return object(found.Items[0])(r)
	}
}

func (s *server) requests(resource string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen[resource]...)
}

func respond(r *http.Request, code int, body io.ReadCloser) (*http.Response, error) {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Body: body, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {"application/json"}}, Proto: "HTTP/2.0", ProtoMajor: 2,
	}, nil
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// minutes returns a context that ends after ten minutes.
func minutes(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// object answers with an object.
func object(v any) answer {
	return func(r *http.Request) (*http.Response, error) {
		return respond(r, http.StatusOK, io.NopCloser(bytes.NewReader(mustJSON(v))))
	}
}

// status answers with an error status.
func status(code int32, reason metav1.StatusReason, message string) answer {
	return func(r *http.Request) (*http.Response, error) {
		return respond(r, int(code), io.NopCloser(bytes.NewReader(mustJSON(failure(code, reason, message)))))
	}
}

func failure(code int32, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: code, Reason: reason, Message: message,
	}
}

// down refuses the connection.
func down(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }

// sets returns a list of StatefulSets.
func sets(resourceVersion string, items ...*appsv1.StatefulSet) appsv1.StatefulSetList {
	list := appsv1.StatefulSetList{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSetList"},
		ListMeta: metav1.ListMeta{ResourceVersion: resourceVersion},
	}
	for _, item := range items {
		list.Items = append(list.Items, *item)
	}
	return list
}

// listed answers with a list of one StatefulSet.
func listed(sts *appsv1.StatefulSet) answer { return object(sets(sts.ResourceVersion, sts)) }

func podList(pods ...corev1.Pod) answer {
	return object(corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "100"}, Items: pods,
	})
}

// event is an event of a watch.
type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
	after  time.Duration
}

func modified(object any) event { return event{Type: "MODIFIED", Object: object} }

func deleted(object any) event { return event{Type: "DELETED", Object: object} }

func added(object any) event { return event{Type: "ADDED", Object: object} }

// later delays an event after the one before.
func later(after time.Duration, e event) event {
	e.after = after
	return e
}

// stream answers with events and leaves the watch open.
func stream(events ...event) answer { return streamThen(false, events...) }

// drop answers with events and closes the watch.
func drop(events ...event) answer { return streamThen(true, events...) }

func streamThen(end bool, events ...event) answer {
	return func(r *http.Request) (*http.Response, error) {
		reader, writer := io.Pipe()
		context.AfterFunc(r.Context(), func() { writer.CloseWithError(r.Context().Err()) })
		go func() {
			for _, e := range events {
				select {
				case <-time.After(e.after):
				case <-r.Context().Done():
					return
				}
				if _, err := writer.Write(append(mustJSON(e), '\n')); err != nil {
					return
				}
			}
			if end {
				_ = writer.Close()
			}
		}()
		return respond(r, http.StatusOK, reader)
	}
}
