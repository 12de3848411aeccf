package protocoltest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// secretsCore is a client with secret variables.
type secretsCore struct {
	*protocoltest.Core
	*testing.T
	acme    map[string]any
	secrets []string // all that the client has ever had
}

func (c *secretsCore) set(secrets map[string]any) {
	c.acme["secret_variables"] = secrets
	for _, secret := range secrets {
		c.secrets = append(c.secrets, secret.(string))
	}
}

// check fails the test for each secret in a text, in the state or in the private state.
func (c *secretsCore) check(texts ...string) {
	c.Helper()
	for _, text := range append(texts, string(c.State), string(c.Private)) {
		for _, secret := range c.secrets {
			if at := strings.Index(text, secret); at >= 0 {
				c.Errorf("%q shows: ...%s...", secret, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}

// plan returns the text of the plan, and which calls the fast path has answered for it.
func (c *secretsCore) plan() (string, fastAnswers) {
	c.Helper()
	before := fastAnswersOf(c.Core)
	plan, err := c.Plan(c.Context(), c.acme)
	if err != nil {
		c.Fatal(err)
	}
	c.check(plan.String())
	return plan.String(), fastAnswersOf(c.Core).minus(before)
}

func (c *secretsCore) apply() {
	c.Helper()
	plan, err := c.Apply(c.Context(), c.acme)
	if err != nil {
		c.check(err.Error())
		c.Fatal(err)
	}
	c.check(plan.String())
	if plan, answers := c.plan(); plan != "" || answers.minus(fastAnswers{upgrade: 1, read: 1, plan: 1}) != (fastAnswers{}) {
		c.Errorf("after an apply the fast path has answered %+v, and the plan is:\n%s", answers, plan)
	}
}

// The secrets of a client's configuration are in no plan and in no state, whatever becomes of
// them and whatever happens to an apply, and the fast path answers for such a client as for any
// other.
func TestCore_clientSecrets(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	text := acctest.Edit(t, acctest.SampleTemplate(t),
		"        - name: DATABASE_PATH", "        - name: PASSWORD\n          value: '%PASSWORD%'\n        - name: DATABASE_PATH",
		"- host: %CLIENT_NAME%.%CLUSTER_DOMAIN%", "- host: '%HOST%.%CLUSTER_DOMAIN%'")
	s.PutTemplate(t, text)
	c := &secretsCore{Core: newCore(s, nil), T: t, acme: map[string]any{"name": "acme", "admin_email": "admin@acme.example"}}
	c.set(map[string]any{"PASSWORD": "first-s3cr3t", "HOST": "first-host"})
	c.apply()

	c.set(map[string]any{"PASSWORD": "second-s3cr3t", "HOST": "second-host"})
	changed, answers := c.plan()
	if strings.Count(changed, "sha256:") != 6 || !strings.Contains(changed, `AttributeName("url")`) {
		t.Errorf("the plan of another secret does not have both hashes of each field, and of the address:\n%s", changed)
	}
	if diff := cmp.Diff(fastAnswers{upgrade: 1, read: 1, plan: 1}, answers, cmp.AllowUnexported(fastAnswers{})); diff != "" {
		t.Errorf("answers by the fast path (-want +got):\n%s", diff)
	}
	c.apply()

	// An apply is killed before its result gets into the state: it has put secrets where none
	// were, in place of a value that was recorded, and into a new field.
	state, private := slices.Clone(c.State), slices.Clone(c.Private)
	s.PutTemplate(t, acctest.Edit(t, text,
		"        - name: DATABASE_PATH", "        - name: NEW\n          value: '%TOKEN%'\n        - name: DATABASE_PATH",
		"ingressClassName: nginx", "ingressClassName: '%CLASS%'"))
	c.set(map[string]any{"PASSWORD": "third-s3cr3t", "HOST": "third-host", "TOKEN": "third-t0ken", "CLASS": "third-class"})
	c.apply()
	c.State, c.Private = state, private
	refreshed, _ := c.plan()
	for _, want := range []string{`"(not recorded)"`, `"spec.ingressClassName"`, "[NEW].value"} {
		if !strings.Contains(refreshed, want) {
			t.Errorf("the plan after a killed apply does not have %s:\n%s", want, refreshed)
		}
	}
	c.apply()
	if strings.Contains(string(c.State), "(not recorded)") {
		t.Errorf("the state is not complete: %s", c.State)
	}

	// The secrets go, with their places in the template.
	s.PutTemplate(t, acctest.SampleTemplate(t))
	delete(c.acme, "secret_variables")
	c.apply()
	if strings.Contains(string(c.State), "sha256:") || strings.Contains(string(c.State), "secret-variables") {
		t.Errorf("the state still has a hash, or the annotation: %s", c.State)
	}
	if _, err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// A secret that is not known yet leaves what does not depend on it known.
func TestCore_unknownClientSecret(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t),
		"        - name: DATABASE_PATH", "        - name: PASSWORD\n          value: %PASSWORD%\n        - name: DATABASE_PATH"))
	c := &secretsCore{Core: newCore(s, nil), T: t, acme: map[string]any{"name": "acme", "admin_email": "admin@acme.example"}}
	for _, secrets := range []any{tftypes.UnknownValue, map[string]any{"PASSWORD": tftypes.UnknownValue}} {
		c.acme["secret_variables"] = secrets
		plan, err := c.Plan(t.Context(), c.acme)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`value2: tftypes.Map[tftypes.Map[tftypes.String]]<unknown>`, "https://acme."} {
			if !strings.Contains(plan.String(), want) {
				t.Errorf("the plan does not have %q:\n%s", want, plan)
			}
		}
	}
}
