// Package summary says in short what a plan does to a fleet of MIRA clients: what is dangerous, and which clients have
// the same change.
package summary

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// Summary is what a plan does.
type Summary struct {
	// FormatVersion is that of this form of a summary.
	FormatVersion string `json:"format_version"`
	// Errored says that planning failed, so that the plan lacks something.
	Errored bool `json:"errored"`
	// Incomplete says that the plan leaves changes for a later one.
	Incomplete bool   `json:"incomplete"`
	Clients    Counts `json:"clients"`
	// Dangers are what may lose data or stop clients, the worst first.
	Dangers []Danger `json:"dangers"`
	// Groups are the changes of clients, each with the clients that have it.
	Groups []Group `json:"groups"`
	// Templates are the changes of mira_template.
	Templates []Template `json:"templates"`
	// Drifted counts what was changed outside of Terraform, see [DriftOf].
	Drifted Drifted `json:"drifted"`
	// Warnings are those of the plan's log, if there is one.
	Warnings []Warning `json:"warnings"`
	// Others counts the changes of resources of other types.
	Others map[string]int `json:"others"`
}

// Counts says how many clients there are of each kind.
type Counts struct {
	Created      int `json:"created"`
	Updated      int `json:"updated"`
	Replaced     int `json:"replaced"`
	Destroyed    int `json:"destroyed"`
	Imported     int `json:"imported"`
	Moved        int `json:"moved"`
	Forgotten    int `json:"forgotten"`
	Unchanged    int `json:"unchanged"`
	PodsReplaced int `json:"pods_replaced"`
}

// Drifted says how much was changed outside of Terraform.
type Drifted struct {
	Clients int `json:"clients"`
	Fields  int `json:"fields"`
}

// Client is a client of the plan.
type Client struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Address   string `json:"address"`
}

// Danger is something dangerous, and the clients to which it happens.
type Danger struct {
	Kind    Kind     `json:"kind"`
	Clients []Client `json:"clients"`
	Fields  []Field  `json:"fields"`
	Text    string   `json:"text,omitempty"` // that of a warning
}

// Group is a change, and the clients that have it.
type Group struct {
	Action  plan.Action `json:"action"`
	Import  bool        `json:"import"`
	Clients []Client    `json:"clients"`
	Fields  []Field     `json:"fields"`
}

// Template is the change of a mira_template.
type Template struct {
	Address string      `json:"address"`
	Action  plan.Action `json:"action"`
	Fields  []Field     `json:"fields"`
}

const (
	clientType   = "mira_client"
	templateType = "mira_template"
	managed      = "managed"
)

// change is something that happens to one client.
type change struct {
	client Client
	kind   string // what must be equal, beside the fields, for changes to be the same
	fields []Field
}

// New summarizes a plan.
func New(p *plan.Plan) *Summary {
	s := &Summary{
		FormatVersion: "1.0", Errored: p.Errored, Incomplete: p.Complete != nil && !*p.Complete,
		Dangers: []Danger{}, Groups: []Group{}, Templates: []Template{}, Warnings: []Warning{}, Others: map[string]int{},
	}
	var changes, dangers []change
	for i := range p.ResourceChanges {
		resource := &p.ResourceChanges[i]
		switch {
		case resource.Mode == managed && resource.Type == clientType:
			client, fields := clientOf(resource), fieldsOf(&resource.Change)
			s.count(resource, fields)
			if kind := kindOf(resource); kind != "" {
				changes = append(changes, change{client, kind, groupFields(resource, fields)})
			}
			for _, d := range dangersOf(&resource.Change, fields) {
				dangers = append(dangers, change{client, string(d.kind), d.fields})
			}
		case resource.Mode == managed && resource.Type == templateType:
			s.addTemplate(resource)
		case resource.Change.Action() != plan.NoOp:
			s.Others[string(resource.Change.Action())]++
		}
	}
	for _, group := range grouped(changes) {
		action, isImport := strings.CutSuffix(group.kind, importSuffix)
		s.Groups = append(s.Groups, Group{plan.Action(action), isImport, group.clients, group.fields})
	}
	s.addDangers(grouped(dangers))
	drifted := map[Client]bool{}
	for _, d := range DriftOf(p) {
		drifted[d.Client] = true
		s.Drifted.Fields++
	}
	s.Drifted.Clients = len(drifted)
	return s
}

func clientOf(r *plan.Resource) Client {
	side := r.Change.AfterSide()
	if r.Change.After == nil {
		side = r.Change.BeforeSide()
	}
	client := Client{Address: r.Address}
	if r.Deposed != "" {
		client.Address += " (deposed " + r.Deposed + ")"
	}
	if name := side.Value("name"); name.State == plan.Known {
		client.Name = name.Text
	}
	if namespace := side.Value("namespace"); namespace.State == plan.Known {
		client.Namespace = namespace.Text
	}
	return client
}

