package managedfields

import "testing"

func TestSameText(t *testing.T) {
	for _, c := range []struct {
		wanted, got string
		same        bool
	}{
		{"mira:3.0", "mira:3.0", true},
		{"mira:3.0", "mirror/mira:3.0", false},
		{"1024Mi", "1Gi", true},
		{"0.5", "500m", true},
		{"0.5", "501m", false},
		{"true", "false", false},
		{`{"app":"mira"}`, `{"app":"mira"}`, true},
		{`{"app":"mira"}`, `{"app":"other"}`, false},
		{`{"app":"mira"}`, `{}`, false},
		{`[{"a":1}]`, `[{"a":1,"default":true}]`, true},
		{`[{"a":1}]`, `[{"a":1},{"a":2}]`, false},
		{`[{"storage":"1024Mi","status":{"phase":"Pending"}}]`, `[{"storage":"1Gi"}]`, true},
		{`[{"creationTimestamp":null}]`, `[{}]`, true},
	} {
		if same := sameText("x", c.wanted, c.got); same != c.same {
			t.Errorf("sameText(%q, %q) = %t", c.wanted, c.got, same)
		}
	}

	if sameText("selector", `{"app":"mira"}`, `{"app":"mira","track":"canary"}`) {
		t.Error("a label more in a selector counts as a default")
	}
	if !sameText("selector", `{"matchLabels":{"app":"mira"}}`, `{"matchLabels":{"app":"mira"}}`) {
		t.Error("a selector is not the same as itself")
	}
	if sameText("selector", `{"matchLabels":{"app":"mira"}}`, `{"matchLabels":{"app":"mira","track":"canary"}}`) {
		t.Error("a label more in matchLabels counts as a default")
	}
}
