package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// ingressProbe is an Ingress that the API server would accept.
func ingressProbe() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{"defaultBackend": map[string]any{"service": map[string]any{"name": "x",
			"port": map[string]any{"number": int64(80)}}}},
	}}
}

// A create whose second write fails, although its dry run passed, leaves
// nothing behind, and the next apply creates the client.
func TestAccClient_createFailsHalfWay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	lift := s.Admission.DenyWrites(t, "ingresses", "true", ingressProbe())
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:      config,
				ExpectError: acctest.Message("Deleted again, as this apply had created it: Service " + s.Namespace + "/mira-acme."),
			},
			{
				PreConfig: func() {
					if err := noneLeft(t, s)(nil); err != nil {
						t.Fatal(err)
					}
					lift()
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// A create that fails does not delete what it has adopted: the client still serves, with
// the pods that it had, and is not tainted.
func TestAccClient_adoptionFailsHalfWay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	pods := s.UIDs(t, "Pod")
	lift := s.Admission.DenyWrites(t, "ingresses", "true", ingressProbe())
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config, ExpectError: acctest.Message("Written before the error, and still there: Service " + s.Namespace + "/mira-acme.")},
			{
				PreConfig: func() { lift() },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error { return samePods(t, s, pods) },
			},
		},
	})
}

// An update that fails half-way keeps its change in the next plan. What it had
// created by then is not forgotten, even if the template takes it back.
func TestAccClient_updateFailsHalfWay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	const extra = "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-metrics}\nspec: {ports: [{port: 9090}]}\n---\n"
	var pods map[string]types.UID
	var lift func()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					pods = s.UIDs(t, "Pod")
					s.PutTemplate(t, extra+acctest.Edit(t, sample, `ssl-passthrough: "true"`, `ssl-passthrough: "false"`))
					lift = s.Admission.DenyWrites(t, "ingresses", "true", ingressProbe())
				},
				Config:      config,
				ExpectError: acctest.Message("Written before the error, and still there: Service " + s.Namespace + "/mira-acme-metrics"),
			},
			{
				PreConfig: func() { lift() },
				Config:    config,
				PlanOnly:  true, ExpectNonEmptyPlan: true,
			},
			{
				PreConfig: func() { s.PutTemplate(t, sample) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{objectChanges("mira_client.acme", "- Service/mira-acme-metrics")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if s.Exists(t, "Service", "mira-acme-metrics") {
						return fmt.Errorf("the Service of the failed update is still there")
					}
					return samePods(t, s, pods)
				},
			},
		},
	})
}

// A new client that never comes up is in the state, and tainted: the error says
// so, and the next apply replaces it. Its claim stays.
func TestAccClient_createKeptThatFails(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.0"))
	lines := []string{`name = "acme"`, `admin_email = "admin@acme.example"`}
	provider := s.Provider(`rollout = { on_failure = "keep", grace = "1s" }`)
	var claims map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:      provider + client("acme", lines...),
				ExpectError: regexp.MustCompile(`(?s)Rollout Failed.*mira-acme-0.*ImagePullBackOff.*New Client Is Tainted`),
			},
			{
				PreConfig: func() { claims = s.UIDs(t, "PersistentVolumeClaim"); s.PutTemplate(t, sample) },
				Config:    provider + client("acme", lines...),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme",
						plancheck.ResourceActionDestroyBeforeCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if diff := cmp.Diff(claims, s.UIDs(t, "PersistentVolumeClaim")); diff != "" || len(claims) != 1 {
						return fmt.Errorf("claims (-before +after):\n%s", diff)
					}
					return nil
				},
			},
		},
	})
}

// An adopted client whose rollout does not complete must not be tainted: the
// next apply would delete what served before. It is not in the state, and the
// next apply adopts it again.
func TestAccClient_adoptionKeptThatTimesOut(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-slow:3.1", "creationTimestamp: null",
		`annotations: {localcluster/ready-after: "45s"}`))
	lines := []string{`name = "acme"`, `admin_email = "admin@acme.example"`}
	provider := s.Provider(`rollout = { on_failure = "keep" }`)
	set := s.Get(t, "StatefulSet", "mira-acme").GetUID()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:      provider + client("acme", append(lines, `timeouts = { create = "20s" }`)...),
				ExpectError: regexp.MustCompile(`(?s)Rollout Did Not Complete.*Adopted Client Not In State`),
			},
			{
				Config: provider + client("acme", lines...),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if now := s.Get(t, "StatefulSet", "mira-acme").GetUID(); now != set {
						return fmt.Errorf("the StatefulSet was replaced")
					}
					return nil
				},
			},
		},
	})
}
