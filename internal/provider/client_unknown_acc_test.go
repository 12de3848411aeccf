package provider

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// later is a value that only an apply makes known, as
// `terraform_data.LABEL.output`. Another number for again makes it unknown again.
func later(label, value string, again int) string {
	return fmt.Sprintf("resource \"terraform_data\" %q {\n  input            = %q\n  triggers_replace = %d\n}\n", label,
		filepath.ToSlash(value), again)
}

var computed = []string{"id", "url", "template_revision", "objects", "images", "persistent_volume_claims"}

// knownExactly checks that of the computed attributes these are known at plan,
// with these values, and the others are not.
func knownExactly(address string, known map[string]knownvalue.Check) []plancheck.PlanCheck {
	var checks []plancheck.PlanCheck
	for _, attribute := range computed {
		if value, ok := known[attribute]; ok {
			checks = append(checks, plancheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value))
		} else {
			checks = append(checks, plancheck.ExpectUnknownValue(address, tfjsonpath.New(attribute)))
		}
	}
	return checks
}

// What a plan cannot know yet is unknown, and no more than what depends on it:
// the same apply makes it known. Each case is a client of its own.
func TestAccClient_createWithUnknown(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutConfigMap(t, "templates-yaml", map[string]string{
		"client_template.yaml": sample,
		"tag":                  acctest.Edit(t, sample, "mira:3.0", "mira:%IMAGE_TAG%"),
		"zone":                 acctest.Edit(t, sample, "host: %CLIENT_NAME%.", "host: %CLIENT_NAME%.%ZONE%."),
	})
	text := func(s string) knownvalue.Check { return knownvalue.StringExact(s) }
	id := func(client string) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{"id": text(s.Namespace + "/" + client)}
	}
	// What follows from the name and the template alone. The revision's form is
	// enough here: after the apply nothing may differ from the plan.
	withoutObjects := func(client string) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{
			"id": text(s.Namespace + "/" + client), "url": text("https://" + client + "." + acctest.Domain),
			"persistent_volume_claims": knownvalue.ListExact([]knownvalue.Check{text("mira-data-mira-" + client + "-0")}),
			"template_revision": knownvalue.StringFunc(func(v string) error {
				if len(v) != 12 {
					return fmt.Errorf("%q is no revision", v)
				}
				return nil
			}),
		}
	}
	withoutURL := func(client string) map[string]knownvalue.Check {
		known := withoutObjects(client)
		delete(known, "url")
		return known
	}
	nothing := func(string) map[string]knownvalue.Check { return nil }
	var names []string
	var config string
	var planned []plancheck.PlanCheck
	var stored []statecheck.StateCheck
	for _, test := range []struct {
		client string // its name
		value  string // that is not known at plan: UNKNOWN stands for it
		known  func(client string) map[string]knownvalue.Check
		lines  map[string]string // of the resource
		edit   []string          // of the provider
	}{
		{"name", "name", nothing, map[string]string{"name": "UNKNOWN"}, nil},
		{"email", "admin@mira.example", withoutObjects, map[string]string{"admin_email": "UNKNOWN"}, nil},
		{"variable", "3.0", withoutObjects, map[string]string{"variables": "{ IMAGE_TAG = UNKNOWN }", "template": `{ key = "tag" }`}, nil},
		{"host", "eu", withoutURL, map[string]string{"variables": "{ ZONE = UNKNOWN }", "template": `{ key = "zone" }`}, nil},
		{"namespace", s.Namespace, nothing, map[string]string{"namespace": "UNKNOWN"}, nil},
		{"config-map", "templates-yaml", id, map[string]string{"template": "{ config_map = UNKNOWN }"}, nil},
		{"fleet-namespace", s.Namespace, nothing, nil, []string{fmt.Sprintf("namespace      = %q", s.Namespace), "namespace = UNKNOWN"}},
		{"fleet-template", s.Namespace, id, nil, []string{fmt.Sprintf("template       = { namespace = %q }", s.Namespace),
			"template = { namespace = UNKNOWN }"}},
		{"fleet-domain", acctest.Domain, id, nil, []string{`"` + acctest.Domain + `"`, "UNKNOWN"}},
		{"fleet-variable", "3.0", id, nil, []string{"cluster_domain", "variables = { IMAGE_TAG = UNKNOWN }\n  cluster_domain"}},
		{"cluster", s.Kubeconfig, id, nil, []string{fmt.Sprintf("%q", filepath.ToSlash(s.Kubeconfig)), "UNKNOWN"}},
	} {
		names = append(names, test.client)
		attributes := map[string]string{"name": strconv.Quote(test.client), "admin_email": `"admin@mira.example"`, "provider": test.client}
		maps.Copy(attributes, test.lines)
		var lines []string
		for name, value := range attributes {
			lines = append(lines, name+" = "+value)
		}
		provider := acctest.Edit(t, providerOf(test.client, s), test.edit...)
		config += later(test.client, test.value, 1) + strings.ReplaceAll(provider+client(test.client, lines...), "UNKNOWN",
			"terraform_data."+test.client+".output")
		planned = append(planned, knownExactly("mira_client."+test.client, test.known(test.client))...)
		stored = append(stored, statecheck.ExpectKnownValue("mira_client."+test.client, tfjsonpath.New("id"),
			text(s.Namespace+"/"+test.client)), inCluster(func() error {
			if !s.Exists(t, "StatefulSet", "mira-"+test.client) {
				return fmt.Errorf("client %q was not created", test.client)
			}
			return nil
		}))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: providersOf(names),
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config: config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: planned,
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			ConfigStateChecks: stored,
		}},
	})
}

