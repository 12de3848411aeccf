package provider

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const image = "spec.template.spec.containers[mira].image"

// Three clients from one template: created, changed by a new template, repaired
// after edits by hand, one removed and put back.
func TestAccClient_wholeLife(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	fleet := func(names ...string) string {
		text := s.Provider() + "locals {\n  clients = {\n"
		for _, name := range names {
			text += fmt.Sprintf("    %[1]s = \"admin@%[1]s.example\"\n", name)
		}
		return text + `  }
}
resource "mira_client" "this" {
  for_each    = local.clients
  name        = each.key
  admin_email = each.value
}
`
	}
	const acme, globex, initech = `mira_client.this["acme"]`, `mira_client.this["globex"]`, `mira_client.this["initech"]`
	all := fleet("acme", "globex", "initech")
	var claims map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{
				Config: all,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(acme, plancheck.ResourceActionCreate),
						plancheck.ExpectKnownValue(acme, tfjsonpath.New("id"), knownvalue.StringExact(s.Namespace+"/acme")),
						plancheck.ExpectKnownValue(acme, tfjsonpath.New("url"), knownvalue.StringExact("https://acme."+acctest.Domain)),
						plancheck.ExpectKnownValue(acme, tfjsonpath.New("objects").AtMapKey("StatefulSet/mira-acme").AtMapKey(image),
							knownvalue.StringExact("mira:3.0")),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(acme, tfjsonpath.New("images"),
						knownvalue.MapPartial(map[string]knownvalue.Check{"mira": knownvalue.StringExact("mira:3.0")})),
					statecheck.ExpectKnownValue(acme, tfjsonpath.New("persistent_volume_claims"),
						knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("mira-data-mira-acme-0")})),
				},
			},
			{
				PreConfig: func() {
					claims = s.UIDs(t, "PersistentVolumeClaim")
					s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
				},
				Config: all,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(acme, plancheck.ResourceActionUpdate),
						objectChanges(acme, "~ StatefulSet/mira-acme "+image+": mira:3.0 -> mira:3.1"),
						objectChanges(globex, "~ StatefulSet/mira-globex "+image+": mira:3.0 -> mira:3.1"),
						objectChanges(initech, "~ StatefulSet/mira-initech "+image+": mira:3.0 -> mira:3.1"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error { return s.CheckPodImage(t, "mira-acme-0", "mira:3.1") })},
			},
			{
				PreConfig: func() {
					s.Scale(t, "mira-globex", 3)
				},
				Config: all,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(acme, plancheck.ResourceActionNoop),
						plancheck.ExpectResourceAction(globex, plancheck.ResourceActionUpdate),
						objectChanges(globex, "~ StatefulSet/mira-globex spec.replicas: 3 -> 1"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{
				PreConfig: func() { s.Delete(t, "Service", "mira-acme") },
				Config:    all,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(acme, plancheck.ResourceActionUpdate),
						objectChanges(acme, "+ Service/mira-acme"),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{
				Config: fleet("acme", "globex"),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(initech, plancheck.ResourceActionDestroy),
						plancheck.ExpectResourceAction(acme, plancheck.ResourceActionNoop),
					},
				},
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error {
					for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
						if s.Exists(t, kind, "mira-initech") {
							return fmt.Errorf("%s mira-initech is still there", kind)
						}
					}
					if s.Exists(t, "Pod", "mira-initech-0") {
						return fmt.Errorf("pod mira-initech-0 is still there after the delete returned")
					}
					return nil
				})},
			},
			{
				Config: all,
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error {
					now := s.UIDs(t, "PersistentVolumeClaim")
					for name, uid := range claims {
						if now[name] != uid {
							return fmt.Errorf("claim %s was %s and is %s", name, uid, now[name])
						}
					}
					return s.CheckPodImage(t, "mira-initech-0", "mira:3.1")
				})},
			},
			{
				// The framework's own destroy cannot read a state with for_each.
				Config:            fleet(),
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error { return noneLeft(t, s)(nil) })},
			},
		},
	})
}

// The typical template of the Django controller works unchanged for names that
// YAML takes for other things, and an address full of special characters.
func TestAccClient_oddNames(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	const email = "o'brien+mira@exa-mple.com"
	config := s.Provider()
	checks := []statecheck.StateCheck{}
	for _, name := range []string{"acme", "123", "true", "null"} {
		label := "c" + name
		config += client(label, fmt.Sprintf("name = %q", name), fmt.Sprintf("admin_email = %q", email))
		checks = append(checks, statecheck.ExpectKnownValue("mira_client."+label,
			tfjsonpath.New("objects").AtMapKey("StatefulSet/mira-"+name).AtMapKey("spec.template.spec.containers[mira].env[ADMIN_EMAIL].value"),
			knownvalue.StringExact(email)))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config:            config,
			ConfigStateChecks: checks,
			ConfigPlanChecks:  resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		}},
	})
}

