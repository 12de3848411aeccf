package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// script is what an API server answers to requests of each sort, one after the
// other; the last answer is given again and again.
type script struct {
	get, watch, pods, claims []answer
}

// server plays an API server at the level of HTTP, under the real client. It is
// there for what a real one does too rarely, such as forgetting a resource
// version, and for the clock: tests run in a bubble of synctest, where ten
// minutes take no time.
type server struct {
	t *testing.T

	mu     sync.Mutex
	script script
	seen   []string // the requests
}

func (s script) serve(t *testing.T) *server { return &server{t: t, script: s} }

// answer is what the server does about one request.
type answer func(*http.Request) (*http.Response, error)

func (s *server) client() dynamic.Interface {
	client, err := dynamic.NewForConfig(&rest.Config{Host: "https://script.test", Transport: s, QPS: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	var answers *[]answer
	kind := ""
	query := r.URL.Query()
	switch {
	case r.URL.Path == "/apis/apps/v1/namespaces/default/statefulsets/mira-acme":
		answers, kind = &s.script.get, "get"
	case r.URL.Path == "/apis/apps/v1/namespaces/default/statefulsets" && query.Get("watch") == "true" && query.Get("fieldSelector") == "metadata.name=mira-acme":
		answers, kind = &s.script.watch, "watch from "+query.Get("resourceVersion")
	case r.URL.Path == "/api/v1/namespaces/default/pods":
		answers, kind = &s.script.pods, "pods "+query.Get("labelSelector")
	case strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/default/persistentvolumeclaims/"):
		answers, kind = &s.script.claims, "claim "+strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/default/persistentvolumeclaims/")
	}
	s.seen = append(s.seen, kind)
	if answers == nil || len(*answers) == 0 {
		s.t.Errorf("unexpected request %s %s after %q", r.Method, r.URL, s.seen)
		s.mu.Unlock()
		return nil, errors.New("unexpected request")
	}
	next := (*answers)[0]
	if len(*answers) > 1 {
		*answers = (*answers)[1:]
	}
	s.mu.Unlock()
	return next(r)
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
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

// event is one of a watch.
type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

func modified(sts *appsv1.StatefulSet) event { return event{"MODIFIED", sts} }

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