// A revision that the client is pinned to may be known at apply only. Then it is
// checked, and a wrong one writes nothing.
func TestAccClient_unknownRevision(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	acme := acmeClient()
	pinned := func(to string) string {
		return client("globex", `name = "globex"`, `admin_email = "admin@globex.example"`, "template = { revision = "+to+" }")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config: s.Provider() + later("revision", "0123456789ab", 1) + pinned("terraform_data.revision.output"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectUnknownValue("mira_client.globex", tfjsonpath.New("objects")),
				}},
				ExpectError: acctest.Message("Template Has Another Revision"),
			},
			{
				PreConfig: func() {
					if err := noneLeft(t, s)(nil); err != nil {
						t.Fatal(err)
					}
				},
				Config: s.Provider() + acme + "resource \"terraform_data\" \"revision\" {\n  input = mira_client.acme.template_revision\n}\n" +
					pinned("terraform_data.revision.output"),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectUnknownValue("mira_client.globex", tfjsonpath.New("objects")),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.CompareValuePairs("mira_client.acme", tfjsonpath.New("template_revision"), "mira_client.globex",
						tfjsonpath.New("template_revision"), compare.ValuesSame()),
				},
			},
		},
	})
}

// An e-mail or a variable of an existing client may turn unknown. Nothing is
// written when it turns out to be what it was, and nothing restarts; another
// value is applied.
func TestAccClient_updateWithUnknown(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "caddy:2.8", "caddy:%CADDY_TAG%"))
	const address = "mira_client.acme"
	config := func(email, tag string, again int) string {
		return s.Provider() + later("email", email, again) + later("tag", tag, again) +
			client("acme", `name = "acme"`, "admin_email = terraform_data.email.output", "variables = { CADDY_TAG = terraform_data.tag.output }")
	}
	known := map[string]knownvalue.Check{
		"id": knownvalue.StringExact(s.Namespace + "/acme"), "url": knownvalue.StringExact("https://acme." + acctest.Domain),
		"persistent_volume_claims": knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("mira-data-mira-acme-0")}),
	}
	unknownObjects := func() resource.ConfigPlanChecks {
		pre := []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}
		for _, attribute := range []string{"objects", "images"} {
			pre = append(pre, plancheck.ExpectUnknownValue(address, tfjsonpath.New(attribute)))
		}
		for attribute, value := range known {
			pre = append(pre, plancheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value))
		}
		return resource.ConfigPlanChecks{PreApply: pre, PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	}
	same := statecheck.CompareValue(compare.ValuesSame())
	var pods map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:            config("admin@acme.example", "2.8", 1),
				ConfigStateChecks: []statecheck.StateCheck{same.AddStateValue(address, tfjsonpath.New("objects"))},
			},
			{
				PreConfig:        func() { pods = s.UIDs(t, "Pod") },
				Config:           config("admin@acme.example", "2.8", 2),
				ConfigPlanChecks: unknownObjects(),
				ConfigStateChecks: []statecheck.StateCheck{
					same.AddStateValue(address, tfjsonpath.New("objects")),
					inCluster(func() error {
						if diff := cmp.Diff(pods, s.UIDs(t, "Pod")); diff != "" {
							return fmt.Errorf("pods were replaced:\n%s", diff)
						}
						return nil
					}),
				},
			},
			{
				Config:           config("new@acme.example", "2.9", 3),
				ConfigPlanChecks: unknownObjects(),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("images").AtMapKey("caddy"), knownvalue.StringExact("caddy:2.9")),
					statecheck.ExpectKnownValue(address,
						tfjsonpath.New("objects").AtMapKey("StatefulSet/mira-acme").AtMapKey("spec.template.spec.containers[mira].env[ADMIN_EMAIL].value"),
						knownvalue.StringExact("new@acme.example")),
				},
			},
		},
	})
}

