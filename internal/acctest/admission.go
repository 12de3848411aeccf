package acctest

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	policies, bindings := s.Admin.Resource(resources["ValidatingAdmissionPolicy"]), s.Admin.Resource(resources["ValidatingAdmissionPolicyBinding"])
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
	if _, err := policies.Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := func() {
		for _, client := range []interface {
			Delete(ctx context.Context, name string, options metav1.DeleteOptions, subresources ...string) error
		}{bindings, policies} {
			if err := client.Delete(detached(t), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("lifting the ban on %s: %v", resource, err)
			}
		}
	}
	t.Cleanup(remove)
	s.awaitRefusal(t, probe, true)
	return func() { remove(); s.awaitRefusal(t, probe, false) }
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
