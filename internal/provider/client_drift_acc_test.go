package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Whatever somebody does to a client's objects by hand shows in the plan as
// itself and nothing else, and an apply repairs it.
func TestAccClient_drift(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`)
	steps := []resource.TestStep{{Config: config}}
	for _, drift := range []struct {
		name    string
		byHand  func()
		changes []string
	}{
		{
			"an image set by hand",
			func() {
				s.Patch(t, "StatefulSet", "mira-acme", "kubectl-set", `{"spec":{"template":{"spec":{"containers":[{"name":"mira","image":"mira:2.9"}]}}}}`)
			},
			[]string{"~ StatefulSet/mira-acme " + image + ": mira:2.9 -> mira:3.0"},
		},
		{
			"an environment variable changed by hand",
			func() {
				s.Patch(t, "StatefulSet", "mira-acme", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"mira","env":[{"name":"ADMIN_EMAIL","value":"x@y.example"}]}]}}}}`)
			},
			[]string{"~ StatefulSet/mira-acme spec.template.spec.containers[mira].env[ADMIN_EMAIL].value: x@y.example -> admin@acme.example"},
		},
		{
			"an annotation deleted by hand",
			func() {
				s.Patch(t, "Ingress", "mira-acme", "kubectl-edit", `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":null}}}`)
			},
			[]string{"+ Ingress/mira-acme metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]: true"},
		},
		{
			"a field taken over by another manager",
			func() {
				s.Apply(t, &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mira-acme"},
					"spec": map[string]any{"replicas": int64(0)},
				}}, "somebody")
			},
			[]string{"~ StatefulSet/mira-acme spec.replicas: 0 -> 1"},
		},
		{
			"a StatefulSet scaled to zero, which leaves the field to no manager",
			func() { s.Scale(t, "mira-acme", 0) },
			[]string{"~ StatefulSet/mira-acme spec.replicas: 0 -> 1"},
		},
		{
			"an object deleted by hand",
			func() { s.Delete(t, "Ingress", "mira-acme") },
			[]string{"+ Ingress/mira-acme"},
		},
		{
			"an object deleted and made anew by hand",
			func() {
				ingress := s.Get(t, "Ingress", "mira-acme")
				s.Delete(t, "Ingress", "mira-acme")
				ingress.Object["metadata"] = map[string]any{"name": "mira-acme", "annotations": map[string]any{
					"nginx.ingress.kubernetes.io/ssl-passthrough": "true", "extra": "by hand",
				}}
				s.Create(t, ingress, "kubectl-create")
			},
			[]string{
				"+ Ingress/mira-acme metadata.labels[app.kubernetes.io/managed-by]: terraform-provider-mira",
				"+ Ingress/mira-acme metadata.labels[mira-cluster.io/client]: acme",
			},
		},
		{
			"a port added to a list that the template owns",
			func() {
				s.Patch(t, "Service", "mira-acme", "kubectl-patch", `{"spec":{"selector":{"extra":"label"}}}`)
			},
			[]string{`~ Service/mira-acme spec.selector: {"app":"mira","client":"acme","extra":"label"} -> {"app":"mira","client":"acme"}`},
		},
	} {
		steps = append(steps, resource.TestStep{
			PreConfig: func() { t.Log(drift.name); drift.byHand() },
			Config:    config,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
					objectChanges("mira_client.acme", drift.changes...),
				},
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		})
	}
	for _, harmless := range []struct {
		name   string
		byHand func()
	}{
		{"a label of somebody else's", func() {
			s.Patch(t, "Service", "mira-acme", "cost-controller", `{"metadata":{"labels":{"cost-centre":"42"}}}`)
		}},
		{"an object written anew with the same content", func() {
			s.DjangoSave(t, sample, "acme", "admin@acme.example")
		}},
	} {
		steps = append(steps, resource.TestStep{
			PreConfig: func() { t.Log(harmless.name); harmless.byHand() },
			Config:    config,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}

// What somebody changes in the template shows as itself and nothing else.
func TestAccClient_templateChanges(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`)
	steps := []resource.TestStep{{Config: config}}
	const pods = "StatefulSet/mira-acme spec.template.spec."
	for _, change := range []struct {
		edit  [2]string
		lines []string
	}{
		{[2]string{"mira:3.0", "mira:3.1"}, []string{"~ " + pods + "containers[mira].image: mira:3.0 -> mira:3.1"}},
		{
			[2]string{"      - name: caddy\n", "      - name: metrics\n        image: metrics:1\n      - name: caddy\n"},
			[]string{"+ " + pods + "containers[metrics].image: metrics:1", "+ " + pods + "containers[metrics].name: metrics"},
		},
		{
			[2]string{"value: /var/lib/mira/mira.sqlite3", "value: /var/lib/mira/other.sqlite3"},
			[]string{"~ " + pods + "containers[mira].env[DATABASE_PATH].value: /var/lib/mira/mira.sqlite3 -> /var/lib/mira/other.sqlite3"},
		},
		{
			[2]string{"    nginx.ingress.kubernetes.io/ssl-passthrough: \"true\"\n", ""},
			[]string{"- Ingress/mira-acme metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]: true"},
		},
	} {
		before := sample
		sample = edit(t, sample, change.edit[0], change.edit[1])
		after := sample
		for _, step := range []struct {
			template string
			lines    []string
		}{{after, change.lines}, {before, reversed(change.lines)}, {after, change.lines}} {
			steps = append(steps, resource.TestStep{
				PreConfig: func() { s.PutTemplate(t, step.template) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
						objectChanges("mira_client.acme", step.lines...),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			})
		}
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}

// reversed gives the lines of the opposite change.
func reversed(lines []string) []string {
	var opposite []string
	for _, line := range lines {
		switch line[0] {
		case '~':
			path, values, _ := strings.Cut(line, ": ")
			old, now, _ := strings.Cut(values, " -> ")
			line = path + ": " + now + " -> " + old
		case '+':
			line = "-" + line[1:]
		default:
			line = "+" + line[1:]
		}
		opposite = append(opposite, line)
	}
	return opposite
}

// A client whose objects are all gone is created again; one whose StatefulSet
// was deleted with its pods left gets it back around them.
func TestAccClient_goneByHand(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
						s.Delete(t, kind, "mira-acme")
					}
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

// An object that another client owns is refused at plan, and deleting a client
// leaves alone what somebody put in the place of its objects.
func TestAccClient_foreignObjects(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy: func(*terraform.State) error {
			if !s.Exists(t, "Service", "mira-acme") {
				return fmt.Errorf("the Service of another client was deleted")
			}
			return nil
		},
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					s.Patch(t, "Service", "mira-acme", "kubectl-edit", `{"metadata":{"labels":{"mira-cluster.io/client":"globex"}}}`)
				},
				Config:      config,
				ExpectError: message(`belongs to client "globex"`),
			},
		},
	})
}

// A client that is taken out of the configuration is deleted although its
// template is gone by then. Its claim is kept.
func TestAccClient_deletedWithoutTemplate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`)},
			{
				PreConfig: func() { s.Delete(t, "ConfigMap", "templates-yaml") },
				Config:    s.Provider(),
				Check: func(*terraform.State) error {
					if !s.Exists(t, "PersistentVolumeClaim", "mira-data-mira-acme-0") {
						return fmt.Errorf("the claim is gone")
					}
					return noneLeft(t, s)(nil)
				},
			},
		},
	})
}
