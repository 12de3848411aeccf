package acctest

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// controllerNamespace is where the documented set-up has the template, the
// settings and the account.
const controllerNamespace = "controller"

// Fleet is the set-up that the documentation describes, with the names that it has
// there: clients in namespace `default`, and the template, the settings and the
// provider's account in namespace `controller`.
type Fleet struct {
	*Sandbox            // of the clients
	controller *Objects // the other namespace
	installed  []*unstructured.Unstructured
}

// NewFleet makes a fleet. There is one in a cluster, so tests that ask for it must not
// run in parallel. A cluster that has a client template already is refused.
func NewFleet(t *testing.T) *Fleet {
	t.Helper()
	config := RequireCluster(t)
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fleet{Sandbox: newSandbox("default", config, admin), controller: &Objects{Namespace: controllerNamespace, Admin: admin}}

	_, err = f.controller.of("ConfigMap").Get(t.Context(), "templates-yaml", metav1.GetOptions{})
	if err == nil {
		t.Fatal("the cluster has a client template in ConfigMap controller/templates-yaml already: choose one without MIRA")
	}
	if !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	namespaces := admin.Resource(resources["Namespace"])
	_, err = namespaces.Create(t.Context(), NamespaceObject(controllerNamespace), metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	f.installed = documentedRights(t)
	for name, data := range map[string]map[string]any{
		"templates-yaml":                 {"client_template.yaml": SampleTemplate(t)},
		"mira-cluster-controller-config": {"CLUSTER_DOMAIN": Domain, "DJANGO_DEBUG": "False"},
	} {
		f.installed = append(f.installed, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "data": data,
			"metadata": map[string]any{"name": name, "namespace": controllerNamespace},
		}})
	}
	t.Cleanup(func() { f.Uninstall(t) })
	for _, object := range f.installed {
		f.in(object.GetNamespace()).Apply(t, object, "test")
	}
	f.Connect(t)
	return f
}

// in returns the objects of a namespace.
func (f *Fleet) in(namespace string) *Objects { return &Objects{Namespace: namespace, Admin: f.Admin} }

// Connect has the fleet's provider use a token of the account that exists at this moment.
func (f *Fleet) Connect(t *testing.T) {
	t.Helper()
	f.Kubeconfig = f.writeKubeconfig(t, controllerNamespace)
}

// Uninstall removes the set-up, so that a test can make it in another way: the template, the
// settings, the account and its rights. What has their names at the end of the test is
// removed, too.
func (f *Fleet) Uninstall(t *testing.T) {
	t.Helper()
	for _, object := range f.installed {
		err := f.in(object.GetNamespace()).of(object.GetKind()).Delete(detached(t), object.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// GrantTemplates gives the account the rights that examples/rbac documents for templates that
// Terraform manages, for the time of the test.
func (f *Fleet) GrantTemplates(t *testing.T) {
	t.Helper()
	further := *f
	further.installed = rightsIn(t, "template-writer.yaml")
	t.Cleanup(func() { further.Uninstall(t) })
	for _, object := range further.installed {
		f.controller.Apply(t, object, "test")
	}
	(&Rights{objects: f.controller}).awaitNamed(t, "configmaps", "templates-yaml", "patch")
}

// PutTemplates replaces the templates, by the keys of their ConfigMap.
func (f *Fleet) PutTemplates(t *testing.T, templates map[string]string) {
	t.Helper()
	f.controller.PutConfigMap(t, "templates-yaml", templates)
}

// DeleteClaims deletes what a destroy of clients leaves: their claims.
func (f *Fleet) DeleteClaims(t *testing.T) {
	t.Helper()
	for _, name := range f.Names(t, "PersistentVolumeClaim") {
		f.Delete(t, "PersistentVolumeClaim", name)
	}
	f.WaitFor(t, "PersistentVolumeClaim", "the claims are gone", func(claims []*unstructured.Unstructured) bool { return len(claims) == 0 })
}
