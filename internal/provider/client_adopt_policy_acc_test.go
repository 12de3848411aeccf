package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// A client that one state has is refused to another, at plan: with the same configuration
// in another workspace nothing is taken over, and a destroy there deletes nothing.
func TestAccClient_secondWorkspace(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + acmeClient()
	c := acctest.NewCLI(t, s, config)
	c.Apply(t)
	pods, objects := s.UIDs(t, "Pod"), s.Snapshot(t)

	c.Run(t, "workspace", "new", "copy")
	for _, arguments := range [][]string{{"plan"}, {"plan", "-refresh=false"}, {"apply", "-auto-approve"}} {
		output := c.Fail(t, arguments...)
		acctest.WantOutput(t, output, "Client Exists Already", `Client "acme": Service `+s.Namespace+"/mira-acme exists and carries the label",
			"terraform import ADDRESS "+s.Namespace+"/acme", "moved {", `adopt = "any"`)
	}
	c.Run(t, "destroy", "-auto-approve", "-refresh=false")
	if err := samePods(t, s, pods); err != nil {
		t.Error(err)
	}
	if after := s.Snapshot(t); len(after) != len(objects) {
		t.Errorf("there were %d objects, and there are %d", len(objects), len(after))
	}

	// Where the configuration allows it, a plan says whose they are.
	other := acctest.NewCLI(t, s, s.Provider(`adopt = "any"`)+acmeClient())
	acctest.WantWarning(t, other.Plan(t).Warnings,
		`Existing Objects Will Be Adopted (Client "acme"): `, "They have the client's label already")

	// The first state goes on as before: a replacement deletes what this state has.
	c.Run(t, "workspace", "select", "default")
	c.Run(t, "plan", "-detailed-exitcode")
	c.Run(t, "apply", "-auto-approve", "-replace=mira_client.acme")
	c.Run(t, "taint", "mira_client.acme")
	c.Apply(t, "-refresh=false")
	c.Destroy(t)
}

// A replacement that creates before it destroys finds the objects of the client that it
// replaces. In the apply it cannot be told from a create of another state: it is refused,
// and changes nothing. The errors name the way back. Where all objects may be adopted, the
// replacement keeps the client's objects.
func TestAccClient_createBeforeDestroy(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	acme := acmeClient("lifecycle {\n    create_before_destroy = true\n  }")
	c := acctest.NewCLI(t, s, s.Provider()+acme)
	c.Apply(t)
	running := s.UIDs(t, "Pod")
	c.Run(t, "taint", "mira_client.acme")
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "Client Exists Already", "create_before_destroy")
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "terraform state rm ADDRESS")
	c.Run(t, "state", "rm", "mira_client.acme")
	c.Run(t, "import", "mira_client.acme", "acme")
	c.Apply(t)

	other := acctest.NewCLI(t, s, s.Provider(`adopt = "any"`)+acme)
	c.Run(t, "state", "rm", "mira_client.acme")
	other.Apply(t)
	other.Run(t, "taint", "mira_client.acme")
	acctest.WantOutput(t, other.Apply(t), "1 added, 0 changed, 1 destroyed")
	if err := samePods(t, s, running); err != nil {
		t.Error(err)
	}
	other.Destroy(t)
}

