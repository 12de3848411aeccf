package acctest

import (
	"path/filepath"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// GrantIn gives the sandbox's account the same rights on clients in another
// namespace.
func (s *Sandbox) GrantIn(t *testing.T, namespace string) {
	t.Helper()
	for _, object := range s.clientRights(t) {
		object.SetName(object.GetName() + "-of-" + s.Namespace)
		object.SetNamespace(namespace)
		if object.GetKind() == "RoleBinding" {
			s.bind(object, "Role")
		}
		if _, err := s.Admin.Resource(resources[object.GetKind()]).Namespace(namespace).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatalf("granting rights in %s: %v", namespace, err)
		}
	}
	s.awaitRight(t, namespace, "apps", "statefulsets", "patch", true)
}

// GrantEverywhere gives the sandbox's account the same rights on clients in
// every namespace, for the time of the test.
func (s *Sandbox) GrantEverywhere(t *testing.T) {
	t.Helper()
	for _, object := range s.clientRights(t) {
		object.SetName(object.GetName() + "-of-" + s.Namespace)
		object.SetNamespace("")
		object.SetKind("Cluster" + object.GetKind())
		if object.GetKind() == "ClusterRoleBinding" {
			s.bind(object, "ClusterRole")
		}
		client := s.Admin.Resource(resources[object.GetKind()])
		if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatalf("granting rights in all namespaces: %v", err)
		}
		t.Cleanup(func() {
			if err := client.Delete(detached(t), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Errorf("withdrawing rights in all namespaces: %v", err)
			}
		})
	}
	s.awaitRight(t, "any-other", "apps", "statefulsets", "patch", true)
}

// Withdraw takes verbs on a resource from the sandbox's account.
func (s *Sandbox) Withdraw(t *testing.T, resource string, verbs ...string) {
	t.Helper()
	role := s.Get(t, "Role", "mira-clients")
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	found, group := false, ""
	for _, rule := range rules {
		fields, ok := rule.(map[string]any)
		if !ok {
			continue
		}
		resources, _, _ := unstructured.NestedStringSlice(fields, "resources")
		if !slices.Contains(resources, resource) {
			continue
		}
		groups, _, _ := unstructured.NestedStringSlice(fields, "apiGroups")
		group, found = groups[0], true
		left, _, _ := unstructured.NestedStringSlice(fields, "verbs")
		left = slices.DeleteFunc(left, func(verb string) bool { return slices.Contains(verbs, verb) })
		_ = unstructured.SetNestedStringSlice(fields, left, "verbs")
	}
	// A rule without verbs is not valid.
	rules = slices.DeleteFunc(rules, func(rule any) bool {
		verbs, _, _ := unstructured.NestedStringSlice(rule.(map[string]any), "verbs")
		return len(verbs) == 0
	})
	if !found {
		t.Fatalf("the Role has no rule on %s", resource)
	}
	rules = slices.DeleteFunc(rules, func(rule any) bool { // one without verbs is not allowed
		fields, ok := rule.(map[string]any)
		left, _, _ := unstructured.NestedStringSlice(fields, "verbs")
		return ok && len(left) == 0
	})
	_ = unstructured.SetNestedSlice(role.Object, rules, "rules")
	if _, err := s.objects("Role").Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("withdrawing rights: %v", err)
	}
	for _, verb := range verbs {
		s.awaitRight(t, s.Namespace, group, resource, verb, false)
	}
}

// clientRights are the Role on clients and its binding.
func (s *Sandbox) clientRights(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects := readManifests(t, filepath.Join(Root(), "examples", "rbac", "controller.yaml"))
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetName() != "mira-clients" })
}

func (s *Sandbox) bind(binding *unstructured.Unstructured, kind string) {
	_ = unstructured.SetNestedField(binding.Object, kind, "roleRef", "kind")
	_ = unstructured.SetNestedField(binding.Object, binding.GetName(), "roleRef", "name")
	_ = unstructured.SetNestedSlice(binding.Object, []any{
		map[string]any{"kind": "ServiceAccount", "name": ServiceAccount, "namespace": s.Namespace},
	}, "subjects")
}
