package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// `kubectl apply -k` makes everything that the quick start needs, and a further namespace
// of clients. It takes the documented names, so it must not run in parallel with
// TestAccExamples.
func TestAccScenario_install(t *testing.T) {
	f := acctest.NewFleet(t)
	f.Uninstall(t)
	directory := t.TempDir()
	for _, name := range []string{"rbac", "client-template", "install"} {
		if err := os.CopyFS(filepath.Join(directory, name), os.DirFS(example(name))); err != nil {
			t.Fatal(err)
		}
	}
	install := filepath.Join(directory, "install")
	kubectl := acctest.NewKubectl(t, "")

	writeFile(t, readExample(t, "install", "secrets.env.example"), install, "secrets.env")
	kubectl.Run(t, "apply", "--server-side", "-k", install)
	t.Cleanup(func() { kubectl.Run(t, "delete", "secret", "-n", f.Namespace, "mira-secrets") })
	data, _, _ := unstructured.NestedStringMap(f.Get(t, "Secret", "mira-secrets").Object, "data")
	if diff := cmp.Diff(map[string]string{"SMTP_PASSWORD": "Y2hhbmdlLW1l"}, data); diff != "" {
		t.Errorf("the Secret for the pods (-want +got):\n%s", diff)
	}
	f.Connect(t)
	c := acctest.NewExampleCLI(t, f.Sandbox, "quickstart")
	acctest.WantOutput(t, c.Apply(t), "3 added", `"acme" = "https://acme.`+acctest.Domain+`"`)
	if again := kubectl.Run(t, "diff", "--server-side", "-k", install); again != "" {
		t.Errorf("a second apply would change:\n%s", again)
	}
	c.Destroy(t)
	f.DeleteClaims(t)

	// A namespace that the account may not touch, until the README's second part.
	further := acctest.NewSandbox(t).Namespace
	path := filepath.Join(install, "second-namespace", "kustomization.yaml")
	writeFile(t, acctest.Edit(t, readExample(t, "install", "second-namespace", "kustomization.yaml"), "mira-trials", further), path)
	kubectl.Run(t, "delete", "rolebinding", "-n", further, "mira-clients")
	c = acctest.NewExampleCLI(t, f.Sandbox, "provider/provider.tf", "resources/mira_client/resource.tf")
	writeFile(t, fmt.Sprintf("provider \"mira\" {\n  namespace = %q\n}\n", further), c.Directory(), "namespace_override.tf")
	acctest.WantOutput(t, c.Fail(t, "plan"), "Permission Denied", further)
	kubectl.Run(t, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(install, "second-namespace"))
	acctest.NewKubectl(t, f.Kubeconfig).Until(t, "auth", "can-i", "patch", "statefulsets.apps", "-n", further)
	acctest.WantOutput(t, c.Apply(t), "2 added")
	c.Destroy(t)
}
