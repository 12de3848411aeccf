// Package acctest gives tests a namespace of their own on a real control plane,
// with the rights that the documentation asks for and no more, and hands to look
// at and change objects behind the provider's back.
package acctest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Patience bounds every wait for a condition. It is generous: no test is to fail
// because a machine is slow.
const Patience = 3 * time.Minute

// Domain is the cluster domain of tests.
const Domain = "mira.example"

// ServiceAccount is the name of the account that the tests' provider runs as; it
// has the rights of examples/rbac.
const ServiceAccount = "controller"

// Sandbox is a namespace of a test's own. The template, the clients and the
// account that the provider uses live in it.
type Sandbox struct {
	Namespace string
	// Kubeconfig is the path of a kubeconfig with the account's token.
	Kubeconfig string
	// Admin may do everything.
	Admin  dynamic.Interface
	config *rest.Config
}

// RequireCluster skips a test that runs without a cluster, by the convention of
// Terraform's testing framework, and gives the administrator's connection. It
// refuses to run against a cluster that was not named for tests.
func RequireCluster(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance and API tests need TF_ACC=1 and a control plane; `make testacc` starts one")
	}
	if os.Getenv("MIRA_TEST_CLUSTER") == "" {
		t.Fatal("MIRA_TEST_CLUSTER is not set: refusing to run tests against whatever cluster KUBECONFIG names. Use `make testacc`, or set MIRA_TEST_CLUSTER=existing for a cluster that may be used for tests.")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatalf("reading KUBECONFIG: %v", err)
	}
	config.QPS = -1
	return config
}

// NewSandbox makes a sandbox, and removes it at the end of the test.
func NewSandbox(t *testing.T) *Sandbox {
	t.Helper()
	config := RequireCluster(t)
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sandbox{Namespace: "mira-test-" + rand.String(8), Admin: admin, config: config}
	s.create(t, NamespaceObject(s.Namespace))
	t.Cleanup(func() { s.remove(t) })
	s.grant(t)
	s.awaitRight(t, s.Namespace, "apps", "statefulsets", "patch", true)
	s.Kubeconfig = s.kubeconfig(t)
	return s
}

// NamespaceObject is a namespace to create.
func NamespaceObject(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
}

// remove deletes the namespace and waits for nothing: the control plane empties
// it on its own.
func (s *Sandbox) remove(t *testing.T) {
	err := s.Admin.Resource(resources["Namespace"]).Delete(detached(t), s.Namespace, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("removing namespace %s: %v", s.Namespace, err)
	}
}

// grant gives the sandbox's account the rights that examples/rbac documents,
// with the sandbox in the place of both namespaces that it names.
func (s *Sandbox) grant(t *testing.T) {
	t.Helper()
	for _, object := range readManifests(t, filepath.Join(Root(), "examples", "rbac", "controller.yaml")) {
		object.SetNamespace(s.Namespace)
		if subjects, found, _ := unstructured.NestedSlice(object.Object, "subjects"); found {
			for _, subject := range subjects {
				if fields, ok := subject.(map[string]any); ok {
					fields["namespace"] = s.Namespace
				}
			}
			_ = unstructured.SetNestedSlice(object.Object, subjects, "subjects")
		}
		s.create(t, object)
	}
}

func readManifests(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, path, bytes.NewReader(data))
}

