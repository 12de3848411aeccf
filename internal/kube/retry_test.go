package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// fault is what a test does to a request instead of passing it on.
type fault func(*http.Request) (*http.Response, error)

var faults = map[string]fault{
	"429": func(r *http.Request) (*http.Response, error) {
		return status(r, http.StatusTooManyRequests, "TooManyRequests"), nil
	},
	"502": func(r *http.Request) (*http.Response, error) { return html(r, http.StatusBadGateway), nil },
	"503": func(r *http.Request) (*http.Response, error) {
		return status(r, http.StatusServiceUnavailable, "ServiceUnavailable"), nil
	},
	"504": func(r *http.Request) (*http.Response, error) { return html(r, http.StatusGatewayTimeout), nil },
	"500 of etcd": func(r *http.Request) (*http.Response, error) {
		return message(r, http.StatusInternalServerError, "InternalError", "etcdserver: leader changed"), nil
	},
	"500 of a storage time-out": func(r *http.Request) (*http.Response, error) {
		return message(r, http.StatusInternalServerError, "ServerTimeout", "The operation could not be completed at this time"), nil
	},
	"500 of an unknown field": func(r *http.Request) (*http.Response, error) {
		return message(r, http.StatusInternalServerError, "InternalError", ".spec.typo: field not declared in schema"), nil
	},
	"500 with Retry-After": func(r *http.Request) (*http.Response, error) {
		answer := status(r, http.StatusInternalServerError, "InternalError")
		answer.Header.Set("Retry-After", "1")
		return answer, nil
	},
	"refused": func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	},
	"reset": func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	},
	"EOF":                     func(*http.Request) (*http.Response, error) { return nil, io.EOF },
	"HTTP/2 connection lost":  func(*http.Request) (*http.Response, error) { return nil, errors.New("http2: client connection lost") },
	"body cut":                func(r *http.Request) (*http.Response, error) { return cut(r, io.ErrUnexpectedEOF), nil },
	"body cut without a sign": func(r *http.Request) (*http.Response, error) { return cut(r, io.EOF), nil },
	"no answer": func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	},
	"401": func(r *http.Request) (*http.Response, error) {
		return status(r, http.StatusUnauthorized, "Unauthorized"), nil
	},
	"403": func(r *http.Request) (*http.Response, error) {
		return status(r, http.StatusForbidden, "Forbidden"), nil
	},
	"404": func(r *http.Request) (*http.Response, error) { return status(r, http.StatusNotFound, "NotFound"), nil },
	"409": func(r *http.Request) (*http.Response, error) { return status(r, http.StatusConflict, "Conflict"), nil },
	"a plugin that fails": func(*http.Request) (*http.Response, error) {
		return nil, errors.New("getting credentials: exec: executable aws not found")
	},
}

func html(r *http.Request, code int) *http.Response {
	response := answer(r, code, []byte("<html><body>Gateway Timeout</body></html>"))
	response.Header.Set("Content-Type", "text/html")
	return response
}

func message(r *http.Request, code int, reason, text string) *http.Response {
	const form = `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`
	return answer(r, code, fmt.Appendf(nil, form, code, reason, text))
}

