package template

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/json"
	kubectlyaml "sigs.k8s.io/yaml"
)

func TestResolvePlain(t *testing.T) {
	type texts []string
	tests := map[string]struct {
		texts texts
		want  any
	}{
		"null in every spelling":     {texts{"", "~", "null", "Null", "NULL"}, nil},
		"true in every spelling":     {texts{"true", "True", "TRUE"}, true},
		"false in every spelling":    {texts{"false", "False", "FALSE"}, false},
		"yes, on and y are booleans": {texts{"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}, true},
		"no, off and n are booleans": {texts{"no", "No", "NO", "off", "Off", "OFF", "n", "N"}, false},
		"420 in every notation": {
			[]string{"420", "+420", "4_20", "0644", "0o644", "0x1a4", "0x1A4", "0b110100100"},
			int64(420),
		},
		"negative numbers":     {texts{"-10", "-012", "-0xa", "-1_0"}, int64(-10)},
		"the largest integer":  {texts{"9223372036854775807", "0x7fffffffffffffff"}, int64(math.MaxInt64)},
		"the smallest integer": {texts{"-9223372036854775808"}, int64(math.MinInt64)},
		"floats": {
			[]string{"1500.0", "1500.", "+1500.0", "1.5e3", "1.5E+3", "1_500.0", "15e2", "0000000000000000000015e2"},
			1500.0,
		},
		"floats below one":                                {texts{".5", "0.5", "5e-1", "+.5", ".5_0"}, 0.5},
		"an exponent without a dot is a float":            {texts{"1e3"}, 1000.0},
		"a digit that is not octal makes it a float":      {texts{"08"}, 8.0},
		"an exponent after more digits than 64 bits have": {texts{"70000000000000000000000e0"}, 7e22},
		"a long number with leading zeros and an eight":   {texts{"0000000000000000000000008"}, 8.0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range test.texts {
				got, err := resolvePlain(text)
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%q (-want +got), error %v:\n%s", text, err, diff)
				}
			}
		})
	}

	t.Run("text stays text", func(t *testing.T) {
		for _, text := range []string{
			"yy", "nn", "nUll", "tRue", "oN", "acme", "2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00", "1:30", "3.1.4", "v3",
			"1e", "e1", "+", "-", ".", "..", "0x", "0b2", "1e400",
			"5Gi", "100m", "_1", "<<", "=", ".e1", "infinity", "NaN", "1 2", " 5", "5 ", "5\n",
			"0xdeadbeefdeadbeefdeadbeefdeadbeef", "[1]", "{a: b}", "*a", "&a b", "!!int 3", `"5"`, "'5'", "- a", "a: b", "# c", "| ", "%PATH%",
		} {
			got, err := resolvePlain(text)
			if err != nil || got != text {
				t.Errorf("%q: got %#v, error %v", text, got, err)
			}
		}
	})

	for name, test := range map[string]struct {
		texts texts
		want  error
	}{
		"what JSON has no number for is refused": {texts{".nan", ".NaN", ".NAN", ".inf", "+.Inf", "-.INF"}, errNotFinite},
		"integers that a float would round are refused": {texts{
			"9223372036854775808", "-9223372036854775809", "99999999999999999999999", "0xffffffffffffffff", "088888888888888888888888",
		}, errTooLarge},
		"integers with underscores that a float would round, also": {texts{"9_223_372_036_854_775_808"}, errTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range test.texts {
				if got, err := resolvePlain(text); !errors.Is(err, test.want) {
					t.Errorf("%q: got %#v, error %v", text, got, err)
				}
			}
		})
	}
}

