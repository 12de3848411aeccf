package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	changelogFile = "CHANGELOG.md"
	// dateForm is how the changelogs of providers write the day of a release.
	dateForm   = "January 2, 2006"
	unreleased = "Unreleased"
)

// kinds are the headings within a release, in their order. Terraform's providers share them:
// https://developer.hashicorp.com/terraform/plugin/best-practices/versioning
var kinds = []string{"BREAKING CHANGES", "NOTES", "FEATURES", "ENHANCEMENTS", "BUG FIXES"}

// semver is the form of a version, without build metadata, which no registry takes.
const semver = `(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?`

var (
	tagForm     = regexp.MustCompile(`^v(` + semver + `)$`)
	headingForm = regexp.MustCompile(`^## (` + semver + `) \(([^()]+)\)$`)
)

// section is what the changelog says of one version.
type section struct {
	version string
	day     string // "Unreleased", or the day of the release
	body    []string
}

// sections returns the sections of a changelog, newest first. What is not of the form is an error with its line.
func sections(changelog string) ([]section, error) {
	var found []section
	kind := -1 // the heading within the section, as an index of kinds
	for i, line := range strings.Split(changelog, "\n") {
		wrong := func(format string, a ...any) error {
			return fmt.Errorf("%s:%d: %s", changelogFile, i+1, fmt.Sprintf(format, a...))
		}
		if strings.HasPrefix(line, "## ") {
			match := headingForm.FindStringSubmatch(line)
			if match == nil {
				return nil, wrong(`%q is not of the form "## 1.2.3 (%s)" or "## 1.2.3 (%s)"`, line, dateForm, unreleased)
			}
			if slices.ContainsFunc(found, func(s section) bool { return s.version == match[1] }) {
				return nil, wrong("%s has a section already", match[1])
			}
			if _, err := time.Parse(dateForm, match[2]); err != nil && match[2] != unreleased {
				return nil, wrong("%q is neither a day such as %q nor %q", match[2], dateForm, unreleased)
			}
			if match[2] == unreleased && len(found) > 0 {
				return nil, wrong("only the first version can be unreleased, and %s is not", match[1])
			}
			found, kind = append(found, section{version: match[1], day: match[2]}), -1
			continue
		}
		if len(found) == 0 {
			continue // the title and what the page says of itself
		}
		if heading, ok := strings.CutSuffix(line, ":"); ok && slices.Contains(kinds, heading) {
			next := slices.Index(kinds, heading)
			if next <= kind {
				return nil, wrong("%s comes after %s; the order is %s", heading, kinds[kind], strings.Join(kinds, ", "))
			}
			kind = next
		} else if line != "" && (kind < 0 || !strings.HasPrefix(line, "* ") && !strings.HasPrefix(line, "  ")) {
			return nil, wrong("%q is neither an entry that begins with an asterisk, below one of the headings %s, nor a further line of one, "+
				"which begins with two blanks", line, strings.Join(kinds, ", "))
		}
		last := &found[len(found)-1]
		last.body = append(last.body, line)
	}
	return found, nil
}

// notes returns what the changelog says of the version of a tag. An entry is one line, as the
// page of a release breaks lines where its text does.
func notes(changelog, tag string) (string, error) {
	match := tagForm.FindStringSubmatch(tag)
	if match == nil {
		return "", fmt.Errorf("the tag %q is not of the form v1.2.3 or v1.2.3-rc.1", tag)
	}
	all, err := sections(changelog)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(s section) bool { return s.version == match[1] })
	if i < 0 {
		return "", fmt.Errorf(`%s has no section "## %s (%s)" for the tag %s: write it, and move the tag to that commit`,
			changelogFile, match[1], dateForm, tag)
	}
	if all[i].day == unreleased {
		return "", fmt.Errorf("%s says that %s is unreleased: write the day of the release in its place, and move the tag %s to that commit",
			changelogFile, match[1], tag)
	}
	var text strings.Builder
	for _, line := range all[i].body {
		if further, ok := strings.CutPrefix(line, "  "); ok {
			text.WriteString(" " + strings.TrimLeft(further, " "))
		} else {
			text.WriteString("\n" + line)
		}
	}
	body := strings.TrimSpace(text.String())
	if body == "" {
		return "", fmt.Errorf("%s says nothing of %s", changelogFile, match[1])
	}
	return body + "\n", nil
}
