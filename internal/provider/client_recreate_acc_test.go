package provider

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Every field of a StatefulSet that the server does not let change is changed by
// recreating it around its pods: the plan names the field, the pods run on, and
// the claims stay.
func TestAccClient_recreate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	steps := []resource.TestStep{{
		Config: config,
		Check: func(*terraform.State) error {
			// What others own must come through, too. Taking the annotation of the pod
			// template away would restart the pods.
			s.Patch(t, "StatefulSet", "mira-acme", "kubectl-rollout",
				`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`)
			s.Patch(t, "StatefulSet", "mira-acme", "cost-controller",
				`{"metadata":{"labels":{"cost-centre":"42"},"annotations":{"reviewed-by":"somebody"}}}`)
			s.WaitReady(t)
			return nil
		},
	}}
	var before acctest.Running
	template := sample
	for _, change := range []struct {
		name  string
		edit  [2]string
		lines []string
	}{
		{
			"serviceName",
			[2]string{"serviceName: mira\n", "serviceName: mira-acme\n"},
			[]string{"~ StatefulSet/mira-acme spec.serviceName: mira -> mira-acme"},
		},
		{
			"selector",
			[2]string{"matchLabels:\n      app: mira\n", "matchLabels:\n      app: mira\n      client: %CLIENT_NAME%\n"},
			[]string{`~ StatefulSet/mira-acme spec.selector: {"matchLabels":{"app":"mira"}} -> {"matchLabels":{"app":"mira","client":"acme"}}`},
		},
		{
			"podManagementPolicy",
			[2]string{"replicas: 2\n", "replicas: 2\n  podManagementPolicy: Parallel\n"},
			[]string{"+ StatefulSet/mira-acme spec.podManagementPolicy: Parallel"},
		},
		{
			"podManagementPolicy by default",
			[2]string{"  podManagementPolicy: Parallel\n", ""},
			[]string{"- StatefulSet/mira-acme spec.podManagementPolicy: Parallel"},
		},
	} {
		template = acctest.Edit(t, template, change.edit[0], change.edit[1])
		put := template
		steps = append(steps, resource.TestStep{
			PreConfig: func() { t.Log(change.name); before = s.Running(t); s.PutTemplate(t, put) },
			Config:    config,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
					objectChanges("mira_client.acme", change.lines...),
				},
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
			Check: func(*terraform.State) error {
				live := s.Get(t, "StatefulSet", "mira-acme")
				if live.GetLabels()["cost-centre"] != "42" || live.GetAnnotations()["reviewed-by"] != "somebody" {
					return fmt.Errorf("what others own is lost: labels %v, annotations %v", live.GetLabels(), live.GetAnnotations())
				}
				managers := make(map[string]string)
				for _, entry := range live.GetManagedFields() {
					managers[entry.Manager+" "+entry.Subresource] = string(entry.Operation)
				}
				want := map[string]string{
					"terraform-provider-mira ": "Apply", "cost-controller ": "Update", "kubectl-rollout ": "Update",
					"kube-controller-manager status": "Update",
				}
				if diff := cmp.Diff(want, managers); diff != "" {
					return fmt.Errorf("managers (-want +got):\n%s", diff)
				}
				return before.CheckRecreated(t, s)
			},
		})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}

// An apply that ended between the delete and the create is finished by the next
// one, around the pods that run on.
func TestAccClient_recreationGoesOn(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	var before acctest.Running
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					before = s.Running(t)
					s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n"))
					s.Orphan(t, "StatefulSet", "mira-acme")
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
						objectChanges("mira_client.acme", "+ StatefulSet/mira-acme"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error { return before.CheckRecreated(t, s) },
			},
		},
	})
}

// A StatefulSet that cannot be created again, although its dry run passed, is restored as
// it was, with what others own. The next apply tries again.
func TestAccClient_recreationIsPutBack(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{
			"serviceName": "mira-acme", "selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "c"}}},
			},
		},
	}}
	var before acctest.Running
	var lift func()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					s.Patch(t, "StatefulSet", "mira-acme", "cost-controller", `{"metadata":{"labels":{"cost-centre":"42"}}}`)
					before = s.Running(t)
					s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n"))
					lift = s.Admission.DenyWrites(t, "statefulsets", `object.spec.serviceName == "mira-acme"`, probe)
				},
				Config:      config,
				ExpectError: acctest.Message(`StatefulSet ` + s.Namespace + `/mira-acme was put back as it was before.`),
			},
			{
				PreConfig: func() {
					if err := before.CheckRecreated(t, s); err != nil {
						t.Fatal(err)
					}
					lift()
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{objectChanges("mira_client.acme",
						"~ StatefulSet/mira-acme spec.serviceName: mira -> mira-acme")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if labels := s.Get(t, "StatefulSet", "mira-acme").GetLabels(); labels["cost-centre"] != "42" {
						return fmt.Errorf("what others own is lost: labels %v", labels)
					}
					return before.CheckRecreated(t, s)
				},
			},
		},
	})
}

// The Django controller's StatefulSet is adopted although the template by now has
// another value for an immutable field.
func TestAccClient_adoptionRecreates(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n"))
	djangoClient(t, s, acctest.Edit(t, sample, "replicas: 1\n", "replicas: 1\n  minReadySeconds: 1\n"), "acme", "admin@acme.example")
	before := s.Running(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config:           s.Provider() + acmeClient(),
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			Check: func(*terraform.State) error {
				live := s.Get(t, "StatefulSet", "mira-acme")
				if _, found, _ := unstructured.NestedInt64(live.Object, "spec", "minReadySeconds"); found {
					return fmt.Errorf("what the Django controller set beyond the template is still there")
				}
				return before.CheckRecreated(t, s)
			},
		}},
	})
}

// A change that cannot be made while the pods run can be made by replacing the client,
// as the error says.
func TestAccClient_taintedBeginsAnew(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { s.PutTemplate(t, acctest.Edit(t, sample, "name: mira-data", "name: data")) },
				Config:    config,
				Taint:     []string{"mira_client.acme"},
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme",
						plancheck.ResourceActionDestroyBeforeCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					for _, claim := range []string{acctest.ClaimName, "data-mira-acme-0"} {
						if !s.Exists(t, "PersistentVolumeClaim", claim) {
							return fmt.Errorf("claim %s is not there", claim)
						}
					}
					return nil
				},
			},
		},
	})
}
