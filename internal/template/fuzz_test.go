package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/quick"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// seeds returns templates with placeholders in all kinds of places.
func seeds(t testing.TB) []string {
	return []string{
		clientTemplate(t),
		configMap("a: %AA%", "b: '%BB%'", "c: x%AA%y%BB%z", "d: [%AA%, {e: \"%BB%\"}]", "f: |", "  %AA%", "  %BB%"),
		configMap("%AA%: x", "x-%BB%: {a: %EMAIL_ADMIN%}", "k: [{name: '%AA%', value: %BB%}, {name: x}]"),
		configMap("a: &a {x: %AA%}", "b: {<<: *a, y: *a}", "c: [*a, *a]", "d: !!int %BB%", "e: !!str %BB%", "f: %AA%%BB%"),
		"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: 'x-%CLIENT_NAME%'}, " +
			"spec: {ports: [{port: %AA%, name: %BB%}]}}\n",
		"{\"apiVersion\": \"v1\", \"kind\": \"%AA%\", \"metadata\": {\"name\": \"%CLIENT_NAME%\", \"namespace\": \"%BB%\"}}",
	}
}

// valuesFor returns values in which each variable of a template has one of those given.
func valuesFor(parsed *Template, client, email string, values ...string) Values {
	domain := values[0]
	v := Values{ClientName: client, ClusterDomain: &domain, AdminEmail: email, Variables: map[string]string{}}
	for i, name := range parsed.Placeholders() {
		if !isBuiltIn(name) {
			v.Variables[name] = values[i%len(values)]
		}
	}
	return v
}

// FuzzRender searches for texts and values that end the process, cause errors of another type, or change the structure.
func FuzzRender(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, "o'brien+mira@exa-mple.com", "latest", "3")
		f.Add(text, "a: b\n- c", "null", "[1, 2]")
		f.Add(text, "%CLIENT_NAME%", "%AA%", "\"")
	}
	for _, text := range []string{
		"a: *a", "&a [*a]", "- ? {a: b}\n", "!!x y", "%YAML 1.1\n---\na", "a: \"\\\n", "<<: {a: b}", "? a\n", "---\n...\n---\n", "#\n  #",
		"- # a\n  - b\n# c\n",
	} {
		f.Add(text, "", "", "")
	}
	f.Fuzz(checkRender)
}

// FuzzValues varies only the values, not the templates.
func FuzzValues(f *testing.F) {
	texts := seeds(f)
	for i := range texts {
		f.Add(i, "o'brien+mira@exa-mple.com", "1.0", "]")
	}
	f.Fuzz(func(t *testing.T, i int, email, first, second string) {
		text := texts[uint(i)%uint(len(texts))]
		checkRender(t, text, email, first, second)
		checkRecover(t, text, email, first, second)
	})
}

func checkRender(t *testing.T, text, email, first, second string) {
	parsed, err := Parse(text)
	if err != nil {
		wantOnlyErrors(t, err, lines(text))
		return
	}
	v := valuesFor(parsed, "acme", email, first, second)
	objects, err := parsed.Render(v, testPolicy)
	if err != nil {
		wantOnlyErrors(t, err, lines(text))
		return
	}
	if again := mustRender(t, text, v); !cmp.Equal(contents(objects), contents(again)) {
		t.Errorf("another rendering differs:\n%s", cmp.Diff(contents(objects), contents(again)))
	}
	for _, o := range objects {
		o.DeepCopy() // panics if a value has a type that objects cannot have
	}
	if slices.ContainsFunc(parsed.objects, func(s *source) bool { return keysDepend(s.root) }) {
		return
	}
	for _, value := range v.Variables {
		if value, err := resolvePlain(value); err != nil || value == nil {
			return
		}
	}
	plain, err := parsed.Render(valuesFor(parsed, "acme", "x", "x"), testPolicy)
	if err != nil {
		return // such as a tag that x does not fit
	}
	if diff := cmp.Diff(structure(contents(plain)), structure(contents(objects))); diff != "" {
		t.Errorf("the values change the structure (-x +values):\n%s", diff)
	}
}

// lines counts lines as the YAML library does, which knows more line breaks than \n.
func lines(text string) int {
	return len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAllString(text, -1)) + 1
}

var hiddenPlaceholder = regexp.MustCompile("ph[0-9a-f]{16}q")

// wantOnlyErrors checks that an error consists of *Error, each with a line of the text.
func wantOnlyErrors(t *testing.T, err error, lines int) {
	t.Helper()
	errs := Errors(err)
	if len(errs) == 0 {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	for i, e := range errs {
		if e.Line < 0 || e.Line > lines || e.Reason == "" {
			t.Errorf("error %d is in line %d of %d: %v", i, e.Line, lines, e)
		}
		if hiddenPlaceholder.MatchString(e.Error()) {
			t.Errorf("the error shows how a placeholder is hidden: %v", e)
		}
	}
}

func contents(objects []*Object) []any {
	var out []any
	for _, o := range objects {
		out = append(out, o.Object)
	}
	return out
}

// structure replaces scalars by nil.
func structure(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = structure(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = structure(item)
		}
		return out
	}
	return nil
}

