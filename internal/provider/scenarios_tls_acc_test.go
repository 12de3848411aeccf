package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// The template for cert-manager asks the issuer that the scenario has.
func TestScenarioTemplates_certManager(t *testing.T) {
	issuer := readExample(t, "scenarios", "tls-and-ingress", "cluster-issuer.yaml")
	var object map[string]any
	if err := yaml.UnmarshalStrict([]byte(issuer), &object); err != nil {
		t.Fatalf("cluster-issuer.yaml: %v", err)
	}
	name, _, _ := unstructured.NestedString(object, "metadata", "name")
	annotation := "cert-manager.io/cluster-issuer: " + name + "\n"
	template := readExample(t, "scenarios", "tls-and-ingress", "client_template_cert_manager.yaml")
	if !strings.Contains(template, annotation) {
		t.Errorf("the template for cert-manager does not ask the issuer of cluster-issuer.yaml by %q", annotation)
	}
}

// A client moves from Caddy's certificates to those of cert-manager, and its claim stays.
// The Service of the load balancer is one that the API server accepts.
func TestAccScenario_tlsAndIngress(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	const key = "client_template_cert_manager.yaml"
	s.PutConfigMap(t, "templates-yaml", map[string]string{
		"client_template.yaml": acctest.SampleTemplate(t), key: readExample(t, "scenarios", "tls-and-ingress", key),
	})
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Apply(t)
	claims := s.UIDs(t, "PersistentVolumeClaim")
	config, err := os.ReadFile(filepath.Join(c.Directory(), "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	moved := acctest.Edit(t, string(config), acmeClient(), acmeClient(fmt.Sprintf("template = { key = %q }", key)))
	writeFile(t, moved, c.Directory(), "main.tf")
	acctest.WantOutput(t, c.Apply(t), "1 changed", "containers[caddy].image",
		`- "metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]"`)
	tls, _, _ := unstructured.NestedSlice(s.Get(t, "Ingress", "mira-acme").Object, "spec", "tls")
	want := []any{map[string]any{"hosts": []any{"acme." + acctest.Domain}, "secretName": "mira-acme-tls"}}
	if diff := cmp.Diff(want, tls); diff != "" {
		t.Errorf("tls of the Ingress (-want +got):\n%s", diff)
	}
	containers, _, _ := unstructured.NestedSlice(s.Get(t, "Pod", "mira-acme-0").Object, "spec", "containers")
	if len(containers) != 1 {
		t.Errorf("the pod has %d containers, not that of MIRA alone", len(containers))
	}
	if err := sameUIDs(t, s, "PersistentVolumeClaim", claims); err != nil {
		t.Error(err)
	}

	service := acctest.Edit(t, readExample(t, "scenarios", "tls-and-ingress", "load-balancer.yaml"),
		"namespace: ingress-nginx", "namespace: "+s.Namespace)
	path := filepath.Join(t.TempDir(), "load-balancer.yaml")
	writeFile(t, service, path)
	applied := acctest.NewKubectl(t, "").Run(t, "apply", "--server-side", "--dry-run=server", "-f", path)
	acctest.WantOutput(t, applied, "serverside-applied (server dry run)")
	c.Destroy(t)
}