// cut returns a success whose body ends early, with an error.
func cut(r *http.Request, err error) *http.Response {
	response := answer(r, http.StatusOK, nil)
	response.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"kind":"Service","apiVersion":"v1","metadata":{"na`), brokenReader{err}))
	response.ContentLength = -1
	return response
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// requests are those that the provider sends, by what they do.
var requests = map[string]func(context.Context, *Client) error{
	"get": func(ctx context.Context, c *Client) error {
		_, err := c.Get(ctx, serviceRef(""))
		return err
	},
	"list": func(ctx context.Context, c *Client) error {
		_, err := NewClaims(c).List(ctx, ListClaims{Namespace: "default", StatefulSet: "mira", Templates: []string{"data"}, Fresh: true})
		return err
	},
	"dry run of an apply": func(ctx context.Context, c *Client) error {
		_, err := c.DryRun(ctx, service(), nil)
		return err
	},
	"dry run of a create": func(ctx context.Context, c *Client) error {
		return mustProbe(c).create(ctx, service())
	},
	"dry run of an update": func(ctx context.Context, c *Client) error {
		_, err := mustProbe(c).update(ctx, service())
		return err
	},
	"dry run of a delete": func(ctx context.Context, c *Client) error { return mustProbe(c).delete(ctx) },
	"apply": func(ctx context.Context, c *Client) error {
		_, err := c.Apply(ctx, service())
		return err
	},
	"patch of managed fields": func(ctx context.Context, c *Client) error {
		_, err := c.patchManagedFields(ctx, service(), nil)
		return err
	},
	"growth of a claim": func(ctx context.Context, c *Client) error {
		return NewClaims(c).Grow(ctx, NewRef(ClaimKind, "default", "mira-c0000"), resource.MustParse("2Gi"))
	},
	"delete of a UID": func(ctx context.Context, c *Client) error {
		uid := types.UID("uid-mira-c0000")
		return c.dynamic.Resource(services).Namespace("default").Delete(ctx, "mira-c0000",
			metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	},
	"delete of a name": func(ctx context.Context, c *Client) error {
		return c.dynamic.Resource(services).Namespace("default").Delete(ctx, "mira-c0000", metav1.DeleteOptions{})
	},
	"create": func(ctx context.Context, c *Client) error {
		_, err := c.dynamic.Resource(services).Namespace("default").Create(ctx, service(), metav1.CreateOptions{})
		return err
	},
	"update": func(ctx context.Context, c *Client) error {
		_, err := c.dynamic.Resource(services).Namespace("default").Update(ctx, service(), metav1.UpdateOptions{})
		return err
	},
}

// Each request survives one fault, or does not, by what it is.
func TestRetry_whatIsRepeated(t *testing.T) {
	always := []string{"429", "refused"}
	ifSafe := []string{
		"502", "503", "504", "500 of etcd", "500 of a storage time-out", "500 with Retry-After",
		"reset", "EOF", "HTTP/2 connection lost", "body cut", "body cut without a sign", "no answer",
	}
	never := []string{"500 of an unknown field", "401", "403", "404", "409", "a plugin that fails"}
	unsafe := map[string]bool{"delete of a name": true, "create": true, "update": true}
	for name, send := range requests {
		expect := func(fault string, attempts int) {
			t.Run(name+"/"+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := 0
					server := newFakeServer()
					server.putClients(1)
					server.put("persistentvolumeclaims", "mira-c0000", "")
					client := server.client(t)
					server.before = func(r *http.Request) (*http.Response, error) {
						sent++
						if sent == 1 {
							return faults[fault](r)
						}
						return nil, nil
					}
					err := send(t.Context(), client)
					if sent != attempts {
						t.Errorf("sent %d times, want %d", sent, attempts)
					}
					if isExpected := fault == "404" || (err == nil) == (attempts > 1); !isExpected {
						t.Errorf("error %v after %d attempts", err, sent)
					}
				})
			})
		}
		for _, fault := range always {
			expect(fault, 2)
		}
		for _, fault := range ifSafe {
			if unsafe[name] {
				expect(fault, 1)
			} else {
				expect(fault, 2)
			}
		}
		for _, fault := range never {
			if name == "dry run of an update" && fault == "409" {
				continue // has a loop of its own
			}
			expect(fault, 1)
		}
	}
}

// A server that comes back within half a minute is waited for, one that does not is given
// up after a minute, and one that was never there after seconds.
func TestRetry_howLong(t *testing.T) {
	for _, test := range []struct {
		name        string
		isMet       bool
		outage      time.Duration
		atLeast     time.Duration
		atMost      time.Duration
		isReachable bool
	}{
		{"restart", true, 30 * time.Second, 30 * time.Second, 40 * time.Second, true},
		{"outage", true, time.Hour, 45 * time.Second, time.Minute, false},
		{"wrong address", false, time.Hour, time.Second, firstContactFor, false},
		{"blip at the first contact", false, time.Second, time.Second, 3 * time.Second, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(1)
				client := server.client(t)
				if test.isMet {
					if _, err := client.Get(t.Context(), serviceRef("")); err != nil {
						t.Fatal(err)
					}
				}
				begun, sent := time.Now(), 0
				server.before = func(r *http.Request) (*http.Response, error) {
					sent++
					if time.Since(begun) < test.outage {
						return faults["refused"](r)
					}
					return nil, nil
				}
				_, err := client.Get(t.Context(), serviceRef(""))
				took := time.Since(begun)
				if (err == nil) != test.isReachable || took < test.atLeast || took > test.atMost {
					t.Errorf("took %s (want %s to %s): %v", took, test.atLeast, test.atMost, err)
				}
				if test.isReachable {
					return
				}
				if _, ok := errors.AsType[*connection.UnreachableError](err); !ok || !strings.Contains(err.Error(), "attempts within") {
					t.Errorf("got %T: %v", err, err)
				}
				// Who comes after does not wait as long again.
				server.before = faults["refused"]
				if _, err := client.Get(t.Context(), serviceRef("")); err == nil || time.Since(begun) > test.atMost {
					t.Errorf("the next request: %v, after %s in all", err, time.Since(begun))
				}
				sent = 0
				server.before = func(r *http.Request) (*http.Response, error) { sent++; return faults["refused"](r) }
				<-time.After(test.atMost - time.Since(begun)) // of the bubble's clock
				if _, err := client.Get(t.Context(), serviceRef("")); err == nil || sent != 1 {
					t.Errorf("a request after that: %v, sent %d times", err, sent)
				}
				// Some time later it does.
				<-time.After(time.Minute)
				server.before = failOnce("503")
				if _, err := client.Get(t.Context(), serviceRef("")); err != nil {
					t.Errorf("a blip after the outage: %v", err)
				}
			})
		})
	}
}

