// Package report writes a summary of a plan as text, as Markdown and as JSON.
package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/summary"
)

// headline says in one line what a plan does.
func headline(s *summary.Summary) string {
	c := s.Clients
	var parts []string
	for _, part := range []struct {
		count int
		verb  string
	}{
		{c.Created, "created"}, {c.Updated, "updated"}, {c.Replaced, "replaced"}, {c.Destroyed, "destroyed"}, {c.Forgotten, "forgotten"},
		{c.Imported, "imported"}, {c.Moved, "moved to another address"}, {c.Unchanged, "unchanged"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.verb))
		}
	}
	text := "Clients: none in this plan."
	if len(parts) > 0 {
		text = "Clients: " + strings.Join(parts, ", ") + "."
	}
	if c.PodsReplaced > 0 {
		text += fmt.Sprintf(" The pods of %s are replaced.", counted(c.PodsReplaced, "client"))
	}
	return text
}

// remarks are what a reader must know beside the changes.
func remarks(s *summary.Summary) []string {
	var all []string
	if s.Errored {
		all = append(all, "Planning failed: this is only a part of what would be planned.")
	}
	if s.Incomplete {
		all = append(all, "The plan is not complete: a further plan and apply are needed after this one.")
	}
	if s.Drifted.Fields > 0 {
		all = append(all, fmt.Sprintf("Changed outside of Terraform: %s of %s; `plansummary -drift` lists them.",
			counted(s.Drifted.Fields, "field"), counted(s.Drifted.Clients, "client")))
	}
	if len(s.Others) > 0 {
		var counts []string
		for _, action := range []plan.Action{plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Forget, plan.Read} {
			if n := s.Others[string(action)]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d to %s", n, action))
			}
		}
		all = append(all, "Resources of other types: "+strings.Join(counts, ", ")+".")
	}
	return all
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

var done = map[plan.Action]string{
	plan.Create: "created", plan.Update: "updated", plan.Replace: "replaced", plan.Delete: "destroyed", plan.Forget: "forgotten",
	plan.NoOp: "taken as they are",
}

// groupTitle says what happens to the clients of a group.
func groupTitle(g summary.Group) string {
	title := counted(len(g.Clients), "client") + " " + done[g.Action]
	if g.Import {
		title = counted(len(g.Clients), "client") + " imported"
		switch g.Action {
		case plan.Update, plan.Replace:
			title += " and " + done[g.Action]
		default:
			title += ", nothing changes"
		}
	}
	return title
}

func dangerTitle(d summary.Danger) string {
	things := counted(len(d.Clients), "client")
	if d.Kind == summary.TemplateDeleted {
		things = "1 template"
	}
	return fmt.Sprintf("%s (%s)", d.Kind.Title(), things)
}

func warningTitle(w summary.Warning) string {
	if len(w.Clients) == 0 {
		return w.Title
	}
	return fmt.Sprintf("%s (%s)", w.Title, counted(len(w.Clients), "client"))
}

// indented returns a text of several lines, without control characters.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, line)
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// namer returns a function that names clients: by the name alone where it is unique.
func namer(s *summary.Summary) func(summary.Client) string {
	namespaces := map[string]map[string]bool{}
	note := func(clients []summary.Client) {
		for _, c := range clients {
			if namespaces[c.Name] == nil {
				namespaces[c.Name] = map[string]bool{}
			}
			namespaces[c.Name][c.Namespace] = true
		}
	}
	for _, g := range s.Groups {
		note(g.Clients)
	}
	for _, d := range s.Dangers {
		note(d.Clients)
	}
	return func(c summary.Client) string {
		switch {
		case c.Name == "":
			return c.Address
		case len(namespaces[c.Name]) > 1:
			return c.Namespace + "/" + c.Name
		}
		return c.Name
	}
}

// sign is how a change of a value begins, as in a plan.
func sign(f summary.Field) string {
	switch {
	case f.Before.State == plan.Absent:
		return "+"
	case f.After.State == plan.Absent:
		return "-"
	}
	return "~"
}

// fieldLine says what becomes of a field. Texts that are too long are cut, at limit characters; 0 cuts none.
func fieldLine(f summary.Field, limit int) string {
	var parts []string
	if f.Object != "" {
		parts = append(parts, f.Object)
	}
	switch {
	case f.Path == summary.WholeObject:
	case f.After.State == plan.Absent:
		parts = append(parts, f.Path, cut(f.Before, limit))
	case f.Before.State == plan.Absent:
		parts = append(parts, f.Path, cut(f.After, limit))
	default:
		parts = append(parts, f.Path, cut(f.Before, limit)+" -> "+cut(f.After, limit))
	}
	return sign(f) + " " + strings.Join(parts, "  ")
}

func cut(v plan.Value, limit int) string {
	text := []rune(v.String())
	if limit == 0 || len(text) <= limit {
		return string(text)
	}
	return string(text[:limit]) + "..."
}

// hidesDifference reports whether two values look the same where they are cut.
func hidesDifference(f summary.Field, limit int) bool {
	return limit > 0 && cut(f.Before, limit) == cut(f.After, limit)
}

// commonAt returns how many characters two values have in common at their beginning.
func commonAt(f summary.Field) int {
	before, after := []rune(f.Before.String()), []rune(f.After.String())
	n := 0
	for n < len(before) && n < len(after) && before[n] == after[n] {
		n++
	}
	return n
}

// driftLine says what was changed on a field.
func driftLine(d summary.Drift, name string) string {
	parts := []string{name}
	if d.Object != "" {
		parts = append(parts, d.Object)
	}
	return strings.Join(append(parts, d.Path, d.Before.String()+" -> "+d.After.String()), "  ")
}

// driftNamer names clients of a drift report as namer does.
func driftNamer(drifts []summary.Drift) func(summary.Client) string {
	clients := make([]summary.Client, 0, len(drifts))
	for _, d := range drifts {
		clients = append(clients, d.Client)
	}
	return namer(&summary.Summary{Groups: []summary.Group{{Clients: slices.Compact(clients)}}})
}
