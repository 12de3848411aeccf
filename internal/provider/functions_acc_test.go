package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

var revisionForm = regexp.MustCompile("^[0-9a-f]{12}$")

// The functions as the CLI calls them: without a configuration of the provider, with values
// that are not known or sensitive, and with faults, which it reports at their arguments.
func TestAccFunctions(t *testing.T) {
	t.Parallel()
	config := func(variables, options string) string {
		return fmt.Sprintf(`
resource "terraform_data" "port" {
  input = "8443"
}

locals {
  template = <<-EOT
%s  EOT
  objects  = provider::mira::render(local.template, "acme", "admin@acme.example", "mira.example", %s%s)
  service  = local.objects["Service/mira-acme"]
}

output "port" {
  value = nonsensitive(local.service.spec.ports[0].port)
}

output "is_sensitive" {
  value = issensitive(local.objects)
}

output "kinds" {
  value = nonsensitive([for key, object in local.objects : object.kind])
}

output "revision" {
  value = provider::mira::revision(local.template)
}
`, smallTemplate, variables, options)
	}
	outputIs := statecheck.ExpectKnownOutputValue
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{
				Config: config("{ PORT = terraform_data.port.output }", ""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectUnknownOutputValue("port"),
					plancheck.ExpectKnownOutputValue("revision", knownvalue.StringRegexp(revisionForm)),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					outputIs("port", knownvalue.Int64Exact(8443)),
					outputIs("is_sensitive", knownvalue.Bool(false)),
					outputIs("kinds", knownvalue.TupleExact([]knownvalue.Check{knownvalue.StringExact("Service")})),
				},
			},
			{
				Config:      config("null", ""),
				ExpectError: acctest.Message(`Invalid value for "template" parameter: line 10: placeholder %PORT% has no value: set variables.PORT`),
			},
			{
				Config:      config(`{ PORT = "443" }`, `, { kinds = ["Service"] }`),
				ExpectError: acctest.Message(`Invalid value for "options" parameter: there is no option "kinds"`),
			},
			{
				Config:            config(`{ PORT = sensitive("443") }`, `, { namespace = "mira" }`),
				ConfigStateChecks: []statecheck.StateCheck{outputIs("is_sensitive", knownvalue.Bool(true))},
			},
		},
	})
}