// A document that the template drops is deleted, one that it gains is created,
// and the rest is left as it is.
func TestAccClient_templateDropsDocument(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	const extra = `
---
apiVersion: v1
kind: Service
metadata:
  name: mira-%CLIENT_NAME%-metrics
spec:
  selector: {app: mira, client: %CLIENT_NAME%}
  ports: [{name: metrics, port: 9090}]
`
	s.PutTemplate(t, sample+extra)
	config := s.Provider() + acmeClient()
	var before map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { before = s.UIDs(t, "Pod"); s.PutTemplate(t, sample) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{objectChanges("mira_client.acme", "- Service/mira-acme-metrics")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					if s.Exists(t, "Service", "mira-acme-metrics") {
						return fmt.Errorf("the dropped Service is still there")
					}
					if diff := cmp.Diff(before, s.UIDs(t, "Pod")); diff != "" {
						return fmt.Errorf("pods were replaced:\n%s", diff)
					}
					return nil
				},
			},
		},
	})
}

// A variable that fills a whole scalar has the type that YAML reads. A client's variables
// and its template override those of the provider.
func TestAccClient_variablesAndTemplateOverride(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "mira:3.0", "mira:%IMAGE_TAG%", "replicas: 1", "replicas: %REPLICAS%")
	s.PutConfigMap(t, "templates-yaml", map[string]string{
		"client_template.yaml": sample,
		"next.yaml":            acctest.Edit(t, sample, "caddy:2.8", "caddy:2.9"),
	})
	provider := s.Provider(`variables = { IMAGE_TAG = "3.0", REPLICAS = "1" }`)
	const acme, canary = "mira_client.acme", "mira_client.canary"
	field := func(client, path string) tfjsonpath.Path {
		return tfjsonpath.New("objects").AtMapKey("StatefulSet/mira-" + client).AtMapKey(path)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config: provider + acmeClient() +
					client("canary", `name = "canary"`, `admin_email = "admin@canary.example"`,
						`variables = { IMAGE_TAG = "3.1-rc1", REPLICAS = "2" }`, `template = { key = "next.yaml" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(acme, field("acme", image), knownvalue.StringExact("mira:3.0")),
					statecheck.ExpectKnownValue(acme, field("acme", "spec.template.spec.containers[caddy].image"), knownvalue.StringExact("caddy:2.8")),
					statecheck.ExpectKnownValue(canary, field("canary", image), knownvalue.StringExact("mira:3.1-rc1")),
					statecheck.ExpectKnownValue(canary, field("canary", "spec.replicas"), knownvalue.StringExact("2")),
					statecheck.ExpectKnownValue(canary, field("canary", "spec.template.spec.containers[caddy].image"),
						knownvalue.StringExact("caddy:2.9")),
					statecheck.ExpectKnownValue(canary, tfjsonpath.New("persistent_volume_claims"), knownvalue.ListExact([]knownvalue.Check{
						knownvalue.StringExact("mira-data-mira-canary-0"), knownvalue.StringExact("mira-data-mira-canary-1"),
					})),
				},
			},
			{
				Config: provider + client("acme", `name = "acme"`, `admin_email = "new@acme.example"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					objectChanges(acme, "~ StatefulSet/mira-acme spec.template.spec.containers[mira].env[ADMIN_EMAIL].value: admin@acme.example -> "+
						"new@acme.example"),
				}},
			},
			{
				Config:      provider + client("acme", `name = "acme"`, `admin_email = "new@acme.example"`, `template = { revision = "0123456789ab" }`),
				ExpectError: acctest.Message("Template Has Another Revision"),
			},
			{
				Config:      provider + client("acme", `name = "acme"`, `admin_email = "new@acme.example"`, `template = { key = "none.yaml" }`),
				ExpectError: acctest.Message(`has no key "none.yaml"; it has client_template.yaml, next.yaml`),
			},
		},
	})
}

// Deleting a client with delete_data takes its claims, too.
func TestAccClient_deleteData(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy: func(*terraform.State) error {
			if names := s.Names(t, "PersistentVolumeClaim"); len(names) > 0 {
				return fmt.Errorf("claims left: %v", names)
			}
			return nil
		},
		Steps: []resource.TestStep{{
			Config: s.Provider() + acmeClient(`delete_data = true`),
		}},
	})
}

// A client can live in another namespace than the provider's. A change of its namespace
// replaces the client.
func TestAccClient_namespace(t *testing.T) {
	t.Parallel()
	s, other := acctest.NewSandbox(t), acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	s.Rights.GrantIn(t, other.Namespace)
	lines := []string{`name = "acme"`, `admin_email = "admin@acme.example"`}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, other),
		Steps: []resource.TestStep{
			{Config: s.Provider() + client("acme", lines...)},
			{
				Config: s.Provider() + client("acme", append(lines, fmt.Sprintf("namespace = %q", other.Namespace))...),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionDestroyBeforeCreate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("mira_client.acme", tfjsonpath.New("id"), knownvalue.StringExact(other.Namespace+"/acme")),
				},
				Check: func(*terraform.State) error {
					if s.Exists(t, "StatefulSet", "mira-acme") {
						return fmt.Errorf("the client is still in its old namespace")
					}
					return nil
				},
			},
		},
	})
}
