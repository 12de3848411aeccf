package acctest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ServiceAccount is the name of the account that the tests' provider runs as; it
// has the rights of examples/rbac.
const ServiceAccount = "controller"

// Sandbox is a namespace of a test's own. The template, the clients and the account
// of the provider live in it.
//
// The verbs on its objects are those of [Objects]. What the account may do is changed
// by Rights, and what the API server accepts by Admission.
type Sandbox struct {
	*Objects
	Rights    *Rights
	Admission *Admission
	// Kubeconfig is the path of a kubeconfig with the account's token.
	Kubeconfig string
	config     *rest.Config
}

// NewSandbox makes a sandbox, and removes it at the end of the test.
func NewSandbox(t *testing.T) *Sandbox {
	t.Helper()
	config := RequireCluster(t)
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := newSandbox("mira-test-"+rand.String(8), config, admin)
	createIn(t, s.Objects, NamespaceObject(s.Namespace))
	t.Cleanup(func() { s.remove(t) })
	s.Rights.grant(t)
	s.Rights.await(t, s.Namespace, "apps", "statefulsets", "patch", true)
	s.Kubeconfig = s.writeKubeconfig(t, s.Namespace)
	return s
}

func newSandbox(namespace string, config *rest.Config, admin dynamic.Interface) *Sandbox {
	objects := &Objects{Namespace: namespace, Admin: admin}
	return &Sandbox{Objects: objects, Rights: &Rights{objects: objects}, Admission: &Admission{objects: objects}, config: config}
}

// NamespaceObject returns a namespace to create.
func NamespaceObject(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
}

// remove deletes the namespace and waits for nothing: the control plane empties it on
// its own.
func (s *Sandbox) remove(t *testing.T) {
	err := s.Admin.Resource(resources["Namespace"]).Delete(detached(t), s.Namespace, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("removing namespace %s: %v", s.Namespace, err)
	}
}

// writeKubeconfig writes a kubeconfig with a token of the provider's account, which
// lives in a namespace, and returns its path.
func (s *Sandbox) writeKubeconfig(t *testing.T, namespace string) string {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.APIPath = "/api"
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request := map[string]any{
		"apiVersion": authenticationv1.SchemeGroupVersion.String(), "kind": "TokenRequest",
		"spec": map[string]any{"expirationSeconds": int64(24 * 3600)},
	}
	answer := &unstructured.Unstructured{}
	err = client.Post().Namespace(namespace).Resource("serviceaccounts").Name(ServiceAccount).SubResource("token").
		Body(&unstructured.Unstructured{Object: request}).Do(t.Context()).Into(answer)
	if err != nil {
		t.Fatalf("requesting a token: %v", err)
	}
	token, _, _ := unstructured.NestedString(answer.Object, "status", "token")
	if token == "" {
		t.Fatal("the API server gave no token")
	}
	return WriteKubeconfig(t, s.config, token)
}

// WriteKubeconfig writes a kubeconfig for the server of a connection with another
// token, and returns its path.
func WriteKubeconfig(t *testing.T, config *rest.Config, token string) string {
	t.Helper()
	authority := rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(authority); err != nil {
		t.Fatal(err)
	}
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["test"] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthorityData: authority.CAData,
		TLSServerName: config.ServerName, InsecureSkipTLSVerify: config.Insecure,
	}
	kubeconfig.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: token}
	kubeconfig.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	kubeconfig.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// rolloutLine is a line of a provider's block that sets its rollout.
var rolloutLine = regexp.MustCompile(`^rollout\s*=\s*(.*)$`)

// withShortSoak sets the soak of a provider's rollout to nothing, unless the lines of its
// block set it: the pods of most tests stay ready.
func withShortSoak(lines []string) []string {
	lines = slices.Clone(lines)
	for i, line := range lines {
		if settings := rolloutLine.FindStringSubmatch(line); settings != nil {
			lines[i] = fmt.Sprintf(`rollout = merge({ soak = "0s" }, %s)`, settings[1])
			return lines
		}
	}
	return append(lines, `rollout = { soak = "0s" }`)
}

// Provider returns the configuration of a provider that works in the sandbox, with
// further lines in its block. Unless these say otherwise, its rollouts have no soak.
func (s *Sandbox) Provider(lines ...string) string {
	return fmt.Sprintf(`
provider "mira" {
  namespace      = %[1]q
  cluster_domain = %[2]q
  template       = { namespace = %[1]q }
  kubernetes     = { config_path = %[3]q }
  %[4]s
}
`, s.Namespace, Domain, filepath.ToSlash(s.Kubeconfig), strings.Join(withShortSoak(lines), "\n  "))
}

// PutTemplate writes the client template to ConfigMap templates-yaml of the sandbox.
func (s *Sandbox) PutTemplate(t *testing.T, text string) {
	t.Helper()
	s.PutConfigMap(t, "templates-yaml", map[string]string{"client_template.yaml": text})
}

// DjangoManager is the field manager of the Kubernetes Python client.
const DjangoManager = "OpenAPI-Generator"

// DjangoSave writes a client the way the Django controller does: placeholders
// replaced as text, then POST, or a strategic merge PATCH of what exists.
func (s *Sandbox) DjangoSave(t *testing.T, text, client, email string) {
	t.Helper()
	s.Save(t, DjangoManager, Rendered(t, text, client, email))
}
