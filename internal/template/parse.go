package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Template is a client template that has been parsed. It is never changed after Parse and safe for concurrent use.
type Template struct {
	objects  []*source
	uses     map[string][]int // placeholder name to the lines that use it, ascending
	ordinary map[string]bool  // those of the names that are ordinary text without a value
	revision string
}

// source is an object of the template, without the fields that the API server fills in.
type source struct {
	root     *node
	document int
	line     int
}

// Parse reads the text of a client template: YAML documents, each of which is empty, a Kubernetes object, or a List of
// objects. The error is an *Error or several of them joined; [Errors] separates them.
func Parse(text string) (*Template, error) {
	if len(text) > maxTemplateBytes {
		reason := fmt.Sprintf("the template has %d bytes and may have %d (1 MiB), as a ConfigMap may", len(text), maxTemplateBytes)
		return nil, &Error{Reason: reason}
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if err := checkCharacters(text); err != nil {
		return nil, err
	}
	hidden := newMask(text)
	masked := hidden.hide(text)
	documents, err := readDocuments(strings.NewReader(masked))
	if err != nil {
		return nil, hidden.syntaxError(masked, len(documents)+1, err)
	}

	var errs errorList
	p := parser{errs: &errs}
	c := compiler{mask: hidden, errs: &errs}
	for i, content := range documents {
		if content == nil || c.stopped {
			continue
		}
		if root := c.compileDocument(content, i+1); root != nil {
			p.document = i + 1
			p.add(root, content.Line, nil)
		}
	}
	if len(p.objects) == 0 && errs.count() == 0 {
		errs.add(&Error{Line: 1, Reason: "the template holds no Kubernetes object"})
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	t := &Template{objects: p.objects, uses: map[string][]int{}, ordinary: map[string]bool{}}
	t.eachUse(func(p *part) {
		if _, ok := t.uses[p.name]; !ok {
			t.ordinary[p.name] = true
		}
		t.uses[p.name] = append(t.uses[p.name], p.line)
		t.ordinary[p.name] = t.ordinary[p.name] && p.orText
	})
	// A name that is a placeholder in one place is one everywhere.
	t.eachUse(func(p *part) { p.orText = t.ordinary[p.name] })
	for name, lines := range t.uses {
		slices.Sort(lines)
		t.uses[name] = slices.Compact(lines)
	}
	t.revision = revision(t.objects)
	return t, nil
}

// Revision returns a short hash of the template's meaning: 12 hexadecimal digits of a SHA-256. Comments, white space,
// quoting that changes no type, the order of keys, and dropped fields do not count. The order of the objects does,
// because they are created in that order.
func (t *Template) Revision() string {
	return t.revision
}

// Placeholders returns the names of the placeholders that the template uses, sorted, without percent signs. Placeholders
// in comments and in dropped fields do not count. Those that are ordinary text without a value do, see
// [Template.IsOrdinaryText].
func (t *Template) Placeholders() []string {
	return slices.Sorted(maps.Keys(t.uses))
}

// Uses reports whether the template uses the placeholder with this name.
func (t *Template) Uses(name string) bool {
	_, ok := t.uses[name]
	return ok
}

// IsOrdinaryText reports whether a name occurs only where it is ordinary text unless it has a value, such as the FT of
// `date +%FT%TZ`.
func (t *Template) IsOrdinaryText(name string) bool {
	return t.ordinary[name]
}

// Unused returns the names in vars that the template does not use, sorted.
func (t *Template) Unused(vars map[string]string) []string {
	var unused []string
	for name := range vars {
		if !t.Uses(name) {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}

// eachUse calls a function with each placeholder in the objects.
func (t *Template) eachUse(use func(*part)) {
	for _, s := range t.objects {
		s.root.eachPlaceholder(use)
	}
}

// OnlyInSecretData returns the names of the placeholders that stand in the data of Secret objects, and nowhere else,
// sorted.
func (t *Template) OnlyInSecretData() []string {
	inData, elsewhere := map[string]bool{}, map[string]bool{}
	for _, s := range t.objects {
		rest := s.root
		if kind, _ := s.root.get("kind").text(); kind == "Secret" {
			for _, key := range []string{"data", "stringData"} {
				s.root.get(key).eachPlaceholder(func(p *part) { inData[p.name] = true })
				rest = rest.replace(key, nil)
			}
		}
		rest.eachPlaceholder(func(p *part) { elsewhere[p.name] = true })
	}
	maps.DeleteFunc(inData, func(name string, _ bool) bool { return elsewhere[name] })
	return slices.Sorted(maps.Keys(inData))
}

// parser turns documents into objects.
type parser struct {
	objects  []*source
	errs     *errorList
	document int
}

func (p *parser) fail(line int, path, format string, args ...any) {
	p.errs.add(&Error{Line: line, Document: p.document, Path: path, Reason: fmt.Sprintf(format, args...)})
}

// listType is the type of the items of a typed list that name none themselves, as in a response of the API server.
type listType struct {
	apiVersion, kind *node
}

// add adds an object, or the items of a list. line is where the document or list item begins.
func (p *parser) add(n *node, line int, inherited *listType) {
	if n.kind != mappingNode {
		p.fail(line, "",
			"a document of a template is a Kubernetes object, with apiVersion, kind and metadata, and this is %s", describe(n))
		return
	}
	for _, f := range n.fields {
		if f.parts != nil {
			p.fail(f.line, f.key, "a field of an object cannot be chosen by a placeholder")
			return
		}
	}
	if inherited != nil && n.get("apiVersion") == nil && n.get("kind") == nil {
		typed := *n
		typed.fields = append(slices.Clone(n.fields),
			field{key: "apiVersion", line: line, value: inherited.apiVersion},
			field{key: "kind", line: line, value: inherited.kind})
		n = &typed
	}
	before := p.errs.count()
	p.checkString(n, line, "apiVersion")
	p.checkString(n, line, "kind")
	if p.errs.count() > before {
		return
	}
	if kind, ok := n.get("kind").text(); ok && (kind == "List" || strings.HasSuffix(kind, "List") && n.get("items") != nil) {
		p.addList(n, kind)
		return
	}
	p.addObject(n, line)
}

// checkString adds an error if a field of an object is absent or not a string.
func (p *parser) checkString(n *node, line int, key string) {
	f := n.field(key)
	if f == nil {
		p.fail(line, key, "is missing: every document of a template is a Kubernetes object")
		return
	}
	if text, ok := f.value.text(); f.value.kind != scalarNode || f.value.parts == nil && (!ok || text == "") {
		p.fail(f.value.line, key, "must be a string, and is %s", describe(f.value))
	}
}

// addList adds the items of a List (what kubectl get -o yaml writes for several objects), or of a list of one kind.
func (p *parser) addList(n *node, kind string) {
	for _, f := range n.fields {
		switch f.key {
		case "apiVersion", "kind", "metadata", "items":
		default:
			p.fail(f.line, f.key, "a %s has no such field: it holds objects in items", kind)
		}
	}
	items := n.get("items")
	if items == nil {
		return
	}
	if items.kind != sequenceNode {
		p.fail(items.line, "items", "must be a list, and is %s", describe(items))
		return
	}
	var inherited *listType
	if kind != "List" {
		single := *n.get("kind")
		single.value = strings.TrimSuffix(kind, "List")
		inherited = &listType{apiVersion: n.get("apiVersion"), kind: &single}
	}
	for _, item := range items.items {
		p.add(item, item.line, inherited)
	}
}

func (p *parser) addObject(n *node, line int) {
	metadata := n.field("metadata")
	if metadata == nil {
		p.fail(line, "metadata", "is missing: an object needs metadata.name, and the name must contain %%%s%%", PlaceholderClientName)
		return
	}
	if metadata.value.kind != mappingNode {
		p.fail(metadata.value.line, "metadata", "must be a mapping, and is %s", describe(metadata.value))
		return
	}
	before := p.errs.count()
	p.checkMetadata(metadata)
	if p.errs.count() == before {
		p.objects = append(p.objects, &source{root: withoutServerFields(n), document: p.document, line: line})
	}
}

func (p *parser) checkMetadata(metadata *field) {
	for _, f := range metadata.value.fields {
		path := "metadata." + f.key
		switch {
		case f.parts != nil:
			p.fail(f.line, path, "a field of metadata cannot be chosen by a placeholder")
		case f.key == "generateName":
			p.fail(f.line, path,
				"is not possible: the objects of a client have names of their own, so that they can be found again")
		case f.key == "ownerReferences" && (f.value.kind != sequenceNode || len(f.value.items) > 0):
			p.fail(f.line, path,
				"is not possible: an owner is named by its UID, which only one object of one cluster has; remove it")
		case f.key == "namespace":
			if _, ok := f.value.text(); !ok && f.value.parts == nil {
				p.fail(f.value.line, path, "must be a string, and is %s", describe(f.value))
			}
		}
	}
	name := metadata.value.field("name")
	switch {
	case name == nil:
		p.fail(metadata.line, "metadata.name", "is missing; it must contain %%%s%%", PlaceholderClientName)
	case name.value.kind != scalarNode:
		p.fail(name.value.line, "metadata.name", "must be a string, and is %s", describe(name.value))
	case !slices.ContainsFunc(name.value.parts, func(p part) bool { return p.name == PlaceholderClientName }):
		p.fail(name.value.line, "metadata.name", "must contain %%%s%%, and is %s: all clients would share, and overwrite, one object",
			PlaceholderClientName, describe(name.value))
	}
}

// describe names a value in a message that expected something else.
func describe(n *node) string {
	switch {
	case n.kind == mappingNode:
		return "a mapping"
	case n.kind == sequenceNode:
		return "a list"
	case n.parts != nil:
		return joinParts(n.parts)
	}
	switch v := n.value.(type) {
	case nil:
		return "null"
	case string:
		return "the text " + shorten(v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	default:
		text, _ := scalarText(v)
		return "the number " + text
	}
}
