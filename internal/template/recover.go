package template

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Recovered is what Recover found of the values of placeholders, by their names without percent signs.
type Recovered struct {
	// Values are the values found.
	Values map[string]string
	// Missing are the names for which no live object holds a value, sorted.
	Missing []string
	// Conflicts are the names for which live objects hold different values, sorted by name. They are not in Values.
	Conflicts []Conflict
}

// Conflict is a placeholder for which different values were found.
type Conflict struct {
	// Name is the placeholder's name, without percent signs.
	Name string
	// Found are the values and where they were found, in the order of the template's lines.
	Found []Finding
}

// Finding is a value in a place.
type Finding struct {
	// Value is what the placeholder stands for in this place.
	Value string
	// Object is the live object as Kind/name.
	Object string
	// Path is the field within the object. List items go by their merge keys where they have some:
	// spec.template.spec.containers[mira].env[ADMIN_EMAIL].value.
	Path string
	// Line is where the placeholder stands in the template.
	Line int
}

// Recover finds the values of the placeholders that are not in known, which goes by names without percent signs. It
// holds the template beside the live objects and looks at what stands in the places of the placeholders. live gives the
// object of a kind and name, or nil.
//
// A place counts only where the text around the placeholder is that of the template, and where it leaves no choice: in a
// scalar with several unknown placeholders others must have told all but one of them. Places that disagree are a
// conflict, and none of them is preferred.
func (t *Template) Recover(known map[string]string, live func(gk schema.GroupKind, name string) *unstructured.Unstructured) Recovered {
	r := recovery{known: known, conflicts: map[string][]Finding{}}
	for !r.solve(t, live) {
	}
	out := Recovered{Values: map[string]string{}}
	for _, name := range t.Placeholders() {
		_, isKnown := known[name]
		value, isFound := r.values[name]
		switch {
		case isKnown:
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
	conflicts map[string][]Finding // names that will not be told any more
	values    map[string]string    // known and found as text
	findings  map[string][]finding // of names that are not known
	noted     map[notedFinding]bool

	object string
	path   fieldPath
}

// finding is a Finding that may be typed: the text of a number or boolean, of which there are several spellings.
type finding struct {
	Finding
	typed bool
}

type notedFinding struct {
	name string
	finding
}

// solve goes over the template again and again, as each value that is found can tell others. It gives false when it
// comes upon a conflict: all that was derived from the values in it is doubtful, so the search must begin anew, without
// the names in conflict.
func (r *recovery) solve(t *Template, live func(gk schema.GroupKind, name string) *unstructured.Unstructured) bool {
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
	// Nothing is derived from a spelling that may not be the one that was written.
	for name, findings := range r.findings {
		if _, found := r.values[name]; !found && r.conflicts[name] == nil {
			r.values[name] = best(findings).Value
		}
	}
	return true
}

// best gives the first finding of text, or else the first one.
func best(findings []finding) finding {
	if i := slices.IndexFunc(findings, func(f finding) bool { return !f.typed }); i >= 0 {
		return findings[i]
	}
	return findings[0]
}

// agree says whether all findings can be of the same value as one of them.
func agree(best finding, findings []finding) bool {
	return !slices.ContainsFunc(findings, func(f finding) bool {
		return f.Value != best.Value && (!f.typed || !sameScalar(f.Value, best.Value))
	})
}

// sameScalar says whether two texts are spellings of the same number or boolean.
func sameScalar(a, b string) bool {
	x, errX := resolvePlain(a)
	y, errY := resolvePlain(b)
	if errX != nil || errY != nil {
		return false
	}
	return number(x) == number(y)
}

// number makes a float of an integer, as JSON has only one kind of number.
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

// note keeps a finding of this or an earlier look at the same place once.
func (r *recovery) note(name string, f finding) {
	if key := (notedFinding{name, f}); !r.noted[key] {
		r.noted[key] = true
		r.findings[name] = append(r.findings[name], f)
	}
}

func (r *recovery) visit(s *source, live func(gk schema.GroupKind, name string) *unstructured.Unstructured) {
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
				r.path = append(r.path, step{label: pair.label})
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
		if value, ok := live[key]; ok {
			r.path.pushKey(key)
			r.walk(f.value, value)
			r.path.pop()
		}
	}
	if open != nil {
		r.walkOpenKeys(open, live, taken)
	}
}

// walkOpenKeys handles keys with placeholders that have no value yet. Such a key is told where exactly one of the live
// keys that no other key of the template stands for fits it, and it alone fits that one.
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

// observe looks at a live value in the place of a scalar.
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
			return // no value of a variable would give this
		}
		_, isText := value.(string)
		typed = !isText
	}
	r.solveParts(n.parts, typed, text)
}

// solveParts notes what a text tells of each placeholder in it whose value is not given and without which all others
// have one. Names that have been found already are looked at again, so that places that disagree are noticed.
func (r *recovery) solveParts(parts []part, typed bool, text string) {
	looked := map[string]bool{"": true} // literal text has no name
	for _, p := range parts {
		if _, ok := r.known[p.name]; ok || looked[p.name] {
			continue
		}
		looked[p.name] = true
		if value, ok := r.solveFor(p.name, parts, text); ok {
			r.note(p.name, finding{Finding{Value: value, Object: r.object, Path: r.path.String(), Line: p.line}, typed})
		}
	}
}

// solveFor gives the value of a placeholder with which the parts make up the text. As the lengths of all other parts are
// known there is one at most.
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

// expand gives the text of parts, and false where a placeholder has no value yet.
func (r *recovery) expand(parts []part) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
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

// text gives the text of a scalar, and false for other nodes and where a placeholder has no value yet.
func (r *recovery) text(n *node) (string, bool) {
	switch {
	case n == nil || n.kind != scalarNode:
		return "", false
	case n.parts != nil:
		return r.expand(n.parts)
	}
	return scalarText(n.value)
}

// possible says whether parts, some of which have no value yet, can make up a text: one that begins and ends as they do
// and has what they hold in between in their order. No placeholder is taken to be empty.
func (r *recovery) possible(parts []part, text string) bool {
	gap := false
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

// compatible says whether a live value can be what a node gives, looking at scalars only.
func (r *recovery) compatible(n *node, live any) bool {
	switch n.kind {
	case mappingNode:
		_, ok := live.(map[string]any)
		return ok
	case sequenceNode:
		_, ok := live.([]any)
		return ok
	}
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