// decode reads all documents of a YAML text.
func decode(t *testing.T, source string, text io.Reader) []*unstructured.Unstructured {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(text, 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// Root is the directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// SampleTemplate is the text of the template in examples/client-template.
func SampleTemplate(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(), "examples", "client-template", "client_template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// kubeconfig writes a kubeconfig with a token of the sandbox's account.
func (s *Sandbox) kubeconfig(t *testing.T) string {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.APIPath = "/api"
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = unstructuredSerializer()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request := map[string]any{
		"apiVersion": authenticationv1.SchemeGroupVersion.String(), "kind": "TokenRequest",
		"spec": map[string]any{"expirationSeconds": int64(24 * 3600)},
	}
	answer := &unstructured.Unstructured{}
	err = client.Post().Namespace(s.Namespace).Resource("serviceaccounts").Name(ServiceAccount).SubResource("token").
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

// WriteKubeconfig writes a kubeconfig for the server of a connection with
// another token, and gives its path.
func WriteKubeconfig(t *testing.T, config *rest.Config, token string) string {
	t.Helper()
	ca := config.CAData
	if len(ca) == 0 && config.CAFile != "" {
		data, err := os.ReadFile(config.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		ca = data
	}
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: ca, TLSServerName: config.ServerName, InsecureSkipTLSVerify: config.Insecure}
	kubeconfig.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: token}
	kubeconfig.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	kubeconfig.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// PutTemplate writes the client template to ConfigMap templates-yaml of the
// sandbox.
func (s *Sandbox) PutTemplate(t *testing.T, text string) {
	t.Helper()
	s.PutConfigMap(t, "templates-yaml", map[string]string{"client_template.yaml": text})
}

// PutConfigMap writes a ConfigMap of the sandbox. The account may read those
// that examples/rbac names.
func (s *Sandbox) PutConfigMap(t *testing.T, name string, data map[string]string) {
	t.Helper()
	content := make(map[string]any, len(data))
	for key, value := range data {
		content[key] = value
	}
	s.Apply(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": content,
	}}, "test")
}

// Provider is the configuration of a provider that works in the sandbox, with
// further lines in its block.
func (s *Sandbox) Provider(lines ...string) string {
	return fmt.Sprintf(`
provider "mira" {
  namespace      = %[1]q
  cluster_domain = %[2]q
  template       = { namespace = %[1]q }
  kubernetes     = { config_path = %[3]q }
  %[4]s
}
`, s.Namespace, Domain, filepath.ToSlash(s.Kubeconfig), strings.Join(lines, "\n  "))
}

// Apply writes an object by server-side apply, by force, as some manager.
func (s *Sandbox) Apply(t *testing.T, object *unstructured.Unstructured, manager string) *unstructured.Unstructured {
	t.Helper()
	applied, err := s.objects(object.GetKind()).Apply(t.Context(), object.GetName(), object, metav1.ApplyOptions{FieldManager: manager, Force: true})
	if err != nil {
		t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return applied
}

// Create makes an object by POST, as some manager.
func (s *Sandbox) Create(t *testing.T, object *unstructured.Unstructured, manager string) {
	t.Helper()
	if _, err := s.objects(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

func (s *Sandbox) create(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	resource, ok := resources[object.GetKind()]
	if !ok {
		t.Fatalf("kind %s is not known to the tests", object.GetKind())
	}
	var client dynamic.ResourceInterface = s.Admin.Resource(resource)
	if object.GetKind() != "Namespace" {
		client = s.Admin.Resource(resource).Namespace(s.Namespace)
	}
	if _, err := client.Create(t.Context(), object, metav1.CreateOptions{FieldManager: "test"}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// Patch changes an object by a merge patch, as a person or program called
// manager would.
func (s *Sandbox) Patch(t *testing.T, kind, name, manager, patch string) *unstructured.Unstructured {
	t.Helper()
	patched, err := s.objects(kind).Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		t.Fatalf("patching %s %s: %v", kind, name, err)
	}
	return patched
}

// Scale changes the replicas of a StatefulSet as `kubectl scale` does.
func (s *Sandbox) Scale(t *testing.T, name string, replicas int) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	_, err := s.objects("StatefulSet").Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl"}, "scale")
	if err != nil {
		t.Fatalf("scaling StatefulSet %s: %v", name, err)
	}
}

// Get reads an object that must be there.
func (s *Sandbox) Get(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	object, err := s.objects(kind).Get(detached(t), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("reading %s %s: %v", kind, name, err)
	}
	return object
}

// Exists tells whether an object is there.
func (s *Sandbox) Exists(t *testing.T, kind, name string) bool {
	t.Helper()
	_, err := s.objects(kind).Get(detached(t), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("reading %s %s: %v", kind, name, err)
	}
	return err == nil
}

// Names lists the names of all objects of a kind in the sandbox.
func (s *Sandbox) Names(t *testing.T, kind string) []string {
	t.Helper()
	found, err := s.objects(kind).List(detached(t), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("listing %s: %v", kind, err)
	}
	names := make([]string, 0, len(found.Items))
	for i := range found.Items {
		names = append(names, found.Items[i].GetName())
	}
	return names
}

// Delete removes an object and what it owns.
func (s *Sandbox) Delete(t *testing.T, kind, name string) {
	t.Helper()
	policy := metav1.DeletePropagationBackground
	if err := s.objects(kind).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		t.Fatalf("deleting %s %s: %v", kind, name, err)
	}
}

// MakeAnew has somebody delete an object, with what it owns, and create another one
// of the same name and content, with these annotations and no labels.
func (s *Sandbox) MakeAnew(t *testing.T, kind, name, manager string, annotations map[string]string) {
	t.Helper()
	object := s.Get(t, kind, name)
	former := object.GetUID()
	s.Delete(t, kind, name)
	s.WaitFor(t, kind, name+" is gone", func(objects []*unstructured.Unstructured) bool {
		return !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetUID() == former })
	})
	object.Object["metadata"] = map[string]any{"name": name}
	object.SetAnnotations(annotations)
	delete(object.Object, "status")
	s.Create(t, object, manager)
}
