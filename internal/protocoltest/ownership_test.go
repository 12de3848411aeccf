package protocoltest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// What resources of one walk plan for one client is told apart, whatever the order: a
// client is declared once, and is not destroyed here and created there. Replacements of
// one resource pass.
func TestCore_oneClientTwoResources(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	c, acme := newClient(t, s)
	none := newCore(s, nil)
	kept := protocoltest.Instance{Core: c, Attributes: acme}
	replaced := protocoltest.Instance{Core: c, Attributes: acme, IsReplaced: true}
	tainted := protocoltest.Instance{Core: c, Attributes: acme, IsTainted: true}
	gone := protocoltest.Instance{Core: c}
	created := protocoltest.Instance{Core: none, Attributes: acme}
	other := map[string]any{"name": "globex", "admin_email": "admin@globex.example"}
	becomesOther := protocoltest.Instance{Core: c, Attributes: other}
	createdOther := protocoltest.Instance{Core: none, Attributes: other}

	twice, exists := []string{"Client Declared Twice"}, []string{"Client Exists Already"}
	for _, test := range []struct {
		name    string
		planned []protocoltest.Instance
		// words of the errors; none where there is no error. Where a new one comes first, the
		// provider does not know yet what the state has.
		words, wordsReversed []string
	}{
		{"one that stays", []protocoltest.Instance{kept}, nil, nil},
		{"one that is replaced", []protocoltest.Instance{replaced}, nil, nil},
		{"one that is tainted", []protocoltest.Instance{tainted}, nil, nil},
		{"one that is destroyed", []protocoltest.Instance{gone}, nil, nil},
		{"another client", []protocoltest.Instance{kept, createdOther}, nil, nil},
		{"a renamed client", []protocoltest.Instance{becomesOther}, nil, nil},
		{"two new ones", []protocoltest.Instance{createdOther, createdOther}, twice, twice},
		{"one that stays and a new one", []protocoltest.Instance{kept, created}, twice, exists},
		{"a replaced and a new one", []protocoltest.Instance{replaced, created}, twice, exists},
		{"a tainted and a new one", []protocoltest.Instance{tainted, created}, twice, exists},
		{"two that stay", []protocoltest.Instance{kept, kept}, twice, twice},
		{
			"a renamed resource", []protocoltest.Instance{gone, created},
			[]string{"Client Destroyed And Created", "moved {"}, []string{"Client Exists Already", "moved {"},
		},
		{"one that is destroyed and one that stays", []protocoltest.Instance{gone, kept}, []string{"Client Destroyed And Kept"},
			[]string{"Client Destroyed And Kept"}},
		{"a client that another becomes", []protocoltest.Instance{becomesOther, createdOther}, twice, twice},
		{"two states of one client are destroyed", []protocoltest.Instance{gone, gone}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, skipsRefresh := range []bool{false, true} {
				planned := slices.Clone(test.planned)
				for i := range planned {
					planned[i].SkipsRefresh = skipsRefresh
				}
				check(t, protocoltest.PlanTogether(t.Context(), planned...), test.words)
				slices.Reverse(planned)
				check(t, protocoltest.PlanTogether(t.Context(), planned...), test.wordsReversed)
			}
		})
	}
	// The resource is known by its private state; where that is lost, it is made again.
	c.Private = nil
	replaced.SkipsRefresh = true
	check(t, protocoltest.PlanTogether(t.Context(), replaced), nil)
	if _, err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// check fails the test unless an error has all words; without words there must be none.
func check(t *testing.T, err error, words []string) {
	t.Helper()
	if len(words) == 0 {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not have %q: %v", word, err)
		}
	}
}

// A client of another state is refused, and becomes this state's by an import of the CLI
// only. Where all may be adopted, it is.
func TestCore_anotherState(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	c, acme := newClient(t, s)
	before := s.Snapshot(t)
	_, err := newCore(s, nil).Apply(t.Context(), acme)
	check(t, err, []string{"planning", "Client Exists Already", "terraform import ADDRESS " + s.Namespace + "/acme"})
	if after := s.Snapshot(t); len(before) != len(after) {
		t.Errorf("objects were %v and are %v", before, after)
	}
	other := newCore(s, map[string]any{"adopt": "any"})
	if _, err := other.Apply(t.Context(), acme); err != nil {
		t.Error(err)
	}
	if plan, err := c.Plan(t.Context(), acme); err != nil || !plan.IsEmpty() {
		t.Errorf("%v; the plan of the first state:\n%s", err, plan)
	}
}

