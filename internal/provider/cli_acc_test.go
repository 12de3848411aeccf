package provider

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// commandLine gives a CLI in an empty directory of its own, for what the testing
// framework does not look at: warnings. `env` is that of [buildMirror].
func commandLine(t *testing.T, env []string, config string) *cli {
	t.Helper()
	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if path == "" {
		t.Fatal("TF_ACC_TERRAFORM_PATH is not set: `make testacc` sets it")
	}
	c := &cli{path: path, directory: t.TempDir(), env: env}
	config = "terraform {\n  required_providers {\n    mira = { source = \"mira-cluster/mira\" }\n  }\n}\n" + config
	if err := os.WriteFile(filepath.Join(c.directory, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run(t, "init")
	return c
}

// outlook is what a plan says of a client.
type outlook struct {
	warnings []string
	changes  []string // of its objects, as in [objectChanges]
	action   string
	after    map[string]any // its attributes
}

// plan makes a plan for mira_client.acme, for [cli.applyPlan] to apply.
func (c *cli) plan(t *testing.T) outlook {
	t.Helper()
	warnings, clients := c.planAll(t)
	acme := clients["acme"]
	acme.warnings = warnings
	return acme
}

// planAll makes a plan, and gives all its warnings, and what it says of each
// client, by the label of its resource.
func (c *cli) planAll(t *testing.T) ([]string, map[string]outlook) {
	t.Helper()
	all := warnings(t, c.run(t, "plan", "-json", "-out=plan"))
	var shown struct {
		Changes []struct {
			Type   string `json:"type"`
			Name   string `json:"name"`
			Change struct {
				Actions       []string `json:"actions"`
				Before, After any
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(c.run(t, "show", "-json", "plan")), &shown); err != nil {
		t.Fatal(err)
	}
	clients := make(map[string]outlook)
	for _, change := range shown.Changes {
		if change.Type != clientType {
			continue
		}
		result := outlook{
			changes: diffObjects(objectsOf(change.Change.Before), objectsOf(change.Change.After)),
			action:  strings.Join(change.Change.Actions, ", "),
		}
		result.after, _ = change.Change.After.(map[string]any)
		for _, warning := range all {
			if strings.Contains(warning, fmt.Sprintf("Client %q", change.Name)) {
				result.warnings = append(result.warnings, warning)
			}
		}
		clients[change.Name] = result
	}
	return all, clients
}

// applyPlan applies what was planned, and gives the warnings.
func (c *cli) applyPlan(t *testing.T) []string {
	t.Helper()
	return warnings(t, c.run(t, "apply", "-json", "plan"))
}

// warnings gives the warnings in the output of a command with -json.
func warnings(t *testing.T, output string) []string {
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

// wantWarning checks that one of the warnings has all the words.
func wantWarning(t *testing.T, warnings []string, words ...string) {
	t.Helper()
	isMeant := func(warning string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(warning, word) })
	}
	if !slices.ContainsFunc(warnings, isMeant) {
		t.Errorf("no warning has %q:\n%s", words, strings.Join(warnings, "\n"))
	}
}

// wantNoWarning checks that none of the warnings has a title.
func wantNoWarning(t *testing.T, warnings []string, titles ...string) {
	t.Helper()
	for _, warning := range warnings {
		for _, title := range titles {
			if strings.HasPrefix(warning, title+": ") {
				t.Errorf("unexpected warning:\n%s", warning)
			}
		}
	}
}
