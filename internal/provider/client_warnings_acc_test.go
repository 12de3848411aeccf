package provider

import (
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// There is a warning for what a plan cannot show as a field, and for nothing else. The
// plan is saved, and the apply does what the plan said.
func TestAccClient_warnings(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient(`variables = { NOBODY = "asks" }`))
	titles := []string{
		"Existing Objects Will Be Adopted", "Adoption Changes Objects", "Fields Taken From Other Managers", "Dropped Fields Stay",
		"Fields Set By Hand Will Be Removed", "Admission Changes Fields",
		"StatefulSet Will Be Recreated", "Claims Will Grow", "Template Not There Yet", "Namespace Not There Yet",
	}

	created := c.Plan(t)
	acctest.WantWarning(t, created.Warnings, "Unused Template Variable: ", `Client "acme" sets %NOBODY%, which the template does not use`)
	acctest.WantNoWarning(t, created.Warnings, titles...)
	c.ApplyPlan(t)

	s.Scale(t, "mira-acme", 2)
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-edit",
		`{"spec":{"template":{"spec":{"containers":[{"name":"caddy","readinessProbe":{"tcpSocket":null,"exec":{"command":["true"]}}}]}}}}`)
	s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n", "storage: 5Gi", "storage: 6Gi"))
	changed := c.Plan(t)
	acctest.WantWarning(t, changed.Warnings, "StatefulSet Will Be Recreated: ", "spec.serviceName, spec.volumeClaimTemplates",
		s.Namespace+"/mira-acme", "around its pods")
	acctest.WantWarning(t, changed.Warnings, "Claims Will Grow: ", "mira-data-mira-acme-0 from 5Gi to 6Gi")
	acctest.WantWarning(t, changed.Warnings, "Fields Taken From Other Managers: ", "StatefulSet/mira-acme spec.replicas, set by kubectl")
	acctest.WantWarning(t, changed.Warnings, "Fields Set By Hand Will Be Removed: ",
		`- StatefulSet/mira-acme spec.template.spec.containers[caddy].readinessProbe.exec.command: "[\"true\"]"`)
	acctest.WantNoWarning(t, changed.Warnings,
		"Existing Objects Will Be Adopted", "Adoption Changes Objects", "Dropped Fields Stay", "Admission Changes Fields")
	c.ApplyPlan(t)

	after := c.Plan(t)
	if len(after.Changes) > 0 || after.Action != "no-op" {
		t.Errorf("after the apply the plan is not empty: %s %v", after.Action, after.Changes)
	}
	acctest.WantNoWarning(t, after.Warnings, titles...)
	if requested, _ := capacity(t, s, acctest.ClaimName); requested != "6Gi" {
		t.Errorf("the claim asks for %s", requested)
	}
	c.Run(t, "destroy", "-auto-approve")
}
