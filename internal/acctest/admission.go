package acctest

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Deny has the API server refuse, by a ValidatingAdmissionPolicy, what makes a
// CEL expression true of a request on a resource in the sandbox, and gives the
// means to lift the ban. `request.dryRun` tells dry runs from writes, so that
// a write can be made to fail after its dry run has passed. Kind and name are of
// an object whose creation the expression must forbid: it is tried until the
// policy is in force.
func (s *Sandbox) Deny(t *testing.T, resource, expression string, probe *unstructured.Unstructured) (lift func()) {
	t.Helper()
	name := s.Namespace + "-" + resource
	policy := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"matchConstraints": map[string]any{
				"resourceRules": []any{map[string]any{
					"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "operations": []any{"CREATE", "UPDATE"}, "resources": []any{resource},
				}},
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": s.Namespace}},
			},
			"validations": []any{map[string]any{"expression": "!(" + expression + ")", "message": "forbidden by the test"}},
		},
	}}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"policyName": name, "validationActions": []any{"Deny"}},
	}}
	remove := s.enforce(t, resources["ValidatingAdmissionPolicy"], policy, resources["ValidatingAdmissionPolicyBinding"], binding)
	s.awaitRefusal(t, probe, true)
	return func() { remove(); s.awaitRefusal(t, probe, false) }
}

// enforce creates an admission policy and its binding for the time of the test, and
// gives the means to remove both earlier.
func (s *Sandbox) enforce(t *testing.T, policies schema.GroupVersionResource, policy *unstructured.Unstructured, bindings schema.GroupVersionResource, binding *unstructured.Unstructured) (remove func()) {
	t.Helper()
	s.putGlobal(t, policies, policy)
	s.putGlobal(t, bindings, binding)
	return func() {
		t.Helper()
		for resource, name := range map[schema.GroupVersionResource]string{bindings: binding.GetName(), policies: policy.GetName()} {
			if err := s.Admin.Resource(resource).Delete(detached(t), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("removing %s %s: %v", resource.Resource, name, err)
			}
		}
	}
}

// awaitRefusal waits until creating an object is refused, or is not any more.
func (s *Sandbox) awaitRefusal(t *testing.T, probe *unstructured.Unstructured, refused bool) {
	t.Helper()
	client := s.objects(probe.GetKind())
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		_, err := client.Create(ctx, probe, metav1.CreateOptions{})
		if err == nil {
			err := client.Delete(ctx, probe.GetName(), metav1.DeleteOptions{})
			return !refused, err
		}
		return refused && apierrors.IsInvalid(err), nil
	})
	if err != nil {
		t.Fatalf("waiting for the admission policy: %v", err)
	}
}
