package template

import (
	"regexp"
	"slices"
	"testing"
)

// revisionEntries are the entries of the template whose revision is compared with others.
var revisionEntries = []string{"a: text", "b: 1", "c: '%CLIENT_NAME%'", "d: %FOO%", "e: [x, 'z']", "f: x%FOO%y", "g: {h: 1, i: 2}"}

// withEntry returns the template with another entry instead of the one that begins with the same key.
func withEntry(entry string) string {
	entries := slices.Clone(revisionEntries)
	i := slices.IndexFunc(entries, func(e string) bool { return e[0] == entry[0] })
	entries[i] = entry
	return configMap(entries...)
}

func TestRevision(t *testing.T) {
	base := configMap(revisionEntries...)
	want := mustParse(t, base).Revision()
	if !regexp.MustCompile("^[0-9a-f]{12}$").MatchString(want) {
		t.Errorf("the revision %q is not 12 hexadecimal digits", want)
	}
	same := map[string]string{
		"comments": "# %COMMENT%\n" + base + "# more\n",
		"quotes that change no type": configMap(
			"a: 'text'", "b: 1", "c: %CLIENT_NAME%", "d: %FOO%", "e: [\"x\", z]", "f: 'x%FOO%y'", "g: {h: 1, i: 2}"),
		"white space and block style": configMap(
			"a:    text", "b: 1", "c: '%CLIENT_NAME%'", "d: %FOO%", "e:", "- x", "- z", "f: x%FOO%y", "g:", "  h: 1", "  i: 2"),
		"the order of keys": configMap(
			"g: {i: 2, h: 1}", "f: x%FOO%y", "e: [x, 'z']", "d: %FOO%", "c: '%CLIENT_NAME%'", "b: 1", "a: text"),
		"empty documents": "---\n---\n" + base + "---\n",
		"entries that are null": configMap(
			"a: text", "b: 1", "c: '%CLIENT_NAME%'", "d: %FOO%", "e: [x, 'z']", "f: x%FOO%y", "g: {h: 1, i: 2, j: ~}", "z: null"),
		"fields that are dropped": base + "status: {a: b}\n",
		"anchors and merge keys": configMap(
			"a: &a text", "b: 1", "c: '%CLIENT_NAME%'", "d: %FOO%", "e: [x, 'z']", "f: x%FOO%y", "g: {h: 1, <<: {h: 3, i: 2}}"),
		"the notation of a number": configMap(
			"a: text", "b: 0x1", "c: '%CLIENT_NAME%'", "d: %FOO%", "e: [x, 'z']", "f: x%FOO%y", "g: {h: 01, i: 2}"),
		"JSON instead of YAML": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mira-%CLIENT_NAME%"}, "data":
			{"a": "text", "b": 1, "c": "%CLIENT_NAME%", "d": %FOO%, "e": ["x", "z"], "f": "x%FOO%y", "g": {"h": 1, "i": 2}}}`,
		"a List around it": "apiVersion: v1\nkind: List\nitems:\n" +
			"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: mira-%CLIENT_NAME%}\n" +
			"  data: {a: text, b: 1, c: '%CLIENT_NAME%', d: %FOO%, e: [x, 'z'], f: x%FOO%y, g: {h: 1, i: 2}}\n",
	}
	for name, text := range same {
		t.Run(name+" do not count", func(t *testing.T) {
			if got := mustParse(t, text).Revision(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	other := map[string]string{
		"a value":                      withEntry("a: other"),
		"a literal's type":             withEntry("b: '1'"),
		"a variable's type":            withEntry("d: '%FOO%'"),
		"a variable's tag":             withEntry("d: !!int %FOO%"),
		"a placeholder's name":         withEntry("c: '%EMAIL_ADMIN%'"),
		"text instead of placeholders": withEntry(`c: "\x25CLIENT_NAME%"`),
		"a key":                        withEntry("g: {h: 1, j: 2}"),
		"the order of a list":          withEntry("e: ['z', x]"),
		"where text ends":              withEntry("f: '%FOO%xy'"),
		"another object":               base + "---\n" + configMap("a: b"),
	}
	for name, text := range other {
		t.Run(name+" counts", func(t *testing.T) {
			if got := mustParse(t, text).Revision(); got == want {
				t.Error("the revision is the same")
			}
		})
	}
	t.Run("the order of objects counts", func(t *testing.T) {
		other := configMap("a: b")
		if mustParse(t, base+"---\n"+other).Revision() == mustParse(t, other+"---\n"+base).Revision() {
			t.Error("the revision is the same")
		}
	})
}
