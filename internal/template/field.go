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
// The server counts the items of lists after it has put in what others own. `live` is the object as it is on the server; nil
// if there is none. If its list has other items than the template's, the line is that of the list.
func (o *Object) LineOfField(field string, live map[string]any) (int, bool) {
	n, line, depth := o.root, o.Line, 0
	var has any = live
	for _, element := range splitField(field) {
		var next *node
		switch n.kind {
		case mappingNode:
			if f := n.fieldFor(element, o.values); f != nil {
				next, line = f.value, f.line
			}
			fields, _ := has.(map[string]any)
			has = fields[element]
		case sequenceNode:
			next, has = o.itemOf(n, element, has)
			if next != nil {
				line = next.line
			}
		case scalarNode:
		}
		if next == nil {
			break
		}
		n = next
		depth++
	}
	// The line of `spec` or `metadata` says nothing.
	return line, depth > 1
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

// itemOf returns the list item that the server means, and the live one; nil if that is not known.
func (o *Object) itemOf(list *node, element string, live any) (*node, any) {
	items, _ := live.([]any)
	for _, key := range managedfields.MergeKeys {
		at := slices.IndexFunc(list.items, func(item *node) bool { return o.keyOf(key.Fields, item) == element })
		if at >= 0 && key.IsDeclared {
			return list.items[at], itemWith(key.Fields, element, items)
		}
	}
	i, err := strconv.Atoi(element)
	if err != nil || i < 0 || i >= len(list.items) {
		return nil, nil
	}
	var item any
	// Which of the keys the list goes by is not known here: its items must be the same by all of them.
	for _, key := range managedfields.MergeKeys {
		switch text := o.keyOf(key.Fields, list.items[i]); {
		case text == "":
		case !key.IsDeclared:
			return list.items[i], nil // a list that is stored as the template has it
		case o.hasForeign(list, items, key.Fields):
			return nil, nil
		case item == nil:
			item = itemWith(key.Fields, text, items)
		}
	}
	if len(items) > len(list.items) {
		return nil, nil
	}
	return list.items[i], item
}

// hasForeign reports whether a live list has an item that the template's list does not have.
func (o *Object) hasForeign(list *node, items []any, keys []string) bool {
	return slices.ContainsFunc(items, func(item any) bool {
		live, ok := liveKey(keys, item)
		return ok && !slices.ContainsFunc(list.items, func(item *node) bool { return o.keyOf(keys, item) == live })
	})
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

// itemWith returns the item of a live list with these values of merge keys, or nil.
func itemWith(keys []string, values string, items []any) any {
	for _, item := range items {
		if text, ok := liveKey(keys, item); ok && text == values {
			return item
		}
	}
	return nil
}
