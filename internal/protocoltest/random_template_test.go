package protocoltest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// choices are the decisions that a client template is made of, and what the
// configuration says about the client.
type choices struct {
	Style, Order uint64 // of the text: keys, quotes and comments; documents

	Tags          map[string]string // of the images, by container
	TagByVariable bool              // the tag of mira comes from %IMAGE_TAG%
	Env           []variable        // of container mira
	Sidecars      []string
	Marks         map[string]map[string]string // labels and annotations, by the place and kind of them
	Memory, Limit int                          // in Mi; no limit when 0
	CPU           int                          // in thousandths
	Spelling      int                          // of quantities
	Ports         []port                       // of the Service
	Hosts         []string                     // of the Ingress
	Paths         []string
	Class         string
	TLS           bool
	Replicas      int
	ByVariable    bool // the replicas come from %REPLICAS%
	Scratch       []string
	Probes        map[string]string // by kind; "http" or "tcp"
	Grace         int               // 0: not set
	Extra         []string          // further Services

	ServiceName, PodManagement string
	Storage                    int // in Gi

	Email        string
	Wait         bool
	Patient      bool              // sets a time-out
	Variables    map[string]string // of the client; the provider has some of its own
	FleetUnusual bool              // the provider's values are not the usual ones
}

type variable struct{ Name, Value string }

type port struct {
	Name     string
	Number   int
	Protocol string
}

// bare is written to YAML without quotes, whatever it looks like.
type bare string

const clientName, extraName = "mira-%CLIENT_NAME%", "mira-%CLIENT_NAME%-"

// The places where labels and annotations stand.
var places = []string{"Service labels", "Service annotations", "Ingress labels", "Ingress annotations",
	"StatefulSet labels", "StatefulSet annotations", "Pod labels", "Pod annotations"}

// What edits choose from. Some values are strings that YAML would read as something
// else, and some keys need care in field paths.
var (
	markKeys = map[string][]string{
		"labels":      {"team", "tier", "app.kubernetes.io/part-of"},
		"annotations": {"note", "nginx.ingress.kubernetes.io/proxy-body-size", "a.b/c.d"},
	}
	markValues = map[string][]string{
		"labels":      {"a", "true", "42", "1e3", "%CLIENT_NAME%"},
		"annotations": {"10m", "yes", "{\"a\": [1]}", "two\nlines", "of %CLIENT_NAME%: # 50%", ""},
	}
	envNames  = []string{"LOG_LEVEL", "FEATURE.X", "SMTP_HOST", "WORKERS", "DEBUG"}
	envValues = []string{"info", "8", "on", "null", "", "smtp.%CLUSTER_DOMAIN%", "two\nlines", "[a]", "%EMAIL_ADMIN%", "x: y # z"}
	tags      = []string{"1.0", "1.1", "2.0"}
	sidecars  = []string{"backup", "metrics", "logs"}
	extras    = []string{"metrics", "headless"}
	hosts     = []string{"%CLIENT_NAME%.%CLUSTER_DOMAIN%", "www.%CLIENT_NAME%.%CLUSTER_DOMAIN%", "%CLIENT_NAME%.alias.example"}
	paths     = []string{"/", "/api", "/static"}
	scratches = []string{"cache", "tmp"}
	ports     = []port{{"http", 80, ""}, {"https", 443, "TCP"}, {"h3", 443, "UDP"}, {"admin", 8000, "TCP"}}
)

func firstTemplate(r *rand.Rand) choices {
	return choices{
		Style: r.Uint64(), Order: r.Uint64(),
		Tags: map[string]string{"mira": "1.0", "caddy": "1.0"}, Env: []variable{{"LOG_LEVEL", "info"}}, Marks: map[string]map[string]string{},
		Memory: 256, Limit: 1024, CPU: 100, Ports: slices.Clone(ports[:2]), Hosts: hosts[:1], Paths: paths[:1], Class: "nginx", Replicas: 1,
		Probes: map[string]string{"readinessProbe": "http"}, Grace: 10, ServiceName: "mira", PodManagement: "OrderedReady", Storage: 5,
		Email: "admin@acme.example", Wait: true, Variables: map[string]string{},
	}
}

func (c choices) clone() choices {
	c.Tags, c.Probes, c.Variables = maps.Clone(c.Tags), maps.Clone(c.Probes), maps.Clone(c.Variables)
	c.Env, c.Ports, c.Sidecars, c.Extra = slices.Clone(c.Env), slices.Clone(c.Ports), slices.Clone(c.Sidecars), slices.Clone(c.Extra)
	c.Hosts, c.Paths, c.Scratch = slices.Clone(c.Hosts), slices.Clone(c.Paths), slices.Clone(c.Scratch)
	marks := make(map[string]map[string]string, len(c.Marks))
	for place, values := range c.Marks {
		marks[place] = maps.Clone(values)
	}
	c.Marks = marks
	return c
}