// A client that is gone from the cluster in which it was written is to be created again.
// On any other cluster the refresh is an error: whether it has no such client, or one of
// that name. Only what is missing costs the request that tells clusters apart.
func TestCore_anotherCluster(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	var asked atomic.Int64
	s.Intercept(t, func(r *http.Request) {
		if r.URL.Path == "/livez" {
			asked.Add(1)
		}
	})
	c, acme := newClient(t, s)
	if asked.Load() != 1 {
		t.Errorf("the create asked %d times for the cluster's identity", asked.Swap(0))
	}
	state, private := c.State, c.Private
	elsewhere := withPrivate(t, private, "cluster", func([]byte) []byte { return []byte(`"11111111-2222-3333-4444-555555555555"`) })

	asked.Store(0)
	c.Private = elsewhere
	if plan, err := c.Plan(t.Context(), acme); err != nil || !plan.IsEmpty() || asked.Load() > 0 {
		t.Errorf("a client that is there: %v, asked %d times:\n%s", err, asked.Load(), plan)
	}
	// The objects of the same names are others.
	c.Private = withPrivate(t, elsewhere, "objects", func(refs []byte) []byte {
		return bytes.ReplaceAll(refs, []byte(`"uid":"`), []byte(`"uid":"0`))
	})
	_, err := c.Plan(t.Context(), acme)
	check(t, err, []string{"refreshing", "Another Cluster Than Recorded", `client "acme"`, "-refresh=false"})

	c.Private = elsewhere
	destroy, err := c.Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		s.Delete(t, kind, "mira-acme")
	}
	// A destroy without a refresh does not take for deleted what it cannot find here.
	check(t, c.ApplyPlan(t.Context(), destroy), []string{"applying", "Another Cluster Than Recorded"})
	_, err = c.Plan(t.Context(), acme)
	check(t, err, []string{"refreshing", "Another Cluster Than Recorded"})
	_, err = c.Apply(t.Context(), nil)
	check(t, err, []string{"refreshing", "Another Cluster Than Recorded"})
	if c.State == nil {
		t.Error("the client is not in the state any more")
	}
	for name, mark := range map[string][]byte{
		"this cluster": private, "a cluster that is not recorded": withPrivate(t, private, "cluster", nil),
	} {
		c.State, c.Private = state, mark
		if plan, err := c.Plan(t.Context(), acme); err != nil || plan.IsEmpty() || c.State != nil {
			t.Errorf("%s: %v, plan:\n%s\nstate %s", name, err, plan, c.State)
		}
	}
}

// A recorded version of an API that the server does not serve any more is no obstacle: the
// object is found, and deleted, in the version that it serves.
func TestCore_versionNotServed(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	c, acme := newClient(t, s)
	current := c.Private
	private := withPrivate(t, current, "objects", func(refs []byte) []byte {
		refs = bytes.ReplaceAll(refs, []byte(`"apps/v1"`), []byte(`"apps/v1beta1"`))
		return bytes.ReplaceAll(refs, []byte(`"networking.k8s.io/v1"`), []byte(`"networking.k8s.io/v1beta1"`))
	})
	c.Private = private
	if plan, err := c.Plan(t.Context(), acme); err != nil || !plan.IsEmpty() {
		t.Errorf("%v; the plan:\n%s", err, plan)
	}
	if !bytes.Equal(c.Private, current) {
		t.Errorf("the refresh has not brought the references up to date:\n%s\n%s", c.Private, current)
	}
	c.Private = private
	if _, err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckNoClients(t); err != nil {
		t.Error(err)
	}
}

// withPrivate returns a private state with another content of a key; without a change,
// without the key.
func withPrivate(t *testing.T, private []byte, key string, change func([]byte) []byte) []byte {
	t.Helper()
	kept := make(map[string][]byte)
	if err := json.Unmarshal(private, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept[key]) == 0 {
		t.Fatalf("the private state has no %s", key)
	}
	if change == nil {
		delete(kept, key)
	} else {
		kept[key] = change(kept[key])
	}
	data, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
