package template

import (
	"slices"
	"strconv"
	"strings"
)

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	mappingNode
	sequenceNode
)

// scalarForm is what the text of a scalar with placeholders becomes once the values are known.
type scalarForm uint8

const (
	formText   scalarForm = iota // a string
	formPlain                    // the type that YAML assigns to the text of a plain scalar
	formTagged                   // the type of the tag
)

// node is a value of the template. Nodes are never changed once compiled, as aliases share them.
type node struct {
	kind nodeKind
	line int

	// Of a mapping: the fields without those that are null, in the template's order. merged has the null ones as well,
	// because a null overrides a merged field.
	fields []field
	merged []field
	// hasKeyParts reports whether keys of the mapping hold placeholders.
	hasKeyParts bool

	items []*node // of a sequence

	// Of a scalar: a literal value (nil, bool, int64, float64, string), or parts.
	value any
	parts []part
	form  scalarForm
	tag   string

	// With everything below it, aliases expanded.
	size   int // values
	bytes  int // of text
	height int // levels
}

// field is an entry of a mapping.
type field struct {
	key   string // as written in the template
	parts []part // of a key with placeholders
	line  int
	value *node
}

// id identifies a key within its mapping. Two keys with the same text differ if only one of them has placeholders: a key
// can spell a placeholder by escapes without having one.
func (f *field) id() string {
	if f.parts != nil {
		return "\x00" + f.key
	}
	return f.key
}

// isNull reports whether the value is null for every client.
func (n *node) isNull() bool {
	return n.kind == scalarNode && n.parts == nil && n.value == nil
}

// get returns the value of a literal key of a mapping, or nil.
func (n *node) get(key string) *node {
	if f := n.field(key); f != nil {
		return f.value
	}
	return nil
}

func (n *node) field(key string) *field {
	if n == nil || n.kind != mappingNode {
		return nil
	}
	for i := range n.fields {
		if f := &n.fields[i]; f.parts == nil && f.key == key {
			return f
		}
	}
	return nil
}

// at returns the value at a path of literal keys, or nil.
func (n *node) at(keys ...string) *node {
	for _, key := range keys {
		n = n.get(key)
	}
	return n
}

// text returns the value of a literal string.
func (n *node) text() (string, bool) {
	if n == nil || n.kind != scalarNode || n.parts != nil {
		return "", false
	}
	s, ok := n.value.(string)
	return s, ok
}

// eachPlaceholder visits the placeholders of a node, which may be nil, and of everything below it.
func (n *node) eachPlaceholder(visit func(*part)) {
	if n == nil {
		return
	}
	ofParts := func(parts []part) {
		for i := range parts {
			if parts[i].name != "" {
				visit(&parts[i])
			}
		}
	}
	ofParts(n.parts)
	for _, f := range n.fields {
		ofParts(f.parts)
		f.value.eachPlaceholder(visit)
	}
	for _, item := range n.items {
		item.eachPlaceholder(visit)
	}
}

// replace returns a copy of a mapping with another value for a key, or without the key where value is nil.
func (n *node) replace(key string, value *node) *node {
	i := slices.IndexFunc(n.fields, func(f field) bool { return f.parts == nil && f.key == key })
	if i < 0 {
		return n
	}
	changed := *n
	changed.fields = slices.Clone(n.fields)
	if value == nil {
		changed.fields = slices.Delete(changed.fields, i, i+1)
	} else {
		changed.fields[i].value = value
	}
	return &changed
}

// fieldPath is the way from the root of a document to a value.
type fieldPath []pathElement

// pathElement is the key of a mapping or the label of a list item.
type pathElement struct {
	key   string
	label string // the item's number or its merge keys
}

// String formats the path as Kubernetes does: spec.containers[0].image. A key with dots or brackets is put in brackets.
func (p fieldPath) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.label != "":
			b.WriteString("[" + s.label + "]")
		case strings.ContainsAny(s.key, ".[]"):
			b.WriteString("[" + s.key + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.key)
		}
	}
	return b.String()
}

func (p *fieldPath) pushKey(key string) { *p = append(*p, pathElement{key: key}) }
func (p *fieldPath) pushIndex(i int)    { *p = append(*p, pathElement{label: strconv.Itoa(i)}) }
func (p *fieldPath) pop()               { *p = (*p)[:len(*p)-1] }