// edits are the ways to change a template. Each changes one thing, and drawing it again
// may undo it.
var edits = []struct {
	name   string
	weight int
	apply  func(r *rand.Rand, c *choices)
}{
	{"image", 3, func(r *rand.Rand, c *choices) {
		c.Tags[pick(r, append([]string{"mira", "caddy"}, c.Sidecars...))] = pick(r, tags)
	}},
	{"image tag by variable", 1, func(_ *rand.Rand, c *choices) { c.TagByVariable = !c.TagByVariable }},
	{"environment variable", 3, func(r *rand.Rand, c *choices) {
		v := variable{pick(r, envNames), pick(r, envValues)}
		at := slices.IndexFunc(c.Env, func(has variable) bool { return has.Name == v.Name })
		switch {
		case at < 0:
			c.Env = slices.Insert(c.Env, r.IntN(len(c.Env)+1), v)
		case r.IntN(2) == 0:
			c.Env[at] = v
		default:
			c.Env = slices.Delete(c.Env, at, at+1)
		}
	}},
	{"sidecar", 2, func(r *rand.Rand, c *choices) { c.Sidecars = toggle(r, c.Sidecars, pick(r, sidecars), 0) }},
	{"label or annotation", 5, func(r *rand.Rand, c *choices) {
		place := pick(r, places)
		_, sort, _ := strings.Cut(place, " ")
		key := pick(r, markKeys[sort])
		if c.Marks[place] == nil {
			c.Marks[place] = map[string]string{}
		}
		if _, ok := c.Marks[place][key]; ok && r.IntN(2) == 0 {
			delete(c.Marks[place], key)
		} else {
			c.Marks[place][key] = pick(r, markValues[sort])
		}
	}},
	{"resources", 2, func(r *rand.Rand, c *choices) {
		c.Memory, c.Limit, c.CPU = pick(r, []int{256, 512, 1024}), pick(r, []int{0, 1024, 2048}), pick(r, []int{100, 500, 1000})
	}},
	{"spelling of quantities", 2, func(r *rand.Rand, c *choices) { c.Spelling = r.IntN(3) }},
	{"Service port", 2, func(r *rand.Rand, c *choices) { c.Ports = toggle(r, c.Ports, pick(r, ports), 1) }},
	{"number of a Service port", 2, func(r *rand.Rand, c *choices) {
		p := &c.Ports[r.IntN(len(c.Ports))]
		p.Number = 9000 + slices.IndexFunc(ports, func(o port) bool { return o.Name == p.Name })*10 + r.IntN(3)
	}},
	{"hosts", 2, func(r *rand.Rand, c *choices) { c.Hosts = toggle(r, c.Hosts, pick(r, hosts), 1) }},
	{"paths", 1, func(r *rand.Rand, c *choices) { c.Paths = toggle(r, c.Paths, pick(r, paths), 1) }},
	{"Ingress class", 1, func(r *rand.Rand, c *choices) { c.Class = pick(r, []string{"nginx", "caddy", ""}) }},
	{"TLS", 1, func(_ *rand.Rand, c *choices) { c.TLS = !c.TLS }},
	{"replicas", 3, func(r *rand.Rand, c *choices) { c.Replicas = pick(r, []int{0, 1, 1, 1, 2, 2, 3}) }},
	{"replicas by variable", 1, func(_ *rand.Rand, c *choices) { c.ByVariable = !c.ByVariable }},
	{"scratch volume", 2, func(r *rand.Rand, c *choices) { c.Scratch = toggle(r, c.Scratch, pick(r, scratches), 0) }},
	{"probe", 2, func(r *rand.Rand, c *choices) {
		kind := pick(r, []string{"readinessProbe", "livenessProbe", "startupProbe"})
		c.Probes[kind] = pick(r, []string{"http", "tcp", ""})
	}},
	{"grace period", 1, func(r *rand.Rand, c *choices) { c.Grace = pick(r, []int{0, 10, 30, 60}) }},
	{"extra Service", 2, func(r *rand.Rand, c *choices) { c.Extra = toggle(r, c.Extra, pick(r, extras), 0) }},
	{"style", 3, func(r *rand.Rand, c *choices) { c.Style = r.Uint64() }},
	{"order of documents", 2, func(r *rand.Rand, c *choices) { c.Order = r.Uint64() }},
	{"e-mail", 1, func(r *rand.Rand, c *choices) {
		c.Email = pick(r, []string{"admin@acme.example", "o'neil+x@acme.example"})
	}},
	{"waiting", 1, func(r *rand.Rand, c *choices) { c.Wait = r.IntN(4) > 0 }},
	{"time-out", 1, func(_ *rand.Rand, c *choices) { c.Patient = !c.Patient }},
	{"variable of the client", 1, func(r *rand.Rand, c *choices) {
		if _, ok := c.Variables["IMAGE_TAG"]; ok {
			delete(c.Variables, "IMAGE_TAG")
		} else {
			c.Variables["IMAGE_TAG"] = pick(r, tags)
		}
	}},
	{"variable of the fleet", 1, func(_ *rand.Rand, c *choices) { c.FleetUnusual = !c.FleetUnusual }},
}

