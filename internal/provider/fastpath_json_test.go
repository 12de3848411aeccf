package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A state is read as the framework reads it.
func TestValueFromJSON(t *testing.T) {
	typ := clientSchema(t.Context()).Type().TerraformType(t.Context())
	options := tfprotov6.UnmarshalOpts{ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true}}
	for _, test := range []struct {
		name, state string
		isBad       bool
	}{
		{name: "all", state: `{"name": "acme", "admin_email": "a@acme.example", "namespace": "default", "variables": {"A": "1", "B": ""},
			"template": {"namespace": null, "config_map": "other", "key": "k", "revision": "r"}, "wait_for_rollout": true, "delete_data": false,
			"timeouts": {"create": "1m", "read": null, "update": null, "delete": null}, "id": "default/acme", "url": null, "template_revision": "r",
			"objects": {"Service/acme": {"spec.type": "ClusterIP"}, "Ingress/acme": {}}, "images": {}, "persistent_volume_claims": ["b", "a"]}`},
		{name: "nothing", state: `null`},
		{name: "attributes that are not there", state: `{"name": "acme"}`},
		{name: "attributes of a later version", state: `{"name": "acme", "color": {"red": 1}, "template": {"namespace": "n", "color": [true]}}`},
		{name: "no JSON", state: `{"name": `, isBad: true},
		{name: "no text at all", state: ``, isBad: true},
		{name: "a map for a text", state: `{"name": {}}`, isBad: true},
		{name: "a list for a map", state: `{"images": ["a"]}`, isBad: true},
		{name: "a text for a list", state: `{"persistent_volume_claims": "a"}`, isBad: true},
		{name: "a truth for a text", state: `{"images": {"a": true}}`, isBad: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := valueFromJSON(typ, []byte(test.state))
			if test.isBad {
				if err == nil {
					t.Fatalf("got %v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, err := tfprotov6.RawState{JSON: []byte(test.state)}.UnmarshalWithOpts(typ, options)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}
