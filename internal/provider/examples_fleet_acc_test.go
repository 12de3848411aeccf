package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// restartExample restarts clients by the action's example.
func restartExample(t *testing.T, s *acctest.Fleet) {
	t.Helper()
	acctest.RequireTerraform(t, "1.14.0") // the first with actions; no OpenTofu has them
	c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf",
		"actions/mira_client_restart/action.tf")
	c.Apply(t)
	pods := s.UIDs(t, "Pod")
	acctest.WantOutput(t, c.Run(t, "apply", "-auto-approve", "-invoke=action.mira_client_restart.acme"), "Action started", `Client "acme": `,
		"restarts its pods (1)", "serves with new pods (1)")
	restarted := s.UIDs(t, "Pod")
	if restarted["mira-acme-0"] == pods["mira-acme-0"] || restarted["mira-trial-0"] != pods["mira-trial-0"] {
		t.Errorf("other pods than that of acme were restarted: %v, then %v", pods, restarted)
	}
	acctest.WantOutput(t, c.Run(t, "apply", "-auto-approve", "-invoke=action.mira_client_restart.all"), `Client "acme": `, `Client "trial": `)
	if now := s.UIDs(t, "Pod"); now["mira-acme-0"] == restarted["mira-acme-0"] || now["mira-trial-0"] == restarted["mira-trial-0"] {
		t.Errorf("not all pods were restarted: %v, then %v", restarted, now)
	}
	acctest.WantOutput(t, c.Run(t, "plan"), "No changes")
	c.Destroy(t)
	s.DeleteClaims(t)
}

// queryExample lists the clients of the Django controller, and has the CLI write their configuration.
func queryExample(t *testing.T, s *acctest.Fleet, sample string) {
	t.Helper()
	acctest.RequireTerraform(t, "1.14.0") // the first with list resources; no OpenTofu has them
	djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
	djangoClient(t, s.Sandbox, sample, "globex", "it@globex.example")
	pods := s.UIDs(t, "Pod")
	c := acctest.NewExampleCLI(t, s.Sandbox, "provider/provider.tf", "list-resources/mira_client/list-resource.tfquery.hcl")
	acctest.WantOutput(t, c.Run(t, "query"), "name=acme", "name=globex", "no mira_client manages it")
	c.Run(t, "query", "-generate-config-out=clients.tf")
	acctest.WantOutput(t, c.Apply(t), "2 imported, 0 added, 2 changed, 0 destroyed")
	if err := samePods(t, s.Sandbox, pods); err != nil {
		t.Error(err)
	}
	if output := c.Run(t, "query"); strings.Contains(output, "name=acme") {
		t.Errorf("a client that is imported is listed again:\n%s", output)
	}
	c.Destroy(t)
	s.DeleteClaims(t)
}

// importFleetExample imports thirty clients that the data source finds, and leaves out a half-made one.
func importFleetExample(t *testing.T, s *acctest.Fleet, sample string) {
	t.Helper()
	const size = 30
	for i := range size {
		s.DjangoSave(t, sample, fmt.Sprintf("fleet-%02d", i), fmt.Sprintf("admin-%d@mira.example", i))
	}
	s.DjangoSave(t, sample, "half", "admin@half.example")
	s.Delete(t, "StatefulSet", "mira-half")
	s.WaitReady(t)
	s.WaitFor(t, "Pod", "those of the fleet alone", func(pods []*unstructured.Unstructured) bool { return len(pods) == size })
	pods := s.UIDs(t, "Pod")
	c := acctest.NewExampleCLI(t, s.Sandbox, "scenarios/import-fleet")
	acctest.WantOutput(t, c.Apply(t), "30 imported, 0 added, 30 changed, 0 destroyed", `left_out = [`, `"half",`)
	if err := samePods(t, s.Sandbox, pods); err != nil {
		t.Error(err)
	}
	fleet := c.Run(t, "output", "-json", "fleet")
	if err := os.WriteFile(filepath.Join(c.Directory(), "fleet.auto.tfvars.json"), []byte(fleet), 0o600); err != nil {
		t.Fatal(err)
	}
	acctest.WantOutput(t, c.Apply(t), "0 added, 0 changed, 0 destroyed", `left_out = `, `"half",`)
	c.Destroy(t)
	for _, kind := range []string{"Service", "Ingress"} {
		s.Delete(t, kind, "mira-half")
	}
	s.DeleteClaims(t)
}
