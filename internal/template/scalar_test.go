package template

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestResolvePlain(t *testing.T) {
	type texts []string
	tests := map[string]struct {
		texts texts
		want  any
	}{
		"null in every spelling":  {texts{"", "~", "null", "Null", "NULL"}, nil},
		"true in every spelling":  {texts{"true", "True", "TRUE"}, true},
		"false in every spelling": {texts{"false", "False", "FALSE"}, false},
		"yes and on are booleans": {texts{"yes", "Yes", "YES", "on", "On", "ON"}, true},
		"no and off are booleans": {texts{"no", "No", "NO", "off", "Off", "OFF"}, false},
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
		"floats below one":                                {texts{".5", "0.5", "5e-1", "+.5"}, 0.5},
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
			"y", "n", "Y", "N", "nUll", "tRue", "oN", "acme", "2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00", "1:30", "3.1.4", "v3",
			"1e", "e1", "+", "-", ".", "..", "0x", "0b2", "1e400",
			"5Gi", "100m", "_1", "<<", "=", ".5_0", ".e1", "infinity", "NaN", "1 2", " 5", "5 ", "5\n",
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

// FuzzResolvePlain compares how plain scalars are read with how the YAML library reads them.
func FuzzResolvePlain(f *testing.F) {
	for _, text := range []string{
		"1", "-0", "0644", "0o17", "1e3", ".5", "1_000", "0b1", "08", "0x", "2024-01-01", "~", ".inf", "18446744073709551615", "yes", "+-1",
		"-.5e-3",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := plainScalar(text)
		if !ok {
			return
		}
		if regexp.MustCompile(`^-?0[ob][-+]`).MatchString(strings.ReplaceAll(text, "_", "")) {
			return // unlike any other, the library allows a sign after the prefix
		}
		got, err := resolvePlain(text)
		if errors.Is(err, errTooLarge) && decimalInt.MatchString(strings.ReplaceAll(text, "_", "")) {
			return // the library rounds it, or reads it as text
		}
		if err != nil {
			got = err
		}
		if want := libraryValue(t, n); !cmp.Equal(want, got, cmp.Comparer(errors.Is)) {
			t.Errorf("%q is %#v, and for the library %#v", text, got, want)
		}
	})
}

// plainScalar returns the node of a text that is a plain scalar and nothing else.
func plainScalar(text string) (*yaml.Node, bool) {
	var document yaml.Node
	if yaml.Unmarshal([]byte(text), &document) != nil || len(document.Content) != 1 {
		return nil, false
	}
	n := document.Content[0]
	return n, n.Kind == yaml.ScalarNode && n.Style == 0 && n.Anchor == "" && n.Value == text
}

// libraryValue returns the value that the YAML library reads, or the error that it should be. It differs from the library
// where kubectl and PyYAML agree on something else.
func libraryValue(t *testing.T, n *yaml.Node) any {
	t.Helper()
	var value any
	if err := n.Decode(&value); err != nil {
		t.Fatalf("the library refuses %q: %v", n.Value, err)
	}
	switch v := value.(type) {
	case int:
		return int64(v)
	case uint64:
		return errTooLarge
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errNotFinite
		}
		return v
	}
	switch n.Value {
	case "yes", "Yes", "YES", "on", "On", "ON":
		return true
	case "no", "No", "NO", "off", "Off", "OFF":
		return false
	}
	if n.Tag == tagTimestamp {
		return n.Value
	}
	return value
}
