package provider

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// adoption is what adopting the objects of a client changes: their labels.
func adoption(name string) []string {
	var lines []string
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		lines = append(lines,
			fmt.Sprintf("+ %s/mira-%s metadata.labels[app.kubernetes.io/managed-by]: terraform-provider-mira", kind, name),
			fmt.Sprintf("+ %s/mira-%s metadata.labels[mira-cluster.io/client]: %s", kind, name, name))
	}
	return lines
}

// djangoClient writes a client as the Django controller does, and waits until it
// serves.
func djangoClient(t *testing.T, s *acctest.Sandbox, template, name, email string) {
	t.Helper()
	s.DjangoSave(t, template, name, email)
	// It saved every client again for each release: a PATCH over what exists.
	s.DjangoSave(t, template, name, email)
	s.WaitReady(t)
}

func samePods(t *testing.T, s *acctest.Sandbox, before map[string]types.UID) error {
	t.Helper()
	if diff := cmp.Diff(before, s.UIDs(t, "Pod")); diff != "" || len(before) == 0 {
		return fmt.Errorf("pods were replaced (-before +after):\n%s", diff)
	}
	return nil
}

// Objects that the Django controller wrote are adopted by a create. No pod
// restarts, and what a later template drops really goes from the live objects.
func TestAccClient_adoptByCreate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	var pods map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					djangoClient(t, s, sample, "acme", "admin@acme.example")
					pods = s.UIDs(t, "Pod")
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error { return samePods(t, s, pods) },
			},
			{
				// The annotation was written by the Django controller.
				PreConfig: func() {
					s.PutTemplate(t, acctest.Edit(t, sample, `ssl-passthrough: "true"`, `proxy-read-timeout: "60"`))
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{objectChanges("mira_client.acme",
						"- Ingress/mira-acme metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]: true",
						"+ Ingress/mira-acme metadata.annotations[nginx.ingress.kubernetes.io/proxy-read-timeout]: 60")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					annotations := s.Get(t, "Ingress", "mira-acme").GetAnnotations()
					if _, ok := annotations["nginx.ingress.kubernetes.io/ssl-passthrough"]; ok {
						return fmt.Errorf("the dropped annotation is still on the Ingress: %v", annotations)
					}
					return samePods(t, s, pods)
				},
			},
		},
	})
}

// Without force_conflicts the Django controller's objects are adopted all the
// same: adopting takes over what it owned. What others set is an error of the
// plan, which names the field and the manager.
func TestAccClient_adoptWithoutForce(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.2"))
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	config := s.Provider("force_conflicts = false") + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check:            func(*terraform.State) error { return s.CheckPodImage(t, "mira-acme-0", "mira:3.2") },
			},
			{
				PreConfig: func() { s.Scale(t, "mira-acme", 2) },
				Config:    config,
				PlanOnly:  true,
				ExpectError: acctest.Message(`Client "acme": StatefulSet ` + s.Namespace +
					`/mira-acme: spec.replicas is owned by kubectl. Remove these fields from the template, or set`),
			},
		},
	})
}

// A field that the Django controller wrote and the template at the time of the
// adoption does not have goes with the adoption.
func TestAccClient_adoptionDropsFormerFields(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			PreConfig: func() {
				former := acctest.Edit(t, sample, `ssl-passthrough: "true"`, "ssl-passthrough: \"false\"\n    former: annotation")
				djangoClient(t, s, former, "acme", "admin@acme.example")
			},
			Config: s.Provider() + acmeClient(),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
			Check: func(*terraform.State) error {
				annotations := s.Get(t, "Ingress", "mira-acme").GetAnnotations()
				if _, ok := annotations["former"]; ok || annotations["nginx.ingress.kubernetes.io/ssl-passthrough"] != "true" {
					return fmt.Errorf("annotations after the adoption: %v", annotations)
				}
				return nil
			},
		}},
	})
}

// Objects are adopted although the template has another member of a union by now, such
// as another handler of a probe. The former member is removed.
func TestAccClient_adoptionChangesUnion(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "        readinessProbe:\n          tcpSocket:\n            port: https\n",
		"        readinessProbe:\n          exec:\n            command: [caddy, version]\n"))
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config:           s.Provider() + acmeClient(),
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		}},
	})
}

// What others have added beside the template's fields, and what the server does not
// accept together with them, is removed if a person added it with kubectl. If a program
// did, the plan is an error that names it.
func TestAccClient_besideTheTemplate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + acmeClient()
	byHand := `{"spec":{"ports":[{"$patch":"delete","port":80},{"name":"http","port":81,"targetPort":"http"}]}}`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { s.Patch(t, "Service", "mira-acme", "kubectl-edit", byHand) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{objectChanges("mira_client.acme",
						"+ Service/mira-acme spec.ports[80,TCP].name: http", "+ Service/mira-acme spec.ports[80,TCP].targetPort: http")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					ports, _, _ := unstructured.NestedSlice(s.Get(t, "Service", "mira-acme").Object, "spec", "ports")
					if len(ports) != 2 {
						return fmt.Errorf("ports of the Service: %v", ports)
					}
					return nil
				},
			},
			{
				PreConfig: func() { s.Patch(t, "Service", "mira-acme", "lb-controller", byHand) },
				Config:    config,
				PlanOnly:  true,
				ExpectError: acctest.Message(`spec.ports[1].name: Duplicate value: "http" (template line 13). Other field managers have added ` +
					`spec.ports[81,TCP].name, by lb-controller`),
			},
		},
	})
}

// An import finds the e-mail and the variables in the live objects; the plan
// after it shows nothing but the adoption, which restarts no pod.
func TestAccClient_adoptByImport(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	template := acctest.Edit(t, sample, "mira:3.0", "mira:%IMAGE_TAG%", "replicas: 1", "replicas: %REPLICAS%")
	s.PutTemplate(t, template)
	djangoClient(t, s, acctest.Edit(t, template, "%IMAGE_TAG%", "3.0", "%REPLICAS%", "2"), "acme", "o'brien+mira@exa-mple.com")
	pods := s.UIDs(t, "Pod")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config: s.Provider(`variables = { IMAGE_TAG = "3.0" }`) + fmt.Sprintf(`
import {
  to = mira_client.acme
  id = "%s/acme"
}
`, s.Namespace) + client("acme", `name = "acme"`, `admin_email = "o'brien+mira@exa-mple.com"`, `variables = { REPLICAS = "2" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
						objectChanges("mira_client.acme", adoption("acme")...),
						onlyObjectsChange("mira_client.acme"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error { return samePods(t, s, pods) },
			},
		},
	})
}

// Import by `namespace/name` and by name returns the same state as the create.
func TestAccClient_importForms(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + acmeClient()},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateVerify: true},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateVerify: true, ImportStateId: "acme"},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateId: "a/b/c", ExpectError: acctest.Message("Invalid Import ID")},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateId: "nobody",
				ExpectError: acctest.Message("holds none of the objects of client \"nobody\"")},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateKind: resource.ImportBlockWithID},
		},
	})
}

// A CLI that knows resource identity can import a client by it.
func TestAccClient_importByIdentity(t *testing.T) {
	s := acctest.NewSandbox(t)
	acctest.RequireCLI(t, "1.12.0") // the first with resource identity
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + acmeClient()},
			{ResourceName: "mira_client.acme", ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
		},
	})
}
