package template

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Recovered are the results of Recover, by the names of placeholders without percent signs.
type Recovered struct {
	// Values are the values found.
	Values map[string]string
	// Missing are the names for which no live object has a value, sorted.
	Missing []string
	// Conflicts are the names for which live objects have different values, sorted by name. They are not in Values.
	Conflicts []Conflict
}

// Conflict is a placeholder for which different values were found.
type Conflict struct {
	// Name is the placeholder's name, without percent signs.
	Name string
	// Found are the values and where they were found, in the order of the template's lines.
	Found []Finding
}

// Finding is a value that was found at one place.
type Finding struct {
	// Value is the text in place of the placeholder.
	Value string
	// Object is the live object as Kind/name.
	Object string
	// Path is the field within the object. List items are named by their merge keys if they have some:
	// spec.template.spec.containers[mira].env[ADMIN_EMAIL].value.
	Path string
	// Line is the placeholder's line in the template.
	Line int
}

// Lookup returns the live object of a kind and name, or nil if there is none.
type Lookup func(kind schema.GroupKind, name string) *unstructured.Unstructured

// Recover finds the values of the placeholders that are not in known, a map of names without percent signs to values. It
// compares the template with the live objects and reads the values at the places of the placeholders.
//
// A place counts only if the text around the placeholder is that of the template and only one value is possible: of
// several placeholders in a scalar, all but one must be known or have been found elsewhere. If two places disagree, the
// placeholder is a conflict, and no place is preferred.
func (t *Template) Recover(known map[string]string, live Lookup) Recovered {
	r := recovery{known: known, conflicts: map[string][]Finding{}}
	for !r.solve(t, live) {
	}
	out := Recovered{Values: map[string]string{}}
	for _, name := range t.Placeholders() {
		_, isKnown := known[name]
		value, isFound := r.values[name]
		switch {
		case isKnown, !isFound && t.ordinary[name]:
		case r.conflicts[name] != nil:
			out.Conflicts = append(out.Conflicts, Conflict{Name: name, Found: r.conflicts[name]})
		case isFound:
			out.Values[name] = value
		default:
			out.Missing = append(out.Missing, name)
		}
	}
	return out
}

// recovery is the state of a search for values.
type recovery struct {
	known     map[string]string
	conflicts map[string][]Finding // names that have been given up
	values    map[string]string    // known, or found as text
	findings  map[string][]finding // by names that are not known
	noted     map[notedFinding]bool
	seen      func(parts []part, text string) // called for each scalar with placeholders, if it is set

	object string
	path   fieldPath
}

// finding is a Finding. It is typed if its value is the text of a number or boolean, which has several spellings.
type finding struct {
	Finding
	typed bool
}

type notedFinding struct {
	name string
	finding
}

// settled returns the parts of a scalar, with those as text that are ordinary text unless they have a value, and all text
// in Unicode NFC, as live values are compared. The values of such placeholders are known, or there are none.
func (r *recovery) settled(parts []part) []part {
	settle := func(p part) part {
		if _, ok := r.known[p.name]; p.orText && !ok {
			return part{text: "%" + p.name + "%"}
		}
		p.text = norm.NFC.String(p.text)
		return p
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return settle(p) != p }) {
		return parts
	}
	parts = slices.Clone(parts)
	for i, p := range parts {
		parts[i] = settle(p)
	}
	return parts
}

// liveField returns the value of a key of a live mapping, whose keys need not be in Unicode NFC.
func liveField(live map[string]any, key string) (any, bool) {
	if value, ok := live[key]; ok {
		return value, true
	}
	for _, other := range slices.Sorted(maps.Keys(live)) {
		if norm.NFC.String(other) == norm.NFC.String(key) {
			return live[other], true
		}
	}
	return nil, false
}

// solve visits the template until it finds no further values, because each value can help to find others. It returns
// false if it finds a conflict. Whatever was derived from the values in conflict is then doubtful, and the search must
// start again without these names.
func (r *recovery) solve(t *Template, live Lookup) bool {
	r.values = map[string]string{}
	maps.Copy(r.values, r.known)
	r.findings, r.noted = map[string][]finding{}, map[notedFinding]bool{}
	for progress := true; progress; {
		for _, s := range t.objects {
			r.visit(s, live)
		}
		progress = false
		agreed := true
		for name, findings := range r.findings {
			if r.conflicts[name] != nil {
				continue
			}
			chosen := best(findings)
			if !agree(chosen, findings) {
				r.conflicts[name] = byLine(findings)
				agreed = false
			} else if _, found := r.values[name]; !found && !chosen.typed {
				r.values[name] = chosen.Value
				progress = true
			}
		}
		if !agreed {
			return false
		}
	}
	// Typed findings come last, as nothing may be derived from a spelling that may not be the one that was written.
	for name, findings := range r.findings {
		if _, found := r.values[name]; !found && r.conflicts[name] == nil {
			r.values[name] = best(findings).Value
		}
	}
	return true
}

