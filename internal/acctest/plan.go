package acctest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// ClientPlan is what a plan says about one client.
type ClientPlan struct {
	Warnings []string       // those that name the client; of [CLI.Plan] all
	Action   string         // such as "update", or "delete, create"
	Changes  []string       // of its objects, as [ObjectChanges] returns them
	After    map[string]any // its attributes
}

// Plan makes a plan for mira_client.acme, for [CLI.ApplyPlan] to apply.
func (c *CLI) Plan(t *testing.T) ClientPlan {
	t.Helper()
	warnings, clients := c.PlanAll(t)
	acme := clients["acme"]
	acme.Warnings = warnings
	return acme
}

// PlanAll makes a plan, and returns all its warnings, and what it says about each
// client, by the label of its resource.
func (c *CLI) PlanAll(t *testing.T, arguments ...string) (warnings []string, clients map[string]ClientPlan) {
	t.Helper()
	warnings = Warnings(t, c.Run(t, append([]string{"plan", "-json", "-out=plan"}, arguments...)...))
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
	if err := json.Unmarshal([]byte(c.Run(t, "show", "-json", "plan")), &shown); err != nil {
		t.Fatal(err)
	}
	clients = make(map[string]ClientPlan)
	for _, change := range shown.Changes {
		if change.Type != "mira_client" {
			continue
		}
		plan := ClientPlan{
			Action:  strings.Join(change.Change.Actions, ", "),
			Changes: ObjectChanges(change.Change.Before, change.Change.After),
		}
		plan.After, _ = change.Change.After.(map[string]any)
		for _, warning := range warnings {
			if strings.Contains(warning, fmt.Sprintf("Client %q", change.Name)) {
				plan.Warnings = append(plan.Warnings, warning)
			}
		}
		clients[change.Name] = plan
	}
	return warnings, clients
}

// ApplyPlan applies what was planned, and returns the warnings.
func (c *CLI) ApplyPlan(t *testing.T) []string {
	t.Helper()
	return Warnings(t, c.Run(t, "apply", "-json", "plan"))
}

// ObjectChanges returns how the attribute `objects` of a client changes, by the
// client's attributes before and after, a line each:
//
//	~ Kind/name path: old -> new
//	- Kind/name path: old
//	+ Kind/name path: new
//	- Kind/name
//	+ Kind/name
//
// The last two are whole objects that go or come.
func ObjectChanges(before, after any) []string {
	was, is := objectsOf(before), objectsOf(after)
	var lines []string
	for key := range union(was, is) {
		switch {
		case was[key] == nil:
			lines = append(lines, "+ "+key)
		case is[key] == nil:
			lines = append(lines, "- "+key)
		default:
			for path := range union(was[key], is[key]) {
				old, had := was[key][path]
				now, has := is[key][path]
				switch {
				case had && has && old != now:
					lines = append(lines, fmt.Sprintf("~ %s %s: %s -> %s", key, path, old, now))
				case had && !has:
					lines = append(lines, fmt.Sprintf("- %s %s: %s", key, path, old))
				case has && !had:
					lines = append(lines, fmt.Sprintf("+ %s %s: %s", key, path, now))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// union returns a map with the keys of both.
func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// objectsOf returns the attribute `objects`, which is empty before it is known.
func objectsOf(attributes any) map[string]map[string]string {
	objects := make(map[string]map[string]string)
	client, _ := attributes.(map[string]any)
	all, _ := client["objects"].(map[string]any)
	for key, fields := range all {
		objects[key] = make(map[string]string)
		for path, value := range fields.(map[string]any) {
			objects[key][path] = value.(string)
		}
	}
	return objects
}
