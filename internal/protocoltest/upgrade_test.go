package protocoltest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// A state that an earlier version of the provider wrote works as it is: the plan is
// empty, and an update and a delete succeed. That holds without the references in its
// private part, too, which are lost when someone edits the state.
func TestCore_stateUpgrade(t *testing.T) {
	t.Parallel()
	stored, err := os.ReadFile("testdata/state-0.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, keepsPrivate := range []bool{true, false} {
		t.Run(map[bool]string{true: "with private state", false: "without"}[keepsPrivate], func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			c, acme := newClient(t, s)
			c.State = []byte(strings.ReplaceAll(string(stored), "NAMESPACE", s.Namespace))
			c.StateVersion = 0
			if !keepsPrivate {
				c.Private = nil
			}
			plan, err := c.Plan(t.Context(), acme)
			if err != nil {
				t.Fatal(err)
			}
			if !plan.IsEmpty() {
				t.Errorf("the plan for the state of an earlier version is not empty:\n%s", plan)
			}
			s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "mira:3.0", "mira:3.1"))
			if _, err := c.Apply(t.Context(), acme); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckPodImage(t, "mira-acme-0", "mira:3.1"); err != nil {
				t.Error(err)
			}
			if _, err := c.Apply(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckNoClients(t); err != nil {
				t.Error(err)
			}
		})
	}
}
