package provider

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Whatever is wrong with a template is one clear error at plan, and nothing is
// written.
func TestAccClient_wrongTemplates(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	config := s.Provider() + acmeClient()
	for _, test := range []struct{ name, template, message string }{
		{"an undefined placeholder", acctest.Edit(t, sample, "mira:3.0", "mira:%IMAGE_TAG%"), "%IMAGE_TAG%"},
		{"broken YAML", acctest.Edit(t, sample, "  replicas: 1", " replicas: 1"), "line"},
		{"a kind not allowed", sample + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: mira-%CLIENT_NAME%}\n", "allowed_kinds"},
		{"a document in another namespace", sample +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-x, namespace: kube-system}\n", "kube-system"},
		{"a name without the client in it", sample + "---\napiVersion: v1\nkind: Service\nmetadata: {name: shared}\n", "%CLIENT_NAME%"},
		{"a duplicate key", acctest.Edit(t, sample, "  replicas: 1", "  replicas: 1\n  replicas: 2"), "replicas"},
		{"an empty template", "# nothing\n", "Invalid Client Template"},
		{"a field that does not exist", acctest.Edit(t, sample, "  replicas: 1", "  replica: 1"), "spec.replica: field not declared in schema"},
		{"a value that the server refuses", acctest.Edit(t, sample, "port: 443", "port: 443000"), "spec.ports[1].port"},
		{"claims that Kubernetes would delete", acctest.Edit(t, sample, "  replicas: 1",
			"  replicas: 1\n  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}"), "Kubernetes Would Delete Claims"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.PutTemplate(t, test.template)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				CheckDestroy:             noneLeft(t, s),
				Steps:                    []resource.TestStep{{Config: config, PlanOnly: true, ExpectError: acctest.Message(test.message)}},
			})
		})
	}
}

// A template that does not exist is one clear error, too.
func TestAccClient_missingTemplate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config, ExpectError: acctest.Message("ConfigMap " + s.Namespace + "/templates-yaml does not exist")},
			{
				PreConfig:   func() { s.PutConfigMap(t, "templates-yaml", map[string]string{"other.yaml": "x"}) },
				Config:      config,
				ExpectError: acctest.Message(`has no key "client_template.yaml"; it has other.yaml`),
			},
		},
	})
}

// A wrong name or e-mail is an error where it is written.
func TestAccClient_wrongArguments(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	const email = `admin_email = "a@b.example"`
	for _, test := range []struct{ name, lines, message string }{
		{"capital letters", `name = "Acme"` + "\n" + email, "Invalid Client Name"},
		{"a leading hyphen", `name = "-acme"` + "\n" + email, "Invalid Client Name"},
		{"an empty name", `name = ""` + "\n" + email, "Invalid Client Name"},
		{"a long name", `name = "` + strings.Repeat("a", 41) + `"` + "\n" + email, "of at most 40 characters"},
		{"an address without a domain", `name = "acme"` + "\n" + `admin_email = "acme"`, "Invalid E-Mail Address"},
		{"an address with a name", `name = "acme"` + "\n" + `admin_email = "Acme <a@b.example>"`, "more than the address itself"},
		{"an empty address", `name = "acme"` + "\n" + `admin_email = ""`, "Invalid E-Mail Address"},
		{"a variable in small letters", `name = "acme"` + "\n" + email + "\n" + `variables = { tag = "1" }`, "Invalid Variable Name"},
		{"a variable of the provider's", `name = "acme"` + "\n" + email + "\n" + `variables = { CLIENT_NAME = "1" }`, "Invalid Variable Name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				CheckDestroy:             noneLeft(t, s),
				Steps: []resource.TestStep{
					{Config: s.Provider() + client("acme", test.lines), ExpectError: acctest.Message(test.message)},
				},
			})
		})
	}
	t.Run("a name that the template makes illegal ones of", func(t *testing.T) {
		s.PutTemplate(t, "apiVersion: v1\nkind: Service\nmetadata: {name: %CLIENT_NAME%}\nspec: {ports: [{port: 80}]}\n")
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: factories,
			CheckDestroy:             noneLeft(t, s),
			Steps: []resource.TestStep{{
				Config:      s.Provider() + client("acme", `name = "123"`, email),
				ExpectError: acctest.Message("Client Name Gives Illegal Names"),
			}},
		})
	})
}

// The error about a cluster that cannot be reached names the address, the
// configuration that it is from, and the reason.
func TestAccClient_unreachableCluster(t *testing.T) {
	t.Parallel()
	acctest.RequireCluster(t)
	config := acmeClient()
	missing := filepath.Join(t.TempDir(), "none")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{
				Config: `provider "mira" { kubernetes = { host = "https://127.0.0.1:1", token = "x" } }
` + config,
				ExpectError: acctest.Message("https://127.0.0.1:1"),
			},
			{
				Config:      fmt.Sprintf("provider \"mira\" { kubernetes = { config_path = %q } }\n", missing) + config,
				ExpectError: acctest.Message(missing),
			},
		},
	})
}

// A namespace that is not there yet is a warning at plan, and an error at apply.
func TestAccClient_missingNamespace(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	absent := s.Namespace + "-absent"
	s.Rights.GrantEverywhere(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             func(*terraform.State) error { return nil },
		Steps: []resource.TestStep{{
			Config:      s.Provider() + acmeClient(fmt.Sprintf("namespace = %q", absent)),
			ExpectError: acctest.Message(fmt.Sprintf("namespace %q does not exist", absent)),
		}},
	})
}
