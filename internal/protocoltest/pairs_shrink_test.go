package protocoltest_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// shrink returns a smaller pair that still fails: it takes parts away as long as that is so,
// large ones first, from both templates, from either, or what they differ in. It gives up
// after some tries.
func shrink(p pair, tries int, fails func(pair) bool) pair {
	for isSmaller := true; isSmaller && tries > 0; {
		isSmaller = false
		for depth := 1; ; depth++ {
			places := placesOf(p, depth)
			if len(places) == 0 {
				break
			}
			for _, place := range places {
				for _, smaller := range reductions(p, place) {
					if tries == 0 {
						return p
					}
					tries--
					if fails(smaller) {
						p, isSmaller = smaller, true
						break
					}
				}
			}
		}
	}
	return p
}

// reductions returns the pairs that have less at a place.
func reductions(p pair, place []string) []pair {
	a, isInA := p.a.at(place)
	b, isInB := p.b.at(place)
	var reduced []pair
	add := func(change func(*pair)) {
		smaller := p.clone()
		change(&smaller)
		reduced = append(reduced, smaller)
	}
	if isInA && isInB {
		add(func(p *pair) { p.a, p.b = p.a.without(place), p.b.without(place) })
		if !reflect.DeepEqual(a, b) {
			add(func(p *pair) { p.b = p.b.with(place, a) })
		}
	}
	if isInA {
		add(func(p *pair) { p.a = p.a.without(place) })
	}
	if isInB {
		add(func(p *pair) { p.b = p.b.without(place) })
	}
	return reduced
}

// placesOf returns the paths to all parts at a depth, in either template.
func placesOf(p pair, depth int) [][]string {
	var places [][]string
	seen := make(map[string]bool)
	var walk func(value any, place []string)
	walk = func(value any, place []string) {
		if len(place) == depth {
			if key := fmt.Sprintf("%q", place); !seen[key] {
				seen[key] = true
				places = append(places, slices.Clone(place))
			}
			return
		}
		for _, name := range partsOf(value) {
			below, _ := part(value, name)
			walk(below, append(place, name))
		}
	}
	walk(p.a.list(), nil)
	walk(p.b.list(), nil)
	return places
}

// list returns the documents as a list of any values.
func (t template) list() []any {
	var items []any
	for _, document := range t {
		items = append(items, document)
	}
	return items
}

// partsOf returns the names of what a map or a list holds.
func partsOf(value any) []string {
	var names []string
	switch value := value.(type) {
	case map[string]any:
		names = keysOf(value, nil)
	case []any:
		for i, item := range value {
			names = append(names, itemName(item, i))
		}
	}
	return names
}

func itemName(item any, i int) string {
	if name := nameOf(item); name != "" {
		return name
	}
	return fmt.Sprint(i)
}

func part(of any, name string) (any, bool) {
	switch of := of.(type) {
	case map[string]any:
		value, ok := of[name]
		return value, ok
	case []any:
		for i, item := range of {
			if itemName(item, i) == name {
				return item, true
			}
		}
	}
	return nil, false
}

func (t template) at(place []string) (any, bool) {
	var at any = t.list()
	for _, name := range place {
		var ok bool
		if at, ok = part(at, name); !ok {
			return nil, false
		}
	}
	return at, true
}

// without returns the template without what is at a place.
func (t template) without(place []string) template { return t.edit(place, nil, true) }

// with returns the template with another value at a place.
func (t template) with(place []string, value any) template { return t.edit(place, value, false) }

func (t template) edit(place []string, value any, isRemoved bool) template {
	var edited template
	items, _ := editAt(t.list(), place, value, isRemoved).([]any)
	for _, item := range items {
		if document, ok := item.(map[string]any); ok {
			edited = append(edited, document)
		}
	}
	return edited
}

// editAt edits a value, and returns it.
func editAt(of any, place []string, value any, isRemoved bool) any {
	if len(place) == 0 {
		return value
	}
	isLast := len(place) == 1
	switch of := of.(type) {
	case map[string]any:
		if isLast && isRemoved {
			delete(of, place[0])
		} else {
			of[place[0]] = editAt(of[place[0]], place[1:], value, isRemoved)
		}
		return of
	case []any:
		for i, item := range of {
			if itemName(item, i) != place[0] {
				continue
			}
			if isLast && isRemoved {
				return slices.Delete(of, i, i+1)
			}
			of[i] = editAt(item, place[1:], value, isRemoved)
			break
		}
		return of
	}
	return of
}

// What a failure does not need goes, in either template, and what it needs stays.
func TestShrink(t *testing.T) {
	t.Parallel()
	p := pair{
		a: parseTemplate("kind: Service\nspec:\n  type: NodePort\n  ports:\n  - name: a\n    port: 1\n  - name: b\n    port: 2\n" +
			"---\nkind: Ingress\n"),
		b: parseTemplate("kind: Service\nspec:\n  type: ClusterIP\n  ports:\n  - name: a\n    port: 1\n    nodePort: 3\n---\nkind: Other\n"),
	}
	fails := func(p pair) bool { // needs a port in A and a type in B
		_, hasPort := p.a.at([]string{"Service", "spec", "ports", "b", "port"})
		_, hasType := p.b.at([]string{"Service", "spec", "type"})
		return hasPort && hasType
	}
	got := shrink(p, 1000, fails).text()
	want := "### A\nkind: Service\nspec:\n  ports:\n  - name: b\n    port: 2\n\n### B\nkind: Service\nspec:\n  type: NodePort\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if tried := shrink(p, 1, fails).text(); tried == got {
		t.Error("it has not given up after one try")
	}
}