func TestResolveTagged(t *testing.T) {
	tests := []struct {
		name, tag, text string
		want            any
		wantError       string
	}{
		{"!!str keeps a number as text", "!!str", "123", "123", ""},
		{"!!str keeps nothing as text", "!!str", "", "", ""},
		{"!!int takes an integer", "!!int", "0x10", int64(16), ""},
		{"!!int takes no float", "!!int", "1.5", nil, "does not fit its tag !!int"},
		{"!!int takes no text", "!!int", "acme", nil, "does not fit its tag !!int"},
		{"!!int takes no null", "!!int", "", nil, "does not fit its tag !!int"},
		{"!!float takes a float", "!!float", "1.5", 1.5, ""},
		{"!!float makes a float of an integer", "!!float", "3", 3.0, ""},
		{"!!float takes no infinity", "!!float", ".inf", nil, errNotFinite.Error()},
		{"!!bool takes a boolean", "!!bool", "yes", true, ""},
		{"!!bool takes no number", "!!bool", "1", nil, "does not fit its tag !!bool"},
		{"!!null takes null", "!!null", "~", nil, ""},
		{"!!null takes no text", "!!null", "x", nil, "does not fit its tag !!null"},
		{"!!timestamp is text, as in JSON", "!!timestamp", "2024-01-01", "2024-01-01", ""},
		{"!!binary is refused, as Kubernetes takes the base64 text", "!!binary", "aGk=", nil,
			"has the tag !!binary: write the base64 text itself, without a tag, as Kubernetes expects it"},
		{"other tags are refused", "!Ref", "x", nil,
			"has the tag !Ref: only the core tags of YAML (!!str, !!int, !!float, !!bool, !!null) can be used"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := resolveTagged(test.tag, test.text)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != test.wantError {
				t.Errorf("got error %q, want %q", message, test.wantError)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzResolvePlain compares how plain scalars are read with how kubectl's library reads them.
func FuzzResolvePlain(f *testing.F) {
	for _, text := range []string{
		"1", "-0", "0644", "0o17", "1e3", ".5", "1_000", "0b1", "08", "0x", "2024-01-01", "~", ".inf", "18446744073709551615", "yes", "+-1",
		"-.5e-3", "y", "N", "on", "Off", "0x1F", "-0b11", "1:30", "1.", "1_0.5_0", "+.5", "2024-01-01T10:00:00Z", "<<", "=", "0b2", "9e999",
		"0X1f", "0B1", "0O7", "1e", "0x1p4", ".5_0", "-_1", "1__0", "0_7", "00", "-08", "nUll", "TRUE", ".NaN", "٣", "1\u00a02",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !isPlainScalar(text) {
			return
		}
		got, err := resolvePlain(text)
		if errors.Is(err, errTooLarge) && decimalInt.MatchString(strings.ReplaceAll(text, "_", "")) {
			return // the library rounds it
		}
		want, wantErr := kubectlValue(text)
		switch {
		case errors.Is(err, errTooLarge):
			if number, ok := want.(float64); !ok || number < math.MaxInt64 {
				t.Errorf("%q is too large, and for kubectl %#v", text, want)
			}
		case (err != nil) != (wantErr != nil):
			t.Errorf("%q: error %v, and of kubectl %v", text, err, wantErr)
		case err == nil && !cmp.Equal(number(want), number(got)):
			t.Errorf("%q is %#v, and for kubectl %#v", text, got, want)
		}
	})
}

// isPlainScalar reports whether a text is a plain scalar and nothing else.
func isPlainScalar(text string) bool {
	var document yaml.Node
	if yaml.Unmarshal([]byte(text), &document) != nil || len(document.Content) != 1 {
		return false
	}
	n := document.Content[0]
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Anchor == "" && n.Value == text
}

// kubectlValue returns what kubectl reads: its library makes JSON of the YAML, and the API machinery decodes that.
func kubectlValue(text string) (any, error) {
	content, err := kubectlyaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, err
	}
	var value any
	err = json.Unmarshal(content, &value)
	return value, err
}

// bareTag is the tag `!`, which makes text of a scalar. The library that we parse with forgets it.
var bareTag = regexp.MustCompile(`!(\s|$|[,\]}])`)

// FuzzLiteralDocument compares whole documents without placeholders, as far as both read them.
func FuzzLiteralDocument(f *testing.F) {
	for _, text := range []string{
		"a: y\nb: [1, 0o17, 'y', \"\\u00e9\"]\n", "a: |\n  x\n\n  y\nb: >-\n  x\n  y\n", "a: &a {b: 1}\nc: {<<: *a, d: 2}\n",
		"a: !!str 1\nb: !!float 3\n",
		"a: 'it''s'\nb: \"x\\\n  y\"\n", "? a\n: b\n", "- a\n- - b\n  - ~\n", "a: x # c\nb: x#c\n",
		"a:\n- b: 1\n  c:\n  - d\n", "{a: [b, c], d: e}",
		"a: \"\\/\\x41\\t\"\n", "a: x: y\n", "a: b\n  c\n", "a: !!int 0x1F\nb: !!null ''\nc: !!bool yes\n", "a: <<\n", "a: 1.5e3\r\nb: c\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		documents, err := readDocuments(strings.NewReader(text))
		if err != nil || len(documents) != 1 || documents[0] == nil || checkCharacters(text) != nil || newMask(text).hide(text) != text ||
			!hasTextKeys(documents[0]) || bareTag.MatchString(text) {
			return
		}
		var errs errorList
		c := compiler{mask: newMask(text), errs: &errs}
		root := c.compileDocument(documents[0], 1)
		want, err := kubectlValue(text)
		if root == nil || err != nil {
			return // one of the two refuses it, which changes no object
		}
		r := renderer{values: &Values{}}
		if diff := cmp.Diff(asJSON(withoutNulls(want)), asJSON(r.render(root))); diff != "" {
			t.Errorf("%q (-kubectl +rendered):\n%s", text, diff)
		}
	})
}

// hasTextKeys reports whether all keys are text for kubectl, too. Ours are always as they are written.
func hasTextKeys(n *yaml.Node) bool {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (child.Kind != yaml.ScalarNode || child.Tag != tagMerge && !isTextKey(child)) {
			return false
		}
		if !hasTextKeys(child) {
			return false
		}
	}
	return true
}

func isTextKey(n *yaml.Node) bool {
	value, err := resolvePlain(n.Value)
	_, isText := value.(string)
	return n.Tag == tagString && (err == nil && isText || n.Style != 0)
}

// withoutNulls leaves out the fields that are null.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value != nil {
				out[key] = withoutNulls(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutNulls(item)
		}
		return out
	}
	return v
}
