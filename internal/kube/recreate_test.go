package kube

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// Whether the delete of a recreation was carried out is read from the object, if the server's
// answer got lost, or is a conflict: the pods must not be left without their StatefulSet.
func TestRecreate_deleteWithLostAnswers(t *testing.T) {
	isChanged := func(err error) bool { _, ok := errors.AsType[*ChangedError](err); return ok }
	isUnknown := func(err error) bool {
		recreation, ok := errors.AsType[*RecreationError](err)
		return ok && recreation.Unknown
	}
	for _, test := range []struct {
		name, fault string
		isAlways    bool
		state       string // of the object after the delete
		is          func(error) bool
	}{
		{"carried out, answer lost", "EOF", true, "gone", isNil},
		{"carried out, then a conflict", "409", true, "orphaning", isNil},
		{"begun, 504 for long", "504", true, "orphaning", isNil},
		{"not carried out, once", "503", false, "there", isNil},
		{"not carried out, for long", "503", true, "there", apierrors.IsServiceUnavailable},
		{"conflict, as the object has changed", "409", true, "there", isChanged},
		{"conflict, as it is being deleted with its pods", "409", true, "leaving", isChanged},
		{"another object has the name", "409", true, "another", isNil},
		{"nobody can be asked", "refused", true, "there", func(err error) bool { return err != nil && !isUnknown(err) }},
		{"lost, and nobody can be asked", "EOF", true, "silent", isUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newFakeServer()
				server.put("services", "mira-c0000", "")
				client := server.client(t)
				if _, err := client.Get(t.Context(), serviceRef("")); err != nil { // the first contact
					t.Fatal(err)
				}
				isFirst, isSilent := true, false
				server.before = func(r *http.Request) (*http.Response, error) {
					if isSilent {
						return faults["refused"](r)
					}
					if r.Method != http.MethodDelete || !isFirst && !test.isAlways {
						return nil, nil
					}
					isFirst = false
					isSilent = test.state == "silent"
					server.become(test.state)
					return faults[test.fault](r)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				live := service()
				live.SetUID("uid-mira-c0000")
				live.SetResourceVersion("7")
				resource, err := client.writable(RefOf(live))
				if err != nil {
					t.Fatal(err)
				}
				r := &recreator{client: client, resource: resource, name: "mira-c0000", former: types.UID("uid-mira-c0000")}
				if err := r.delete(ctx, live); !test.is(err) {
					t.Errorf("error %T: %v", err, err)
				}
			})
		})
	}
}
