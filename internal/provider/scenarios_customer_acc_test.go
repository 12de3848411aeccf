package provider

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// The template says to be the sample with placeholders.
func TestScenarioTemplates_customer(t *testing.T) {
	withoutHead := func(text string) string {
		_, rest, _ := strings.Cut(text, "apiVersion:")
		return rest
	}
	sample := acctest.SampleTemplate(t)
	want := acctest.Edit(t, sample, "mira:3.0", "mira:%IMAGE_TAG%", "memory: 1024Mi", "memory: %MEMORY%", "storage: 5Gi", "storage: %STORAGE%")
	got := readExample(t, "scenarios", "module-per-customer", "client_template.yaml")
	if diff := cmp.Diff(withoutHead(want), withoutHead(got)); diff != "" {
		t.Errorf("module-per-customer/client_template.yaml is not the sample with placeholders (-want +got):\n%s", diff)
	}
}

// Customers differ in what their module is given, a value that cannot be right is refused
// with the module's own words, and the canaries stay with their template until the file
// that names it says otherwise.
func TestAccScenario_modulePerCustomer(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	template := readExample(t, "scenarios", "module-per-customer", "client_template.yaml")
	s.PutTemplate(t, template)
	c := scenario(t, s, "module-per-customer")
	main := readExample(t, "scenarios", "module-per-customer", "main.tf")

	for _, invalid := range []struct{ old, new, want string }{
		{`storage = "20Gi"`, `storage = "20 GB"`, "whole number of Mi, Gi or Ti"},
		{`memory = "2Gi"`, `memory = "2GB"`, "whole number of Mi or Gi"},
		{`image_tag = "3.0-hotfix"`, `image_tag = "3.0 hotfix"`, "The tag of an image has letters"},
		{`contact = "it@globex.example"`, `contact = "it.globex.example"`, "needs an @ between two parts"},
		{"globex ", "Globex_ ", "at most 40 lower case letters"},
	} {
		writeFile(t, acctest.Edit(t, main, invalid.old, invalid.new), c.Directory(), "main.tf")
		acctest.WantOutput(t, c.Fail(t, "plan"), "Invalid value for variable", invalid.want)
	}
	writeFile(t, main, c.Directory(), "main.tf")

	acctest.WantOutput(t, c.Apply(t), "MIRA is ready at https://globex."+acctest.Domain)
	type customer struct{ image, memory, storage string }
	customers := func() map[string]customer {
		found := make(map[string]customer)
		for _, set := range s.List(t, "StatefulSet") {
			containers, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "containers")
			claims, _, _ := unstructured.NestedSlice(set.Object, "spec", "volumeClaimTemplates")
			mira, claim := containers[0].(map[string]any), claims[0].(map[string]any)
			memory, _, _ := unstructured.NestedString(mira, "resources", "limits", "memory")
			storage, _, _ := unstructured.NestedString(claim, "spec", "resources", "requests", "storage")
			found[strings.TrimPrefix(set.GetName(), "mira-")] = customer{mira["image"].(string), memory, storage}
		}
		return found
	}
	want := map[string]customer{
		"acme": {"mira:3.0", "1Gi", "5Gi"}, "globex": {"mira:3.0", "2Gi", "20Gi"}, "initech": {"mira:3.0-hotfix", "1Gi", "5Gi"},
	}
	if diff := cmp.Diff(want, customers(), cmp.AllowUnexported(customer{})); diff != "" {
		t.Errorf("customers (-want +got):\n%s", diff)
	}

	next := acctest.Edit(t, template, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31")
	s.PutConfigMap(t, "templates-yaml", map[string]string{"client_template.yaml": template, "client_template_next.yaml": next})
	tfvars := readExample(t, "scenarios", "module-per-customer", "canary.auto.tfvars")
	writeFile(t, acctest.Edit(t, tfvars, "candidate = null", `candidate = "client_template_next.yaml"`), c.Directory(), "canary.auto.tfvars")
	acctest.WantOutput(t, c.Apply(t), "0 added, 1 changed", `module.customer["acme"]`) // and the plan after it, without -var, is empty
	canary := s.Get(t, "StatefulSet", "mira-acme").GetGeneration()
	s.PutTemplate(t, next)
	writeFile(t, tfvars, c.Directory(), "canary.auto.tfvars")
	acctest.WantOutput(t, c.Apply(t), "0 added, 3 changed") // of the canary, the key of its template alone
	if now := s.Get(t, "StatefulSet", "mira-acme").GetGeneration(); now != canary {
		t.Errorf("the canary was changed once more: from generation %d to %d", canary, now)
	}
	c.Destroy(t)
	if diff := cmp.Diff([]string{"mira-data-mira-acme-0", "mira-data-mira-globex-0"}, s.Names(t, "PersistentVolumeClaim")); diff != "" {
		t.Errorf("claims after the destroy, of which that of the trial has delete_data (-want +got):\n%s", diff)
	}
}
