package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Letters of two code points, as macOS writes file names. Terraform makes one of each; the
// server keeps them.
func TestAccClient_decomposedText(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	const composed, decomposed = "caf\u00e9 Z\u00fcrich", "cafe\u0301 Zu\u0308rich"
	sample := acctest.SampleTemplate(t)
	text := acctest.Edit(t, sample, "value: /var/lib/mira/mira.sqlite3", "value: "+decomposed,
		`ssl-passthrough: "true"`, "ssl-passthrough: \"true\"\n    mira.example/note: "+decomposed)
	texts := func(want string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			env, _, _ := unstructured.NestedFieldNoCopy(s.Get(t, "StatefulSet", "mira-acme").Object, "spec", "template", "spec", "containers")
			note := s.Get(t, "Ingress", "mira-acme").GetAnnotations()["mira.example/note"]
			if note != want || !strings.Contains(fmt.Sprint(env), want) {
				return fmt.Errorf("the server has %+q and %+q, want %+q", note, env, want)
			}
			return nil
		}
	}
	same := resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	config := s.Provider() + acmeClient()
	s.PutTemplate(t, sample)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { s.PutTemplate(t, text) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{objectChanges("mira_client.acme",
						"+ Ingress/mira-acme metadata.annotations[mira.example/note]: "+composed,
						"~ StatefulSet/mira-acme spec.template.spec.containers[mira].env[DATABASE_PATH].value: /var/lib/mira/mira.sqlite3 -> "+composed,
					)},
					PostApplyPostRefresh: same.PostApplyPostRefresh,
				},
				Check: texts(decomposed),
			},
			{Config: s.Provider(), Check: func(*terraform.State) error { return s.CheckNoClients(t) }},
			// A new client, one that is adopted, and one that is imported.
			{Config: config, ConfigPlanChecks: same, Check: texts(decomposed)},
			{Config: s.Provider()},
			{
				PreConfig:        func() { s.DjangoSave(t, text, "acme", "admin@acme.example") },
				Config:           config,
				ConfigPlanChecks: same,
				Check:            texts(decomposed),
			},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateVerify: true, ImportStateId: "acme"},
		},
	})
}

// A template with an application and its database often has two StatefulSets whose containers
// are called the same.
func TestAccClient_containersOfOneName(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	template := func(image string) string {
		workload := func(name, image string) string {
			return "\n---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: " + name + "}\nspec:\n  serviceName: x\n" +
				"  selector: {matchLabels: {app: " + name + "}}\n  template:\n    metadata: {labels: {app: " + name + "}}\n" +
				"    spec: {containers: [{name: mira, image: '" + image + "'}]}\n"
		}
		return workload("mira-%CLIENT_NAME%", "mira:3.0") + workload("mira-%CLIENT_NAME%-db", image)
	}
	images := func(image string) []statecheck.StateCheck {
		both := map[string]knownvalue.Check{
			"StatefulSet/mira-acme/mira":    knownvalue.StringExact("mira:3.0"),
			"StatefulSet/mira-acme-db/mira": knownvalue.StringExact(image),
		}
		return []statecheck.StateCheck{
			statecheck.ExpectKnownValue("mira_client.acme", tfjsonpath.New("images"), knownvalue.MapExact(both)),
		}
	}
	var steps []resource.TestStep
	for i := range 6 {
		image := fmt.Sprintf("mariadb:%d", 11+i%2)
		steps = append(steps, resource.TestStep{
			PreConfig:         func() { s.PutTemplate(t, template(image)) },
			Config:            s.Provider() + acmeClient(),
			ConfigStateChecks: images(image),
			ConfigPlanChecks:  resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}
