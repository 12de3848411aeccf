package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An input that is no plan is told from one, with the command that makes one.
func TestWrongInput(t *testing.T) {
	tests := map[string]struct{ input, want string }{
		"nothing":           {"", "the input is empty: the command before it may have failed; run `terraform show -json PLANFILE`"},
		"a line":            {"\n", "the input is empty"},
		"a plan file":       {"PK\x03\x04\x14\x00", "the input is a plan file, which only the CLI can read: run `terraform show -json"},
		"a state":           {`{"format_version":"1.0","values":{"root_module":{}}}`, "a state, which has no changes"},
		"an empty state":    {`{"format_version":"1.0"}`, "the input is an empty state"},
		"a state file":      {`{"version":4,"terraform_version":"1.11.4","serial":3,"resources":[]}`, "the input is a state file: run"},
		"a log":             {`{"@level":"info","@message":"Terraform 1.11.4","type":"version"}` + "\n{}", "the input is a log of `plan -json`"},
		"another format":    {`{"format_version":"2.0","resource_changes":[]}`, "a plan of the format 2.0: this version of"},
		"another document":  {`{"kind":"List"}`, "the input is no plan (format_version is missing)"},
		"text":              {"Terraform will perform the following actions:", "the input is no JSON (invalid character 'T'"},
		"cut off":           {`{"format_version":"1.2","resource_changes":[{"address":`, "the input is JSON that ends in the middle"},
		"another structure": {`{"format_version":"1.2","resource_changes":{"a":1}}`, "the input is JSON, but no plan"},
		"a list":            {`[]`, "the input is JSON, but no plan"},
		"two documents":     {`{"format_version":"1.2","resource_changes":[]}{}`, "the input is more than one JSON document"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := runWith(t, test.input, exitError); !strings.HasPrefix(got, "plansummary: ") || !strings.Contains(got, test.want) {
				t.Errorf("the error is %q, want %q in it", got, test.want)
			}
		})
	}
}

func TestWrongArguments(t *testing.T) {
	plan := planOf(t, nil, nil)
	for want, arguments := range map[string][]string{
		`-format is "html", and must be text, markdown or json`:                                       {"-format", "html"},
		"-limit is 10, and must be at least 2000":                                                     {"-limit", "10"},
		`-fail-on: there is no kind "recreate"; there are any, drift, data-deleted, template-deleted`: {"-fail-on", "drift,recreate"},
		"one plan at a time: there are 2 arguments":                                                   {"a.json", "b.json"},
		"open missing.json":                {"missing.json"},
		"flag provided but not defined: -": {"-verbose"},
	} {
		if got := runWith(t, plan, exitError, arguments...); !strings.Contains(got, want) {
			t.Errorf("%v: the error is %q, want %q in it", arguments, got, want)
		}
	}
}

func TestFailOn(t *testing.T) {
	fields := object{imageField: "mira:3.0", "spec.replicas": "2"}
	fewer := with(fields, object{"spec.replicas": "1"})
	drift := resource(client("acme", fields), client("acme", fewer), nil)
	dangerous := planOf(t, []any{resource(client("acme", fields), client("acme", fewer), nil)}, nil)
	harmless := planOf(t, []any{resource(client("acme", fewer), client("acme", fields), nil)}, []any{drift})
	for _, test := range []struct {
		plan, kinds string
		code        int
	}{
		{dangerous, "", exitDone},
		{dangerous, "any", exitDanger},
		{dangerous, "data-deleted", exitDone},
		{dangerous, "data-deleted, replicas-shrink", exitDanger},
		{dangerous, "drift", exitDone},
		{harmless, "any", exitDone},
		{harmless, "any,drift", exitDanger},
	} {
		if text := runWith(t, test.plan, test.code, "-fail-on", test.kinds); !strings.Contains(text, "1 updated") {
			t.Errorf("-fail-on %s: the summary is missing:\n%s", test.kinds, text)
		}
	}
}

// A log adds its warnings: those of one client with its name, equal ones once, and what an adoption changes as a danger.
func TestWarningsOfALog(t *testing.T) {
	diagnostic := func(severity, title, text string) string {
		line, err := json.Marshal(object{"@level": "warn", "@message": title, "type": "diagnostic",
			"diagnostic": object{"severity": severity, "summary": title, "detail": text}})
		if err != nil {
			t.Fatal(err)
		}
		return string(line) + "\n"
	}
	adoption := func(client string) string {
		return diagnostic("warning", fmt.Sprintf("Adoption Changes Objects (Client %q)", client),
			fmt.Sprintf("Client %q changes:\nService/mira-%[1]s spec.type: a -> b\u001b[31m", client))
	}
	log := `{"@level":"info","@message":"Terraform 1.11.4","type":"version"}` + "\n" +
		adoption("acme") + adoption("globex") +
		diagnostic("warning", "Dropped Fields Stay", "They stay.") +
		diagnostic("error", "Not a warning", "It is none.")
	file := filepath.Join(t.TempDir(), "plan.log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	input := planOf(t, []any{
		resource(nil, client("acme", object{imageField: "mira:3.1"}), nil), resource(nil, client("globex", object{imageField: "mira:3.1"}), nil),
	}, nil)
	want := `Clients: 2 created.

DANGEROUS

! Import or adoption changes existing objects (2 clients)
    acme, globex
  Client "<client>" changes:
  Service/mira-<client> spec.type: a -> b[31m

WARNINGS

Dropped Fields Stay
  They stay.

CHANGES

2 clients created
    acme, globex
  + StatefulSet/mira-<client>
`
	if diff := cmp.Diff(want, runWith(t, input, exitDanger, "-log", file, "-fail-on", "adoption-changes")); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	markdown := runWith(t, input, exitDone, "-log", file, "-format", "markdown")
	if !strings.Contains(markdown, "**Dropped Fields Stay**\n\n```\n  They stay.\n```\n") {
		t.Errorf("the warning is missing in\n%s", markdown)
	}
	if err := os.WriteFile(file, []byte("Planning failed.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := runWith(t, input, exitError, "-log", file); !strings.Contains(got, "the input is no log of a plan (line 1): write one with") {
		t.Errorf("the error is %q", got)
	}
}
