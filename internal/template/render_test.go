package template

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenderValues(t *testing.T) {
	tests := []struct {
		name    string
		entries []string
		values  Values
		want    map[string]any
	}{
		{
			"literal scalars have the types that kubectl reads",
			[]string{
				"a: [text, 1, 1.5, true, yes, off, y, 0644, 0o644, 2024-01-01, '1', \"true\", 1e3]",
				"b: !!str 1", "c: !!int '1'", "d: !!float 1", "e: |\n    1\n", "f: >-\n    a\n    b",
			},
			testValues(),
			map[string]any{
				"a": []any{"text", int64(1), 1.5, true, true, false, true, int64(420), int64(420), "2024-01-01", "1", "true", 1000.0},
				"b": "1", "c": int64(1), "d": 1.0, "e": "1\n", "f": "a b",
			},
		},
		{
			"null entries are absent, empty collections are not",
			[]string{"a: ~", "b:", "c: {}", "d: []", "e: {f: null}", "g: ''"},
			testValues(),
			map[string]any{"c": map[string]any{}, "d": []any{}, "e": map[string]any{}, "g": ""},
		},
		{
			"keys that are no strings stand for their text",
			[]string{"8080: a", "true: b", "on: c", "1.50: d", "null: e", "2024-01-01: f", "0x10: g"},
			testValues(),
			map[string]any{"8080": "a", "true": "b", "on": "c", "1.50": "d", "null": "e", "2024-01-01": "f", "0x10": "g"},
		},
		{
			"anchors, aliases and merge keys",
			[]string{
				"a: &a {x: 1, y: 2}", "b: *a", "c: {<<: *a, y: 3}", "d: {y: 3, <<: [{z: 4, x: 5}, *a]}", "e: &e text", "*e : *e", "f: {<<: {g: h}}",
				"i: {'<<': j}", "k: <<", "l: {<<: *a, x: ~}",
			},
			testValues(),
			map[string]any{
				"a": map[string]any{"x": int64(1), "y": int64(2)}, "b": map[string]any{"x": int64(1), "y": int64(2)},
				"c": map[string]any{"x": int64(1), "y": int64(3)}, "d": map[string]any{"x": int64(5), "y": int64(3), "z": int64(4)},
				"e": "text", "text": "text", "f": map[string]any{"g": "h"}, "i": map[string]any{"<<": "j"}, "k": "<<",
				"l": map[string]any{"y": int64(2)},
			},
		},
		{
			"a built-in is a string wherever it stands",
			[]string{
				"a: %CLIENT_NAME%",
				"b: '%CLIENT_NAME%'",
				"c: \"%CLIENT_NAME%\"",
				"d: x-%CLIENT_NAME%",
				"e: [%CLIENT_NAME%]",
				"%CLIENT_NAME%: f",
			},
			Values{ClientName: "123"},
			map[string]any{"a": "123", "b": "123", "c": "123", "d": "x-123", "e": []any{"123"}, "123": "f"},
		},
		{
			"a variable that fills a plain scalar has the type of its text",
			[]string{"a: %INT%", "b: %FLOAT%", "c: %BOOL%", "d: %NULL%", "e: %TEXT%", "f: %OCTAL%", "g: %YES%", "h: [%INT%]", "i: %EMPTY%"},
			testValues("INT", "3", "FLOAT", "1.5", "BOOL", "true", "NULL", "~", "TEXT", "mira", "OCTAL", "0644", "YES", "yes", "EMPTY", ""),
			map[string]any{"a": int64(3), "b": 1.5, "c": true, "e": "mira", "f": int64(420), "g": true, "h": []any{int64(3)}},
		},
		{
			"a variable in quotes, in a block or within a longer scalar is text",
			[]string{
				"a: '%INT%'",
				"b: \"%INT%\"",
				"c: %INT%%INT%",
				"d: |-\n    %INT%",
				"e: >-\n    %INT%",
				"f: 0x%INT%",
				"g: '%EMPTY%'",
				"h: x\n    %INT%",
			},
			testValues("INT", "3", "EMPTY", ""),
			map[string]any{"a": "3", "b": "3", "c": "33", "d": "3", "e": "3", "f": "0x3", "g": "", "h": "x 3"},
		},
		{
			"a tag determines the type of a variable",
			[]string{
				"a: !!str %INT%",
				"b: !!int '%INT%'",
				"c: !!float %INT%",
				"d: !!timestamp %INT%",
				"e: !!bool \"%BOOL%\"",
				"f: !!null %NULL%",
				"g: !!int 1%INT%",
			},
			testValues("INT", "3", "BOOL", "no", "NULL", ""),
			map[string]any{"a": "3", "b": int64(3), "c": 3.0, "d": "3", "e": false, "g": int64(13)},
		},
		{
			"a value that looks like YAML is text",
			[]string{"a: %A1%", "b: %B1%", "c: %C1%", "d: %D1%", "e: %E1%", "f: [%F1%, x]", "g: {h: %F1%}"},
			testValues("A1", "[1, 2]", "B1", "{a: b}", "C1", "*a", "D1", "!!int 3", "E1", "a\nb: c", "F1", "], {}, #\n---\n"),
			map[string]any{
				"a": "[1, 2]", "b": "{a: b}", "c": "*a", "d": "!!int 3", "e": "a\nb: c", "f": []any{"], {}, #\n---\n", "x"},
				"g": map[string]any{"h": "], {}, #\n---\n"},
			},
		},
		{
			"a value is not expanded again",
			[]string{"a: %PATH%", "b: x%PATH%y%PATH%", "c: '%EMAIL_ADMIN%'"},
			Values{ClientName: "acme", AdminEmail: "%CLIENT_NAME%", Variables: map[string]string{"PATH": "%PATH%"}},
			map[string]any{"a": "%PATH%", "b": "x%PATH%y%PATH%", "c": "%CLIENT_NAME%"},
		},
		{
			"a placeholder that is spelled with an escape is text",
			[]string{`a: "\x25FOO%"`, `"\x25FOO%": b`},
			testValues(),
			map[string]any{"a": "%FOO%", "%FOO%": "b"},
		},
		{
			"percent signs around what is no name are text",
			[]string{"a: date +%Y%m%d 100%% %X% %foo%", "b: '%%CLIENT_NAME%%'", "c: \"%\"", "d: 5%%CLIENT_NAME%"},
			testValues(),
			map[string]any{"a": "date +%Y%m%d 100%% %X% %foo%", "b": "%acme%", "c": "%", "d": "5%acme"},
		},
		{
			"a variable cannot take the place of a built-in",
			[]string{"a: %CLIENT_NAME%"},
			testValues("CLIENT_NAME", "other"),
			map[string]any{"a": "acme"},
		},
		{
			"a null variable that another key of a merge has is absent",
			[]string{"a: &a {x: 1}", "b: {<<: *a, x: %NULL%}"},
			testValues("NULL", "null"),
			map[string]any{"a": map[string]any{"x": int64(1)}, "b": map[string]any{}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(any(test.want), data(t, configMap(test.entries...), test.values)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestBuiltInsAreExactlyTheirStrings(t *testing.T) {
	text := configMap(
		"plain: %EMAIL_ADMIN%",
		"single: '%EMAIL_ADMIN%'",
		"double: \"%EMAIL_ADMIN%\"",
		"list: [%EMAIL_ADMIN%]",
		"block: |-",
		"  %EMAIL_ADMIN%",
		"domain: %CLUSTER_DOMAIN%",
		"mixed: <%EMAIL_ADMIN%>",
	)
	parsed := mustParse(t, text)
	for _, value := range []string{
		"123", "true", "null", "1e3", "~", "", " ", "no", "-", "?", ":", "#", "o'brien+mira@exa-mple.com", `"quoted" <a@b>`,
		"a: b", "- a", "&a *a !a", "%YAML", "a\nb\n", "\t",
		"{}", "[]", ".inf", "99999999999999999999", "0x10", "2024-01-01", "é \U0001f600", "\x00", "a\r\nb",
	} {
		t.Run(quote(value), func(t *testing.T) {
			v := Values{ClientName: "acme", ClusterDomain: &value, AdminEmail: value}
			objects, err := parsed.Render(v, testPolicy)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"plain": value, "single": value, "double": value, "list": []any{value}, "block": value, "domain": value, "mixed": "<" + value + ">",
			}
			if diff := cmp.Diff(any(want), objects[0].Object["data"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRenderObjects(t *testing.T) {
	service := func(name string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name, "namespace": "default"}}
	}
	tests := []struct {
		name, text string
		want       []map[string]any
	}{
		{
			"documents, empty ones between them",
			"---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b-%CLIENT_NAME%}\n---\n\n---\n" +
				"{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"a-%CLIENT_NAME%\"}}\n...\n---\n~\n",
			[]map[string]any{service("b-acme"), service("a-acme")},
		},
		{
			"a List, within another one, after a document",
			`
apiVersion: v1
kind: Service
metadata: {name: '%CLIENT_NAME%-1', namespace: default}
---
apiVersion: v1
kind: List
metadata: {resourceVersion: ''}
items:
- {apiVersion: v1, kind: Service, metadata: {name: '%CLIENT_NAME%-2'}}
- apiVersion: v1
  kind: List
  items:
  - {apiVersion: v1, kind: Service, metadata: {name: '%CLIENT_NAME%-3', namespace: ~}}
- {apiVersion: v1, kind: Service, metadata: {name: '%CLIENT_NAME%-4'}}
`,
			[]map[string]any{service("acme-1"), service("acme-2"), service("acme-3"), service("acme-4")},
		},
		{
			"a list of one kind, with and without the type in its items",
			`
apiVersion: v1
kind: ServiceList
items:
- metadata: {name: '%CLIENT_NAME%-1'}
- {apiVersion: v1, kind: Service, metadata: {name: '%CLIENT_NAME%-2'}}
`,
			[]map[string]any{service("acme-1"), service("acme-2")},
		},
		{
			"fields that the API server fills in are dropped",
			`
apiVersion: v1
kind: Service
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    deployment.kubernetes.io/revision: "3"
  creationTimestamp: null
  deletionGracePeriodSeconds: 1
  deletionTimestamp: "2024-01-01T00:00:00Z"
  generation: 3
  managedFields: [{manager: x}]
  name: '%CLIENT_NAME%'
  ownerReferences: []
  resourceVersion: "1"
  selfLink: /x
  uid: %UNDEFINED%
status:
  loadBalancer: {}
`,
			[]map[string]any{
				{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "acme", "namespace": "default", "ownerReferences": []any{}}},
			},
		},
		{
			"other annotations stay",
			"apiVersion: v1\nkind: Service\nmetadata:\n  name: '%CLIENT_NAME%'\n  annotations: {a: b, deployment.kubernetes.io/revision: '3'}\n",
			[]map[string]any{{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{
				"name": "acme", "namespace": "default", "annotations": map[string]any{"a": "b"},
			}}},
		},
		{
			"what an anchor shares with a dropped field stays elsewhere",
			`
apiVersion: v1
kind: ConfigMap
metadata: &m {name: '%CLIENT_NAME%', uid: x}
data: *m
`,
			[]map[string]any{{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "acme", "namespace": "default"},
				"data": map[string]any{"name": "acme", "uid": "x"},
			}},
		},
		{
			"claim templates that an anchor shares stay elsewhere",
			object(
				"apps/v1",
				"StatefulSet",
				"'%CLIENT_NAME%'",
			) + "spec: {volumeClaimTemplates: &c [{status: {}, metadata: {name: a, uid: b}}], x: *c}\n",
			[]map[string]any{{
				"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "acme", "namespace": "default"},
				"spec": map[string]any{
					"volumeClaimTemplates": []any{map[string]any{"metadata": map[string]any{"name": "a"}}},
					"x":                    []any{map[string]any{"status": map[string]any{}, "metadata": map[string]any{"name": "a", "uid": "b"}}},
				},
			}},
		},
		{
			"in a StatefulSet's pod template and claim templates too",
			`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: '%CLIENT_NAME%'}
spec:
  template:
    metadata: {creationTimestamp: null, uid: x, labels: {a: b}}
    spec: {containers: [{name: a, status: kept}]}
  volumeClaimTemplates:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data, creationTimestamp: null, generation: 1}
    spec: {volumeMode: Filesystem}
    status: {phase: Pending}
`,
			[]map[string]any{{
				"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "acme", "namespace": "default"},
				"spec": map[string]any{
					"template": map[string]any{
						"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
						"spec":     map[string]any{"containers": []any{map[string]any{"name": "a", "status": "kept"}}},
					},
					"volumeClaimTemplates": []any{
						map[string]any{
							"apiVersion": "v1",
							"kind":       "PersistentVolumeClaim",
							"metadata":   map[string]any{"name": "data"},
							"spec":       map[string]any{"volumeMode": "Filesystem"},
						},
					},
				},
			}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []map[string]any
			for _, o := range mustRender(t, test.text, testValues()) {
				got = append(got, o.Object)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLineOf(t *testing.T) {
	text := strings.TrimPrefix(`
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata:
    name: mira-%CLIENT_NAME%
  spec:
    replicas: 1
    template:
      metadata:
        labels:
          %CLIENT_NAME%: x
      spec:
        containers:
        - &c
          name: mira
          image: a
          env: []
        - name: '%CLIENT_NAME%-caddy'
          <<: *c
          image: b
`, "\n")
	o := mustRender(t, text, testValues())[0]
	if o.Line != 4 {
		t.Errorf("the object begins in line %d, want 4", o.Line)
	}
	tests := []struct {
		name string
		path []string
		want int
	}{
		{"the object itself", nil, 4},
		{"a scalar", []string{"spec", "replicas"}, 9},
		{"a mapping, by its key", []string{"spec", "template"}, 10},
		{"a key with a placeholder", []string{"spec", "template", "metadata", "labels", "acme"}, 13},
		{"a list item by its index", []string{"spec", "template", "spec", "containers", "1"}, 20},
		{"a field of a list item by its index", []string{"spec", "template", "spec", "containers", "1", "image"}, 22},
		{"a field of a list item by its name", []string{"spec", "template", "spec", "containers", "mira", "image"}, 18},
		{"a field of a list item by a name with a placeholder", []string{"spec", "template", "spec", "containers", "acme-caddy", "image"}, 22},
		{"a merged field, where it was written", []string{"spec", "template", "spec", "containers", "1", "env"}, 19},
		{"a field that the template does not have", []string{"spec", "template", "spec", "terminationGracePeriodSeconds"}, 14},
		{"a list item that the template does not have", []string{"spec", "template", "spec", "containers", "2", "image"}, 15},
		{"a field of a scalar", []string{"spec", "replicas", "x"}, 9},
		{"a field that is unknown at the top", []string{"status", "x"}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := o.LineOf(test.path...); got != test.want {
				t.Errorf("got line %d, want %d", got, test.want)
			}
		})
	}
}

func TestRenderedObjectsAreIndependent(t *testing.T) {
	parsed := mustParse(t, configMap("a: &a {b: [c]}", "d: *a"))
	first, err := parsed.Render(testValues(), testPolicy)
	if err != nil {
		t.Fatal(err)
	}
	content := first[0].Object["data"].(map[string]any)
	content["a"].(map[string]any)["b"].([]any)[0] = "changed"
	content["a"].(map[string]any)["x"] = "added"
	second, err := parsed.Render(testValues(), testPolicy)
	if err != nil {
		t.Fatal(err)
	}
	original := map[string]any{"b": []any{"c"}}
	if diff := cmp.Diff(any(original), content["d"]); diff != "" {
		t.Errorf("an alias in the same object (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(any(map[string]any{"a": original, "d": original}), second[0].Object["data"]); diff != "" {
		t.Errorf("another rendering (-want +got):\n%s", diff)
	}
	if copied := first[0].DeepCopy(); !cmp.Equal(copied.Object, first[0].Object) {
		t.Error("a deep copy differs")
	}
}

func TestRenderIsSafeForConcurrentUse(t *testing.T) {
	parsed := mustParse(t, configMap("a: %CLIENT_NAME%", "b: {c: [%CLIENT_NAME%, %NN%]}"))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			name := strings.Repeat("a", i+1)
			for range 50 {
				objects, err := parsed.Render(Values{ClientName: name, Variables: map[string]string{"NN": "1"}}, testPolicy)
				if err != nil {
					t.Error(err)
					return
				}
				want := map[string]any{"a": name, "b": map[string]any{"c": []any{name, int64(1)}}}
				if diff := cmp.Diff(any(want), objects[0].Object["data"]); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
	group.Wait()
}
