package kube

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// batchOf asks for the Services of twenty clients at the same time, and returns the
// errors by their numbers.
func batchOf(batcher *Batcher, ctx func(int) context.Context) map[int]error {
	var mu sync.Mutex
	errs := make(map[int]error)
	var asks sync.WaitGroup
	for i := range 20 {
		asks.Go(func() {
			err := readObject(ctx(i), batcher, "v1", "Service", i)
			mu.Lock()
			defer mu.Unlock()
			errs[i] = err
		})
	}
	asks.Wait()
	return errs
}

// An asker that is cancelled leaves at once, and the others get their answers.
func TestBatcher_cancelledAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		release := make(chan struct{})
		server.before = func(r *http.Request) (*http.Response, error) {
			if isList(r) {
				select {
				case <-release:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			return nil, nil
		}
		client := server.client(t)
		batcher := NewBatcher(client)
		cancelled, cancel := context.WithCancel(t.Context())
		var errs map[int]error
		done := make(chan struct{})
		go func() {
			defer close(done)
			errs = batchOf(batcher, func(i int) context.Context {
				if i%2 == 1 {
					return cancelled
				}
				return t.Context()
			})
		}()
		synctest.Wait()
		<-time.After(time.Second)
		cancel()
		synctest.Wait()
		close(release)
		<-done
		for i, err := range errs {
			if i%2 == 0 && err != nil {
				t.Errorf("client %d: %v, want its object", i, err)
			}
			// The first of all to come is not one of the batch.
			if i%2 == 1 && err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("client %d: %v, want the end of its context", i, err)
			}
		}
		if lists := server.requests("list"); lists != 1 {
			t.Errorf("%d lists, want 1", lists)
		}
	})
}

// A request ends when nobody waits for it any more, and who asks then gets another.
func TestBatcher_allCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		held := true
		server.before = func(r *http.Request) (*http.Response, error) {
			if isList(r) && held {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return nil, nil
		}
		client := server.client(t)
		batcher := NewBatcher(client)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed := 0
		for _, err := range batchOf(batcher, func(int) context.Context { return ctx }) {
			if errors.Is(err, context.DeadlineExceeded) {
				failed++
			}
		}
		if failed < 19 {
			t.Errorf("%d askers ended with their time, want all but the first", failed)
		}
		synctest.Wait()
		held = false
		for i, err := range batchOf(batcher, func(int) context.Context { return t.Context() }) {
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		}
	})
}

// A list that fails is the failure of those who waited for it, with its reason.
// Who asks next is not burdened with it.
func TestBatcher_failedList(t *testing.T) {
	lost := errors.New("connection lost")
	for _, test := range []struct {
		name string
		fail func(*http.Request) (*http.Response, error)
		is   func(error) bool
	}{
		{"500", func(r *http.Request) (*http.Response, error) { return status(r, 500, "InternalError"), nil }, apierrors.IsInternalError},
		{"lost connection", func(*http.Request) (*http.Response, error) { return nil, lost }, func(err error) bool {
			var unreachable *connection.UnreachableError
			return errors.As(err, &unreachable) && errors.Is(err, lost)
		}},
		{"not JSON", func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, []byte("{not JSON}")), nil // half an answer would be asked for again
		}, func(err error) bool { return err != nil }},
		{"nameless", func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, []byte(`{"items":[{"metadata":{}}]}`)), nil
		}, func(err error) bool { return err != nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(20)
				var once sync.Once
				server.before = func(r *http.Request) (*http.Response, error) {
					var answer *http.Response
					var err error
					if isList(r) {
						once.Do(func() { answer, err = test.fail(r) }) //nolint:bodyclose // the client's to close
					}
					return answer, err
				}
				client := server.client(t)
				batcher := NewBatcher(client)
				failed := 0
				always := func(int) context.Context { return t.Context() }
				for i, err := range batchOf(batcher, always) {
					switch {
					case err == nil:
					case test.is(err):
						failed++
					default:
						t.Errorf("client %d: %v", i, err)
					}
				}
				if failed == 0 {
					t.Error("nobody heard of the failure")
				}
				for i, err := range batchOf(batcher, always) {
					if err != nil {
						t.Errorf("client %d, asked again: %v", i, err)
					}
				}
			})
		})
	}
}

// A server that does not list answers single reads, and is not asked to list again
// for each of them.
func TestBatcher_noLists(t *testing.T) {
	for _, test := range []struct {
		code   int
		reason string
		next   bool // it lists the first page only
	}{
		{403, "Forbidden", false}, {404, "NotFound", false}, {405, "MethodNotAllowed", false}, {400, "BadRequest", false}, {410, "Expired", true},
	} {
		t.Run(test.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(700)
				server.before = func(r *http.Request) (*http.Response, error) {
					if isList(r) && (!test.next || r.URL.Query().Has("continue")) {
						return status(r, test.code, test.reason), nil
					}
					return nil, nil
				}
				readClients(t, NewBatcher(server.client(t)), 10, upTo(700))
				// One for each kind; of a list that goes on, one more.
				if lists := server.requests("list"); lists > 6 {
					t.Errorf("%d lists: %v", lists, server.log)
				}
			})
		})
	}
}

// 429 with Retry-After is waited for, and tried again: the server's fairness sets
// the pace.
func TestBatcher_retryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(20)
		var mu sync.Mutex
		refused := make(map[string]bool)
		server.before = func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if refused[r.URL.Path] {
				return nil, nil
			}
			refused[r.URL.Path] = true
			busy := status(r, http.StatusTooManyRequests, "TooManyRequests")
			busy.Header.Set("Retry-After", "2")
			return busy, nil
		}
		begun := time.Now()
		readClients(t, NewBatcher(server.client(t)), 10, upTo(20))
		if waited := time.Since(begun); waited < 2*time.Second || waited > 20*time.Second {
			t.Errorf("waited %v, want as long as the server asks for, for each kind", waited)
		}
	})
}
