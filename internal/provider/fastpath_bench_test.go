package provider

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// What the fast path itself takes for a client of usual size, beside the work of
// package mira.
func BenchmarkFastPath(b *testing.B) {
	f, err := newFastPath(b.Context(), newProvider("test"), clientSchema(b.Context()))
	if err != nil {
		b.Fatal(err)
	}
	attributes := benchClient()
	value, err := valueFrom(clientKind.typ, attributes)
	if err != nil {
		b.Fatal(err)
	}
	state, err := tfprotov6.NewDynamicValue(clientKind.typ, value)
	if err != nil {
		b.Fatal(err)
	}
	stored, err := json.Marshal(attributes)
	if err != nil {
		b.Fatal(err)
	}
	config, err := valueFrom(clientKind.typ, map[string]any{"name": "acme", "admin_email": "a@acme.example", "namespace": "default"})
	if err != nil {
		b.Fatal(err)
	}
	configured, err := tfprotov6.NewDynamicValue(clientKind.typ, config)
	if err != nil {
		b.Fatal(err)
	}
	private := benchPrivate(b)
	data := &configuredFleet
	b.Run("upgrade", func(b *testing.B) {
		b.ReportAllocs()
		req := &tfprotov6.UpgradeResourceStateRequest{TypeName: clientType, RawState: &tfprotov6.RawState{JSON: stored}}
		for b.Loop() {
			if _, reason := f.upgrade(req); reason != "" {
				b.Fatal(reason)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		req := &tfprotov6.ReadResourceRequest{TypeName: clientType, CurrentState: &state, Private: private}
		for b.Loop() {
			if _, _, reason := f.readable(b.Context(), data, req); reason != "" {
				b.Fatal(reason)
			}
		}
	})
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: clientType, PriorState: &state, ProposedNewState: &state, Config: &configured, PriorPrivate: private,
	}
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			client, reason := f.plannable(b.Context(), data, req)
			if reason != "" {
				b.Fatal(reason)
			}
			_, _, _ = client.spec(data.template)
		}
	})
	b.Run("changed plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			client, reason := f.plannable(b.Context(), data, req)
			if reason != "" {
				b.Fatal(reason)
			}
			_, _, _ = client.spec(data.template)
			planned := *client.prior
			planned.URL = "https://other.example"
			if _, reason := client.planned(&mira.Plan{State: planned}, req); reason != "" {
				b.Fatal(reason)
			}
		}
	})
}

// configuredFleet is a configured provider for what does not ask the fleet.
var configuredFleet = configured{fleet: &mira.Fleet{}, namespace: knownValue("default")}

func benchClient() map[string]any {
	objects := make(map[string]any)
	for _, object := range []struct {
		key    string
		fields int
	}{{"Service/mira-acme", 12}, {"Ingress/mira-acme", 10}, {"StatefulSet/mira-acme", 60}} {
		fields := make(map[string]any)
		for i := range object.fields {
			fields[fmt.Sprintf("spec.template.spec.containers[mira].field%d", i)] = fmt.Sprintf("the value of field %d", i)
		}
		objects[object.key] = fields
	}
	return map[string]any{
		"name": "acme", "namespace": "default", "id": "default/acme", "admin_email": "a@acme.example",
		"wait_for_rollout": true, "delete_data": false,
		"url": "https://acme.example", "template_revision": "r", "objects": objects,
		"images": map[string]any{"mira": "mira:3.0", "caddy": "caddy:2.8"}, "persistent_volume_claims": []any{"mira-data-mira-acme-0"},
	}
}

func benchPrivate(b *testing.B) []byte {
	b.Helper()
	refs := []kube.Ref{
		{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-acme", UID: "1"},
		{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Namespace: "default", Name: "mira-acme", UID: "2"},
		{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "default", Name: "mira-acme", UID: "3"},
	}
	data, err := json.Marshal(refs)
	if err != nil {
		b.Fatal(err)
	}
	private, err := json.Marshal(map[string][]byte{refsKey: data})
	if err != nil {
		b.Fatal(err)
	}
	return private
}