func keysDepend(n *node) bool {
	return n.hasKeyParts || slices.ContainsFunc(n.items, keysDepend) ||
		slices.ContainsFunc(n.fields, func(f field) bool { return keysDepend(f.value) })
}

// FuzzRecover searches for values that are recovered wrongly: rendering with the recovered values must return the same.
func FuzzRecover(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, "o'brien+mira@exa-mple.com", "latest", "3")
		f.Add(text, "a", "1.0", "0644")
	}
	f.Fuzz(checkRecover)
}

func checkRecover(t *testing.T, text, email, first, second string) {
	parsed, err := Parse(text)
	if err != nil {
		return
	}
	v := valuesFor(parsed, "acme", email, first, second)
	objects, err := parsed.Render(v, testPolicy)
	if err != nil {
		return
	}
	got := parsed.Recover(map[string]string{"CLIENT_NAME": "acme"}, unstructuredObjects(objects).get)
	if len(got.Conflicts) > 0 {
		t.Errorf("a rendering disagrees with itself: %v", got.Conflicts)
	}
	again := v
	again.Variables = maps.Clone(v.Variables)
	for name, value := range got.Values {
		switch name {
		case PlaceholderAdminEmail:
			again.AdminEmail = value
		case PlaceholderClusterDomain:
			again.ClusterDomain = &value
		default:
			again.Variables[name] = value
		}
	}
	rendered, err := parsed.Render(again, testPolicy)
	if err != nil {
		t.Fatalf("rendering with %v: %v", got.Values, err)
	}
	if diff := cmp.Diff(asJSON(contents(objects)), asJSON(contents(rendered))); diff != "" {
		t.Errorf("with %v (-original +recovered):\n%s", got.Values, diff)
	}
}

// asJSON converts numbers so that those are equal that are the same in JSON, and texts to Unicode NFC.
func asJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = asJSON(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = asJSON(item)
		}
		return out
	}
	if text, ok := v.(string); ok {
		return norm.NFC.String(text)
	}
	return number(v)
}

// TestRecoverIsTheInverseOfRender checks random values in places where only one value is possible.
func TestRecoverIsTheInverseOfRender(t *testing.T) {
	parsed := mustParse(t, configMap(
		"whole: %EMAIL_ADMIN%",
		"quoted: '%AA%'",
		"inner: mira:%BB%-alpine",
		"both: '%AA%/%CC%/%BB%'",
		"list: [{name: n, value: \"%DD%\"}]",
		"block: |-",
		"  %EE%:%EE%",
	))
	values := func(email, a, b, c, d, e string) bool {
		for _, text := range []*string{&email, &a, &b, &c, &d, &e} {
			*text = norm.NFC.String(*text) // as Terraform gives every value
		}
		v := testValues("AA", a, "BB", b, "CC", c, "DD", d, "EE", e)
		v.AdminEmail = email
		objects, err := parsed.Render(v, testPolicy)
		if err != nil {
			return !utf8.ValidString(email + a + b + c + d + e)
		}
		got := parsed.Recover(map[string]string{"CLIENT_NAME": "acme"}, unstructuredObjects(objects).get)
		want := Recovered{Values: maps.Clone(v.Variables)}
		want.Values["EMAIL_ADMIN"] = email
		diff := cmp.Diff(want, got)
		if diff != "" {
			t.Log(diff)
		}
		return diff == ""
	}
	if err := quick.Check(values, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
	// Values that consist of pieces of the template itself.
	pieces := []string{"", "/", ":", "mira:", "-alpine", "a", "%AA%", "//", "a/b"}
	for i := range 2000 {
		pick := func(n int) string {
			return pieces[(i*n+n*n)%len(pieces)] + pieces[(i/len(pieces)*n+n)%len(pieces)]
		}
		if !values(pick(1), pick(2), pick(3), pick(5), pick(7), pick(11)) {
			t.Fatalf("round %d", i)
		}
	}
}

// TestFieldPaths checks that pushing elements and pathOf format paths in the same way.
func TestFieldPaths(t *testing.T) {
	var p fieldPath
	for i, key := range []string{"spec", "a.b/c", "x[0]", "y"} {
		p.pushKey(key)
		p.pushIndex(i)
	}
	want := fmt.Sprintf("spec[%s][a.b/c][1][x[0]][2].y[3]", strconv.Itoa(0))
	if got := p.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
