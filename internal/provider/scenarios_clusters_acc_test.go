package provider

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// clusters is the variable of the scenarios with several clusters: two sandboxes play them.
func clusters(europe, america *acctest.Sandbox) string {
	cluster := func(s *acctest.Sandbox, domain string) string {
		return fmt.Sprintf(`{ kubeconfig = %q, cluster_domain = %q, namespace = %[3]q, template_namespace = %[3]q }`,
			filepath.ToSlash(s.Kubeconfig), domain, s.Namespace)
	}
	return fmt.Sprintf("clusters = {\n  europe = %s\n  america = %s\n}\n",
		cluster(europe, "eu.mira.example"), cluster(america, "us.mira.example"))
}

func TestAccScenario_multiCluster(t *testing.T) {
	t.Parallel()
	severalClusters(t, "multi-cluster", "main.tf", `rollout = { soak = "0s" }`)
}

func TestAccScenario_multiClusterForEach(t *testing.T) {
	t.Parallel()
	acctest.RequireOpenTofu(t, "Terraform has no for_each in provider blocks")
	severalClusters(t, "multi-cluster-for-each", "main.tofu", `rollout = { soak = "0s" }`)
}

// severalClusters applies a scenario with several clusters: each client is made on its
// cluster, and a plan that names the wrong one is refused.
func severalClusters(t *testing.T, name, file, line string) {
	t.Helper()
	europe, america := acctest.NewSandbox(t), acctest.NewSandbox(t)
	for _, s := range []*acctest.Sandbox{europe, america} {
		s.PutTemplate(t, acctest.SampleTemplate(t))
	}
	c := acctest.NewExampleCLI(t, europe, filepath.Join("scenarios", name))
	c.Setenv("KUBECONFIG", "") // each provider has its own
	main := acctest.Edit(t, readExample(t, "scenarios", name, file), "  kubernetes     =", "  "+line+"\n  kubernetes     =")
	writeFile(t, main, c.Directory(), file)
	writeFile(t, clusters(europe, america), c.Directory(), "terraform.tfvars")
	acctest.WantOutput(t, c.Apply(t), "3 added", `"acme" = "https://acme.eu.mira.example"`, `"globex" = "https://globex.us.mira.example"`)
	for _, cluster := range []struct {
		sandbox *acctest.Sandbox
		want    []string
	}{{europe, []string{"mira-acme"}}, {america, []string{"mira-globex", "mira-initech"}}} {
		got := cluster.sandbox.Names(t, "StatefulSet")
		slices.Sort(got)
		if diff := cmp.Diff(cluster.want, got); diff != "" {
			t.Errorf("StatefulSets in %s (-want +got):\n%s", cluster.sandbox.Namespace, diff)
		}
	}
	acctest.WantOutput(t, c.Destroy(t), "3 destroyed")
}
