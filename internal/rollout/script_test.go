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

// script is what an API server answers to requests of each sort, one after the
// other; the last answer is given again and again. Where it says nothing, there
// are no objects and no events.
type script struct {
	list, watch, get    []answer // of StatefulSets
	pods, podWatch      []answer
	claims, events, del []answer
}

// server plays an API server at the level of HTTP, under the real client. It is
// there for what a real one does too rarely, such as forgetting a resource
// version, and for the clock: tests run in a bubble of synctest, where ten
// minutes take no time.
type server struct {
	t *testing.T

	mu     sync.Mutex
	script script
	seen   map[string][]string // the requests, by resource
}

func (s script) serve(t *testing.T) *server {
	return &server{t: t, script: s, seen: make(map[string][]string)}
}

// answer is what the server does about one request.
type answer func(*http.Request) (*http.Response, error)

func (s *server) client() dynamic.Interface {
	client, err := dynamic.NewForConfig(&rest.Config{Host: "https://script.test", Transport: s, QPS: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

const clientLabel = "mira-cluster.io/client"

// watcher watches what the server plays.
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
	query := r.URL.Query()
	isWatch := query.Get("watch") == "true"
	var answers *[]answer
	resource, request := "", ""
	ifNothing := status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
	switch path, _ := strings.CutPrefix(r.URL.Path, "/apis/apps/v1/namespaces/default/"); {
	case path == "statefulsets/mira-acme":
		resource, request, answers = "statefulsets", "get", &s.script.get
	case path == "statefulsets" && isWatch:
		resource, request, answers, ifNothing = "statefulsets", "watch from "+query.Get("resourceVersion"), &s.script.watch, stream()
	case path == "statefulsets":
		resource, request, answers, ifNothing = "statefulsets", "list", &s.script.list, object(sets("1"))
	}
	switch path, _ := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/default/"); {
	case path == "pods" && isWatch:
		resource, request, answers, ifNothing = "pods", "watch from "+query.Get("resourceVersion"), &s.script.podWatch, stream()
	case path == "pods":
		resource, request, answers, ifNothing = "pods", "list", &s.script.pods, podList()
	case strings.HasPrefix(path, "pods/") && r.Method == http.MethodDelete:
		resource, request, answers = "pods", "delete "+path, &s.script.del
		ifNothing = object(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess})
	case strings.HasPrefix(path, "persistentvolumeclaims/"):
		resource, request, answers = "claims", path, &s.script.claims
	case path == "events":
		resource, request, answers, ifNothing = "events", query.Get("fieldSelector"), &s.script.events, object(corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}})
	}
	switch {
	case resource == "":
		s.t.Errorf("unexpected request %s %s", r.Method, r.URL)
	case resource == "statefulsets" && request != "get" && query.Get("labelSelector") != clientLabel && query.Get("fieldSelector") != "metadata.name=mira-acme",
		resource == "pods" && r.Method == http.MethodGet && query.Get("labelSelector") != appsv1.StatefulSetPodNameLabel:
		s.t.Errorf("unexpected selector in %s", r.URL)
	}
	s.seen[resource] = append(s.seen[resource], request)
	next := ifNothing
	if answers != nil && len(*answers) > 0 {
		next = (*answers)[0]
		if len(*answers) > 1 {
			*answers = (*answers)[1:]
		}
	}
	s.mu.Unlock()
	return next(r)
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

// minutes bounds a test in a bubble.
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

// status answers with an error of the API server.
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

// down does not answer at all.
func down(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }

// sets is a list of StatefulSets.
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

// event is one of a watch.
type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
	after  time.Duration
}

func modified(object any) event { return event{Type: "MODIFIED", Object: object} }

func deleted(object any) event { return event{Type: "DELETED", Object: object} }

func added(object any) event { return event{Type: "ADDED", Object: object} }

// later sends an event some time after the one before.
func later(after time.Duration, e event) event {
	e.after = after
	return e
}

// stream sends events and leaves the watch open.
func stream(events ...event) answer { return streamThen(false, events...) }

// drop sends events and closes the watch.
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
				writer.Close()
			}
		}()
		return respond(r, http.StatusOK, reader)
	}
}
