package provider

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// A client that is in any way out of the ordinary is left to the framework.
func TestFastPath_client(t *testing.T) {
	f := newTestFastPath(t)
	ref := kube.Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "mira-acme", UID: "1"}
	usual := map[string]any{
		"name": "acme", "namespace": "default", "id": "default/acme", "admin_email": "a@acme.example",
		"wait_for_rollout": true, "delete_data": false,
		"url": "https://acme.example", "template_revision": "r", "rollout": "complete", "variables": map[string]any{"A": "1"},
		"template":                 map[string]any{"config_map": "other", "revision": "pinned"},
		"timeouts":                 map[string]any{"read": "5s"},
		"objects":                  map[string]any{"Service/mira-acme": map[string]any{"spec.type": "ClusterIP"}},
		"images":                   map[string]any{"mira": "mira:3.0"},
		"persistent_volume_claims": []any{"data"},
	}
	private := func(parts map[string]any) []byte { return privateOf(t, parts) }
	refs := map[string]any{refsKey: []kube.Ref{ref}}

	client, reason := f.client(t.Context(), stateOf(t, clientKind.typ, usual), private(refs))
	if client == nil {
		t.Fatalf("a usual client was left to the framework: %s", reason)
	}
	want := mira.Spec{
		Namespace: "default", Name: "acme", AdminEmail: "a@acme.example", Variables: map[string]string{"A": "1"},
		Template: mira.TemplateSource{Namespace: "n", ConfigMap: "other", Key: "k"}, Revision: "pinned", RereadTemplate: true,
	}
	spec, _, diags := client.spec(mira.TemplateSource{Namespace: "n", ConfigMap: "c", Key: "k"})
	if diags.HasError() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if client.readTimeout != 5*time.Second || client.prior.URL != "https://acme.example" ||
		client.prior.PinnedRevision != "pinned" || len(client.prior.Claims) != 1 {
		t.Errorf("got %+v, %+v", client, client.prior)
	}
	again := client.clientModel
	again.setState(*client.prior)
	if got, err := tfprotov6.NewDynamicValue(clientKind.typ, again.encode()); err != nil || !isSame(&got, stateOf(t, clientKind.typ, usual)) {
		t.Errorf("a client with its own state is another one: %v", err)
	}

	for _, test := range []struct {
		name    string
		state   map[string]any
		private []byte
	}{
		{"no client", nil, private(refs)},
		{"another ID", with(usual, "id", "default/other"), private(refs)},
		{"no objects", with(usual, "objects", nil), private(refs)},
		{"a field without a value", with(usual, "objects", map[string]any{"Service/mira-acme": map[string]any{"spec.type": nil}}), private(refs)},
		{"no images", with(usual, "images", nil), private(refs)},
		{"no claims", with(usual, "persistent_volume_claims", nil), private(refs)},
		{"an empty address", with(usual, "url", ""), private(refs)},
		{"a variable without a value", with(usual, "variables", map[string]any{"A": nil}), private(refs)},
		{"an empty time-out", with(usual, "timeouts", map[string]any{"read": ""}), private(refs)},
		{"a time-out that is none", with(usual, "timeouts", map[string]any{"read": "soon"}), private(refs)},
		{"a pending rollout", with(usual, "rollout", "pending"), private(refs)},
		{"a state from before rollouts were noted", with(usual, "rollout", nil), private(refs)},
		{"a journal", usual, private(with(refs, journalKey, mira.Journal{}))},
		{"no private state", usual, nil},
		{"another private state", usual, []byte(`{"objects": 1}`)},
		{"no references", usual, private(nil)},
		{"references that cannot be read", usual, private(map[string]any{refsKey: "none"})},
		{"just imported", usual, private(with(refs, ".import_before_read", true))},
	} {
		t.Run(test.name, func(t *testing.T) {
			var from any
			if test.state != nil {
				from = test.state
			}
			if got, _ := f.client(t.Context(), stateOf(t, clientKind.typ, from), test.private); got != nil {
				t.Errorf("got %+v, want it to be left to the framework", got)
			}
		})
	}
}

// stateOf returns a state with these attributes; the others are null.
func stateOf(t *testing.T, typ tftypes.Type, attributes any) *tfprotov6.DynamicValue {
	t.Helper()
	value, err := valueFrom(typ, attributes)
	if err != nil {
		t.Fatal(err)
	}
	state, err := tfprotov6.NewDynamicValue(typ, value)
	if err != nil {
		t.Fatal(err)
	}
	return &state
}

// with returns a copy of a map with another value.
func with(values map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(values)
	changed[name] = value
	return changed
}

// newTestFastPath returns the fast path of a provider that is not configured.
func newTestFastPath(t *testing.T) *fastPath {
	t.Helper()
	f, err := newFastPath(t.Context(), newProvider("test"), clientSchema(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// privateOf returns a private state with these parts, as the framework writes it.
func privateOf(t *testing.T, parts map[string]any) []byte {
	t.Helper()
	kept := make(map[string][]byte)
	for key, part := range parts {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		kept[key] = data
	}
	data, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
