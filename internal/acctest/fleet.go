package acctest

import (
	"path/filepath"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// controllerNamespace is where the documented set-up has the template, the
// settings and the account.
const controllerNamespace = "controller"

// NewFleet makes the set-up that the documentation describes, with the names
// that it has there: clients in `default`, the rest in `controller`. There is
// one in a cluster, so tests that ask for it must not run in parallel. A cluster
// that has a client template already is refused.
func NewFleet(t *testing.T) *Sandbox {
	t.Helper()
	config := RequireCluster(t)
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sandbox{Namespace: "default", Admin: admin, config: config}
	controller := &Sandbox{Namespace: controllerNamespace, Admin: admin, config: config}

	_, err = controller.objects("ConfigMap").Get(t.Context(), "templates-yaml", metav1.GetOptions{})
	if err == nil {
		t.Fatal("the cluster has a client template in ConfigMap controller/templates-yaml already: choose one without MIRA")
	}
	if !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	namespaces := admin.Resource(resources["Namespace"])
	if _, err := namespaces.Create(t.Context(), NamespaceObject(controllerNamespace), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	for _, object := range readManifests(t, filepath.Join(Root(), "examples", "rbac", "controller.yaml")) {
		(&Sandbox{Namespace: object.GetNamespace(), Admin: admin}).putForTest(t, object)
	}
	for name, data := range map[string]map[string]any{
		"templates-yaml":                 {"client_template.yaml": SampleTemplate(t)},
		"mira-cluster-controller-config": {"CLUSTER_DOMAIN": Domain, "DJANGO_DEBUG": "False"},
	} {
		controller.putForTest(t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": data,
		}})
	}
	s.Kubeconfig = controller.kubeconfig(t)
	return s
}

// putForTest applies an object, and removes it at the end of the test.
func (s *Sandbox) putForTest(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	s.Apply(t, object, "test")
	t.Cleanup(func() {
		err := s.objects(object.GetKind()).Delete(detached(t), object.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	})
}

// PutFleetTemplates replaces the templates of a fleet made by [NewFleet].
func (s *Sandbox) PutFleetTemplates(t *testing.T, templates map[string]string) {
	t.Helper()
	(&Sandbox{Namespace: controllerNamespace, Admin: s.Admin}).PutConfigMap(t, "templates-yaml", templates)
}

// Empty deletes what deleting clients leaves: their claims.
func (s *Sandbox) Empty(t *testing.T) {
	t.Helper()
	for _, name := range s.Names(t, "PersistentVolumeClaim") {
		s.Delete(t, "PersistentVolumeClaim", name)
	}
	s.WaitFor(t, "PersistentVolumeClaim", "the claims are gone", func(claims []*unstructured.Unstructured) bool { return len(claims) == 0 })
}
