package kube

import (
	"errors"
	"net/http"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestListAll(t *testing.T) {
	server := newFakeServer()
	server.putClients(1200)
	objects, err := ListAll(t.Context(), server.client(t), schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, "default")
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1200 || len(server.log) != 3 {
		t.Errorf("%d objects by %d requests, want 1200 by 3", len(objects), len(server.log))
	}
	if last := objects[1199]; last.GetName() != "mira-c1199" || last.GetKind() != "StatefulSet" || last.GetAPIVersion() != "apps/v1" {
		t.Errorf("the last one is %v", last.Object)
	}
}

// A list that the server has forgotten begins again, in one piece, and has each object once.
func TestListAll_expired(t *testing.T) {
	server := newFakeServer()
	server.putClients(700)
	server.before = func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("continue") {
			return status(r, http.StatusGone, "Expired"), nil
		}
		return nil, nil
	}
	client, services := server.client(t), schema.GroupKind{Kind: "Service"}
	objects, err := ListAll(t.Context(), client, services, "default")
	if err != nil || len(objects) != 700 {
		t.Errorf("%d objects, %v; want 700", len(objects), err)
	}
	if objects, err = ListMetadata(t.Context(), client, services, "default"); err != nil || len(objects) != 700 {
		t.Errorf("the metadata of %d objects, %v; want 700", len(objects), err)
	}
}

func TestListAll_refused(t *testing.T) {
	server := newFakeServer()
	server.before = func(r *http.Request) (*http.Response, error) {
		return status(r, http.StatusForbidden, "Forbidden"), nil
	}
	_, err := ListAll(t.Context(), server.client(t), ClaimKind.GroupKind(), "default")
	if forbidden, ok := errors.AsType[*ForbiddenError](err); !ok || forbidden.Ref.Namespace != "default" || forbidden.Verb != "list" {
		t.Errorf("error %v, want a ForbiddenError", err)
	}
}
