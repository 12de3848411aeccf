package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// A delete is believed when the object is gone, or on its way: neither an answer that got
// lost nor a conflict says so.
func TestDelete_lostAnswersAndConflicts(t *testing.T) {
	const ours = types.UID("uid-mira-c0000")
	for _, test := range []struct {
		name string
		// answers to the deletes, in their order; what follows is carried out.
		answers []string
		// state of the object after the first delete.
		state   string
		deletes int
		is      func(error) bool
	}{
		{"carried out, answer lost", []string{"EOF"}, "gone", 2, isNil},
		{"carried out, 504", []string{"504"}, "gone", 2, isNil},
		{"carried out, answer lost, name taken by another", []string{"EOF", "409"}, "another", 2, isNil},
		{"carried out, answers lost for long", []string{"always EOF"}, "gone", -1, isNil},
		{"begun, answers lost for long", []string{"always 504"}, "leaving", -1, isNil},
		{"not carried out, answer lost", []string{"EOF"}, "there", 2, isNil},
		{"not carried out, answers lost for long", []string{"always 503"}, "there", -1, apierrors.IsServiceUnavailable},
		{"conflict, once", []string{"409"}, "there", 2, isNil},
		{"conflict, for good", []string{"always 409"}, "there", -1, apierrors.IsConflict},
		{"conflict, as another has the name", []string{"always 409"}, "another", 1, isNil},
		{"conflict, but gone", []string{"always 409"}, "gone", 1, isNil},
		{"conflict of a webhook", []string{"always denied"}, "there", 1, func(err error) bool {
			_, ok := errors.AsType[*DeniedError](err)
			return ok
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.put("services", "mira-c0000", "c0000")
				client, deletes := server.client(t), 0
				server.before = func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Has("fieldSelector") { // the wait until it is gone
						return gone(r), nil
					}
					if r.Method != http.MethodDelete {
						return nil, nil
					}
					deletes++
					server.become(test.state)
					if len(test.answers) == 0 && test.state != "there" {
						return nil, nil // 404
					}
					if len(test.answers) == 0 {
						server.become("gone")
						return answer(r, http.StatusOK, []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`)), nil
					}
					name, isAlways := strings.CutPrefix(test.answers[0], "always ")
					if !isAlways {
						test.answers = test.answers[1:]
					}
					if name == "denied" {
						return message(r, http.StatusConflict, "Conflict", `admission webhook "protect.example.com" denied the request: protected`), nil
					}
					return faults[name](r)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				err := client.Delete(ctx, serviceRef(ours))
				if !test.is(err) {
					t.Errorf("error: %v", err)
				}
				if test.deletes >= 0 && deletes != test.deletes {
					t.Errorf("%d deletes, want %d", deletes, test.deletes)
				}
			})
		})
	}
}

func isNil(err error) bool { return err == nil }

// become changes the Service of a test.
func (s *fakeServer) become(state string) {
	const key = "services/mira-c0000"
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case "gone":
		delete(s.objects, key)
	case "another":
		s.objects[key] = []byte(`{"metadata":{"name":"mira-c0000","namespace":"default","uid":"another"}}`)
	case "leaving":
		s.objects[key] = []byte(`{"metadata":{"name":"mira-c0000","namespace":"default","uid":"uid-mira-c0000",` +
			`"deletionTimestamp":"2026-01-01T00:00:00Z"}}`)
	case "orphaning":
		s.objects[key] = []byte(`{"metadata":{"name":"mira-c0000","namespace":"default","uid":"uid-mira-c0000",` +
			`"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["orphan"]}}`)
	}
}

// gone answers a list or a watch of an object that is not there.
func gone(r *http.Request) *http.Response {
	if r.URL.Query().Has("watch") {
		response := answer(r, http.StatusOK, nil)
		response.Body, response.ContentLength = io.NopCloser(strings.NewReader("")), -1
		return response
	}
	return answer(r, http.StatusOK, []byte(`{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}`))
}

// A watch that hangs does not hold up a delete for ever: the object is looked at again.
func TestDelete_watchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.put("services", "mira-c0000", "c0000")
		client, isFirst := server.client(t), true
		server.before = func(r *http.Request) (*http.Response, error) {
			switch query := r.URL.Query(); {
			case r.Method == http.MethodDelete:
				return answer(r, http.StatusOK, []byte(`{"kind":"Service","apiVersion":"v1","metadata":{"name":"mira-c0000",`+
					`"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["example.com/wait"]}}`)), nil
			case query.Has("watch") && isFirst:
				isFirst = false
				<-r.Context().Done()
				return nil, r.Context().Err()
			case query.Has("fieldSelector"):
				return gone(r), nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		begun := time.Now()
		if err := client.Delete(ctx, serviceRef("uid-mira-c0000")); err != nil || time.Since(begun) > 2*lookAgain {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		if isFirst {
			t.Error("there was no watch")
		}
	})
}