func (s *Summary) count(r *plan.Resource, fields []Field) {
	c := &r.Change
	action := c.Action()
	switch action {
	case plan.Create:
		s.Clients.Created++
	case plan.Update:
		s.Clients.Updated++
	case plan.Replace:
		s.Clients.Replaced++
	case plan.Delete:
		s.Clients.Destroyed++
	case plan.Forget:
		s.Clients.Forgotten++
	case plan.NoOp, plan.Read:
		if !c.IsImport() && r.PreviousAddress == "" {
			s.Clients.Unchanged++
		}
	}
	if c.IsImport() {
		s.Clients.Imported++
	}
	if r.PreviousAddress != "" {
		s.Clients.Moved++
	}
	if action == plan.Update && replacesPods(fields) {
		s.Clients.PodsReplaced++
	}
}

const importSuffix = " of an import"

// kindOf returns what the change of a client is, beside its fields; "" where nothing changes.
func kindOf(r *plan.Resource) string {
	action := r.Change.Action()
	switch {
	case r.Change.IsImport():
		return string(action) + importSuffix
	case action == plan.NoOp || action == plan.Read:
		return ""
	}
	return string(action)
}

// groupFields returns the fields that decide which group a change belongs to: those of an update, and of everything else
// what is there afterwards, in short.
func groupFields(r *plan.Resource, fields []Field) []Field {
	switch r.Change.Action() {
	case plan.Update:
		return fields
	case plan.Replace:
		return replacing(&r.Change, fields)
	case plan.Create:
		after := r.Change.AfterSide()
		var short []Field
		for _, field := range fields {
			if field.Path == WholeObject || field.Path == "objects" {
				short = append(short, field)
			}
		}
		for name := range after.Keys("images") {
			short = append(short, Field{Path: "images." + name, After: after.Value("images", name)})
		}
		slices.SortFunc(short, compareFields)
		return short
	case plan.Delete, plan.Forget, plan.NoOp, plan.Read:
	}
	return nil
}

func (s *Summary) addTemplate(r *plan.Resource) {
	action := r.Change.Action()
	if action == plan.NoOp {
		return
	}
	template := Template{Address: r.Address, Action: action, Fields: []Field{}}
	before, after := r.Change.BeforeSide(), r.Change.AfterSide()
	for _, name := range []string{"namespace", "config_map", "key", "revision"} {
		if field, ok := changeAt(before, after, name); ok {
			field.Path = name
			template.Fields = append(template.Fields, field)
		}
	}
	s.Templates = append(s.Templates, template)
	if action == plan.Delete || action == plan.Replace {
		s.Dangers = append(s.Dangers, Danger{Kind: TemplateDeleted, Clients: []Client{{Address: r.Address}}, Fields: template.Fields})
	}
}

func (s *Summary) addDangers(groups []group) {
	for _, g := range groups {
		s.Dangers = append(s.Dangers, Danger{Kind: Kind(g.kind), Clients: g.clients, Fields: g.fields})
	}
	sortDangers(s.Dangers)
}

func sortDangers(dangers []Danger) {
	rank := func(d Danger) int { return slices.Index(Kinds(), d.Kind) }
	slices.SortStableFunc(dangers, func(a, b Danger) int { return cmp.Compare(rank(a), rank(b)) })
}

// group is a change that several clients have.
type group struct {
	kind    string
	clients []Client
	fields  []Field
}

// grouped puts equal changes together: the same fields with the same values, once each client's own name is taken out of
// them. The groups with most clients come first. The fields of a group of one client have the name in them.
func grouped(changes []change) []group {
	slices.SortFunc(changes, func(a, b change) int { return compareClients(a.client, b.client) })
	words := learn(changes)
	groups := map[string]*group{}
	own := map[string][]Field{}
	for _, c := range changes {
		inCommon := make([]Field, 0, len(c.fields))
		var key strings.Builder
		key.WriteString(c.kind)
		for _, field := range c.fields {
			inCommon = append(inCommon, words.common(field, c.client.Name))
		}
		slices.SortFunc(inCommon, compareFields)
		for _, f := range inCommon {
			fmt.Fprintf(&key, "\x00%q %q %d%q %d%q", f.Object, f.Path, f.Before.State, f.Before.Text, f.After.State, f.After.Text)
		}
		g := groups[key.String()]
		if g == nil {
			g = &group{kind: c.kind, fields: inCommon}
			groups[key.String()] = g
			own[key.String()] = c.fields
		}
		g.clients = append(g.clients, c.client)
	}
	sorted := make([]group, 0, len(groups))
	for key, g := range groups {
		if len(g.clients) == 1 {
			g.fields = own[key]
		}
		if g.fields == nil {
			g.fields = []Field{}
		}
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.clients), len(a.clients)), compareClients(a.clients[0], b.clients[0]), strings.Compare(a.kind, b.kind))
	})
	return sorted
}

func compareClients(a, b Client) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Address, b.Address))
}