// recreatingEdits change what no StatefulSet takes in place: it has to be deleted and
// created again around its running pods. The storage only grows.
var recreatingEdits = []func(r *rand.Rand, c *choices) string{
	func(r *rand.Rand, c *choices) string {
		c.ServiceName = pick(r, []string{"mira", clientName})
		return "serviceName"
	},
	func(r *rand.Rand, c *choices) string {
		c.PodManagement = pick(r, []string{"OrderedReady", "Parallel"})
		return "podManagementPolicy"
	},
	func(_ *rand.Rand, c *choices) string { c.Storage++; return "storage" },
}

// edit makes one random edit, and returns its name.
func (c *choices) edit(r *rand.Rand) string {
	if r.IntN(20) == 0 {
		return pick(r, recreatingEdits)(r, c)
	}
	total := 0
	for _, e := range edits {
		total += e.weight
	}
	at := r.IntN(total)
	for _, e := range edits {
		if at -= e.weight; at < 0 {
			e.apply(r, c)
			return e.name
		}
	}
	panic("unreachable")
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// toggle takes an item out of a list, or puts it in at a random place. The list keeps at
// least so many items.
func toggle[T comparable](r *rand.Rand, list []T, item T, least int) []T {
	isPort := func(has T) bool {
		a, ok := any(has).(port)
		return has == item || ok && a.Name == any(item).(port).Name
	}
	if i := slices.IndexFunc(list, isPort); i >= 0 {
		if len(list) > least {
			return slices.Delete(slices.Clone(list), i, i+1)
		}
		return list
	}
	return slices.Insert(slices.Clone(list), r.IntN(len(list)+1), item)
}

// fleetVariables are those of the provider block.
func (c choices) fleetVariables() map[string]string {
	tag := "3.0"
	if c.FleetUnusual {
		tag = "3.1"
	}
	return map[string]string{"IMAGE_TAG": tag, "REPLICAS": fmt.Sprint(c.Replicas)}
}

// values returns a replacer of the placeholders by their values, as text.
func (c choices) values(client, domain string) *strings.Replacer {
	var pairs []string
	variables := c.fleetVariables()
	maps.Copy(variables, c.Variables)
	for name, value := range variables {
		pairs = append(pairs, "%"+name+"%", value)
	}
	return strings.NewReplacer(append(pairs, "%CLIENT_NAME%", client, "%CLUSTER_DOMAIN%", domain, "%EMAIL_ADMIN%", c.Email)...)
}

func (c choices) memory(mi int) any {
	switch {
	case c.Spelling == 1 && mi%1024 == 0:
		return fmt.Sprintf("%dGi", mi/1024)
	case c.Spelling == 2:
		return mi << 20
	}
	return fmt.Sprintf("%dMi", mi)
}

func (c choices) cpu() any {
	switch c.Spelling {
	case 1:
		return fmt.Sprint(float64(c.CPU) / 1000)
	case 2:
		return float64(c.CPU) / 1000
	}
	return fmt.Sprintf("%dm", c.CPU)
}

// metadata returns that of an object, or for "Pod" that of the pod template.
func (c choices) metadata(place, name string) map[string]any {
	metadata := map[string]any{}
	for _, sort := range []string{"labels", "annotations"} {
		marks := map[string]any{}
		for key, value := range c.Marks[place+" "+sort] {
			marks[key] = value
		}
		if place == "Pod" && sort == "labels" {
			marks["app"], marks["client"] = "mira", "%CLIENT_NAME%"
		}
		if len(marks) > 0 {
			metadata[sort] = marks
		}
	}
	if name != "" {
		metadata["name"] = name
	}
	return metadata
}
