package summary

import (
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// Warning is a warning of the plan, and the clients that it is about.
type Warning struct {
	Title   string   `json:"title"`
	Clients []Client `json:"clients"`
	Text    string   `json:"text"`
}

// The titles of the warnings that say what an adoption changes.
const (
	adoptionChanges = "Adoption Changes Objects"
	adoptionRemoves = "Adoption Removes Fields"
)

// AddWarnings adds the warnings of a plan's log. Those about adoptions are dangers.
func (s *Summary) AddWarnings(warnings []plan.Warning) {
	var found []change
	for _, w := range warnings {
		if w.Title == adoptionChanges && s.hasDanger(AdoptionChanges, w.Client) {
			continue // the plan of an import has the fields
		}
		var client Client
		if w.Client != "" {
			client = s.find(w.Client)
		}
		found = append(found, change{client, w.Title, []Field{{Path: "text", After: plan.Text(w.Text)}}})
	}
	for _, g := range grouped(found) {
		warning := Warning{Title: g.kind, Clients: g.clients, Text: g.fields[0].After.Text}
		if g.clients[0].Name == "" {
			warning.Clients = []Client{}
		}
		if (g.kind == adoptionChanges || g.kind == adoptionRemoves) && len(warning.Clients) > 0 {
			s.Dangers = append(s.Dangers, Danger{Kind: AdoptionChanges, Clients: g.clients, Fields: []Field{}, Text: warning.Text})
			continue
		}
		s.Warnings = append(s.Warnings, warning)
	}
	sortDangers(s.Dangers)
}

// hasDanger reports whether a client of a name has a kind of danger.
func (s *Summary) hasDanger(kind Kind, name string) bool {
	return slices.ContainsFunc(s.Dangers, func(d Danger) bool {
		return d.Kind == kind && slices.ContainsFunc(d.Clients, func(c Client) bool { return c.Name == name })
	})
}

// find returns the client of a name from those of the summary. Warnings do not say the address.
func (s *Summary) find(name string) Client {
	for _, g := range s.Groups {
		for _, c := range g.Clients {
			if c.Name == name {
				return c
			}
		}
	}
	return Client{Name: name}
}
