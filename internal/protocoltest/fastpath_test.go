package protocoltest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// The fast path answers for a client whose configuration has not changed, whatever
// the template or the cluster has become, and for no other. That its answers are the
// framework's is checked by each step of every test here.
func TestCore_fastPath(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	c, acme := newClient(t, s)

	for _, step := range []struct {
		name    string
		before  func()
		want    fastAnswers
		changes bool
	}{
		{name: "nothing has changed", want: fastAnswers{upgrade: 1, read: 1, plan: 1}},
		{
			name:   "the template has changed",
			before: func() { s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "mira:3.0", "mira:3.1")) },
			want:   fastAnswers{upgrade: 1, read: 1, plan: 1}, changes: true,
		},
		{
			name: "an object has changed",
			before: func() {
				s.PutTemplate(t, acctest.SampleTemplate(t))
				s.Patch(t, "Ingress", "mira-acme", "kubectl-edit", `{"spec":{"ingressClassName":"by-hand"}}`)
			},
			want: fastAnswers{upgrade: 1}, changes: true, // the plan warns, of whose field it takes
		},
		{
			name: "an object is gone",
			before: func() {
				if _, err := c.Apply(t.Context(), acme); err != nil {
					t.Fatal(err)
				}
				s.Delete(t, "Service", "mira-acme")
			},
			want: fastAnswers{upgrade: 1, plan: 1}, changes: true,
		},
		{
			name:   "the configuration has changed",
			before: func() { acme["admin_email"] = "it@acme.example" },
			want:   fastAnswers{upgrade: 1, read: 1}, changes: true,
		},
		{
			name:   "the state is not the one that the provider has written",
			before: func() { acme["admin_email"] = "admin@acme.example"; c.Private = nil },
			want:   fastAnswers{upgrade: 1, plan: 1}, changes: true,
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.before != nil {
				step.before()
			}
			before := fastAnswersOf(c)
			plan, err := c.Plan(t.Context(), acme)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, fastAnswersOf(c).minus(before), cmp.AllowUnexported(fastAnswers{})); diff != "" {
				t.Errorf("answers by the fast path (-want +got):\n%s", diff)
			}
			if plan.IsEmpty() == step.changes {
				t.Errorf("the plan:\n%s", plan)
			}
		})
	}
	if _, err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// fastAnswers counts the answers by the fast path.
type fastAnswers struct{ upgrade, read, plan int }

func fastAnswersOf(c *protocoltest.Core) fastAnswers {
	return fastAnswers{
		upgrade: c.FastAnswers("UpgradeResourceState"), read: c.FastAnswers("ReadResource"), plan: c.FastAnswers("PlanResourceChange"),
	}
}

func (a fastAnswers) minus(b fastAnswers) fastAnswers {
	return fastAnswers{upgrade: a.upgrade - b.upgrade, read: a.read - b.read, plan: a.plan - b.plan}
}
