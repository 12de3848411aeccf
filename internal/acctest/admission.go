package acctest

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
)

// Admission has the API server refuse or change what is written to a sandbox. Each
// method returns when its rule is in force, and so does the function that lifts it.
// What is not lifted ends with the test.
type Admission struct {
	objects *Objects // of the sandbox
}

// policyKind is a kind of admission policy: its endpoint, and that of its bindings.
type policyKind struct{ policies, bindings schema.GroupVersionResource }

func policyKindOf(policies, bindings string) policyKind {
	version := schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}
	return policyKind{policies: version.WithResource(policies), bindings: version.WithResource(bindings)}
}

var (
	validatingPolicies = policyKindOf("validatingadmissionpolicies", "validatingadmissionpolicybindings")
	mutatingPolicies   = policyKindOf("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
)

// Deny has the API server refuse, by a ValidatingAdmissionPolicy, the requests on a
// resource for which a CEL expression is true, dry runs among them. The probe is an
// object whose creation the expression forbids: it shows whether the policy is in
// force.
func (a *Admission) Deny(t *testing.T, resource, expression string, probe *unstructured.Unstructured) (lift func()) {
	t.Helper()
	// A dry run leaves nothing behind that a controller could meet.
	return a.deny(t, resource, expression, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// DenyWrites is Deny for writes alone, so that a write fails whose dry run has passed.
// The probe is really created until the policy is in force.
func (a *Admission) DenyWrites(t *testing.T, resource, expression string, probe *unstructured.Unstructured) (lift func()) {
	t.Helper()
	return a.deny(t, resource, "!(has(request.dryRun) && request.dryRun) && ("+expression+")", probe, metav1.CreateOptions{})
}

// deny enforces a policy. The options are those by which its probe is created.
func (a *Admission) deny(
	t *testing.T, resource, expression string, probe *unstructured.Unstructured, options metav1.CreateOptions,
) (lift func()) {
	t.Helper()
	name := a.objects.Namespace + "-" + resource
	policy := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": validatingPolicies.policies.GroupVersion().String(), "kind": "ValidatingAdmissionPolicy",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"matchConstraints": map[string]any{
				"resourceRules": []any{map[string]any{
					"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "operations": []any{"CREATE", "UPDATE"}, "resources": []any{resource},
				}},
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": a.objects.Namespace}},
			},
			"validations": []any{map[string]any{"expression": "!(" + expression + ")", "message": "forbidden by the test"}},
		},
	}}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": validatingPolicies.policies.GroupVersion().String(), "kind": "ValidatingAdmissionPolicyBinding",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"policyName": name, "validationActions": []any{"Deny"}},
	}}
	remove := a.enforce(t, validatingPolicies, policy, binding)
	a.awaitRefusal(t, probe, options, true)
	return func() { remove(); a.awaitRefusal(t, probe, options, false) }
}

// Quota adds a ResourceQuota, such as {"count/services": "0"}, that a further object
// like the probe would exceed.
func (a *Admission) Quota(t *testing.T, name string, hard map[string]string, probe *unstructured.Unstructured) (lift func()) {
	t.Helper()
	quotas := a.objects.Admin.Resource(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}).Namespace(a.objects.Namespace)
	quota := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ResourceQuota", "metadata": map[string]any{"name": name},
	}}
	_ = unstructured.SetNestedStringMap(quota.Object, hard, "spec", "hard")
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await := func(refused bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
			_, err := a.objects.of(probe.GetKind()).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil && !apierrors.IsForbidden(err) {
				return false, err
			}
			// A quota whose use is not counted yet refuses everything.
			isExceeded := err != nil && strings.Contains(err.Error(), "exceeded quota")
			return isExceeded == refused && (err == nil) == !refused, nil
		})
		if err != nil {
			t.Fatalf("waiting until quota %s refuses a %s: %t: %v", name, probe.GetKind(), refused, err)
		}
	}
	await(true)
	return func() {
		t.Helper()
		if err := quotas.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		await(false)
	}
}

// enforce creates an admission policy and its binding for the time of the test, and
// returns the function that removes both earlier.
func (a *Admission) enforce(t *testing.T, kind policyKind, policy, binding *unstructured.Unstructured) (remove func()) {
	t.Helper()
	createGlobal(t, a.objects.Admin, kind.policies, policy)
	createGlobal(t, a.objects.Admin, kind.bindings, binding)
	return func() {
		t.Helper()
		for resource, name := range map[schema.GroupVersionResource]string{kind.bindings: binding.GetName(), kind.policies: policy.GetName()} {
			err := a.objects.Admin.Resource(resource).Delete(detached(t), name, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("removing %s %s: %v", resource.Resource, name, err)
			}
		}
	}
}

// awaitRefusal waits until creating an object is refused, or is not any more.
func (a *Admission) awaitRefusal(t *testing.T, probe *unstructured.Unstructured, options metav1.CreateOptions, refused bool) {
	t.Helper()
	client := a.objects.of(probe.GetKind())
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		_, err := client.Create(ctx, probe, options)
		if err == nil && len(options.DryRun) == 0 {
			err := client.Delete(ctx, probe.GetName(), metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				err = nil // a controller was quicker
			}
			return !refused, err
		}
		return apierrors.IsInvalid(err) == refused && (err == nil) == !refused, nil
	})
	if err != nil {
		t.Fatalf("waiting for the admission policy: %v", err)
	}
}

// createGlobal creates an object outside of any namespace, for the time of the test.
func createGlobal(t *testing.T, admin dynamic.Interface, resource schema.GroupVersionResource, object *unstructured.Unstructured) {
	t.Helper()
	client := admin.Resource(resource)
	if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	t.Cleanup(func() {
		if err := client.Delete(detached(t), object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	})
}

// StatefulSetProbe is a StatefulSet, without pods, that the API server would accept.
func StatefulSetProbe() *unstructured.Unstructured {
	labels := map[string]any{"app": "probe"}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{
			"replicas": int64(0), "serviceName": "probe", "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "probe", "image": "probe:1"}}},
			},
		},
	}}
}