// A name or a namespace of an existing client that turns unknown may be another
// one: that plans a replacement, and says so before the apply.
func TestAccClient_replacedForUnknown(t *testing.T) {
	t.Parallel()
	lines := func(name, namespace string) []string {
		return []string{"name = " + name, `admin_email = "admin@acme.example"`, "namespace = " + namespace}
	}
	for _, attribute := range []string{"name", "namespace"} {
		t.Run(attribute, func(t *testing.T) {
			t.Parallel()
			s, other := acctest.NewSandbox(t), acctest.NewSandbox(t)
			s.PutTemplate(t, acctest.SampleTemplate(t))
			s.Rights.GrantIn(t, other.Namespace)
			before := s.Provider() + client("acme", lines(`"acme"`, fmt.Sprintf("%q", s.Namespace))...)
			var after, id string
			switch attribute {
			case "name":
				after = later("later", "globex", 1) + s.Provider() + client("acme",
					lines("terraform_data.later.output", fmt.Sprintf("%q", s.Namespace))...)
				id = s.Namespace + "/globex"
			case "namespace":
				after = later("later", other.Namespace, 1) + s.Provider() + client("acme", lines(`"acme"`, "terraform_data.later.output")...)
				id = other.Namespace + "/acme"
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				CheckDestroy: func(state *terraform.State) error {
					return errors.Join(noneLeft(t, s)(state), noneLeft(t, other)(state))
				},
				Steps: []resource.TestStep{
					{Config: before},
					{
						Config: after,
						ConfigPlanChecks: resource.ConfigPlanChecks{
							PreApply: append(knownExactly("mira_client.acme", nil),
								plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionDestroyBeforeCreate)),
							PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
						},
						ConfigStateChecks: []statecheck.StateCheck{
							statecheck.ExpectKnownValue("mira_client.acme", tfjsonpath.New("id"), knownvalue.StringExact(id)),
							inCluster(func() error {
								if s.Exists(t, "StatefulSet", "mira-acme") {
									return fmt.Errorf("the former client is still there")
								}
								return nil
							}),
						},
					},
				},
			})
		})
	}
}

// The provider's namespace that turns unknown does not replace all its clients.
// Should it turn out to be another one, which a plan cannot foresee and an apply may
// not do, the client stays where it is.
func TestAccClient_unknownNamespaceOfProvider(t *testing.T) {
	t.Parallel()
	s, other := acctest.NewSandbox(t), acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	s.Rights.GrantIn(t, other.Namespace)
	acme := acmeClient()
	unknown := func(namespace string, again int) string {
		return later("later", namespace, again) + acctest.Edit(t, s.Provider(), fmt.Sprintf("namespace      = %q", s.Namespace),
			"namespace = terraform_data.later.output") + acme
	}
	update := append(knownExactly("mira_client.acme", map[string]knownvalue.Check{"id": knownvalue.StringExact(s.Namespace + "/acme")}),
		plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate))
	var written map[string]any
	unwritten := func() error {
		if diff := cmp.Diff(written, s.Snapshot(t)); diff != "" {
			return fmt.Errorf("objects were written to (-before +after):\n%s", diff)
		}
		return noneLeft(t, other)(nil)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: s.Provider() + acme},
			{
				PreConfig: func() { written = s.Snapshot(t) },
				Config:    unknown(s.Namespace, 1),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: update,
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{inCluster(unwritten)},
			},
			{
				Config:           unknown(other.Namespace, 2),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: update},
				ExpectError:      acctest.Message("new value for .namespace"), // the CLI's own refusal
			},
			{
				PreConfig: func() {
					if err := unwritten(); err != nil {
						t.Fatal(err)
					}
				},
				Config: s.Provider() + acme,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme",
					plancheck.ResourceActionNoop)}},
			},
		},
	})
}
