package template

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// cluster are the live objects that Recover looks up.
type cluster []*unstructured.Unstructured

func (c cluster) get(gk schema.GroupKind, name string) *unstructured.Unstructured {
	for _, o := range c {
		if o.GroupVersionKind().GroupKind() == gk && o.GetName() == name {
			return o
		}
	}
	return nil
}

// liveConfigMap returns the ConfigMap mira-acme with data that is written in YAML.
func liveConfigMap(t testing.TB, data string) cluster {
	t.Helper()
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(data), &fields); err != nil {
		t.Fatal(err)
	}
	return cluster{{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "mira-acme", "namespace": "default", "uid": "1"},
		"data": liveValue(fields),
	}}}
}

// liveValue converts numbers to the types that unstructured objects use.
func liveValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = liveValue(v[key])
		}
	case []any:
		for i := range v {
			v[i] = liveValue(v[i])
		}
	case int:
		return int64(v)
	}
	return v
}

func TestRecover(t *testing.T) {
	tests := []struct {
		name    string
		entries []string
		known   map[string]string
		live    string
		want    Recovered
	}{
		{
			"a whole scalar", []string{"a: %EMAIL_ADMIN%"}, nil, "a: \"o'brien+mira@exa-mple.com\"",
			Recovered{Values: map[string]string{"EMAIL_ADMIN": "o'brien+mira@exa-mple.com"}},
		},
		{
			"a scalar with text around the placeholder", []string{"a: mira:%TAG%-alpine"}, nil, "a: mira:3.1-alpine",
			Recovered{Values: map[string]string{"TAG": "3.1"}},
		},
		{
			"text that differs from the template's yields nothing", []string{"a: mira:%TAG%", "b: x%BB%y"}, nil, "{a: 'nginx:1', b: x}",
			Recovered{Values: map[string]string{}, Missing: []string{"BB", "TAG"}},
		},
		{
			"numbers and booleans are written as YAML",
			[]string{"a: %AA%", "b: %BB%", "c: %CC%", "d: !!int %DD%"},
			nil,
			"{a: 3, b: 1.5, c: true, d: -1}",
			Recovered{Values: map[string]string{"AA": "3", "BB": "1.5", "CC": "true", "DD": "-1"}},
		},
		{
			"a number that the API server has made text of", []string{"a: %AA%"}, nil, "a: '4'",
			Recovered{Values: map[string]string{"AA": "4"}},
		},
		{
			"a number where the template has text yields nothing", []string{"a: '%AA%'", "b: %EMAIL_ADMIN%"}, nil, "{a: 4, b: 4}",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "EMAIL_ADMIN"}},
		},
		{
			"null, an absent field, and a collection yield nothing",
			[]string{"a: %AA%", "b: %BB%", "c: %CC%", "d: [%DD%]"},
			nil,
			"{a: ~, c: {x: y}, d: x}",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB", "CC", "DD"}},
		},
		{
			"an empty text between known ones", []string{"a: mira:%TAG%", "b: \"%BB%\"", "c: x%CC%y"}, nil, "{a: 'mira:', b: '', c: xy}",
			Recovered{Values: map[string]string{"TAG": "", "BB": "", "CC": ""}},
		},
		{
			"text that no variable renders to in a plain scalar",
			[]string{"a: %AA%", "b: %BB%", "c: %CC%"},
			nil,
			"{a: '', b: 'null', c: '.nan'}",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB", "CC"}},
		},
		{
			"values that are known help to find others", []string{"a: https://%CLIENT_NAME%.%CLUSTER_DOMAIN%/"}, nil, "a: https://acme.alsigo.net/",
			Recovered{Values: map[string]string{"CLUSTER_DOMAIN": "alsigo.net"}},
		},
		{
			"values that are known are not looked for, whatever stands there",
			[]string{"a: %TAG%", "b: %TAG%-%BB%"},
			map[string]string{"TAG": "1"},
			"{a: 2, b: 1-x}",
			Recovered{Values: map[string]string{"BB": "x"}},
		},
		{
			"two unknown ones in a scalar yield nothing", []string{"a: %AA%-%BB%"}, nil, "a: x-y",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB"}},
		},
		{
			"two unknown ones in a scalar, one of which another place yields",
			[]string{"a: %AA%-%BB%-%CC%", "b: %BB%", "c: '%BB%%CC%'"},
			nil,
			"{a: x-y-z-1, b: y-z, c: y-z1}",
			Recovered{Values: map[string]string{"AA": "x", "BB": "y-z", "CC": "1"}},
		},
		{
			"one that stands twice in a scalar",
			[]string{"a: '%AA%:%AA%'", "b: x%BB%%BB%", "c: '%CC%-%CC%'", "d: '%DD%%DD%'"},
			nil,
			"{a: 'a:b:a:b', b: xabab, c: a-b, d: aaa}",
			Recovered{Values: map[string]string{"AA": "a:b", "BB": "ab"}, Missing: []string{"CC", "DD"}},
		},
		{
			"text of several lines",
			[]string{"a: |", "  #!/bin/sh", "  echo %AA%", "  # %BB%"},
			map[string]string{"BB": "x"},
			"a: \"#!/bin/sh\\necho a\\n  b\\n# x\\n\"",
			Recovered{Values: map[string]string{"AA": "a\n  b"}},
		},
		{
			"a key", []string{"a: {x-%AA%: 1, y: 2}"}, nil, "a: {other: 1, x-foo: 1, y: 2}",
			Recovered{Values: map[string]string{"AA": "foo"}},
		},
		{
			"a key that only one live key is left for", []string{"a: {'%AA%': %BB%, y: 2}"}, nil, "a: {foo: bar, y: 2}",
			Recovered{Values: map[string]string{"AA": "foo", "BB": "bar"}},
		},
		{
			"a key that fits several live ones, but one by its value", []string{"a: {'%AA%': 1}"}, nil, "a: {foo: 1, bar: 2, baz: {}}",
			Recovered{Values: map[string]string{"AA": "foo"}},
		},
		{
			"a key that fits several live ones yields nothing", []string{"a: {x-%AA%: %BB%}"}, nil, "a: {x-foo: 1, x-bar: 2}",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB"}},
		},
		{
			"a key with two unknown ones, of which only the value can be found", []string{"a: {'%AA%-x-%BB%-%CLIENT_NAME%': %CC%}"}, nil,
			"a: {a-x-b-acme: 1, a-y-b-acme: 2, -x-b-acme: 3, a-x-b: 4, a-x--other: 5}",
			Recovered{Values: map[string]string{"CC": "1"}, Missing: []string{"AA", "BB"}},
		},
		{
			"a key whose value is a list, and one whose value is a mapping", []string{"a: {x%AA%: [%BB%]}", "b: {'%CC%': {d: %DD%}, e: 1}"}, nil,
			"{a: {x1: text, x2: [y], x: [z]}, b: {f: 2, g: {d: 3}}}",
			Recovered{Values: map[string]string{"AA": "2", "BB": "y", "CC": "g", "DD": "3"}},
		},
		{
			"two keys that fit one live one yield nothing", []string{"a: {x-%AA%: 1, '%BB%-y': 1}"}, nil, "a: {x-y: 1}",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB"}},
		},
		{
			"a key that another place yields", []string{"a: {x-%AA%: %BB%}", "b: %AA%"}, nil, "{a: {x-foo: 1, x-bar: 2}, b: bar}",
			Recovered{Values: map[string]string{"AA": "bar", "BB": "2"}},
		},
		{
			"list items go by their names, wherever they stand", []string{"a:", "- {name: x, value: %AA%}", "- {name: w, value: %BB%}"}, nil,
			"a: [{name: z, value: 0}, {name: w, value: 2}, {name: x, value: 1}]",
			Recovered{Values: map[string]string{"AA": "1", "BB": "2"}},
		},
		{
			"list items go by ports, with the protocol that the API server fills in",
			[]string{"a: [{containerPort: 80, hostIP: %AA%}, {containerPort: 80, protocol: UDP, hostIP: %BB%}]"},
			nil,
			"a: [{containerPort: 80, protocol: UDP, hostIP: b}, {containerPort: 80, protocol: TCP, hostIP: a}]",
			Recovered{Values: map[string]string{"AA": "a", "BB": "b"}},
		},
		{
			"list items whose names are not unique go by the next key",
			[]string{"a: [{name: data, mountPath: /x, subPath: %AA%}, {name: data, mountPath: /y, subPath: %BB%}]"},
			nil,
			"a: [{name: data, mountPath: /y, subPath: b}, {name: token, mountPath: /z}, {name: data, mountPath: /x, subPath: a}]",
			Recovered{Values: map[string]string{"AA": "a", "BB": "b"}},
		},
		{
			"list items with a name that only the template has once go by the next key",
			[]string{"a: [{name: data, mountPath: /x, subPath: %AA%}]"},
			nil,
			"a: [{name: data, mountPath: /x, subPath: a}, {name: data, mountPath: /y, subPath: b}]",
			Recovered{Values: map[string]string{"AA": "a"}},
		},
		{
			"list items go by hosts and paths with placeholders that are known",
			[]string{"a: [{host: '%CLIENT_NAME%.x', p: [{path: /, s: %AA%}, {path: /y, s: %BB%}]}]"},
			nil,
			"a: [{host: other, p: []}, {host: acme.x, p: [{path: /y, s: b}, {path: /, s: a}]}]",
			Recovered{Values: map[string]string{"AA": "a", "BB": "b"}},
		},
		{
			"a list item whose key holds an unknown one, if a single live item is left that fits",
			[]string{"a: [{name: '%AA%_URL', value: %BB%}, {name: w}]"},
			nil,
			"a: [{name: w}, {name: OTHER, value: 1}, {name: X_URL, value: 2}]",
			Recovered{Values: map[string]string{"AA": "X", "BB": "2"}},
		},
		{
			"a list item whose key holds an unknown one and which fits two live items yields nothing",
			[]string{"a: [{name: '%AA%_URL', value: %BB%}]"},
			nil,
			"a: [{name: X_URL, value: 1}, {name: Y_URL, value: 2}]",
			Recovered{Values: map[string]string{}, Missing: []string{"AA", "BB"}},
		},
		{
			"scalars in lists go by their place", []string{"a: [--email, %EMAIL_ADMIN%, --tag=%TAG%]"}, nil, "a: [--email, a@b.c, --tag=1]",
			Recovered{Values: map[string]string{"EMAIL_ADMIN": "a@b.c", "TAG": "1"}},
		},
		{
			"scalars in a list that has changed yield nothing",
			[]string{"a: [--email, %EMAIL_ADMIN%]", "b: [--tag, %TAG%]", "c: [--tag, %CC%]"},
			nil,
			"{a: [--quiet, --email, a@b.c], b: [--quiet, x], c: [--tag, x, y]}",
			Recovered{Values: map[string]string{}, Missing: []string{"CC", "EMAIL_ADMIN", "TAG"}},
		},
		{
			"items without keys go by their place", []string{"a: [{x: %AA%}, {x: %BB%}]"}, nil, "a: [{x: 1}, {x: 2}]",
			Recovered{Values: map[string]string{"AA": "1", "BB": "2"}},
		},
		{
			"places that agree", []string{"a: %AA%", "b: x-%AA%", "c: '%AA%'"}, nil, "{a: v, b: x-v, c: v}",
			Recovered{Values: map[string]string{"AA": "v"}},
		},
		{
			"places that do not agree, although most do",
			[]string{"a: %AA%", "b: x-%AA%", "c: [{name: m, value: '%AA%'}]"},
			nil,
			"{a: v, b: x-v, c: [{name: m, value: other}]}",
			Recovered{Values: map[string]string{}, Conflicts: []Conflict{{Name: "AA", Found: []Finding{
				{Value: "v", Object: "ConfigMap/mira-acme", Path: "data.a", Line: 3},
				{Value: "v", Object: "ConfigMap/mira-acme", Path: "data.b", Line: 4},
				{Value: "other", Object: "ConfigMap/mira-acme", Path: "data.c[m].value", Line: 5},
			}}}},
		},
		{
			"what a conflict would yield is not used", []string{"a: %AA%", "b: '%AA%'", "c: %AA%/%BB%"}, nil, "{a: v, b: w, c: v/x}",
			Recovered{Values: map[string]string{}, Missing: []string{"BB"}, Conflicts: []Conflict{{Name: "AA", Found: []Finding{
				{Value: "v", Object: "ConfigMap/mira-acme", Path: "data.a", Line: 3},
				{Value: "w", Object: "ConfigMap/mira-acme", Path: "data.b", Line: 4},
			}}}},
		},
		{
			"what was found before a conflict showed is not used either",
			[]string{"a: '%AA%'", "b: '%AA%/%BB%'", "c: '%BB%:%CC%'", "d: '%CC%=%AA%'"},
			nil,
			"{a: v, b: v/x, c: 'x:z', d: z=w}",
			Recovered{Values: map[string]string{}, Missing: []string{"BB", "CC"}, Conflicts: []Conflict{{Name: "AA", Found: []Finding{
				{Value: "v", Object: "ConfigMap/mira-acme", Path: "data.a", Line: 3},
				{Value: "v", Object: "ConfigMap/mira-acme", Path: "data.b", Line: 4},
				{Value: "w", Object: "ConfigMap/mira-acme", Path: "data.d", Line: 6},
			}}}},
		},
		{
			"a conflict that shows only when another value is found", []string{"a: %AA%", "b: %BB%", "c: %AA%/%BB%"}, nil, "{a: v, b: x, c: v/y}",
			Recovered{Values: map[string]string{"AA": "v"}, Conflicts: []Conflict{{Name: "BB", Found: []Finding{
				{Value: "x", Object: "ConfigMap/mira-acme", Path: "data.b", Line: 4},
				{Value: "y", Object: "ConfigMap/mira-acme", Path: "data.c", Line: 5},
			}}}},
		},
		{
			"places where a number is a number and where it is text", []string{"a: %AA%", "b: v%AA%", "c: %BB%", "d: '%BB%'", "e: %CC%"}, nil,
			"{a: 3.1, b: 'v3.10', c: 420, d: '0644', e: '4'}",
			Recovered{Values: map[string]string{"AA": "3.10", "BB": "0644", "CC": "4"}},
		},
		{
			"places where a number and its text do not agree", []string{"a: %AA%", "b: v%AA%"}, nil, "{a: 3.1, b: 'v3.2'}",
			Recovered{Values: map[string]string{}, Conflicts: []Conflict{{Name: "AA", Found: []Finding{
				{Value: "3.1", Object: "ConfigMap/mira-acme", Path: "data.a", Line: 3},
				{Value: "3.2", Object: "ConfigMap/mira-acme", Path: "data.b", Line: 4},
			}}}},
		},
		{
			"nothing is derived from a number, which may have been spelled otherwise", []string{"a: %AA%", "b: '%AA%%BB%'"}, nil, "{a: 1, b: 1.0-x}",
			Recovered{Values: map[string]string{"AA": "1"}, Missing: []string{"BB"}},
		},
		{
			"text that was spelled like a placeholder", []string{"a: %PATH%"}, nil, "a: '%PATH%'",
			Recovered{Values: map[string]string{"PATH": "%PATH%"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			known := map[string]string{"CLIENT_NAME": "acme"}
			maps.Copy(known, test.known)
			got := mustParse(t, configMap(test.entries...)).Recover(known, liveConfigMap(t, test.live).get)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRecoverFromSeveralObjects(t *testing.T) {
	text := object("apps/v1", "StatefulSet", "mira-%CLIENT_NAME%") + "spec: {serviceName: 's-%ZONE%'}\n---\n" +
		object("v1", "Service", "'%CLIENT_NAME%-%ZONE%'") + "spec: {clusterIP: %IP%}\n---\n" +
		object("v1", "ConfigMap", "'%CLIENT_NAME%-%UNKNOWN%'") + "data: {a: %HIDDEN%}\n---\n" +
		object("v1", "ConfigMap", "'%CLIENT_NAME%-absent'") + "data: {a: %ABSENT%}\n"
	live := cluster{
		{
			Object: map[string]any{
				"apiVersion": "apps/v1",
				"kind":       "StatefulSet",
				"metadata":   map[string]any{"name": "mira-acme"},
				"spec":       map[string]any{"serviceName": "s-west"},
			},
		},
		{
			Object: map[string]any{
				"apiVersion": "v1",
				"kind":       "Service",
				"metadata":   map[string]any{"name": "acme-west"},
				"spec":       map[string]any{"clusterIP": "10.0.0.1"},
			},
		},
		{
			Object: map[string]any{
				"apiVersion": "v1",
				"kind":       "Service",
				"metadata":   map[string]any{"name": "mira-acme"},
				"spec":       map[string]any{"serviceName": "s-east"},
			},
		},
	}
	got := mustParse(t, text).Recover(map[string]string{"CLIENT_NAME": "acme"}, live.get)
	want := Recovered{Values: map[string]string{"ZONE": "west", "IP": "10.0.0.1"}, Missing: []string{"ABSENT", "HIDDEN", "UNKNOWN"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRecoverWithoutKnownValues(t *testing.T) {
	got := mustParse(t, configMap("a: %AA%")).Recover(nil, cluster(nil).get)
	want := Recovered{Values: map[string]string{}, Missing: []string{"AA", "CLIENT_NAME"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
