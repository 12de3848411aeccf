package template

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRefuses(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"an empty text", "", []string{"line 1: the template holds no Kubernetes object"}},
		{"comments alone", "# a\n---\n# %FOO%\n---\n~\n", []string{"line 1: the template holds no Kubernetes object"}},
		{"a List without items", "apiVersion: v1\nkind: List\nitems: []\n", []string{"line 1: the template holds no Kubernetes object"}},
		{"text", "hello\n", []string{
			`line 1: a document of a template is a Kubernetes object, with apiVersion, kind and metadata, and this is the text "hello"`,
		}},
		{"a list of objects", "# x\n- a\n- b\n", []string{
			"line 2: a document of a template is a Kubernetes object, with apiVersion, kind and metadata, and this is a list",
		}},
		{"an object without apiVersion, kind and metadata", "a: 1\n", []string{
			"line 1: apiVersion: is missing: every document of a template is a Kubernetes object",
			"line 1: kind: is missing: every document of a template is a Kubernetes object",
		}},
		{"an apiVersion and a kind that are no strings", "apiVersion: 1\nkind: [a]\nmetadata: {name: x}\n", []string{
			"line 1: apiVersion: must be a string, and is the number 1",
			"line 2: kind: must be a string, and is a list",
		}},
		{"an empty kind", "apiVersion: v1\nkind: ''\n", []string{`line 2: kind: must be a string, and is the text ""`}},
		{"a null kind", "apiVersion: v1\nkind:\n", []string{"line 1: kind: is missing: every document of a template is a Kubernetes object"}},
		{"an object without metadata", head, []string{
			"line 1: metadata: is missing: an object needs metadata.name, and the name must contain %CLIENT_NAME%",
		}},
		{"metadata that are no mapping", head + "metadata: %FOO%\n", []string{"line 3: metadata: must be a mapping, and is %FOO%"}},
		{"an object without a name", head + "metadata:\n  labels: {}\n", []string{
			"line 3: metadata.name: is missing; it must contain %CLIENT_NAME%",
		}},
		{"a name that is a mapping", head + "metadata:\n  name: {a: b}\n", []string{"line 4: metadata.name: must be a string, and is a mapping"}},
		{"a name that is the same for every client", head + "metadata:\n  name: mira\n", []string{
			`line 4: metadata.name: must contain %CLIENT_NAME%, and is the text "mira": all clients would share, and overwrite, one object`,
		}},
		{"a name with another placeholder only", head + "metadata:\n  name: mira-%FOO%\n", []string{
			"line 4: metadata.name: must contain %CLIENT_NAME%, and is mira-%FOO%: all clients would share, and overwrite, one object",
		}},
		{
			"a name that is a number, a boolean, and a long text",
			head + "metadata: {name: 1}\n---\n" +
				head + "metadata: {name: yes}\n---\n" +
				head + "metadata: {name: " + strings.Repeat("é", 50) + "}\n",
			[]string{
				"line 3: metadata.name: must contain %CLIENT_NAME%, and is the number 1: all clients would share, and overwrite, one object",
				"line 7: metadata.name: must contain %CLIENT_NAME%, and is the boolean true: all clients would share, and overwrite, one object",
				`line 11: metadata.name: must contain %CLIENT_NAME%, and is the text "` + strings.Repeat("é", 40) + `...": all clients would` +
					` share, and overwrite, one object`,
			},
		},
		{"generateName", head + "metadata:\n  name: '%CLIENT_NAME%'\n  generateName: a-\n", []string{
			"line 5: metadata.generateName: is not possible: the objects of a client have names of their own, so that they can be found again",
		}},
		{"ownerReferences", head + "metadata:\n  name: '%CLIENT_NAME%'\n  ownerReferences:\n  - uid: x\n", []string{
			"line 5: metadata.ownerReferences: is not possible: an owner is named by its UID, which only one object of one cluster has; remove it",
		}},
		{"a namespace that is no string", head + "metadata:\n  name: '%CLIENT_NAME%'\n  namespace: 1\n", []string{
			"line 5: metadata.namespace: must be a string, and is the number 1",
		}},
		{"placeholders that choose fields of an object", head + "metadata:\n  name: '%CLIENT_NAME%'\n  %FOO%: 1\n---\n%FOO%: x\n", []string{
			"line 5: metadata.%FOO%: a field of metadata cannot be chosen by a placeholder",
			"line 7: %FOO%: a field of an object cannot be chosen by a placeholder",
		}},
		{
			"an item of a typed list that names half a type",
			"apiVersion: v1\nkind: ServiceList\nitems:\n- kind: Service\n- apiVersion: v1\n",
			[]string{
				"line 4: apiVersion: is missing: every document of a template is a Kubernetes object",
				"line 5: kind: is missing: every document of a template is a Kubernetes object",
			},
		},
		{"a List without a field items", "apiVersion: v1\nkind: List\n", []string{"line 1: the template holds no Kubernetes object"}},
		{"items that are no list", "apiVersion: v1\nkind: List\nitems: {}\n", []string{"line 3: items: must be a list, and is a mapping"}},
		{"fields beside the items of a List", "apiVersion: v1\nkind: List\nitems: []\nspec: {}\n", []string{
			"line 4: spec: a List has no such field: it holds objects in items",
		}},
		{"an item of a List that is no object", "apiVersion: v1\nkind: List\nitems:\n- a\n", []string{
			`line 4: a document of a template is a Kubernetes object, with apiVersion, kind and metadata, and this is the text "a"`,
		}},
		{"duplicate keys", configMap("a: 1", "b: 2", "'a': 3"), []string{`line 5: data: duplicate key "a", which stands in line 3 already`}},
		{"duplicate keys of different types", configMap("1: a", "'1': b", "!!str 1: c"), []string{
			`line 4: data: duplicate key "1", which stands in line 3 already`,
			`line 5: data: duplicate key "1", which stands in line 3 already`,
		}},
		{"duplicate keys with placeholders", configMap("a%FOO%: 1", "'a%FOO%': 2"), []string{
			`line 4: data: duplicate key "a%FOO%", which stands in line 3 already`,
		}},
		{"duplicate keys in what is dropped", configMap("a: b") + "status:\n  a: 1\n  a: 2\n", []string{
			`line 8: status: duplicate key "a", which stands in line 7 already`,
		}},
		{"two merge keys", configMap("a: &a {x: y}", "b:", "  <<: *a", "  <<: *a"), []string{
			`line 6: data.b: duplicate key "<<": give the merge key a list of aliases`,
		}},
		{"a merge of what is no mapping", configMap("a: &a [x]", "b:", "  <<: *a", "c:", "  <<: %FOO%"), []string{
			"line 5: data.b.<<: the merge key << needs a mapping or a list of mappings",
			"line 7: data.c.<<: the merge key << needs a mapping or a list of mappings",
		}},
		{"keys that are no scalars", configMap("{a: b}: c", "? [a]", ": b", "d: {{ .Values.d }}"), []string{
			"line 3: data: a mapping key must be a scalar; text with braces or brackets must be quoted",
			"line 4: data: a mapping key must be a scalar; text with braces or brackets must be quoted",
			"line 6: data.d: a mapping key must be a scalar; text with braces or brackets must be quoted",
		}},
		{"an alias of a mapping as a key", configMap("a: &a {x: y}", "*a : b"), []string{
			"line 4: data: the alias *a cannot be a mapping key, as it stands for no scalar",
		}},
		{"a value without a key", configMap("? ", ": a"), []string{"line 3: data: the mapping has a value without a key"}},
		{"null list items", configMap("a: [x, ~]", "b:", "- ", "- x"), []string{
			"line 3: data.a[1]: the list item is null", "line 5: data.b[0]: the list item is null",
		}},
		{"numbers that JSON does not have", configMap("a: .nan", "b: [-.inf]"), []string{
			`line 3: data.a: ".nan" is not a finite number, which a Kubernetes object cannot hold; quote it if it is text`,
			`line 4: data.b[0]: "-.inf" is not a finite number, which a Kubernetes object cannot hold; quote it if it is text`,
		}},
		{"integers beyond 64 bits", configMap("a: 99999999999999999999"), []string{
			`line 3: data.a: "99999999999999999999" is an integer that does not fit into 64 bits; quote it if it is text`,
		}},
		{"custom tags", configMap("a: !Ref b", "b: !foo {}", "c: !!set {a}", "d: !!omap []", "!bar e: f", "g: !<x> h"), []string{
			`line 3: data.a: "b" has the tag !Ref: only the core tags of YAML (!!str, !!int, !!float, !!bool, !!null) can be used`,
			"line 4: data.b: the tag !foo is not possible here: only the core tags of YAML can be used",
			"line 5: data.c: the tag !!set is not possible here: only the core tags of YAML can be used",
			"line 6: data.d: the tag !!omap is not possible here: only the core tags of YAML can be used",
			"line 7: data: the tag !bar is not possible here: only the core tags of YAML can be used",
			`line 8: data.g: "h" has the tag x: only the core tags of YAML (!!str, !!int, !!float, !!bool, !!null) can be used`,
		}},
		{"core tags on values of another kind", configMap("a: !!str {}", "b: !!map []", "c: !!seq x", "d: !!int acme"), []string{
			"line 3: data.a: the tag !!str is not possible here: only the core tags of YAML can be used",
			"line 4: data.b: the tag !!map is not possible here: only the core tags of YAML can be used",
			`line 5: data.c: "x" has the tag !!seq: only the core tags of YAML (!!str, !!int, !!float, !!bool, !!null) can be used`,
			`line 6: data.d: "acme" does not fit its tag !!int`,
		}},
		{"binary values, also with a placeholder", configMap("a: !!binary aGk=", "b: !!binary '%FOO%'"), []string{
			`line 3: data.a: "aGk=" has the tag !!binary: write the base64 text itself, without a tag, as Kubernetes expects it`,
			`line 4: data.b: "%FOO%" has the tag !!binary: write the base64 text itself, without a tag, as Kubernetes expects it`,
		}},
		{"a tag that no built-in fits", configMap("a: !!int %CLIENT_NAME%"), []string{
			"line 3: data.a: %CLIENT_NAME% is always a string and does not fit the tag !!int",
		}},
		{"placeholders in anchors and tags", configMap("a: &%FOO% b", "c: !%FOO% d", "!!%FOO% e: f"), []string{
			"line 3: data.a: the anchor &%FOO% holds a placeholder, which is possible in values and keys only",
			"line 4: data.c: the tag !%FOO% holds a placeholder, which is possible in values and keys only",
			"line 5: data: the tag !!%FOO% is not possible here: only the core tags of YAML can be used",
		}},
		{"an anchor that contains itself", configMap("a: &a", "  b: [*a]"), []string{
			"line 4: data.a.b[0]: the value of the anchor &a contains itself",
		}},
		{"an alias of another document's anchor", configMap("a: &a b") + "---\n" + configMap("c: *a"), []string{
			"line 9: data.c: the alias *a refers to an anchor of another document",
		}},
		{"mistakes in several documents, in the order of lines", "kind: 1\n---\n" + configMap("a: ~", "a: 1") + "---\nx\n", []string{
			"line 1: apiVersion: is missing: every document of a template is a Kubernetes object",
			"line 1: kind: must be a string, and is the number 1",
			`line 6: data: duplicate key "a", which stands in line 5 already`,
			`line 10: a document of a template is a Kubernetes object, with apiVersion, kind and metadata, and this is the text "x"`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(test.text)
			wantErrors(t, err, test.want...)
		})
	}
}

