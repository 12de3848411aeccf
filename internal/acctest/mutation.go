package acctest

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
)

// mutationProbe is the name of a ConfigMap by which the policy on a resource shows
// that it is in force. It is never stored.
func mutationProbe(resource string) string { return "mutation-probe-of-" + resource }

// Mutate has the API server change, by a MutatingAdmissionPolicy, what is written to
// a resource, dry runs included. The patch is a CEL expression for a list of
// JSONPatch; it is applied where all conditions, CEL too, hold. `request.dryRun` and
// `request.operation` tell the writes apart.
func (a *Admission) Mutate(t *testing.T, resource, patch string, conditions ...string) (lift func()) {
	t.Helper()
	name := a.objects.Namespace + "-" + resource
	// The conditions stand in the expression, not in matchConditions: the probe
	// must be changed in any case.
	expression := `request.resource.resource == "configmaps"
? (object.metadata.name == "` + mutationProbe(resource) + `" ? [JSONPatch{op: "add", path: "/data", value: {"in": "force"}}] : [])
: ((` + strings.Join(append(conditions, "true"), ") && (") + `) ? (` + patch + `) : [])`
	policy := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": mutatingPolicies.policies.GroupVersion().String(), "kind": "MutatingAdmissionPolicy",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"matchConstraints": map[string]any{
				"resourceRules": []any{map[string]any{
					"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "operations": []any{"CREATE", "UPDATE"},
					"resources": []any{resource, "configmaps"},
				}},
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": a.objects.Namespace}},
			},
			"failurePolicy":      "Fail",
			"reinvocationPolicy": "Never",
			"mutations": []any{
				map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": expression}},
			},
		},
	}}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": mutatingPolicies.bindings.GroupVersion().String(), "kind": "MutatingAdmissionPolicyBinding",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"policyName": name},
	}}
	remove := a.enforce(t, mutatingPolicies, policy, binding)
	a.awaitMutation(t, resource, true)
	return func() { remove(); a.awaitMutation(t, resource, false) }
}

// awaitMutation waits until the probe is changed, or is not any more.
func (a *Admission) awaitMutation(t *testing.T, resource string, inForce bool) {
	t.Helper()
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": mutationProbe(resource)},
	}}
	client := a.objects.of("ConfigMap")
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		result, err := client.Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return false, err
		}
		_, changed, _ := unstructured.NestedString(result.Object, "data", "in")
		return changed == inForce, nil
	})
	if err != nil {
		t.Fatalf("waiting for the mutating policy: %v", err)
	}
}
