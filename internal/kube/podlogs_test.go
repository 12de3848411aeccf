package kube_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

func TestLogs(t *testing.T) {
	const path = "/api/v1/namespaces/default/pods/mira-acme-0/log?container=mira&limitBytes=65536&previous=true&tailLines=10"
	tests := map[string]struct {
		code int
		body string
		want string
		is   func(error) bool
	}{
		"the last lines": {200, "one\ntwo\n", "one\ntwo\n", nil},
		"no right to read them": {
			403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,` +
				`"message":"pods \"mira-acme-0\" is forbidden: ` +
				`User \"jo\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"default\""}`, "",
			func(err error) bool {
				var right *kube.MissingRightError
				return errors.As(err, &right) && right.User == "jo" && right.Verb == "get" && right.Resource == "pods/log"
			},
		},
		"the pod is gone": {
			404, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,` +
				`"message":"pods \"mira-acme-0\" not found"}`, "",
			func(err error) bool { var gone *kube.NotFoundError; return errors.As(err, &gone) },
		},
		"there is no such run": {
			400, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"BadRequest","code":400,` +
				`"message":"previous terminated container \"mira\" not found"}`, "",
			func(err error) bool { var rejected *kube.RejectedError; return errors.As(err, &rejected) },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RequestURI() != path {
					t.Errorf("asked for %s, want %s", r.URL.RequestURI(), path)
				}
				w.Header().Set("Content-Type", "application/json")
				if test.code == http.StatusOK {
					w.Header().Set("Content-Type", "text/plain")
				}
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			client, err := kube.New(&connection.Connection{Config: &rest.Config{Host: server.URL, QPS: -1}, Source: "test"}, kube.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Logs(t.Context(), "default", "mira-acme-0", "mira", true, 10)
			if got != test.want || (err != nil) != (test.is != nil) || test.is != nil && !test.is(err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
