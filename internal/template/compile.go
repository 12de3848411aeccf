package template

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The limits of a template. A ConfigMap has at most 1 MiB, and a request to the API server 3 MiB. The other two are far
// beyond any object that Kubernetes stores, and stop alias bombs early.
const (
	maxTemplateBytes = 1 << 20
	maxRenderedBytes = 3 << 20
	maxNodes         = 100_000
	maxDepth         = 100
)

// compiler converts YAML nodes to nodes, and resolves aliases and merge keys.
type compiler struct {
	mask
	errs     *errorList
	document int
	path     fieldPath
	isSecret bool // the document holds a Secret

	anchors map[*yaml.Node]*node // of this document
	open    map[*yaml.Node]bool  // anchors whose values are being compiled

	// Of the whole template, with aliases expanded.
	size    int
	bytes   int
	stopped bool // a limit was exceeded
}

func (c *compiler) fail(line int, format string, args ...any) {
	if c.stopped {
		return
	}
	c.errs.add(&Error{Line: line, Document: c.document, Path: c.path.String(), Reason: fmt.Sprintf(format, args...)})
}

// stop ends the work at a limit, with one error.
func (c *compiler) stop(line int, format string, args ...any) {
	c.fail(line, format, args...)
	c.stopped = true
}

// compileDocument returns nil if the document has errors.
func (c *compiler) compileDocument(n *yaml.Node, document int) *node {
	before := c.errs.count()
	c.document, c.path, c.isSecret = document, nil, holdsSecret(n)
	c.anchors, c.open = map[*yaml.Node]*node{}, map[*yaml.Node]bool{}
	root := c.compile(n)
	if c.errs.count() > before {
		return nil
	}
	return root
}

// grow counts values and bytes towards the limits, and reports whether the work may continue.
func (c *compiler) grow(line, size, bytes int) bool {
	c.size += size
	c.bytes += bytes
	switch {
	case c.stopped:
	case c.size > maxNodes:
		c.stop(line, "the template has more than %d values, aliases expanded", maxNodes)
	case c.bytes > maxRenderedBytes:
		c.stop(line, "the template has more than %d MiB of text, aliases expanded", maxRenderedBytes>>20)
	}
	return !c.stopped
}

// compile never returns nil. After an error the node is incomplete.
func (c *compiler) compile(n *yaml.Node) *node {
	if n.Kind == yaml.AliasNode {
		return c.alias(n)
	}
	out := &node{line: n.Line, size: 1}
	if n.Anchor != "" {
		if c.holds(n.Anchor) {
			c.fail(n.Line, "the anchor &%s holds a placeholder, which is possible in values and keys only", c.show(n.Anchor))
		}
		c.open[n] = true
		defer func() {
			delete(c.open, n)
			c.anchors[n] = out
		}()
	}
	if c.holds(n.Tag) {
		c.fail(n.Line, "the tag %s holds a placeholder, which is possible in values and keys only", c.show(n.Tag))
		return out
	}
	if !c.grow(n.Line, 1, 0) {
		return out
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.collection(n, tagMapping, func() { c.mapping(n, out) })
	case yaml.SequenceNode:
		c.collection(n, tagSequence, func() { c.sequence(n, out) })
	default:
		c.scalar(n, out)
	}
	return out
}

func (c *compiler) collection(n *yaml.Node, tag string, compile func()) {
	switch {
	case n.Tag != tag:
		c.fail(n.Line, "the tag %s is not possible here: only the core tags of YAML can be used", n.Tag)
	case len(c.path) >= maxDepth:
		c.stop(n.Line, "nested deeper than %d levels", maxDepth)
	default:
		compile()
	}
}

func (c *compiler) alias(n *yaml.Node) *node {
	target, ok := c.anchors[n.Alias]
	switch {
	case ok:
	case c.open[n.Alias]:
		c.fail(n.Line, "the value of the anchor &%s contains itself", n.Value)
		return &node{line: n.Line}
	default:
		c.fail(n.Line, "the alias *%s refers to an anchor of another document", n.Value)
		return &node{line: n.Line}
	}
	if len(c.path)+target.height > maxDepth {
		c.stop(n.Line, "nested deeper than %d levels by the alias *%s", maxDepth, n.Value)
	}
	c.grow(n.Line, target.size, target.bytes)
	return target
}

func (c *compiler) sequence(n *yaml.Node, out *node) {
	out.kind = sequenceNode
	out.items = make([]*node, 0, len(n.Content))
	for i, content := range n.Content {
		c.path.pushIndex(i)
		before := c.errs.count()
		item := c.compile(content)
		if item.isNull() && c.errs.count() == before {
			c.fail(content.Line, "the list item is null")
		}
		c.path.pop()
		out.items = append(out.items, item)
		out.contain(item)
		if c.stopped {
			return
		}
	}
}

