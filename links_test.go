package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link        = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	codeBlock   = regexp.MustCompile("(?s)```.*?\n```")
	inlineCode  = regexp.MustCompile("`[^`\n]*`")
	heading     = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	anchor      = regexp.MustCompile(`<a id="([^"]+)">`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors returns the fragments that a link to a page can have: those that GitHub and the
// registries make of its headings.
func anchors(text string) []string {
	var found []string
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		found = append(found, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(match[1])), ""), " ", "-"))
	}
	for _, match := range anchor.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// pages returns the pages of the repository, by where their links start from: a template's are
// those of the page that is made of it.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file = filepath.ToSlash(file)
		if entry.IsDir() {
			if file != "." && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".github" || file == "bin" || file == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		switch {
		case strings.HasSuffix(file, ".md"):
			found[file] = file
		case strings.HasSuffix(file, ".md.tmpl"):
			found[file] = "docs" + strings.TrimSuffix(strings.TrimPrefix(file, "templates"), ".tmpl")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The links between pages lead somewhere, in a checkout and on GitHub. The registries take off
// the extension .md by themselves.
func TestLinksResolve(t *testing.T) {
	checked := 0
	for file, from := range pages(t) {
		text := inlineCode.ReplaceAllString(codeBlock.ReplaceAllString(readText(t, file), ""), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			checked++
			target, fragment, _ := strings.Cut(match[1], "#")
			target = path.Join(path.Dir(from), target)
			if match[1][0] == '#' {
				target = from
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s: the link %q leads to %s, which is not there. Links are relative to the page, and end with .md", file, match[1], target)
				continue
			}
			if fragment != "" && strings.HasSuffix(target, ".md") && !slices.Contains(anchors(readText(t, target)), fragment) {
				t.Errorf("%s: the link %q leads to a heading that %s does not have", file, match[1], target)
			}
		}
	}
	if checked < 50 {
		t.Errorf("found only %d links: does the test still see them?", checked)
	}
}

// The README shows a plan that a test of the guides has seen.
func TestReadmeShowsThePlanOfTheGuide(t *testing.T) {
	plan := ""
	for _, block := range codeBlock.FindAllString(readText(t, "README.md"), -1) {
		if strings.Contains(block, "will be updated in-place") {
			plan = block
		}
	}
	if plan == "" || !strings.Contains(readText(t, "docs/guides/getting-started.md"), plan) {
		t.Errorf("the plan in README.md is not that of the guide Getting started:\n%s", plan)
	}
}
