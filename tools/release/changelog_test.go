package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const changelog = `# Changelog

All notable changes.

## 0.2.0 (Unreleased)

FEATURES:

* **New Resource:** ` + "`mira_template`" + `

## 0.1.1 (December 3, 2026)

NOTES:

* resource/mira_client: a note that
  takes two lines

BUG FIXES:

* a fix
* another fix

## 0.1.1-rc.1 (December 1, 2026)

BUG FIXES:

* a fix

## 0.1.0 (November 30, 2026)
`

func TestNotes(t *testing.T) {
	got, err := notes(changelog, "v0.1.1")
	if err != nil {
		t.Fatal(err)
	}
	const want = "NOTES:\n\n* resource/mira_client: a note that takes two lines\n\nBUG FIXES:\n\n* a fix\n* another fix\n"
	if got != want {
		t.Errorf("the notes are\n%s\nnot\n%s", got, want)
	}
	if got, err := notes(changelog, "v0.1.1-rc.1"); err != nil || !strings.Contains(got, "a fix") {
		t.Errorf("the notes of a release candidate are %q, %v", got, err)
	}
}

// A tag is refused where its section is not there, or not finished.
func TestNotes_refused(t *testing.T) {
	for _, c := range []struct{ tag, want string }{
		{"0.1.1", `the tag "0.1.1" is not of the form v1.2.3`},
		{"v0.1", "is not of the form"},
		{"v0.1.1+5", "is not of the form"},
		{"v0.3.0", `CHANGELOG.md has no section "## 0.3.0 (January 2, 2006)"`},
		{"v0.2.0", "CHANGELOG.md says that 0.2.0 is unreleased"},
		{"v0.1.0", "CHANGELOG.md says nothing of 0.1.0"},
	} {
		if got, err := notes(changelog, c.tag); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the notes %q and the error %v, not an error with %q", c.tag, got, err, c.want)
		}
	}
}

func TestSections_refused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no day", "## 0.1.0\n", `CHANGELOG.md:1: "## 0.1.0" is not of the form`},
		{"another form of day", "## 0.1.0 (2026-11-27)\n", `"2026-11-27" is neither a day such as "January 2, 2006"`},
		{"twice", "## 0.1.0 (May 1, 2026)\n\n## 0.1.0 (May 1, 2026)\n", "CHANGELOG.md:3: 0.1.0 has a section already"},
		{"an unreleased version below a release", "## 0.2.0 (May 1, 2026)\n\n## 0.1.0 (Unreleased)\n", "the first version can be unreleased"},
		{"another heading", "## 0.1.0 (Unreleased)\n\n### Added\n", `CHANGELOG.md:3: "### Added" is neither`},
		{"an entry without a heading", "## 0.1.0 (Unreleased)\n\n* an entry\n", "CHANGELOG.md:3"},
		{"another bullet", "## 0.1.0 (Unreleased)\n\nNOTES:\n\n- an entry\n", "CHANGELOG.md:5"},
		{"headings out of order", "## 0.1.0 (Unreleased)\n\nBUG FIXES:\n\n* b\n\nNOTES:\n\n* n\n", "CHANGELOG.md:7: NOTES comes after BUG FIXES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := sections(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v and the error %v, not an error with %q", got, err, c.want)
			}
		})
	}
}

// The repository's changelog is of the form from which releases take their notes.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", changelogFile))
	if err != nil {
		t.Fatal(err)
	}
	all, err := sections(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Error("there is no version in it")
	}
}
