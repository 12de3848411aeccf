package managedfields

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/json"
)

func placeOf(path string) place {
	var at place
	for field := range strings.SplitSeq(path, ".") {
		at = at.below(field)
	}
	return at
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestCovers(t *testing.T) {
	const (
		memory    = "containers.resources.requests.memory"
		templates = "spec.volumeClaimTemplates"
		sources   = "volumes.projected.sources"
	)
	for _, c := range []struct {
		path, applied, stored string
		same                  bool
	}{
		{"image", `"mira:3.0"`, `"mira:3.0"`, true},
		{"image", `"mira:3.0"`, `"mirror/mira:3.0"`, false},
		{"x", `true`, `false`, false},
		{"x", `1`, `1.0`, true},
		{"x", `1`, `"1"`, false},
		{"x", `{"app":"mira"}`, `{"app":"mira"}`, true},
		{"x", `{"app":"mira"}`, `{"app":"other"}`, false},
		{"x", `{"app":"mira"}`, `{}`, false},
		{"x", `[{"a":1}]`, `[{"a":1,"default":true}]`, true},
		{"x", `[{"a":1}]`, `[{"a":1},{"a":2}]`, false},
		{"x", `[{"creationTimestamp":null}]`, `[{}]`, true},
		{"x", `{"a":"b"}`, `"b"`, false},
		{"x", `"b"`, `["b"]`, false},

		// Labels have no defaults.
		{"selector", `{"app":"mira"}`, `{"app":"mira","track":"canary"}`, false},
		{"selector", `{"matchLabels":{"app":"mira"}}`, `{"matchLabels":{"app":"mira"}}`, true},
		{"selector", `{"matchLabels":{"app":"mira"}}`, `{"matchLabels":{"app":"mira","track":"canary"}}`, false},

		// Quantities have several notations, as numbers, too.
		{memory, `"1024Mi"`, `"1Gi"`, true},
		{memory, `1073741824`, `"1073741824"`, true},
		{memory, `1073741824`, `"1Gi"`, true},
		{memory, `1e3`, `"1k"`, true},
		{"containers.resources.limits.cpu", `0.5`, `"500m"`, true},
		{"containers.resources.limits.cpu", `0.5`, `"501m"`, false},
		{templates, `[{"spec":{"resources":{"requests":{"storage":"1024Mi"}}},"status":{"phase":"Pending"}}]`,
			`[{"spec":{"resources":{"requests":{"storage":"1Gi"}}}}]`, true},
		{templates, `[{"spec":{"resources":{"requests":{"storage":1073741824}}}}]`,
			`[{"spec":{"resources":{"requests":{"storage":"1073741824"}},"volumeMode":"Filesystem"}}]`, true},
		{templates, `[{"spec":{"resources":{"requests":{"storage":1}}}}]`, `[{"spec":{"resources":{"requests":{"storage":"2"}}}}]`, false},
		{sources, `[{"downwardAPI":{"items":[{"path":"cpu","resourceFieldRef":{"resource":"limits.cpu","divisor":1}}]}}]`,
			`[{"downwardAPI":{"items":[{"path":"cpu","resourceFieldRef":{"resource":"limits.cpu","divisor":"1"}}]}}]`, true},
		{"spec.hard.pods", `10`, `"10"`, true},
		{"spec.limits", `[{"max":{"memory":1024},"type":"Container"}]`, `[{"max":{"memory":"1Ki"},"type":"Container"}]`, true},

		// Texts that look like quantities are none.
		{"containers.env.value", `"1e3"`, `"1k"`, false},
		{"metadata.labels.size", `"1024Mi"`, `"1Gi"`, false},
		{"envFrom", `[{"prefix":"1k"}]`, `[{"prefix":"1000"}]`, false},
	} {
		if same := covers(placeOf(c.path), decode(t, c.applied), decode(t, c.stored)); same != c.same {
			t.Errorf("%s: covers(%s, %s) = %t", c.path, c.applied, c.stored, same)
		}
	}
}
