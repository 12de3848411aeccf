package mira

import (
	"errors"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestImagesOf(t *testing.T) {
	got := imagesOf(map[string]managedfields.Fields{
		"StatefulSet/mira-acme": {
			"spec.template.spec.containers[mira].image":           "mira:3.0",
			"spec.template.spec.containers[mira].imagePullPolicy": "Always",
			"spec.template.spec.initContainers[migrate].image":    "mira:3.0",
			"spec.template.spec.volumes[x].image":                 "not a container",
		},
		"Deployment/other": {"spec.template.spec.containers[other].image": "other:1"},
	})
	if diff := cmp.Diff(map[string]string{"mira": "mira:3.0", "migrate": "mira:3.0"}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// A template with an application and its database often has two StatefulSets whose containers
// are called the same.
func TestImagesOf_ofTwoStatefulSets(t *testing.T) {
	objects := map[string]managedfields.Fields{
		"StatefulSet/mira-acme": {
			"spec.template.spec.containers[mira].image":  "mira:3.0",
			"spec.template.spec.containers[caddy].image": "caddy:2.8",
		},
		"StatefulSet/mira-acme-db": {
			"spec.template.spec.initContainers[mira].image": "mariadb:11",
			"spec.template.spec.containers[db].image":       "mariadb:11",
		},
		"Deployment/caddy": {"spec.template.spec.containers[caddy].image": "caddy:1"},
	}
	want := map[string]string{
		"StatefulSet/mira-acme/mira": "mira:3.0", "StatefulSet/mira-acme-db/mira": "mariadb:11",
		"caddy": "caddy:2.8", "db": "mariadb:11",
	}
	for range 100 { // maps have no order
		if diff := cmp.Diff(want, imagesOf(objects)); diff != "" {
			t.Fatalf("images (-want +got):\n%s", diff)
		}
	}
}

func TestURLOf(t *testing.T) {
	for _, test := range []struct{ name, rules, want string }{
		{"the first host", `[{"host": "acme.mira.example"}, {"host": "www.acme.example"}]`, "https://acme.mira.example"},
		{"no address from a wildcard", `[{"host": "*.mira.example"}, {"host": "acme.mira.example"}]`, "https://acme.mira.example"},
		{"none without a host", `[{}]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			service := object(t, `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}`)
			ingress := object(t, `{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
			  "spec": {"rules": `+test.rules+`}}`)
			if got := urlOf([]*unstructured.Unstructured{service, ingress}); got != test.want {
				t.Errorf("url %q, want %q", got, test.want)
			}
		})
	}
}

func TestClaimPolicy(t *testing.T) {
	for _, test := range []struct {
		name, policy string
		deleteData   bool
		want         string
	}{
		{"claims that stay are no matter", `{"whenDeleted": "Retain", "whenScaled": "Retain"}`, false, ""},
		{"claims deleted with the StatefulSet are refused", `{"whenDeleted": "Delete"}`, false, "whenDeleted"},
		{"so are claims deleted when it shrinks", `{"whenScaled": "Delete"}`, false, "whenScaled"},
		{"unless the data may go", `{"whenDeleted": "Delete", "whenScaled": "Delete"}`, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
			  "spec": {"persistentVolumeClaimRetentionPolicy": `+test.policy+`}}`)
			err := checkClaimPolicy(o, test.deleteData)
			var refused *ClaimPolicyError
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (!errors.As(err, &refused) || refused.Policy != test.want):
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestLabelsGoOnTheObjectOnly(t *testing.T) {
	o := object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet",
	  "metadata": {"name": "s", "labels": {"app.kubernetes.io/managed-by": "Helm", "team": "a"}},
	  "spec": {"selector": {"matchLabels": {"app": "mira"}}, "template": {"metadata": {"labels": {"app": "mira"}}}}}`)
	label(o, "acme")
	want := object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet",
	  "metadata": {"name": "s", "labels": {"app.kubernetes.io/managed-by": "terraform-provider-mira",
	    "mira-cluster.io/client": "acme", "team": "a"}},
	  "spec": {"selector": {"matchLabels": {"app": "mira"}}, "template": {"metadata": {"labels": {"app": "mira"}}}}}`)
	if diff := cmp.Diff(want.Object, o.Object); diff != "" {
		t.Errorf("labelled object (-want +got):\n%s", diff)
	}
}

func TestRefsOfAStateWithoutReferences(t *testing.T) {
	var keys []string
	objects := map[string]managedfields.Fields{"StatefulSet/a": nil, "Service/b": nil, "Service/a": nil, "Ingress/a": nil}
	for _, ref := range RefsOf("default", objects) {
		keys = append(keys, ref.APIVersion+" "+ref.String())
	}
	want := []string{"v1 Service default/a", "v1 Service default/b", "networking.k8s.io/v1 Ingress default/a", "apps/v1 StatefulSet default/a"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

func TestDifferences(t *testing.T) {
	from := map[string]managedfields.Fields{"Service/a": {"x": "1", "y": "2"}, "Ingress/a": {"z": "3"}}
	to := map[string]managedfields.Fields{"Service/a": {"x": "1", "y": "4", "w": "5"}}
	want := []FieldChange{
		{Kind: FieldRemoved, Object: "Ingress/a", Field: "z", Before: "3"},
		{Kind: FieldAdded, Object: "Service/a", Field: "w", After: "5"},
		{Kind: FieldChanged, Object: "Service/a", Field: "y", Before: "2", After: "4"},
	}
	got := differences(from, to)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	lines := []string{`  - Ingress/a z: "3"`, `  + Service/a w: "5"`, `  ~ Service/a y: "2" -> "4"`}
	for i, line := range lines {
		if got[i].String() != line {
			t.Errorf("line %q, want %q", got[i], line)
		}
	}
	if lines := differences(from, from); len(lines) > 0 {
		t.Errorf("an object differs from itself: %v", lines)
	}
}
