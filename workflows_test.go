package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Workflows run actions of others at commits, which nobody can move, and say of each which
// version it is, for the reader and for Dependabot.
func TestWorkflows_pinActions(t *testing.T) {
	pinned := regexp.MustCompile(`^([\w-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
	seen := make(map[string]string)
	for _, file := range workflows(t) {
		for i, line := range strings.Split(readText(t, file), "\n") {
			_, action, ok := strings.Cut(line, "uses: ")
			if !ok || strings.HasPrefix(action, "./") {
				continue
			}
			match := pinned.FindStringSubmatch(action)
			if match == nil {
				t.Errorf("%s:%d: %q is not of the form owner/action@commit # v1.2.3", file, i+1, action)
				continue
			}
			if first, ok := seen[match[1]]; ok && first != action {
				t.Errorf("%s:%d: %s, elsewhere %s", file, i+1, action, first)
			}
			seen[match[1]] = action
		}
	}
	if len(seen) == 0 {
		t.Error("found no action: does the test still see them?")
	}
}

// What may write is said for each job.
func TestWorkflows_readOnly(t *testing.T) {
	for _, file := range workflows(t) {
		var workflow struct{ Permissions map[string]string }
		if err := yaml.Unmarshal([]byte(readText(t, file)), &workflow); err != nil {
			t.Fatal(err)
		}
		if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
			t.Errorf("%s gives every job the permissions %v, not contents: read alone", file, workflow.Permissions)
		}
	}
}

func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash(".github/workflows/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