// What an interrupted create has left is not in any state. The import that the error names
// brings it in.
func TestAccClient_leftByInterruptedCreate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					djangoClient(t, s, sample, "acme", "admin@acme.example")
					s.Patch(t, "Service", "mira-acme", "terraform-provider-mira", `{"metadata":{"labels":{"mira-cluster.io/client":"acme"}}}`)
				},
				Config:      config,
				PlanOnly:    true,
				ExpectError: acctest.Message("terraform import ADDRESS " + s.Namespace + "/acme"),
			},
			{
				Config: config + "import {\n  to = mira_client.acme\n  id = \"acme\"\n}\n",
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// With `never` a create adopts nothing. An import does, and a client of this state can be
// replaced.
func TestAccClient_adoptNever(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider(`adopt = "never"`) + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				PreConfig:   func() { djangoClient(t, s, sample, "acme", "admin@acme.example") },
				Config:      config,
				PlanOnly:    true,
				ExpectError: acctest.Message("mira-acme exists. Nothing was changed: the provider's `adopt` is"),
			},
			{Config: config + "import {\n  to = mira_client.acme\n  id = \"acme\"\n}\n"},
			{
				Taint:  []string{"mira_client.acme"},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme",
						plancheck.ResourceActionDestroyBeforeCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// What was added with kubectl goes with the adoption, as the template does not
// have it. The plan of a create and that of an import list it in a warning that names the
// client. What is given to a field manager of its own, as the guide says, stays.
func TestAccClient_adoptionRemoves(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	const annotation = "nginx.ingress.kubernetes.io/proxy-body-size"
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	for name, value := range map[string]string{annotation: "64m", "example.com/note": "by hand"} {
		s.Patch(t, "Ingress", "mira-acme", "kubectl-annotate", fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, name, value))
	}
	config := s.Provider() + acmeClient()
	imports := config + "import {\n  to = mira_client.acme\n  id = \"acme\"\n}\n"
	title := `Adoption Removes Fields (Client "acme"): `
	sizeGoes := "- Ingress/mira-acme metadata.annotations[" + annotation + `]: "64m"`
	noteGoes := `- Ingress/mira-acme metadata.annotations[example.com/note]: "by hand"`
	for _, text := range []string{config, imports} {
		acctest.WantWarning(t, acctest.NewCLI(t, s, text).Plan(t).Warnings, title, sizeGoes, noteGoes)
	}

	kept := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}}
	kept.SetName("mira-acme")
	kept.SetAnnotations(map[string]string{annotation: "64m"})
	s.Apply(t, kept, "operations")
	for _, text := range []string{config, imports} {
		warnings := acctest.NewCLI(t, s, text).Plan(t).Warnings
		acctest.WantWarning(t, warnings, title, noteGoes)
		for _, warning := range warnings {
			if strings.Contains(warning, annotation) {
				t.Errorf("the warning names what stays: %s", warning)
			}
		}
	}
	c := acctest.NewCLI(t, s, imports)
	c.Apply(t)
	annotations := s.Get(t, "Ingress", "mira-acme").GetAnnotations()
	if _, isLeft := annotations["example.com/note"]; isLeft || annotations[annotation] != "64m" {
		t.Errorf("annotations after the adoption: %v", annotations)
	}
	acctest.WantNoWarning(t, c.Plan(t).Warnings, strings.TrimSuffix(title, ": "))
	c.Destroy(t)
}

// The plan that imports a fleet names the clients that are not as the template says, each in
// a warning of its own, with what changes. Those that match are no news.
func TestAccClient_importNamesTheOddOnes(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	clients := []string{"same", "scaled", "halted", "halfmade", "noted"}
	config := s.Provider() + "locals {\n  clients = toset([\"" + strings.Join(clients, `", "`) + `"])
}
import {
  for_each = local.clients
  to       = mira_client.this[each.key]
  id       = each.key
}
resource "mira_client" "this" {
  for_each    = local.clients
  name        = each.key
  admin_email = "admin@${each.key}.example"
}
`
	for _, name := range clients {
		djangoClient(t, s, sample, name, "admin@"+name+".example")
	}
	s.Scale(t, "mira-scaled", 2)
	s.Patch(t, "StatefulSet", "mira-halted", "kubectl-set",
		`{"spec":{"template":{"spec":{"containers":[{"name":"mira","image":"mira:2.9"}]}}}}`)
	s.Delete(t, "Service", "mira-halfmade")
	s.Patch(t, "Ingress", "mira-noted", "kubectl-annotate", `{"metadata":{"annotations":{"example.com/note":"by hand"}}}`)

	c := acctest.NewCLI(t, s, config)
	warnings := c.Plan(t).Warnings
	const title = "Adoption Changes Objects (Client %q): "
	acctest.WantWarning(t, warnings, fmt.Sprintf(title, "scaled"), `~ StatefulSet/mira-scaled spec.replicas: "2" -> "1"`)
	acctest.WantWarning(t, warnings, fmt.Sprintf(title, "halted"), `containers[mira].image: "mira:2.9" -> "mira:3.0"`)
	acctest.WantWarning(t, warnings, fmt.Sprintf(title, "halfmade"), "will be created: Service "+s.Namespace+"/mira-halfmade")
	acctest.WantWarning(t, warnings, `Adoption Removes Fields (Client "noted"): `, `example.com/note]: "by hand"`)
	for _, warning := range warnings {
		if strings.Contains(warning, "Adopt") && strings.Contains(warning, `"same"`) {
			t.Errorf("the client that matches is named: %s", warning)
		}
	}
	c.Apply(t)
	acctest.WantNoWarning(t, c.Plan(t).Warnings, "Adoption")
	c.Destroy(t)
}
