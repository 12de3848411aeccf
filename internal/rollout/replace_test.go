package rollout

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A conflict does not say that a pod is replaced: it may be the same one still.
func TestReplace_conflicts(t *testing.T) {
	for name, test := range map[string]struct {
		live      string // UID of the pod of the name; empty for none
		conflicts int
		deletes   int
		isError   bool
	}{
		"once":                     {"1", 1, 2, false},
		"for good":                 {"1", 100, 6, true},
		"another pod has the name": {"2", 100, 1, false},
		"no pod has the name":      {"", 100, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deletes := 0
				client, err := dynamic.NewForConfig(&rest.Config{Host: "http://cluster", QPS: -1, Transport: roundTripper(
					func(r *http.Request) (*http.Response, error) {
						code, body := http.StatusOK, `{"kind":"Status","apiVersion":"v1","status":"Success"}`
						switch {
						case r.Method == http.MethodDelete:
							deletes++
							if deletes <= test.conflicts {
								code, body = http.StatusConflict, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":409,"reason":"Conflict"}`
							}
						case test.live == "":
							code, body = http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound"}`
						default:
							body = fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"mira-acme-0","uid":%q}}`, test.live)
						}
						return &http.Response{
							StatusCode: code, Request: r, Body: io.NopCloser(strings.NewReader(body)),
							Header: http.Header{"Content-Type": {"application/json"}},
						}, nil
					},
				)})
				if err != nil {
					t.Fatal(err)
				}
				watcher := NewWatcher(client, nil, "")
				err = watcher.Replace(t.Context(), Target{Namespace: "default"}, []Pod{{Name: "mira-acme-0", UID: "1"}}, Options{})
				if _, ok := errors.AsType[*ReplaceError](err); ok != test.isError || (err != nil) != test.isError || deletes != test.deletes {
					t.Errorf("after %d deletes (want %d): %v", deletes, test.deletes, err)
				}
			})
		})
	}
}
