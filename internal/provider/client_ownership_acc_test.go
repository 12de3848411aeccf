package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// A delete leaves a StatefulSet that belongs to someone else by now, and its claims,
// whatever delete_data says.
func TestAccClient_deleteDataSparesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + acmeClient(`delete_data = true`)},
			{
				PreConfig: func() {
					s.Patch(t, "StatefulSet", "mira-acme", "kubectl-edit", `{"metadata":{"labels":{"mira-cluster.io/client":"globex"}}}`)
				},
				Config: s.Provider(),
				Check: func(*terraform.State) error {
					if !s.Exists(t, "StatefulSet", "mira-acme") || s.Get(t, "PersistentVolumeClaim",
						"mira-data-mira-acme-0").GetDeletionTimestamp() != nil {
						return fmt.Errorf("the StatefulSet of another client, or its claim, was deleted")
					}
					return nil
				},
			},
		},
	})
}

// A client that ran before is never tainted, however often creating it fails:
// not even when an earlier create had adopted it.
func TestAccClient_failingAdoptionsNeverTaint(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	config := s.Provider(`rollout = { on_failure = "keep", grace = "1s" }`) + acmeClient()
	bad := func(image string) resource.TestStep {
		return resource.TestStep{
			PreConfig:   func() { s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", image)) },
			Config:      config,
			ExpectError: regexp.MustCompile(`(?s)ImagePullBackOff.*Adopted Client Not In State`),
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		// The same template again: no new generation, and still not served.
		Steps: []resource.TestStep{bad("mira-badpull:1"), bad("mira-badpull:1"), bad("mira-badpull:2")},
	})
}

// Two clients whose templates have an object of the same name are an error at plan.
func TestAccClient_collision(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%}\nspec: {ports: [{port: 80}]}\n"+
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-web}\nspec: {ports: [{port: 80}]}\n")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config: s.Provider() + client("a", `name = "a"`, `admin_email = "a@b.example"`) + client("b", `name = "a-web"`,
				`admin_email = "a@b.example"`),
			PlanOnly:    true,
			ExpectError: acctest.Message("Service " + s.Namespace + "/mira-a-web belongs to client"),
		}},
	})
}

// A client declared twice is refused at plan, whether it is in the state or not. A resource
// that is renamed needs a `moved` block, and keeps its objects then.
func TestAccClient_oneClientTwoAddresses(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	lines := []string{`name = "acme"`, `admin_email = "admin@acme.example"`}
	var sets map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:      s.Provider() + client("one", lines...) + client("two", lines...),
				PlanOnly:    true,
				ExpectError: acctest.Message("Client Declared Twice"),
			},
			{Config: s.Provider() + client("one", lines...)},
			{
				// The new one may be planned before the CLI has shown that the state has the client.
				PreConfig:   func() { sets = s.UIDs(t, "StatefulSet") },
				Config:      s.Provider() + client("one", lines...) + client("two", lines...),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile("Client Declared Twice|Client Exists Already"),
			},
			{
				Config:      s.Provider() + client("new", lines...),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`(?s)(Client Destroyed And Created|Client Exists Already).*moved {`),
			},
			{
				Config: s.Provider() + client("new", lines...) + "moved {\n  from = mira_client.one\n  to   = mira_client.new\n}\n",
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if diff := cmp.Diff(sets, s.UIDs(t, "StatefulSet")); diff != "" {
						return fmt.Errorf("StatefulSets (-before +after):\n%s", diff)
					}
					return nil
				},
			},
		},
	})
}

// An object that is being deleted counts as deleted: it is created again when it is gone.
func TestAccClient_objectBeingDeleted(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					s.Patch(t, "Service", "mira-acme", "test", `{"metadata":{"finalizers":["example.com/hold"]}}`)
					s.Delete(t, "Service", "mira-acme")
				},
				Config: config, PlanOnly: true, ExpectNonEmptyPlan: true,
			},
			{
				PreConfig: func() { s.Patch(t, "Service", "mira-acme", "test", `{"metadata":{"finalizers":null}}`) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{objectChanges("mira_client.acme", "+ Service/mira-acme")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}
