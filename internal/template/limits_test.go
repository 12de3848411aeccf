package template

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// inTime fails a test that takes far longer than parsing a template of the largest size.
func inTime(t *testing.T, work func()) {
	t.Helper()
	start := time.Now()
	work()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// laughs returns the lines of an alias bomb ("billion laughs"): each refers to the line before it nine times.
func laughs(levels int, first, line string) []string {
	lines := []string{"a0: &a0 " + first}
	for i := 1; i <= levels; i++ {
		alias := fmt.Sprintf("*a%d", i-1)
		aliases := strings.Join(slices.Repeat([]string{alias}, 9), ", ")
		lines = append(lines, fmt.Sprintf("a%d: &a%[1]d "+line, i, aliases))
	}
	return lines
}

func TestLimits(t *testing.T) {
	nested := func(depth int) string {
		return configMap("a: " + strings.Repeat("[", depth) + strings.Repeat("]", depth))
	}
	tests := []struct{ name, text, want string }{
		{
			"a text over 1 MiB", configMap("a: " + strings.Repeat("x", 1<<20)),
			"the template has 1048656 bytes and may have 1048576 (1 MiB), as a ConfigMap may",
		},
		{
			"an alias bomb of lists", configMap(laughs(30, "[x, x, x, x, x, x, x, x, x]", "[%s]")...),
			"line 8: data.a5[0]: the template has more than 100000 values, aliases expanded",
		},
		{
			"an alias bomb of long texts", configMap(laughs(30, strings.Repeat("x", 10_000), "[%s]")...),
			"line 6: data.a3[2]: the template has more than 3 MiB of text, aliases expanded",
		},
		{
			"a bomb of merge keys",
			configMap("a: &a {"+manyKeys(20_000)+"}", "b: {<<: *a}", "c: {<<: *a}", "d: {<<: *a}", "e: {<<: *a}"),
			"line 5: data.c.<<: the template has more than 100000 values, aliases expanded",
		},
		{
			"too many values", configMap("a: [" + strings.Repeat("1,", 200_000) + "]"),
			"line 3: data.a[99996]: the template has more than 100000 values, aliases expanded",
		},
		{
			"too many levels", nested(100),
			"line 3: data.a" + strings.Repeat("[0]", 98) + ": nested deeper than 100 levels",
		},
		{
			"too many levels by aliases",
			configMap("a: &a "+strings.Repeat("[", 60)+strings.Repeat("]", 60), "b: "+strings.Repeat("[", 60)+"*a"+strings.Repeat("]", 60)),
			"line 4: data.b" + strings.Repeat("[0]", 60) + ": nested deeper than 100 levels by the alias *a",
		},
		{
			"far too many levels", strings.Repeat("[", 20_000),
			"line 1: not valid YAML: exceeded max depth of 10000",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func() {
				_, err := Parse(test.text)
				wantErrors(t, err, test.want)
			})
		})
	}
	t.Run("98 levels below the data are possible", func(t *testing.T) {
		if _, err := Parse(nested(98)); err != nil {
			t.Error(err)
		}
	})
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: v,", i)
	}
	return b.String()
}

func manyPlaceholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%%A%d%%", i)
	}
	return b.String()
}

func TestRenderedSizeIsBounded(t *testing.T) {
	entries := []string{"a: &a ['%LONG%', '%LONG%', '%LONG%', '%LONG%']", "b: [*a, *a, *a, *a]"}
	parsed := mustParse(t, configMap(entries...))
	if _, err := parsed.Render(testValues("LONG", strings.Repeat("x", 100_000)), testPolicy); err != nil {
		t.Error(err)
	}
	_, err := parsed.Render(testValues("LONG", strings.Repeat("x", 1_000_000)), testPolicy)
	wantErrors(t, err, "line 3: data.a[3]: the objects of the client have more than 3 MiB of text, which the API server would not take")
}

// TestLargeTextsTakeLittleTime tries shapes of text for which parsers can take quadratic time.
func TestLargeTextsTakeLittleTime(t *testing.T) {
	const size = 1 << 18
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for name, text := range map[string]string{
		"comments":                   fill("# %FOO%\n"),
		"comments that are indented": "a:\n" + fill("  # c\n"),
		"documents":                  fill("---\n"),
		"percent signs":              fill("%"),
		"open placeholders":          fill("%A"),
		"placeholders":               configMap("a: " + fill("%AB%")),
		"placeholders in list items": configMap("a: [" + strings.Repeat("'%AB%',", 90_000) + "]"),
		"names in list items":        configMap("a: [" + strings.Repeat("{name: '%AB%'},", 30_000) + "]"),
		"different placeholders":     configMap("a: " + manyPlaceholders(60_000)),
		"placeholders in a block":    configMap("a: |\n" + fill("    %AB%\n")),
		"line breaks":                fill("\n"),
		"keys of one mapping":        fill("a%A1%: b\n"),
		"a mistake at the end":       fill("- a\n") + "b",
		"a bracket at the start":     "[" + fill("a,\n"),
		"open brackets and braces":   fill("[{"),
		"dashes":                     fill("- "),
		"question marks":             fill("? "),
		"colons":                     fill(": "),
		"anchors":                    fill("&a "),
		"quotes":                     fill("'a' "),
		"exclamation marks":          fill("! "),
		"a line of text":             fill("a "),
		"lines of text":              fill("a\n"),
		"a block scalar":             "a: |\n" + fill(" a\n"),
		"aliases":                    "a: &a b\nc: [" + fill("*a,") + "]",
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func() {
				parsed, err := Parse(text)
				if err == nil {
					var objects []*Object
					objects, err = parsed.Render(testValues("AB", "x"), testPolicy)
					parsed.Recover(map[string]string{"CLIENT_NAME": "acme"}, unstructuredObjects(objects).get)
				}
				if err != nil && len(Errors(err)) == 0 {
					t.Errorf("an error of another type: %v", err)
				}
			})
		})
	}
}

func TestManyMistakesTakeLittleTime(t *testing.T) {
	numbers := strings.ReplaceAll(manyKeys(40_000), "v", "1")
	parsed := mustParse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '%CLIENT_NAME%'\n  labels: {"+numbers+"}\n")
	inTime(t, func() {
		_, err := parsed.Render(testValues(), testPolicy)
		errs := Errors(err)
		if len(errs) != maxErrors+1 || errs[maxErrors].Reason != "and 39980 more errors" {
			t.Errorf("got %d errors, the last of which is %v", len(errs), errs[len(errs)-1])
		}
	})
}
