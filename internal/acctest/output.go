package acctest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Message returns an expression for the words of a diagnostic, however the CLI wraps
// its lines.
func Message(words string) *regexp.Regexp {
	var parts []string
	for word := range strings.FieldsSeq(words) {
		parts = append(parts, regexp.QuoteMeta(word))
	}
	return regexp.MustCompile(strings.Join(parts, `[\s│|]+`))
}

// WantOutput fails the test unless an output has all the texts, however the CLI wraps
// its lines.
func WantOutput(t *testing.T, output string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !Message(text).MatchString(output) {
			t.Errorf("the output does not have %q:\n%s", text, output)
		}
	}
}

// Warnings returns the warnings in the output of a command with -json, each as
// `summary: detail`.
func Warnings(t *testing.T, output string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(output) {
		var message struct {
			Diagnostic struct{ Severity, Summary, Detail string } `json:"diagnostic"`
		}
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			t.Fatalf("%v in the output:\n%s", err, output)
		}
		if message.Diagnostic.Severity == "warning" {
			found = append(found, message.Diagnostic.Summary+": "+message.Diagnostic.Detail)
		}
	}
	return found
}

// WantWarning fails the test unless one of the warnings has all the words.
func WantWarning(t *testing.T, warnings []string, words ...string) {
	t.Helper()
	hasAll := func(warning string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(warning, word) })
	}
	if !slices.ContainsFunc(warnings, hasAll) {
		t.Errorf("no warning has %q:\n%s", words, strings.Join(warnings, "\n"))
	}
}

// WantNoWarning fails the test if one of the warnings has one of the titles.
func WantNoWarning(t *testing.T, warnings []string, titles ...string) {
	t.Helper()
	for _, warning := range warnings {
		for _, title := range titles {
			if strings.HasPrefix(warning, title+": ") {
				t.Errorf("unexpected warning:\n%s", warning)
			}
		}
	}
}
