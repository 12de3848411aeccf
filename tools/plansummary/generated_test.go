package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

type object = map[string]any

// client returns the values of a client with one object.
func client(name string, fields object) object {
	return object{
		"name": name, "namespace": "default", "admin_email": "admin@" + name + ".example", "delete_data": false,
		"persistent_volume_claims": []any{"mira-data-mira-" + name + "-0"}, "rollout": "complete",
		"objects": object{"StatefulSet/mira-" + name: fields},
	}
}

// with returns values with others in the place of some.
func with(values, others object) object {
	all := maps.Clone(values)
	maps.Copy(all, others)
	return all
}

// resource returns the change of a client; before or after may be nil.
func resource(before, after, further object) object {
	side, actions := after, []any{"update"}
	switch {
	case before == nil:
		actions = []any{"create"}
	case after == nil:
		side, actions = before, []any{"delete"}
	}
	change := object{"actions": actions, "before": nil, "after": nil}
	for _, mark := range []string{"after_unknown", "before_sensitive", "after_sensitive"} {
		change[mark] = object{}
	}
	if before != nil {
		change["before"] = before
	}
	if after != nil {
		change["after"] = after
	}
	maps.Copy(change, further)
	return object{
		"address": fmt.Sprintf("mira_client.this[%q]", side["name"]), "mode": "managed", "type": "mira_client", "change": change,
	}
}

func planOf(t *testing.T, changes, drift []any) string {
	t.Helper()
	data, err := json.Marshal(object{
		"format_version": "1.2", "planned_values": object{}, "resource_changes": changes, "resource_drift": drift,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// runWith runs the command, which must end with a code.
func runWith(t *testing.T, input string, code int, arguments ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(arguments, strings.NewReader(input), &stdout, &stderr); got != code {
		t.Fatalf("%v: exit code %d, want %d: %s", arguments, got, code, stderr.String())
	}
	if code == exitError {
		return stderr.String()
	}
	return stdout.String()
}

const imageField = "spec.template.spec.containers[mira].image"

// names returns the names of clients, among them some that occur in the texts of all clients.
func names(count int) []string {
	all := []string{"mira", "a", "spec", "3", "mira-mira", "none", "image", "1"}
	for i := len(all); i < count; i++ {
		all = append(all, fmt.Sprintf("c%d", i))
	}
	return all[:count]
}

// A thousand clients with the same change are one group, whatever they are called.
func TestOneChangeOfManyClients(t *testing.T) {
	const count = 1000
	fields := func(name, version string) object {
		return object{
			imageField: "mira:" + version, "spec.replicas": "1",
			"spec.template.spec.containers[mira].env[URL].value": "https://" + name + ".mira.example/" + version,
		}
	}
	var changes []any
	for _, name := range names(count) {
		changes = append(changes, resource(client(name, fields(name, "3.0")), client(name, fields(name, "3.1")), nil))
	}
	input := planOf(t, changes, nil)
	text := runWith(t, input, exitDone)
	for _, want := range []string{
		"Clients: 1000 updated. The pods of 1000 clients are replaced.",
		"Nothing dangerous.",
		"1000 clients updated\n",
		"  ~ StatefulSet/mira-<client>  " + imageField + "  mira:3.0 -> mira:3.1\n",
		"  ~ StatefulSet/mira-<client>  spec.template.spec.containers[mira].env[URL].value  https://<client>.mira.example/3.0 -> " +
			"https://<client>.mira.example/3.1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, text[:min(len(text), 2000)])
		}
	}
	if groups := strings.Count(text, " updated\n"); groups != 1 {
		t.Errorf("%d groups, want 1", groups)
	}
	for _, name := range names(count) {
		if !strings.Contains(text, " "+name+",") && !strings.HasSuffix(text, name) && !strings.Contains(text, " "+name+"\n") {
			t.Errorf("client %s is not named", name)
		}
	}
}

// What differs for each of a thousand clients still fits a comment, and what is left out is counted.
func TestMarkdownIsBounded(t *testing.T) {
	for what, value := range map[string]func(i int) string{
		"short values": func(i int) string { return fmt.Sprintf("mira:3.%d", i) },
		"long values":  func(i int) string { return strings.Repeat("ü", i) + "`" + fmt.Sprint(i) },
		"fences":       func(i int) string { return "```\n# no heading\n" + strings.Repeat("`", i) },
	} {
		t.Run(what, func(t *testing.T) {
			var changes, drift []any
			for i, name := range names(1000) {
				before := client(name, object{imageField: "mira:3.0", "spec.replicas": fmt.Sprint(i + 3)})
				after := client(name, object{imageField: value(i), "spec.replicas": "2"})
				changes = append(changes, resource(before, after, nil))
				drift = append(drift, resource(before, after, nil))
			}
			input := planOf(t, changes, drift)
			for _, further := range [][]string{nil, {"-limit", "3000"}, {"-drift"}} {
				arguments := append([]string{"-format", "markdown"}, further...)
				text := runWith(t, input, exitDone, arguments...)
				limit := 65536
				if len(arguments) > 3 {
					limit = 3000
				}
				if n := len(text); n > limit || !utf8.ValidString(text) {
					t.Errorf("%v: %d bytes, want at most %d of valid text", arguments, n, limit)
				}
				if !strings.Contains(text, "Left out") || strings.Contains(text, "\n# ") && what != "fences" {
					t.Errorf("%v: nothing is said about what is left out:\n%s", arguments, text[max(0, len(text)-500):])
				}
			}
		})
	}
}

// A value that is sensitive, or may be, is in no report.
func TestSensitiveValuesAreNeverPrinted(t *testing.T) {
	const secret = "s3cr3t"
	before := client("acme", object{imageField: secret, "spec.other": "x"})
	after := client("acme", object{imageField: secret + "2", "spec.other": "y"})
	key := "StatefulSet/mira-acme"
	marks := map[string]any{
		"all":     true,
		"objects": object{"objects": true},
		"object":  object{"objects": object{key: true}},
		"field":   object{"objects": object{key: object{imageField: true}}},
	}
	for what, mark := range marks {
		for _, only := range []string{"before_sensitive", "after_sensitive", ""} {
			further := object{}
			for _, side := range []string{"before_sensitive", "after_sensitive"} {
				if only == "" || only == side {
					further[side] = mark
				}
			}
			pair := [2]object{with(before, nil), with(after, nil)}
			// The side without a mark has a value that is no secret.
			clean := client("acme", object{imageField: "plain", "spec.other": "x"})
			switch only {
			case "before_sensitive":
				pair[1] = clean
			case "after_sensitive":
				pair[0] = clean
			}
			for _, change := range []object{resource(pair[0], pair[1], further), resource(nil, pair[1], further), resource(pair[0], nil, further)} {
				input := planOf(t, []any{change}, []any{change})
				for _, format := range []string{"text", "markdown", "json"} {
					for _, drift := range []string{"-drift=false", "-drift"} {
						if text := runWith(t, input, exitDone, "-format", format, drift); strings.Contains(text, secret) {
							t.Errorf("%s sensitive, %s, %s, %s: the secret shows:\n%s", what, only, format, drift, text)
						}
					}
				}
			}
		}
	}
}
