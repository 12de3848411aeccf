package protocoltest_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

// newCore returns a core without a client, for the provider under test with further
// attributes in its block.
func newCore(s *acctest.Sandbox, attributes map[string]any) *protocoltest.Core {
	block := map[string]any{
		"namespace": s.Namespace, "cluster_domain": acctest.Domain,
		"template":   map[string]any{"namespace": s.Namespace},
		"kubernetes": map[string]any{"config_path": s.Kubeconfig},
	}
	maps.Copy(block, attributes)
	rollout := map[string]any{"soak": "0s"} // the pods of most tests stay ready
	if settings, ok := block["rollout"].(map[string]any); ok {
		maps.Copy(rollout, settings)
	}
	block["rollout"] = rollout
	return &protocoltest.Core{
		Served: provider.NewServer("test"), Reference: provider.NewFrameworkServer("test"),
		FastPathMessage: provider.FastPathMessage, Resource: "mira_client", Provider: block,
	}
}

// newClient returns a core that has created the client acme of the sample template,
// and the client's attributes.
func newClient(t *testing.T, s *acctest.Sandbox) (c *protocoltest.Core, acme map[string]any) {
	t.Helper()
	s.PutTemplate(t, acctest.SampleTemplate(t))
	c = newCore(s, nil)
	acme = map[string]any{"name": "acme", "admin_email": "admin@acme.example"}
	if _, err := c.Apply(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	return c, acme
}

// What somebody deletes between the plan of a destroy and the destroy itself counts as
// done.
func TestCore_deleteOfWhatIsGone(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	c, _ := newClient(t, s)
	plan, err := c.Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		s.Delete(t, kind, "mira-acme")
	}
	if err := c.ApplyPlan(t.Context(), plan); err != nil {
		t.Errorf("destroying what is gone: %v", err)
	}
	if c.State != nil {
		t.Errorf("the client is still in the state")
	}
}

// An operator who interrupts an apply in the middle of a recreation does not lose the
// StatefulSet: the recreation is finished first. The pods run on, and nothing is left
// to do.
func TestCore_recreationOutlastsAnInterrupt(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var isDeleted atomic.Bool
	s.Intercept(t, func(r *http.Request) {
		isCreate := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/statefulsets") && !r.URL.Query().Has("dryRun")
		if isCreate && isDeleted.CompareAndSwap(false, true) {
			interrupt()
		}
	})
	c, acme := newClient(t, s)
	before := s.Running(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "serviceName: mira\n", "serviceName: mira-acme\n"))
	_, err := c.Apply(ctx, acme)
	if !isDeleted.Load() {
		t.Fatalf("the apply did not recreate anything: %v", err)
	}
	if err := before.CheckRecreated(t, s); err != nil {
		t.Error(err)
	}
	if _, err := c.Apply(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.IsEmpty() {
		t.Errorf("the plan is not empty after the next apply:\n%s", plan)
	}
	if _, err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
