package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// templateBlock is a mira_template with a content, and further lines.
func templateBlock(text string, lines ...string) string {
	return fmt.Sprintf("resource \"mira_template\" \"this\" {\n  content = <<-EOT\n%s\nEOT\n  %s\n}\n",
		escaped(text), strings.Join(lines, "\n  "))
}

const pinnedToTemplate = "template = { revision = mira_template.this.revision }"

// A template and the clients that refer to it are one plan and one apply: when both come under
// Terraform for the first time, from a saved plan, without a refresh, and for one client alone.
func TestAccTemplate_onePlan(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	version := func(to string) string { return acctest.Edit(t, sample, "mira:3.0", "mira:"+to) }
	s.PutTemplate(t, sample)
	names := []string{"acme", "globex", "hooli", "initech", "umbrella"}
	config := s.Provider() + "resource \"mira_template\" \"this\" {\n  content = file(\"${path.module}/client_template.yaml\")\n}\n"
	for i, name := range names {
		email := "admin@" + name + ".example"
		if i < 3 {
			s.DjangoSave(t, sample, name, email)
		}
		config += client(name, fmt.Sprintf("name = %q", name), fmt.Sprintf("admin_email = %q", email), pinnedToTemplate,
			"wait_for_rollout = false")
	}
	c := newTemplateCLI(t, s, config, version("3.1"))

	warnings, planned := c.PlanAll(t)
	acctest.WantWarning(t, warnings, "Existing Template Will Be Replaced", revisionOf(t, sample), revisionOf(t, version("3.1")))
	for _, name := range names {
		objects, _ := planned[name].After["objects"].(map[string]any)
		fields, _ := objects["StatefulSet/mira-"+name].(map[string]any)
		if fields[image] != "mira:3.1" {
			t.Errorf("client %s is planned with image %v of %v", name, fields[image], objects)
		}
	}
	c.ApplyPlan(t)
	s.WantImages(t, "mira:3.1")
	c.Run(t, "plan", "-detailed-exitcode")

	// Without a refresh, from a saved plan.
	c.write(t, version("3.2"))
	_, planned = c.PlanAll(t, "-refresh=false")
	c.wantChange(t, planned, names, "mira:3.1", "mira:3.2")
	c.ApplyPlan(t)
	s.WantImages(t, "mira:3.2")
	c.Run(t, "plan", "-detailed-exitcode", "-refresh=false")

	// One client, and the template that it refers to.
	c.write(t, version("3.3"))
	_, planned = c.PlanAll(t, "-target=mira_client.acme")
	c.wantChange(t, planned, names[:1], "mira:3.2", "mira:3.3")
	c.ApplyPlan(t)
	_, planned = c.PlanAll(t)
	c.wantChange(t, planned, names[1:], "mira:3.2", "mira:3.3")
	c.ApplyPlan(t)
	s.WantImages(t, "mira:3.3")

	// A comment concerns no client.
	c.write(t, "# A comment.\n"+version("3.3"))
	acctest.WantOutput(t, c.Apply(t), "0 added, 1 changed, 0 destroyed")

	// What no client could be made from is refused, and nothing is changed.
	c.write(t, acctest.Edit(t, sample, "containerPort: 443", "containerPort: 443000"))
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "Server Rejects Template", "template line", "with mira_template.this")
	c.write(t, strings.SplitAfter(sample, "---\n")[0])
	acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve"), "Template Has No Workload", "5 clients", "acme, globex")
	s.WantImages(t, "mira:3.3")

	c.write(t, version("3.3"))
	acctest.WantOutput(t, c.Destroy(t), "6 destroyed")
	wantNoTemplate(t, s)
}