func TestErrorsAreBounded(t *testing.T) {
	_, err := Parse("a:\n" + strings.Repeat("- ~\n", 1000))
	errs := Errors(err)
	if len(errs) != maxErrors+1 {
		t.Fatalf("got %d errors, want %d", len(errs), maxErrors+1)
	}
	if got, want := errs[maxErrors].Error(), "and 980 more errors"; got != want {
		t.Errorf("the last error is %q, want %q", got, want)
	}
}

func TestErrorFields(t *testing.T) {
	_, err := Parse("---\n# nothing\n---\n" + configMap("a: [b, ~]"))
	want := []*Error{{Line: 6, Document: 2, Path: "data.a[1]", Reason: "the list item is null"}}
	if diff := cmp.Diff(want, Errors(err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPlaceholders(t *testing.T) {
	text := "# %COMMENT% and %CLIENT_NAME%\n" + configMap(
		"a: x%IN_TEXT%y%IN_TEXT% # %COMMENT%", "'%QUOTED%': \"%DOUBLE%\"", "b: |", "  # %BLOCK%", "c: [%IN_LIST%, {d: %IN_FLOW%}]",
		"date: date +%Y%m%d%H%M%S 100%% %% %X% %lower% %A-B% %_A% %A_% %1A%", "both: %A1%B2%", "e: 50%%AFTER%",
	) + "status: %DROPPED%\n"
	parsed := mustParse(t, text)
	want := []string{"A1", "AFTER", "BLOCK", "CLIENT_NAME", "DOUBLE", "IN_FLOW", "IN_LIST", "IN_TEXT", "QUOTED"}
	if diff := cmp.Diff(want, parsed.Placeholders()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !parsed.Uses("BLOCK") || parsed.Uses("COMMENT") || parsed.Uses("DROPPED") {
		t.Error("Uses must be true for what stands in values and false for comments and dropped fields")
	}
	unused := parsed.Unused(map[string]string{"ZZ": "", "BLOCK": "", "COMMENT": "", "A1": ""})
	if diff := cmp.Diff([]string{"COMMENT", "ZZ"}, unused); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestValidVariableName(t *testing.T) {
	for _, name := range []string{"AB", "IMAGE_TAG", "A1", "A__B", "X_509"} {
		t.Run(name+" is valid", func(t *testing.T) {
			if err := ValidVariableName(name); err != nil {
				t.Error(err)
			}
		})
	}
	const rule = " is not a placeholder name: it must have at least two characters, capital letters, digits and underscores only," +
		" begin with a letter and not end with an underscore, as IMAGE_TAG does"
	for _, name := range []string{"", "A", "a", "ab", "Ab", "_AB", "AB_", "1A", "A-B", "A B", "%AB%", "ÄÖ", "AB\n"} {
		t.Run(quote(name)+" is no placeholder name", func(t *testing.T) {
			wantErrors(t, ValidVariableName(name), quote(name)+rule)
		})
	}
	for _, name := range []string{"CLIENT_NAME", "CLUSTER_DOMAIN", "EMAIL_ADMIN"} {
		t.Run(name+" is built in", func(t *testing.T) {
			wantErrors(t, ValidVariableName(name), quote(name)+" has a value of its own for every client and cannot be set as a variable")
		})
	}
}

func TestMaskCannotBeForged(t *testing.T) {
	// To spell the hidden form of its own placeholders, a text would have to contain its own hash. The hidden form of
	// another text's placeholders is only text.
	hidden := newMask("x").hide("%FOO%")
	for name, entry := range map[string]string{
		"spelled out":          hidden,
		"spelled with escape":  `"\x` + hex.EncodeToString([]byte(hidden[:1])) + hidden[1:] + `"`,
		"spelled in two lines": "\"" + hidden[:3] + "\\\n    " + hidden[3:] + "\"",
	} {
		t.Run(name, func(t *testing.T) {
			got := data(t, configMap("a: "+entry, "b: %FOO%"), testValues("FOO", "bar"))
			if diff := cmp.Diff(any(map[string]any{"a": hidden, "b": "bar"}), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