// best returns the first finding that is not typed, or else the first one.
func best(findings []finding) finding {
	if i := slices.IndexFunc(findings, func(f finding) bool { return !f.typed }); i >= 0 {
		return findings[i]
	}
	return findings[0]
}

// agree reports whether all findings can mean the same value as the best one.
func agree(best finding, findings []finding) bool {
	return !slices.ContainsFunc(findings, func(f finding) bool {
		return f.Value != best.Value && (!f.typed || !sameScalar(f.Value, best.Value))
	})
}

// sameScalar reports whether two texts are spellings of the same number or boolean.
func sameScalar(a, b string) bool {
	x, errX := resolvePlain(a)
	y, errY := resolvePlain(b)
	if errX != nil || errY != nil {
		return false
	}
	return number(x) == number(y)
}

// number converts an integer to a float, as JSON has only one type of number.
func number(v any) any {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	return v
}

func byLine(findings []finding) []Finding {
	out := make([]Finding, 0, len(findings))
	for _, f := range findings {
		out = append(out, f.Finding)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return out
}

// note adds a finding, unless an earlier visit of the same place has added it.
func (r *recovery) note(name string, f finding) {
	if key := (notedFinding{name, f}); !r.noted[key] {
		r.noted[key] = true
		r.findings[name] = append(r.findings[name], f)
	}
}

// visit compares an object of the template with the live one, if its kind and name are known and it exists.
func (r *recovery) visit(s *source, live Lookup) {
	apiVersion, ok1 := r.text(s.root.get("apiVersion"))
	kind, ok2 := r.text(s.root.get("kind"))
	name, ok3 := r.text(s.root.at("metadata", "name"))
	version, err := schema.ParseGroupVersion(apiVersion)
	if !ok1 || !ok2 || !ok3 || err != nil {
		return
	}
	object := live(schema.GroupKind{Group: version.Group, Kind: kind}, name)
	if object == nil {
		return
	}
	r.object, r.path = kind+"/"+name, r.path[:0]
	r.walk(s.root, object.Object)
}

func (r *recovery) walk(n *node, live any) {
	switch n.kind {
	case mappingNode:
		if fields, ok := live.(map[string]any); ok {
			r.walkMapping(n, fields)
		}
	case sequenceNode:
		if items, ok := live.([]any); ok {
			for _, pair := range r.match(n.items, items) {
				r.path = append(r.path, pathElement{label: pair.label})
				r.walk(pair.item, pair.live)
				r.path.pop()
			}
		}
	case scalarNode:
		r.observe(n, live)
	}
}

func (r *recovery) walkMapping(n *node, live map[string]any) {
	taken := map[string]bool{}
	var open []*field
	for i := range n.fields {
		f := &n.fields[i]
		key, ok := f.key, true
		if f.parts != nil {
			key, ok = r.expand(f.parts)
		}
		if !ok {
			open = append(open, f)
			continue
		}
		taken[key] = true
		if value, ok := liveField(live, key); ok {
			r.path.pushKey(key)
			r.walk(f.value, value)
			r.path.pop()
		}
	}
	if open != nil {
		r.walkOpenKeys(open, live, taken)
	}
}

// walkOpenKeys handles keys with placeholders that have no value yet. Such a key is paired with a live key, among those
// that no other key of the template has taken, if neither of the two fits any other.
func (r *recovery) walkOpenKeys(open []*field, live map[string]any, taken map[string]bool) {
	fits := map[string][]*field{}
	choices := map[*field][]string{}
	for _, key := range slices.Sorted(maps.Keys(live)) {
		if taken[key] {
			continue
		}
		for _, f := range open {
			if r.possible(f.parts, key) && r.compatible(f.value, live[key]) {
				fits[key] = append(fits[key], f)
				choices[f] = append(choices[f], key)
			}
		}
	}
	for _, f := range open {
		if len(choices[f]) != 1 || len(fits[choices[f][0]]) != 1 {
			continue
		}
		key := choices[f][0]
		r.path.pushKey(key)
		r.solveParts(f.parts, false, key)
		r.walk(f.value, live[key])
		r.path.pop()
	}
}

// observe reads a live value at the place of a scalar.
func (r *recovery) observe(n *node, live any) {
	if n.parts == nil {
		return
	}
	text, ok := scalarText(live)
	if _, isText := live.(string); !ok || n.form == formText && !isText {
		return
	}
	typed := false
	if n.form != formText {
		value, err := resolvePlain(text)
		if value == nil || err != nil {
			return // no value of a variable renders to this
		}
		_, isText := value.(string)
		typed = !isText
	}
	if r.seen != nil {
		r.seen(n.parts, text)
	}
	r.solveParts(n.parts, typed, text)
}

// solveParts reads from a text the value of each placeholder that is not known, if all other placeholders in the text
// have a value. It reads names that were found elsewhere again, to notice places that disagree.
func (r *recovery) solveParts(parts []part, typed bool, text string) {
	done := map[string]bool{"": true} // literal text has no name
	parts = r.settled(parts)
	for _, p := range parts {
		if _, ok := r.known[p.name]; ok || done[p.name] {
			continue
		}
		done[p.name] = true
		if value, ok := r.solveFor(p.name, parts, text); ok {
			r.note(p.name, finding{Finding{Value: value, Object: r.object, Path: r.path.String(), Line: p.line}, typed})
		}
	}
}

// solveFor returns the value of a placeholder for which the parts make up the text. There is at most one, because the
// lengths of all other parts are known.
func (r *recovery) solveFor(name string, parts []part, text string) (string, bool) {
	rest, times := len(text), 0
	for _, p := range parts {
		switch value, ok := r.values[p.name]; {
		case p.name == "":
			rest -= len(p.text)
		case p.name == name:
			times++
		case !ok:
			return "", false
		default:
			rest -= len(value)
		}
	}
	if rest < 0 || rest%times != 0 {
		return "", false
	}
	length := rest / times
	result, found := "", false
	for _, p := range parts {
		expected := p.text
		switch {
		case p.name == name && !found:
			result, found = text[:length], true
			expected = result
		case p.name == name:
			expected = result
		case p.name != "":
			expected = r.values[p.name]
		}
		if !strings.HasPrefix(text, expected) {
			return "", false
		}
		text = text[len(expected):]
	}
	return result, true
}

// expand returns the text of parts, or false if a placeholder has no value yet.
func (r *recovery) expand(parts []part) (string, bool) {
	var b strings.Builder
	for _, p := range r.settled(parts) {
		text := p.text
		if p.name != "" {
			value, ok := r.values[p.name]
			if !ok {
				return "", false
			}
			text = value
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// text returns the text of a scalar, or false for other nodes and if a placeholder has no value yet.
func (r *recovery) text(n *node) (string, bool) {
	switch {
	case n == nil || n.kind != scalarNode:
		return "", false
	case n.parts != nil:
		return r.expand(n.parts)
	}
	return scalarText(n.value)
}

// possible reports whether parts, some of which have no value yet, can make up a text: the text must begin and end as
// they do, and contain what lies between in the same order. A placeholder without a value counts as one character or more.
func (r *recovery) possible(parts []part, text string) bool {
	gap := false
	parts = r.settled(parts)
	for i, p := range parts {
		expected := p.text
		if p.name != "" {
			value, ok := r.values[p.name]
			if !ok {
				if text == "" {
					return false
				}
				text, gap = text[1:], true
				continue
			}
			expected = value
		}
		switch {
		case !gap:
			if !strings.HasPrefix(text, expected) {
				return false
			}
			text = text[len(expected):]
		case i == len(parts)-1:
			return strings.HasSuffix(text, expected)
		default:
			at := strings.Index(text, expected)
			if at < 0 {
				return false
			}
			text = text[at+len(expected):]
		}
		gap = false
	}
	return gap || text == ""
}

// compatible reports whether a node can render to a live value. It compares only scalars, not what mappings and lists
// contain.
func (r *recovery) compatible(n *node, live any) bool {
	switch n.kind {
	case mappingNode:
		_, ok := live.(map[string]any)
		return ok
	case sequenceNode:
		_, ok := live.([]any)
		return ok
	default:
		return r.compatibleScalar(n, live)
	}
}

func (r *recovery) compatibleScalar(n *node, live any) bool {
	text, ok := scalarText(live)
	if !ok {
		return false
	}
	if n.parts != nil {
		return n.form != formText || r.possible(n.parts, text) || text == ""
	}
	expected, ok := scalarText(n.value)
	return ok && expected == text
}
