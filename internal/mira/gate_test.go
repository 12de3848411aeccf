package mira

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

func TestNeedsGate(t *testing.T) {
	const (
		image    = "spec.template.spec.containers[mira].image"
		replicas = "spec.replicas"
		strategy = "spec.updateStrategy.type"
		set      = "StatefulSet/mira-acme"
	)
	type objects = map[string]managedfields.Fields
	for _, test := range []struct {
		name           string
		prior, planned objects
		want           bool
	}{
		{"another image", objects{set: {image: "mira:3.0"}}, objects{set: {image: "mira:3.1"}}, true},
		{"a field of the pod template that goes", objects{set: {image: "mira:3.0"}}, objects{set: {}}, true},
		{"a pod template that is owned as a whole", objects{set: {"spec.template": "{}"}}, objects{set: {"spec.template": `{"a":1}`}}, true},
		{"the same pod template", objects{set: {image: "mira:3.0", replicas: "1"}}, objects{set: {image: "mira:3.0", replicas: "2"}}, false},
		{"fewer replicas", objects{set: {image: "mira:3.0", replicas: "2"}}, objects{set: {image: "mira:3.0", replicas: "0"}}, true},
		{"replicas that are left to the server", objects{set: {replicas: "2"}}, objects{set: {}}, true},
		{"a StatefulSet that is recreated", objects{set: {"spec.serviceName": "a"}}, objects{set: {"spec.serviceName": "b"}}, true},
		{"a strategy", objects{set: {strategy: "OnDelete"}}, objects{set: {strategy: "RollingUpdate"}}, false},
		{"another Service", objects{"Service/mira-acme": {image: "1"}}, objects{"Service/mira-acme": {image: "2"}}, false},
		{"a StatefulSet of a client that has nothing", objects{}, objects{set: {image: "mira:3.0"}}, false},
		{"a StatefulSet beside another one", objects{set: {}}, objects{set: {}, "StatefulSet/mira-acme-new": {image: "mira:3.0"}}, true},
		{"a StatefulSet that goes", objects{set: {image: "mira:3.0"}}, objects{}, true},
		{"an Ingress that goes", objects{"Ingress/mira-acme": {}, set: {}}, objects{set: {}}, true},
		{"a plan that is not known", objects{set: {image: "mira:3.0"}}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := needsGate(&State{Objects: test.prior}, test.planned); got != test.want {
				t.Errorf("needsGate = %t, want %t", got, test.want)
			}
		})
	}
}

// A rollout that was not seen through is one of the run, whatever the plan changes.
func TestNeedsGate_pendingRollout(t *testing.T) {
	objects := map[string]managedfields.Fields{"StatefulSet/mira-acme": {"spec.replicas": "1"}}
	prior := &State{Objects: objects, Journal: &Journal{Rollouts: []PendingRollout{{StatefulSet: "mira-acme"}}}}
	if !needsGate(prior, objects) {
		t.Error("a client whose rollout is pending passes by the gate")
	}
}

// What a plan does not show, the dry runs do: the order of init containers, drift since the
// refresh, the pods that an adoption changes.
func TestObjectChange_disruptsPods(t *testing.T) {
	live := statefulSet(t, "mira-acme", 3, "mira:3.0")
	service := object(t, `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mira-acme"}}`)
	withInit := func(names ...string) *unstructured.Unstructured {
		set := live.DeepCopy()
		var containers []any
		for _, name := range names {
			containers = append(containers, map[string]any{"name": name, "image": "busybox"})
		}
		if err := unstructured.SetNestedSlice(set.Object, containers, "spec", "template", "spec", "initContainers"); err != nil {
			t.Fatal(err)
		}
		return set
	}
	for _, test := range []struct {
		name         string
		live, dryRun *unstructured.Unstructured
		action       action
		isUpdate     bool
		want         bool
	}{
		{"another image", live, statefulSet(t, "mira-acme", 3, "mira:3.1"), actionApply, true, true},
		{"an adoption with another image", live, statefulSet(t, "mira-acme", 3, "mira:3.1"), actionApply, false, true},
		{"an adoption that changes nothing", live, live, actionApply, false, false},
		{"init containers in another order", withInit("a", "b"), withInit("b", "a"), actionApply, true, true},
		{"fewer replicas", live, statefulSet(t, "mira-acme", 0, "mira:3.0"), actionApply, true, true},
		{"more replicas", live, statefulSet(t, "mira-acme", 4, "mira:3.0"), actionApply, true, false},
		{"a recreation", live, live, actionRecreate, true, true},
		{"nothing", live, live, actionNone, true, false},
		{"a StatefulSet of a new client", nil, live, actionApply, false, false},
		{"a StatefulSet that an update creates", nil, live, actionApply, true, true},
		{"a Service", service, service, actionApply, true, false},
		{"an object that goes", nil, nil, actionDelete, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &objectChange{action: test.action, manifest: test.dryRun, live: test.live, dryRun: test.dryRun}
			if got := c.disruptsPods(test.isUpdate); got != test.want {
				t.Errorf("disruptsPods = %t, want %t", got, test.want)
			}
		})
	}
}
