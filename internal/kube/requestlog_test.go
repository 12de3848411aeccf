package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// entries returns the lines of a log that have a message, without their level.
func entries(log *acctest.Log, message string) []string {
	var lines []string
	for _, line := range log.Lines() {
		prefix := fmt.Sprintf(`"level"=1 "msg"=%q`, message)
		if about, ok := strings.CutPrefix(line, prefix); ok && (about == "" || about[0] == ' ') {
			lines = append(lines, strings.TrimSpace(about))
		}
	}
	return lines
}

func TestRequestLog_oneEntryForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(1)
		server.before = delayed
		client, log := server.client(t), &acctest.Log{}
		ref := Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-c0000"}
		if _, err := client.Get(log.Context(t.Context()), ref); err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mira-c0000", "namespace": "default"},
		}}
		if _, err := client.DryRun(log.Context(t.Context()), object, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		const path = "/api/v1/namespaces/default/services/mira-c0000"
		want := []string{
			`"method"="GET" "path"="` + path + `" "attempt"=1 "duration"="3ms" "status"=200`,
			`"method"="PATCH" "path"="` + path + `?dryRun=All&fieldManager=terraform-provider-mira&force=true" ` +
				`"attempt"=1 "duration"="3ms" "status"=200`,
		}
		if diff := cmp.Diff(want, entries(log, "Sent a request")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

// A request that the server asks to repeat has an entry for each attempt.
func TestRequestLog_attempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(1)
		failures := 2
		server.before = func(r *http.Request) (*http.Response, error) {
			if failures == 0 {
				return nil, nil
			}
			failures--
			busy := status(r, http.StatusTooManyRequests, "TooManyRequests")
			busy.Header.Set("Retry-After", "1")
			return busy, nil
		}
		client, log := server.client(t), &acctest.Log{}
		ref := Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-c0000"}
		for range 2 {
			if _, err := client.Get(log.Context(t.Context()), ref); err != nil {
				t.Fatal(err)
			}
		}
		const about = `"method"="GET" "path"="/api/v1/namespaces/default/services/mira-c0000" "attempt"=%d "duration"="0s" "status"=%d`
		want := []string{fmt.Sprintf(about, 1, 429), fmt.Sprintf(about, 2, 429), fmt.Sprintf(about, 3, 200), fmt.Sprintf(about, 1, 200)}
		if diff := cmp.Diff(want, entries(log, "Sent a request")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

func TestRequestLog_noAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.before = func(*http.Request) (*http.Response, error) { return nil, errors.New("connection lost") }
		log := &acctest.Log{}
		ref := Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "a"}
		if err := server.client(t).Delete(log.Context(t.Context()), ref); err == nil {
			t.Fatal("no error")
		}
		want := []string{`"method"="DELETE" "path"="/api/v1/namespaces/default/services/a" "attempt"=1 "duration"="0s" "error"="connection lost"`}
		if diff := cmp.Diff(want, entries(log, "Sent a request without an answer")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

// Neither the credentials nor what is in a request or an answer is logged, whatever is
// done with an object and however it ends.
func TestRequestLog_noSecrets(t *testing.T) {
	const token, sent, stored, refused = "the-token", "what-is-sent", "what-is-stored", "why-it-is-refused"
	secret := func(version, value string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"password": value},
			"metadata": map[string]any{"name": "mira-acme", "namespace": "default", "uid": "1", "resourceVersion": version},
		}}
	}
	data, err := secret("1", stored).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		answer func(*http.Request) *http.Response
	}{
		{"successes", func(r *http.Request) *http.Response {
			if isList(r) || r.URL.Query().Has("fieldSelector") {
				return answer(r, http.StatusOK, fmt.Appendf(nil, `{"kind":"List","apiVersion":"v1","metadata":{"continue":""},"items":[%s]}`, data))
			}
			return answer(r, http.StatusOK, data)
		}},
		{"refusals", func(r *http.Request) *http.Response { return status(r, http.StatusUnprocessableEntity, refused) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.before = func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") != "Bearer "+token {
						t.Errorf("the request has no token")
					}
					return test.answer(r), nil
				}
				conn := &connection.Connection{Config: &rest.Config{Host: "http://cluster", Transport: server, QPS: -1, BearerToken: token}}
				client, err := New(conn, Options{Force: true})
				if err != nil {
					t.Fatal(err)
				}
				log := &acctest.Log{}
				ctx, cancel := context.WithTimeout(log.Context(t.Context()), time.Minute)
				defer cancel()
				live, object := secret("1", stored), secret("", sent)
				object.SetUID("")
				_, _ = client.Get(ctx, RefOf(live))
				_, _ = client.DryRun(ctx, object, live)
				_, _ = client.Apply(ctx, object)
				_, _ = client.patchManagedFields(ctx, live, nil)
				probe, err := client.Probe(object, live)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = probe.Recreation(ctx, nil)
				_, _ = client.Recreate(ctx, live, &Recreation{Result: object})
				_, _ = client.Restore(ctx, live, object)
				_, _ = probe.ConflictRemoval(ctx, nil, errors.New(refused))
				_ = probe.Explain(ctx, errors.New(refused))
				_ = client.Delete(ctx, RefOf(live))
				_, _ = NewBatcher(client).Get(ctx, "acme", RefOf(live))
				_, _ = NewClaims(client).List(ctx, ListClaims{Namespace: "default", StatefulSet: "mira", Templates: []string{"data"}})
				_, _ = client.Logs(ctx, "default", "mira-0", "mira", false, 1)
				lines := log.Lines()
				if len(lines) < len(server.log) {
					t.Errorf("%d entries for %d requests", len(lines), len(server.log))
				}
				for _, line := range lines {
					for _, hidden := range []string{token, sent, stored, "Bearer", "password", "metadata\"", "{"} {
						if strings.Contains(line, hidden) {
							t.Errorf("%q is logged: %s", hidden, line)
						}
					}
				}
			})
		})
	}
}

// What is decided beyond single requests is logged once, with constant messages.
func TestLog_decisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeServer()
		server.putClients(12)
		client, log := server.client(t), &acctest.Log{}
		ctx := log.Context(t.Context())
		batcher := NewBatcher(client)
		var reads sync.WaitGroup
		for i := range 6 {
			reads.Go(func() {
				if err := readObject(ctx, batcher, "v1", "Service", i); err != nil {
					t.Error(err)
				}
			})
		}
		reads.Wait()
		want := []string{`"resource"="services" "namespace"="default" "owners"=6 "waiting"=5 "limit"=300 "objects"=12`}
		if diff := cmp.Diff(want, entries(log, "Listed a page for a batch")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}

		live, err := client.Get(ctx, Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-c0001"})
		if err != nil {
			t.Fatal(err)
		}
		labelled := live.DeepCopy()
		labelled.SetLabels(map[string]string{"team": "a"})
		for _, before := range []*unstructured.Unstructured{nil, live, labelled} {
			if _, err := client.DryRun(ctx, live, before); err != nil {
				t.Fatal(err)
			}
		}
		const object = `"object"="Service default/mira-c0001" `
		want = []string{object + `"outcome"="new"`, object + `"outcome"="unchanged"`, object + `"outcome"="changed"`}
		if diff := cmp.Diff(want, entries(log, "Dry run")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}
