package mira_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// requests are those that a proxy has seen.
type requests struct {
	mu   sync.Mutex
	seen []string
}

// follow puts a proxy before the API server.
func follow(t *testing.T, s *acctest.Sandbox) *requests {
	t.Helper()
	r := &requests{}
	s.Intercept(t, func(request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		line := request.Method + " " + request.URL.Path
		if request.URL.Query().Has("dryRun") {
			line += " (dry run)"
		}
		r.seen = append(r.seen, line)
	})
	return r
}

// take returns what was seen since the last call.
func (r *requests) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// The life of a client, without waits, in the processes and calls of a CLI: each request in line
// is a round trip.
func TestFleetAPI_requestsOfOneClient(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sent := follow(t, s)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	spec := specOf(s, "acme")
	atMost := func(what string, most int) {
		t.Helper()
		if seen := sent.take(); len(seen) > most {
			t.Errorf("%s took %d requests, want at most %d:\n%q", what, len(seen), most, seen)
		}
	}

	planned := newProcess(t, s).plan(t, spec, nil)
	applying := newProcess(t, s)
	applying.plan(t, spec, nil)
	sent.mu.Lock()
	before := len(sent.seen)
	sent.mu.Unlock()
	created, err := applying.Create(t.Context(), spec, mira.ApplyOptions{Planned: planned.Objects})
	if err != nil {
		t.Fatal(err)
	}
	created.Cluster = applying.ClusterID(t.Context())
	sent.mu.Lock()
	ofCreate := slices.Clone(sent.seen[before:])
	sent.mu.Unlock()
	for _, request := range ofCreate {
		if request != "GET /livez" && (request[:5] != "PATCH" || request[len(request)-1] == ')') {
			t.Errorf("the create itself sent %q, want writes only", request)
		}
	}
	atMost("a create", 14)
	s.WaitReady(t) // a rollout that goes on is looked at more closely

	state := &created.State
	planning := newProcess(t, s)
	state = planning.refresh(t, spec, state)
	planning.plan(t, spec, state)
	atMost("a plan of an unchanged client", 4)

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
	planning = newProcess(t, s)
	state = planning.refresh(t, spec, state)
	planned = planning.plan(t, spec, state)
	applying = newProcess(t, s)
	applying.plan(t, spec, state)
	updated, err := applying.Update(t.Context(), spec, state, mira.ApplyOptions{Planned: planned.Objects})
	if err != nil {
		t.Fatal(err)
	}
	atMost("an update", 12)

	state = &updated.State
	planning = newProcess(t, s)
	state = planning.refresh(t, spec, state)
	planning.plan(t, spec, state)
	if _, err := newProcess(t, s).PlanDelete(t.Context(), spec.Namespace, spec.Name, state, false, nil); err != nil {
		t.Fatal(err)
	}
	deleted, err := newProcess(t, s).Delete(t.Context(), spec.Namespace, spec.Name, state, false)
	if err != nil {
		t.Fatal(err)
	}
	atMost("a destroy", 11) // one of them lists the claims; this and the reads are shared by the clients of a run
	if !slices.Equal(deleted.KeptClaims, []string{"mira-data-mira-acme-0"}) {
		t.Errorf("claims that are told to stay: %q", deleted.KeptClaims)
	}
}

// An apply goes by what the plan right before it has found. Whatever has changed since is found by
// the writes.
func TestFleetAPI_changedSinceThePlan(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)

	t.Run("another state has created the client", func(t *testing.T) {
		spec := specOf(s, "acme")
		first, second := newProcess(t, s), newProcess(t, s)
		planned := second.plan(t, spec, nil)
		if _, err := first.Create(t.Context(), spec, mira.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		before := s.Get(t, "Service", "mira-acme").GetResourceVersion()
		_, err := second.Create(t.Context(), spec, mira.ApplyOptions{Planned: planned.Objects})
		if _, ok := errors.AsType[*mira.ExistingClientError](err); !ok {
			t.Errorf("error %v, want an ExistingClientError", err)
		}
		if after := s.Get(t, "Service", "mira-acme").GetResourceVersion(); after != before {
			t.Error("an object of the other state was written to")
		}
	})

	t.Run("an object of another client has come", func(t *testing.T) {
		spec := specOf(s, "globex")
		fleet := newProcess(t, s)
		planned := fleet.plan(t, spec, nil)
		const service = "mira-globex"
		foreign := s.Get(t, "Service", "mira-acme").DeepCopy()
		foreign.Object["metadata"] = map[string]any{"name": service, "labels": map[string]any{mira.ClientLabel: "initech"}}
		delete(foreign.Object, "status")
		delete(foreign.Object["spec"].(map[string]any), "clusterIP")
		delete(foreign.Object["spec"].(map[string]any), "clusterIPs")
		s.Apply(t, foreign, "test")
		version := s.Get(t, "Service", service).GetResourceVersion()
		if _, err := fleet.Create(t.Context(), spec, mira.ApplyOptions{Planned: planned.Objects}); err == nil {
			t.Error("the create took an object of another client")
		}
		if now := s.Get(t, "Service", service).GetResourceVersion(); now != version {
			t.Error("the object of another client was written to")
		}
	})

	t.Run("an object was changed by hand", func(t *testing.T) {
		spec := specOf(s, "hooli")
		created, err := newProcess(t, s).Create(t.Context(), spec, mira.ApplyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
		defer s.PutTemplate(t, sample)
		fleet := newProcess(t, s)
		planned := fleet.plan(t, spec, &created.State)
		s.Patch(t, "StatefulSet", "mira-hooli", "kubectl-edit", `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":77}}}}`)
		if _, err := fleet.Update(t.Context(), spec, &created.State, mira.ApplyOptions{Planned: planned.Objects}); err != nil {
			t.Fatal(err)
		}
		if image := acctest.Image(t, s.Get(t, "StatefulSet", "mira-hooli")); image != "mira:3.1" {
			t.Errorf("image %s, want what was planned", image)
		}
	})

	t.Run("an object is gone", func(t *testing.T) {
		spec := specOf(s, "umbrella")
		created, err := newProcess(t, s).Create(t.Context(), spec, mira.ApplyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.PutTemplate(t, acctest.Edit(t, sample, "type: ClusterIP\n", "type: ClusterIP\n  sessionAffinity: ClientIP\n"))
		defer s.PutTemplate(t, sample)
		fleet := newProcess(t, s)
		planned := fleet.plan(t, spec, &created.State)
		s.Delete(t, "Service", "mira-umbrella")
		if _, err := fleet.Update(t.Context(), spec, &created.State, mira.ApplyOptions{Planned: planned.Objects}); err != nil {
			t.Fatal(err)
		}
		if affinity := s.Get(t, "Service", "mira-umbrella").Object["spec"].(map[string]any)["sessionAffinity"]; affinity != "ClientIP" {
			t.Errorf("sessionAffinity %v, want what was planned", affinity)
		}
	})
}

// Where an object cannot be read, a delete stops before it deletes the first.
func TestFleetAPI_deleteThatCannotRead(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	faults := acctest.NewFaults(t, s)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	spec := specOf(s, "acme")
	created, err := newProcess(t, s).Create(t.Context(), spec, mira.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	faults.InjectAll(acctest.RefusingFaults()[0], func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/services/mira-acme")
	})
	if _, err := newProcess(t, s).Delete(t.Context(), spec.Namespace, spec.Name, &created.State, false); err == nil {
		t.Error("the delete did not fail")
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		if !s.Exists(t, kind, "mira-acme") {
			t.Errorf("the %s was deleted", kind)
		}
	}
}
