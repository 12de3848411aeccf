package provider

import (
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Warnings tell what a plan cannot show as a field, and only then. The plan is
// saved, and the apply does what it said.
func TestAccClient_warnings(t *testing.T) {
	t.Parallel()
	env := buildMirror(t, "")
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := commandLine(t, env, s.Provider()+client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`, `variables = { NOBODY = "asks" }`))
	titles := []string{
		"Existing Objects Will Be Adopted", "Fields Taken From Other Managers", "Dropped Fields Stay", "Fields Set By Hand Will Be Removed", "Admission Changes Fields",
		"StatefulSet Will Be Recreated", "Claims Will Grow", "Template Not There Yet", "Namespace Not There Yet",
	}

	created := c.plan(t)
	wantWarning(t, created.warnings, "Unused Template Variable: ", `Client "acme" sets %NOBODY%, which the template does not use`)
	wantNoWarning(t, created.warnings, titles...)
	c.applyPlan(t)

	s.Scale(t, "mira-acme", 2)
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"caddy","readinessProbe":{"tcpSocket":null,"exec":{"command":["true"]}}}]}}}}`)
	s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n", "storage: 5Gi", "storage: 6Gi"))
	changed := c.plan(t)
	wantWarning(t, changed.warnings, "StatefulSet Will Be Recreated: ", "spec.serviceName, spec.volumeClaimTemplates", s.Namespace+"/mira-acme", "around its pods")
	wantWarning(t, changed.warnings, "Claims Will Grow: ", "mira-data-mira-acme-0 from 5Gi to 6Gi")
	wantWarning(t, changed.warnings, "Fields Taken From Other Managers: ", "StatefulSet/mira-acme spec.replicas, set by kubectl")
	wantWarning(t, changed.warnings, "Fields Set By Hand Will Be Removed: ", `- StatefulSet/mira-acme spec.template.spec.containers[caddy].readinessProbe.exec.command: "[\"true\"]"`)
	wantNoWarning(t, changed.warnings, "Existing Objects Will Be Adopted", "Dropped Fields Stay", "Admission Changes Fields")
	c.applyPlan(t)

	after := c.plan(t)
	if len(after.changes) > 0 || after.action != "no-op" {
		t.Errorf("after the apply the plan is not empty: %s %v", after.action, after.changes)
	}
	wantNoWarning(t, after.warnings, titles...)
	if requested, _ := capacity(t, s, acctest.ClaimName); requested != "6Gi" {
		t.Errorf("the claim asks for %s", requested)
	}
	c.run(t, "destroy", "-auto-approve")
}
