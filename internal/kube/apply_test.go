package kube

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// An apply that is bound to there being no object is repeated like any other. If an attempt got no
// answer, and the next one is refused, the object may be ours.
func TestApply_lostAnswerThenConflict(t *testing.T) {
	for _, test := range []struct {
		name      string
		answers   []string
		mayBeOurs bool
	}{
		{"refused at once", []string{"409"}, false},
		{"throttled, then refused", []string{"429", "409"}, false},
		{"answer lost, then refused", []string{"EOF", "409"}, true},
		{"504, then refused", []string{"504", "409"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				client := server.client(t)
				server.before = func(r *http.Request) (*http.Response, error) {
					name := test.answers[0]
					test.answers = test.answers[1:]
					return faults[name](r)
				}
				service := &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mira-c0000", "namespace": "default"},
				}}
				_, err := client.Apply(t.Context(), OnlyIfAbsent(service))
				changed, ok := errors.AsType[*ChangedError](err)
				if !ok || changed.MayBeOurs != test.mayBeOurs || len(test.answers) > 0 {
					t.Errorf("error %v (%#v), %d answers left; want a ChangedError, may be ours: %t", err, changed, len(test.answers), test.mayBeOurs)
				}
			})
		})
	}
}