func (c *compiler) mapping(n *yaml.Node, out *node) {
	out.kind = mappingNode
	out.merged = make([]field, 0, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	var merge *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.Tag == tagMerge {
			if merge != nil {
				c.fail(key.Line, "duplicate key \"<<\": give the merge key a list of aliases")
			}
			merge = content
			continue
		}
		f, ok := c.key(key)
		if !ok {
			continue
		}
		if line, ok := lines[f.id()]; ok {
			c.fail(f.line, "duplicate key %q, which stands in line %d already", f.key, line)
			continue
		}
		lines[f.id()] = f.line
		c.path.pushKey(f.key)
		f.value = c.compile(content)
		c.path.pop()
		if c.stopped {
			return
		}
		out.merged = append(out.merged, f)
	}
	if merge != nil {
		c.merge(merge, out, lines)
	}
	for _, f := range out.merged {
		out.bytes += len(f.key)
		out.hasKeyParts = out.hasKeyParts || f.parts != nil
		out.contain(f.value)
	}
	out.fields = out.merged
	if null := func(f field) bool { return f.value.isNull() }; slices.ContainsFunc(out.merged, null) {
		out.fields = slices.DeleteFunc(slices.Clone(out.merged), null)
	}
}

// key reads the key of a mapping. Keys of Kubernetes objects are strings, so a number or boolean counts as its text.
func (c *compiler) key(n *yaml.Node) (field, bool) {
	line := n.Line
	if n.Kind == yaml.AliasNode {
		if c.alias(n).kind != scalarNode {
			c.fail(line, "the alias *%s cannot be a mapping key, as it stands for no scalar", n.Value)
			return field{}, false
		}
		n = n.Alias
	} else if n.Anchor != "" {
		c.compile(n)
	}
	if n.Kind != yaml.ScalarNode {
		c.fail(line, "a mapping key must be a scalar; text with braces or brackets must be quoted")
		return field{}, false
	}
	if n.Value == "" && n.Tag == tagNull {
		c.fail(line, "the mapping has a value without a key")
		return field{}, false
	}
	if !isCoreScalarTag(n.Tag) {
		c.fail(line, "the tag %s is not possible here: only the core tags of YAML can be used", c.show(n.Tag))
		return field{}, false
	}
	c.grow(line, 0, len(n.Value))
	f := field{key: n.Value, line: line, parts: c.split(n.Value)}
	if f.parts != nil {
		f.key = joinParts(f.parts)
	}
	return f, true
}

func isCoreScalarTag(tag string) bool {
	switch tag {
	case tagString, tagInt, tagFloat, tagBool, tagNull, tagTimestamp, tagMerge:
		return true
	}
	return false
}

// merge adds the fields of the mappings that a merge key (<<) names, unless the mapping has them itself. If several of
// these mappings have a key, the first one wins (https://yaml.org/type/merge.html).
func (c *compiler) merge(n *yaml.Node, out *node, lines map[string]int) {
	c.path.pushKey("<<")
	defer c.path.pop()
	source := c.compile(n)
	sources := []*node{source}
	if source.kind == sequenceNode {
		sources = source.items
	}
	for _, s := range sources {
		if s.kind != mappingNode {
			c.fail(n.Line, "the merge key << needs a mapping or a list of mappings")
			return
		}
		for _, f := range s.merged {
			if _, ok := lines[f.id()]; ok {
				continue
			}
			lines[f.id()] = f.line
			if !c.grow(n.Line, f.value.size, len(f.key)+f.value.bytes) {
				return
			}
			out.merged = append(out.merged, f)
		}
	}
}

func (c *compiler) scalar(n *yaml.Node, out *node) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	tagged := n.Style&yaml.TaggedStyle != 0
	out.bytes = len(n.Value)
	c.grow(n.Line, 0, out.bytes)
	out.parts = c.split(n.Value)
	var err error
	switch {
	case out.parts != nil && tagged:
		c.taggedParts(n, out)
	case out.parts != nil:
		if plain && len(out.parts) == 1 && !isBuiltIn(out.parts[0].name) {
			out.form = formPlain
		}
	case tagged:
		out.value, err = resolveTagged(n.Tag, n.Value)
	case plain:
		out.value, err = resolvePlain(n.Value)
	default:
		out.value = n.Value
	}
	if err != nil {
		c.fail(n.Line, "%s %v", c.shown(n.Value), err)
	}
}

// shown quotes a literal text for a message, unless it may be one of the data of a Secret.
func (c *compiler) shown(text string) string {
	isData := func(element pathElement) bool { return element.key == "stringData" || element.key == "data" }
	if c.isSecret && slices.ContainsFunc(c.path, isData) {
		return "the value"
	}
	return shorten(text)
}

// holdsSecret reports whether a document is a Secret, or a list with one.
func holdsSecret(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.SequenceNode:
		return slices.ContainsFunc(n.Content, holdsSecret)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Value == "kind" && value.Value == "Secret" || key.Value == "items" && holdsSecret(value) {
				return true
			}
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
	return false
}

func (c *compiler) taggedParts(n *yaml.Node, out *node) {
	switch n.Tag {
	case tagString, tagTimestamp:
		return
	case tagInt, tagFloat, tagBool, tagNull:
	default:
		// The error does not depend on the text.
		_, err := resolveTagged(n.Tag, "")
		c.fail(n.Line, "%s %v", shorten(joinParts(out.parts)), err)
		return
	}
	for _, p := range out.parts {
		if isBuiltIn(p.name) {
			c.fail(n.Line, "%%%s%% is always a string and does not fit the tag %s", p.name, n.Tag)
			return
		}
	}
	out.form, out.tag = formTagged, n.Tag
}

// contain adds the size of a value to that of the collection around it.
func (n *node) contain(value *node) {
	n.size += value.size
	n.bytes += value.bytes
	n.height = max(n.height, value.height+1)
}

// shorten quotes a text for a message.
func shorten(text string) string {
	const most = 40
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i] + "..."
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