func failOnce(name string) fault {
	isFirst := true
	return func(r *http.Request) (*http.Response, error) {
		if isFirst {
			isFirst = false
			return faults[name](r)
		}
		return nil, nil
	}
}

// The pause is as long as the server asks for, unless that is too long.
func TestRetry_retryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "Sat, 01 Jan 2000 00:00:09 GMT": 9 * time.Second, "nonsense": 0, "3600": -1,
	} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(1)
				once := failOnce("429")
				server.before = func(r *http.Request) (*http.Response, error) {
					answer, err := once(r)
					if answer != nil {
						answer.Header.Set("Retry-After", value)
					}
					return answer, err
				}
				begun := time.Now()
				_, err := server.client(t).Get(t.Context(), serviceRef(""))
				took := time.Since(begun)
				if want < 0 {
					if !apierrors.IsTooManyRequests(err) || took > 0 {
						t.Errorf("took %s: %v", took, err)
					}
					return
				}
				if err != nil || took < want || took > want+time.Second {
					t.Errorf("took %s, want %s: %v", took, want, err)
				}
			})
		})
	}
}

// The caller's deadline ends the repetitions. The error says what happened before.
func TestRetry_endsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(1)
		client := server.client(t)
		server.before = faults["503"]
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := client.Apply(ctx, service())
		says := errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "503 Service Unavailable")
		if !says || time.Since(begun) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		if !IsOutcomeUnknown(err) {
			t.Error("the outcome counts as known")
		}
	})
}

// A 401 is repeated once where that fetches other credentials. One that follows a lost
// connection may come from a server that has not read everything yet.
func TestRetry_unauthorized(t *testing.T) {
	for name, test := range map[string]struct {
		config   rest.Config
		before   []string
		attempts int
		isOK     bool
	}{
		"token":                              {rest.Config{}, []string{"401"}, 1, false},
		"token of a file":                    {rest.Config{BearerTokenFile: "/dev/null"}, []string{"401"}, 2, true},
		"plugin":                             {rest.Config{ExecProvider: &clientcmdapi.ExecConfig{}}, []string{"401"}, 2, true},
		"plugin without a right to anything": {rest.Config{ExecProvider: &clientcmdapi.ExecConfig{}}, []string{"401", "401", "401"}, 2, false},
		"server that starts":                 {rest.Config{}, []string{"refused", "401", "403", "403"}, 5, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.putClients(1)
				sent := 0
				server.before = func(r *http.Request) (*http.Response, error) {
					sent++
					if sent <= len(test.before) {
						return faults[test.before[sent-1]](r)
					}
					return nil, nil
				}
				r := &retrier{next: server, refreshes: test.config.ExecProvider != nil || test.config.BearerTokenFile != ""}
				const url = "http://cluster/api/v1/namespaces/default/services/mira-c0000"
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				response, err := r.RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
				if isOK := response.StatusCode == http.StatusOK; sent != test.attempts || isOK != test.isOK {
					t.Errorf("sent %d times, status %d", sent, response.StatusCode)
				}
			})
		})
	}
}

// The lists and watches of informers are left to these, which have to hear of each failure.
func TestRetry_informers(t *testing.T) {
	for name, send := range map[string]func(context.Context, dynamic.ResourceInterface) error{
		"watch": func(ctx context.Context, of dynamic.ResourceInterface) error {
			_, err := of.Watch(ctx, metav1.ListOptions{})
			return err
		},
		"list": func(ctx context.Context, of dynamic.ResourceInterface) error {
			_, err := of.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				client, sent := server.client(t), 0
				server.before = func(r *http.Request) (*http.Response, error) { sent++; return faults["503"](r) }
				if err := send(t.Context(), client.dynamic.Resource(services).Namespace("default")); err == nil || sent != 1 {
					t.Errorf("sent %d times: %v", sent, err)
				}
			})
		})
	}
}

var services = schema.GroupVersionResource{Version: "v1", Resource: "services"}

func serviceRef(uid types.UID) Ref {
	return Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-c0000", UID: uid}
}

func service() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mira-c0000", "namespace": "default"},
	}}
}

func mustProbe(c *Client) *Probe {
	probe, err := c.Probe(service(), service())
	if err != nil {
		panic(err)
	}
	return probe
}
