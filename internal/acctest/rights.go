package acctest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

// clientRole is the name of the Role on clients in examples/rbac.
const clientRole = "mira-clients"

// Rights are those of the account that a sandbox's provider runs as. The API server
// learns of a change with a delay: the methods return when the change is in force.
type Rights struct {
	objects *Objects // of the sandbox
}

// grant gives the account the rights that examples/rbac documents, with the sandbox
// in the place of both namespaces that it names.
func (r *Rights) grant(t *testing.T) {
	t.Helper()
	r.grantAll(t, documentedRights(t))
}

// GrantTemplates gives the account the further rights that examples/rbac documents for
// templates that Terraform manages.
func (r *Rights) GrantTemplates(t *testing.T) {
	t.Helper()
	r.grantAll(t, rightsIn(t, "template-writer.yaml"))
	r.awaitNamed(t, "configmaps", "templates-yaml", "patch")
}

func (r *Rights) grantAll(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		object.SetNamespace(r.objects.Namespace)
		if subjects, found, _ := unstructured.NestedSlice(object.Object, "subjects"); found {
			for _, subject := range subjects {
				if fields, ok := subject.(map[string]any); ok {
					fields["namespace"] = r.objects.Namespace
				}
			}
			_ = unstructured.SetNestedSlice(object.Object, subjects, "subjects")
		}
		createIn(t, r.objects, object)
	}
}

// GrantIn gives the account the same rights on clients in another namespace.
func (r *Rights) GrantIn(t *testing.T, namespace string) {
	t.Helper()
	for _, object := range r.onClients(t) {
		object.SetNamespace(namespace)
		if object.GetKind() == "RoleBinding" {
			r.bind(object, "Role")
		}
		client := r.objects.Admin.Resource(resources[object.GetKind()]).Namespace(namespace)
		if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatalf("granting rights in %s: %v", namespace, err)
		}
	}
	r.await(t, namespace, "apps", "statefulsets", "patch", true)
}

// GrantEverywhere gives the account the same rights on clients in every namespace,
// for the time of the test.
func (r *Rights) GrantEverywhere(t *testing.T) {
	t.Helper()
	for _, object := range r.onClients(t) {
		object.SetNamespace("")
		object.SetKind("Cluster" + object.GetKind())
		if object.GetKind() == "ClusterRoleBinding" {
			r.bind(object, "ClusterRole")
		}
		client := r.objects.Admin.Resource(resources[object.GetKind()])
		if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatalf("granting rights in all namespaces: %v", err)
		}
		t.Cleanup(func() {
			if err := client.Delete(detached(t), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Errorf("withdrawing rights in all namespaces: %v", err)
			}
		})
	}
	r.await(t, "any-other", "apps", "statefulsets", "patch", true)
}

// GrantOn gives the account all rights on a further resource of the sandbox, as a template
// with a further kind needs them.
func (r *Rights) GrantOn(t *testing.T, group, resource string) {
	t.Helper()
	const roleAPI = "rbac.authorization.k8s.io"
	metadata := map[string]any{"name": "further-" + resource, "namespace": r.objects.Namespace}
	createIn(t, r.objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": roleAPI + "/v1", "kind": "Role", "metadata": metadata,
		"rules": []any{map[string]any{"apiGroups": []any{group}, "resources": []any{resource}, "verbs": []any{"*"}}},
	}})
	createIn(t, r.objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": roleAPI + "/v1", "kind": "RoleBinding", "metadata": metadata,
		"roleRef":  map[string]any{"apiGroup": roleAPI, "kind": "Role", "name": metadata["name"]},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": ServiceAccount, "namespace": r.objects.Namespace}},
	}})
	r.await(t, r.objects.Namespace, group, resource, "patch", true)
}

