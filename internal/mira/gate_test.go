package mira

import (
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

func TestNeedsGate(t *testing.T) {
	const (
		image    = "spec.template.spec.containers[mira].image"
		replicas = "spec.replicas"
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
		{"another Service", objects{"Service/mira-acme": {image: "1"}}, objects{"Service/mira-acme": {image: "2"}}, false},
		{"a new StatefulSet", objects{}, objects{set: {image: "mira:3.0"}}, false},
		{"a StatefulSet that goes", objects{set: {image: "mira:3.0"}}, objects{}, false},
		{"a plan that is not known", objects{set: {image: "mira:3.0"}}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := needsGate(&State{Objects: test.prior}, test.planned); got != test.want {
				t.Errorf("needsGate = %t, want %t", got, test.want)
			}
		})
	}
}
