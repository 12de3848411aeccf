package command

import (
	"encoding/json"
	"testing"
)

const sampleState = `{
  "version": 4,
  "serial": 3,
  "lineage": "6e6f7468-696e-6720-746f-207365652121",
  "outputs": {},
  "resources": [
    {
      "mode": "data",
      "type": "other",
      "name": "x",
      "instances": [ { "attributes": { "objects": "not counted" } } ]
    },
    {
      "mode": "managed",
      "type": "mira_client",
      "name": "this",
      "provider": "provider[\"registry.terraform.io/mira-cluster/mira\"]",
      "instances": [
        { "index_key": "a", "attributes": { "objects": { "k": "v w" } } },
        { "index_key": "b", "attributes": { "other": 1 } }
      ]
    }
  ],
  "check_results": null
}`

func TestStateSizes(t *testing.T) {
	state, err := ParseState([]byte(sampleState))
	if err != nil {
		t.Fatal(err)
	}
	if got := state.Instances(); got != 2 {
		t.Errorf("Instances = %d, want 2", got)
	}
	want := int64(len(`{"index_key":"a","attributes":{"objects":{"k":"v w"}}}`) + len(`{"index_key":"b","attributes":{"other":1}}`))
	if got, err := state.Bytes(); err != nil || got != want {
		t.Errorf("Bytes = %d, %v; want %d", got, err, want)
	}
	if got, err := state.AttributeBytes("objects"); err != nil || got != int64(len(`{"k":"v w"}`)) {
		t.Errorf("AttributeBytes = %d, %v", got, err)
	}
	if _, err := state.Multiply([]string{"a"}); err == nil {
		t.Error("a state with several resources was multiplied")
	}
}

func TestStateMultiply(t *testing.T) {
	one, err := ParseState(
		[]byte(`{"version": 4, "resources": [{"mode": "managed", "instances": [{"index_key": "a", "attributes": {"id": "x"}}]}]}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	data, err := one.Multiply([]string{"p", "q", "r"})
	if err != nil {
		t.Fatal(err)
	}
	many, err := ParseState(data)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, raw := range many.resources[0].instances {
		var instance struct {
			Key        string            `json:"index_key"`
			Attributes map[string]string `json:"attributes"`
		}
		if err := json.Unmarshal(raw, &instance); err != nil {
			t.Fatal(err)
		}
		if instance.Attributes["id"] != "x" {
			t.Errorf("attributes of %s: %v", instance.Key, instance.Attributes)
		}
		keys = append(keys, instance.Key)
	}
	if len(keys) != 3 || keys[0] != "p" || keys[2] != "r" {
		t.Errorf("keys = %v", keys)
	}
}

func TestParseStateThatIsNone(t *testing.T) {
	for _, text := range []string{"", "{}", `{"resources": [{}]}`, `{"resources": [{"mode": "managed"}]}`} {
		if _, err := ParseState([]byte(text)); err == nil {
			t.Errorf("%q was taken for a state", text)
		}
	}
}