// Withdraw takes verbs on a resource of clients from the account.
func (r *Rights) Withdraw(t *testing.T, resource string, verbs ...string) {
	t.Helper()
	role := r.objects.Get(t, "Role", clientRole)
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	found, group := false, ""
	var left []any
	for _, rule := range rules {
		fields := rule.(map[string]any)
		resources, _, _ := unstructured.NestedStringSlice(fields, "resources")
		keeps, _, _ := unstructured.NestedStringSlice(fields, "verbs")
		if slices.Contains(resources, resource) {
			groups, _, _ := unstructured.NestedStringSlice(fields, "apiGroups")
			group, found = groups[0], true
			keeps = slices.DeleteFunc(keeps, func(verb string) bool { return slices.Contains(verbs, verb) })
			_ = unstructured.SetNestedStringSlice(fields, keeps, "verbs")
		}
		if len(keeps) > 0 { // a rule without verbs is not valid
			left = append(left, fields)
		}
	}
	if !found {
		t.Fatalf("the Role has no rule on %s", resource)
	}
	_ = unstructured.SetNestedSlice(role.Object, left, "rules")
	if _, err := r.objects.of("Role").Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("withdrawing rights: %v", err)
	}
	for _, verb := range verbs {
		r.await(t, r.objects.Namespace, group, resource, verb, false)
	}
}

// Suspend takes a verb on a resource of clients from the account, and returns the
// function that gives it back.
func (r *Rights) Suspend(t *testing.T, group, resource, verb string) (restore func()) {
	t.Helper()
	role := r.objects.Get(t, "Role", clientRole)
	rules, err := json.Marshal(map[string]any{"rules": role.Object["rules"]})
	if err != nil {
		t.Fatal(err)
	}
	r.Withdraw(t, resource, verb)
	return func() {
		t.Helper()
		r.objects.Patch(t, "Role", clientRole, "test", string(rules))
		r.await(t, r.objects.Namespace, group, resource, verb, true)
	}
}

// await waits until the API server allows the account a verb on a resource, or does
// not.
func (r *Rights) await(t *testing.T, namespace, group, resource, verb string, allowed bool) {
	t.Helper()
	r.awaitReview(t, map[string]any{"namespace": namespace, "group": group, "resource": resource, "verb": verb}, allowed)
}

// awaitNamed waits until the API server allows the account a verb on one object of the sandbox.
func (r *Rights) awaitNamed(t *testing.T, resource, name, verb string) {
	t.Helper()
	r.awaitReview(t, map[string]any{"namespace": r.objects.Namespace, "group": "", "resource": resource, "name": name, "verb": verb}, true)
}

func (r *Rights) awaitReview(t *testing.T, attributes map[string]any, allowed bool) {
	t.Helper()
	endpoint := schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"}
	reviews := r.objects.Admin.Resource(endpoint)
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
		"spec": map[string]any{
			"user":               "system:serviceaccount:" + r.objects.Namespace + ":" + ServiceAccount,
			"resourceAttributes": attributes,
		},
	}}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		answer, err := reviews.Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		now, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
		return now == allowed, nil
	})
	if err != nil {
		t.Fatalf("waiting until %v is allowed: %t: %v", attributes, allowed, err)
	}
}

// onClients returns the documented Role on clients and its binding, under a name that
// no other test uses.
func (r *Rights) onClients(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects := slices.DeleteFunc(documentedRights(t), func(o *unstructured.Unstructured) bool { return o.GetName() != clientRole })
	for _, object := range objects {
		object.SetName(clientRole + "-of-" + r.objects.Namespace)
	}
	return objects
}

// bind has a binding give the role of its own name to the account.
func (r *Rights) bind(binding *unstructured.Unstructured, kind string) {
	_ = unstructured.SetNestedField(binding.Object, kind, "roleRef", "kind")
	_ = unstructured.SetNestedField(binding.Object, binding.GetName(), "roleRef", "name")
	_ = unstructured.SetNestedSlice(binding.Object, []any{
		map[string]any{"kind": "ServiceAccount", "name": ServiceAccount, "namespace": r.objects.Namespace},
	}, "subjects")
}