// A template is created, imported, read as data, moved to another key, and kept as long as
// clients follow it that this state does not have.
func TestAccTemplate_life(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	const address, data = "mira_template.this", "data.mira_template.this"
	at := s.Namespace + "/templates-yaml/"
	revision := knownvalue.StringExact(revisionOf(t, sample))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{
				Config: s.Provider() + templateBlock(sample),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectKnownValue(address, tfjsonpath.New("id"), knownvalue.StringExact(at+"client_template.yaml")),
						plancheck.ExpectKnownValue(address, tfjsonpath.New("revision"), revision),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateId: at + "client_template.yaml",
			},
			{
				ResourceName: address, ImportState: true, ImportStateId: at + "no-such-key",
				ExpectError: acctest.Message("Client Template Not Found"),
			},
			{
				ResourceName: address, ImportState: true, ImportStateId: "client_template.yaml",
				ExpectError: acctest.Message("Invalid Import ID"),
			},
			// A change by hand shows, and goes.
			{
				PreConfig: func() { s.PutTemplate(t, "broken: [") },
				Config:    s.Provider() + templateBlock(sample),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)},
				},
			},
			{
				Config: s.Provider() + templateBlock(sample) + "data \"mira_template\" \"this\" {\n  depends_on = [mira_template.this]\n}\n",
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(data, tfjsonpath.New("revision"), revision),
					statecheck.ExpectKnownValue(data, tfjsonpath.New("placeholders"), knownvalue.ListExact([]knownvalue.Check{
						knownvalue.StringExact("CLIENT_NAME"), knownvalue.StringExact("CLUSTER_DOMAIN"), knownvalue.StringExact("EMAIL_ADMIN"),
					})),
				},
			},
			{
				Config:      s.Provider() + "data \"mira_template\" \"this\" {\n  key = \"no-such-key\"\n}\n" + templateBlock(sample),
				ExpectError: acctest.Message(`has no key "no-such-key"; it has client_template.yaml`),
			},
			{
				Config: s.Provider() + templateBlock(sample+"\nkind: again"), PlanOnly: true,
				ExpectError: acctest.Message("Invalid Client Template"),
			},
			{
				Config: s.Provider() + later("text", sample+"\n", 1) +
					"resource \"mira_template\" \"this\" {\n  content = terraform_data.text.output\n}\n" + acmeClient(pinnedToTemplate),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectUnknownValue(address, tfjsonpath.New("revision")),
						plancheck.ExpectUnknownValue("mira_client.acme", tfjsonpath.New("objects")),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{Config: s.Provider() + templateBlock(sample, "lifecycle { create_before_destroy = true }") + acmeClient(pinnedToTemplate)},
			// To another key, with its client.
			{
				Config: s.Provider() + templateBlock(sample, `key = "next.yaml"`, "lifecycle { create_before_destroy = true }") +
					acmeClient("template = { key = mira_template.this.key, revision = mira_template.this.revision }"),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreateBeforeDestroy), objectChanges("mira_client.acme"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{
				PreConfig:   func() { s.DjangoSave(t, sample, "globex", "it@globex.example") },
				Config:      s.Provider(),
				ExpectError: acctest.Message(`namespace "` + s.Namespace + `" has 1 client that may follow it: globex. Nothing was deleted`),
			},
			{Config: s.Provider() + templateBlock(sample, `key = "next.yaml"`, "force_destroy = true")},
			{Config: s.Provider()},
		},
	})
	wantNoTemplate(t, s)
}

// wantNoTemplate checks that the ConfigMap has no template any more. It stays, as it was there
// before, or as there was another template in it.
func wantNoTemplate(t *testing.T, s *acctest.Sandbox) {
	t.Helper()
	if data, _, _ := unstructured.NestedMap(s.Get(t, "ConfigMap", "templates-yaml").Object, "data"); len(data) > 0 {
		t.Errorf("left of the template: %v", data)
	}
}

// templateCLI is a CLI whose template is a file beside the configuration.
type templateCLI struct{ *acctest.CLI }

func newTemplateCLI(t *testing.T, s *acctest.Sandbox, config, text string) templateCLI {
	t.Helper()
	c := templateCLI{acctest.NewCLI(t, s, config)}
	c.write(t, text)
	return c
}

func (c templateCLI) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Directory(), "client_template.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantChange checks that of the planned clients these, and no others, get another image, and
// nothing else.
func (c templateCLI) wantChange(t *testing.T, planned map[string]acctest.ClientPlan, names []string, from, to string) {
	t.Helper()
	want, got := make(map[string][]string), make(map[string][]string)
	for _, name := range names {
		want[name] = []string{fmt.Sprintf("~ StatefulSet/mira-%s %s: %s -> %s", name, image, from, to)}
	}
	for name, plan := range planned {
		if len(plan.Changes) > 0 {
			got[name] = plan.Changes
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("planned changes (-want +got):\n%s", diff)
	}
}
