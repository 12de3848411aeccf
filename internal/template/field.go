package template

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// LineOfField returns the line of the template that a field comes from, and false if that is not known. The field is a path
// as the API server writes it: spec.template.spec.containers[0].ports[1].containerPort, or with the values of merge keys in
// the brackets. If the template does not have the field, the line is that of the nearest field around it.
//
// The server counts the items of lists after it has put in what others own: `foreign` are the paths of that, with the values
// of merge keys. Where a list has items of others, an index says nothing, and the line is that of the list.
func (o *Object) LineOfField(field string, foreign []string) (int, bool) {
	mixed := make(map[*node]bool)
	for _, path := range foreign {
		if list := o.listOf(path); list != nil {
			mixed[list] = true
		}
	}
	n, line, depth := o.root, o.Line, 0
	for _, element := range splitField(field) {
		next, at := o.step(n, element, mixed)
		if next == nil {
			break
		}
		n, line = next, at
		depth++
	}
	// The line of `spec` or `metadata` says nothing.
	return line, depth > 1
}

// listOf returns the list that lacks an item which a path goes through, or nil.
func (o *Object) listOf(path string) *node {
	n := o.root
	for _, element := range splitField(path) {
		next, _ := o.step(n, element, nil)
		if next == nil && n.kind == sequenceNode {
			return n
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return nil
}

// step returns the value below a node that an element of a path leads to, and its line; nil if there is none. In lists
// that are mixed with items of others, an index leads nowhere.
func (o *Object) step(n *node, element string, mixed map[*node]bool) (*node, int) {
	switch n.kind {
	case mappingNode:
		if f := n.fieldFor(element, o.values); f != nil {
			return f.value, f.line
		}
	case sequenceNode:
		if item := o.itemWith(n, element); item != nil {
			return item, item.line
		}
		if i, err := strconv.Atoi(element); err == nil && i >= 0 && i < len(n.items) && !mixed[n] {
			return n.items[i], n.items[i].line
		}
	case scalarNode:
	}
	return nil, 0
}

// splitField splits a path at dots and brackets.
func splitField(field string) []string {
	var elements []string
	for field != "" {
		switch field[0] {
		case '.':
			field = field[1:]
		case '[':
			inner, rest, _ := strings.Cut(field[1:], "]")
			elements = append(elements, inner)
			field = rest
		default:
			end := strings.IndexAny(field, ".[")
			if end < 0 {
				end = len(field)
			}
			elements = append(elements, field[:end])
			field = field[end:]
		}
	}
	return elements
}

// fieldFor returns the field of a mapping with a key, or nil.
func (n *node) fieldFor(key string, v *Values) *field {
	for i := range n.fields {
		if text, ok := n.fields[i].expandKey(v); ok && text == key {
			return &n.fields[i]
		}
	}
	return nil
}

// itemWith returns the list item with these values of merge keys, or nil.
func (o *Object) itemWith(list *node, values string) *node {
	for _, key := range managedfields.MergeKeys {
		at := slices.IndexFunc(list.items, func(item *node) bool { return o.keyOf(key.Fields, item) == values })
		if at >= 0 && key.IsDeclared {
			return list.items[at]
		}
	}
	return nil
}

// keyOf returns the values of the merge keys of an item, or "" if it does not have them all.
func (o *Object) keyOf(keys []string, item *node) string {
	texts := make([]string, 0, len(keys))
	for _, key := range keys {
		text, ok := mergeKeyDefaults[key], mergeKeyDefaults[key] != ""
		switch n := item.get(key); {
		case n == nil:
		case n.parts != nil:
			text, ok = o.values.expand(n.parts)
		default:
			text, ok = scalarText(n.value)
		}
		if !ok {
			return ""
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}
