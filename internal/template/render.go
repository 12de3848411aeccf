package template

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Policy restricts the objects of a template.
type Policy struct {
	// Namespace is the client's namespace. A document may name this one or none.
	Namespace string
	// AllowedKinds are the kinds that objects may have, in any version.
	AllowedKinds []schema.GroupKind
}

// Object is a rendered object. Its numbers are int64 and float64, as unstructured objects require.
type Object struct {
	*unstructured.Unstructured // with the policy's namespace

	// Line is where the document or list item begins in the template.
	Line int

	root   *node
	values *Values
}

// Render returns the objects of one client, in the template's order. The error is an *Error or several of them joined, in
// the order of their lines; [Errors] separates them.
func (t *Template) Render(v Values, p Policy) ([]*Object, error) {
	r := renderer{values: &v}
	t.checkValues(&v, &r.errs)
	objects := make([]*Object, 0, len(t.objects))
	check := checker{policy: p, values: &v, errs: &r.errs}
	for _, s := range t.objects {
		r.document, r.path = s.document, r.path[:0]
		content, _ := r.render(s.root).(map[string]any)
		if r.stopped {
			break
		}
		o := &Object{Unstructured: &unstructured.Unstructured{Object: content}, Line: s.line, root: s.root, values: &v}
		check.object(o, s)
		objects = append(objects, o)
	}
	if err := r.errs.err(); err != nil {
		return nil, err
	}
	for _, o := range objects {
		o.SetNamespace(p.Namespace)
	}
	return objects, nil
}

// Secrets returns the names of the secrets that stand in the object, sorted.
func (o *Object) Secrets() []string {
	found := map[string]bool{}
	o.root.eachPlaceholder(func(p *part) {
		if o.values.secretOf([]part{*p}) != "" {
			found[p.name] = true
		}
	})
	return slices.Sorted(maps.Keys(found))
}

// LineOf returns the line of the template that a field comes from. The path consists of mapping keys and, for list items,
// of their index or their name: "spec", "template", "spec", "containers", "0", "image". If the template has no such
// field, the line is that of the nearest field around it.
func (o *Object) LineOf(path ...string) int {
	_, line := o.find(path)
	return line
}

// find returns the node at a path, or nil if the template has none, and the line for LineOf.
func (o *Object) find(path []string) (*node, int) {
	n, line := o.root, o.Line
	for _, element := range path {
		var next *node
		switch n.kind {
		case mappingNode:
			for i := range n.fields {
				f := &n.fields[i]
				if key, ok := f.expandKey(o.values); ok && key == element {
					next, line = f.value, f.line
					break
				}
			}
		case sequenceNode:
			if next = n.item(element, o.values); next != nil {
				line = next.line
			}
		case scalarNode:
		}
		if next == nil {
			return nil, line
		}
		n = next
	}
	return n, line
}

func (f *field) expandKey(v *Values) (string, bool) {
	if f.parts == nil {
		return f.key, true
	}
	return v.expand(f.parts)
}

// item returns a list item by its index or its name.
func (n *node) item(element string, v *Values) *node {
	if i, err := strconv.Atoi(element); err == nil && i >= 0 && i < len(n.items) {
		return n.items[i]
	}
	for _, item := range n.items {
		name := item.get("name")
		if name == nil || name.kind != scalarNode {
			continue
		}
		text, ok := name.text()
		if name.parts != nil {
			text, ok = v.expand(name.parts)
		}
		if ok && text == element {
			return item
		}
	}
	return nil
}

// renderer computes the values of an object for one client.
type renderer struct {
	values   *Values
	errs     errorList
	document int
	path     fieldPath
	bytes    int
	stopped  bool
}

func (r *renderer) fail(line int, placeholder, format string, args ...any) {
	r.errs.add(&Error{
		Line:        line,
		Document:    r.document,
		Path:        r.path.String(),
		Placeholder: placeholder,
		Reason:      fmt.Sprintf(format, args...),
	})
}

// grow counts bytes towards the limit. A long value in a scalar with many aliases could exceed it.
func (r *renderer) grow(line, bytes int) {
	r.bytes += bytes
	if r.bytes > maxRenderedBytes && !r.stopped {
		r.fail(line, "",
			"the objects of the client have more than %d MiB of text, which the API server would not take", maxRenderedBytes>>20)
		r.stopped = true
	}
}

// render returns nil for a value that is null, and for one with an error.
func (r *renderer) render(n *node) any {
	if r.stopped {
		return nil
	}
	switch n.kind {
	case mappingNode:
		return r.mapping(n)
	case sequenceNode:
		return r.sequence(n)
	default:
		return r.scalar(n)
	}
}

func (r *renderer) sequence(n *node) any {
	items := make([]any, 0, len(n.items))
	for i, item := range n.items {
		r.path.pushIndex(i)
		before := r.errs.count()
		value := r.render(item)
		if value == nil && r.errs.count() == before && r.defined(item) && !r.stopped {
			r.fail(item.line, item.placeholder(), "the value of %s makes the list item null", joinParts(item.parts))
		}
		r.path.pop()
		items = append(items, value)
	}
	return items
}

func (r *renderer) mapping(n *node) any {
	fields := make(map[string]any, len(n.fields))
	var seen map[string]bool
	if n.hasKeyParts {
		seen = make(map[string]bool, len(n.fields))
	}
	for i := range n.fields {
		f := &n.fields[i]
		key, ok := f.expandKey(r.values)
		if !ok {
			continue
		}
		r.grow(f.line, len(key))
		if secret := r.values.secretOf(f.parts); secret != "" {
			r.failSecret(f.line, secret, "keys")
			continue
		}
		r.path.pushKey(key)
		if seen[key] {
			r.fail(f.line, "", "duplicate key: the value of a placeholder makes two keys of the mapping the same")
		} else if value := r.render(f.value); value != nil {
			fields[key] = value
		}
		if seen != nil {
			seen[key] = true
		}
		r.path.pop()
	}
	return fields
}

func (r *renderer) scalar(n *node) any {
	if n.parts == nil {
		if text, ok := n.value.(string); ok {
			r.grow(n.line, len(text))
		}
		return n.value
	}
	text, ok := r.values.expand(n.parts)
	if !ok {
		return nil
	}
	r.grow(n.line, len(text))
	if secret := r.values.secretOf(n.parts); secret != "" {
		return r.secret(n, secret, text)
	}
	var value any
	var err error
	switch n.form {
	case formPlain:
		value, err = resolvePlain(text)
	case formTagged:
		value, err = resolveTagged(n.tag, text)
	default:
		return text
	}
	if err != nil {
		// The value itself stays out of the message, as variables can be secret.
		r.fail(n.line, n.placeholder(), "the value of %s %v", joinParts(n.parts), err)
		return nil
	}
	return value
}

// secret returns the value of a scalar with a secret. It is always text: what YAML made of it, such as 420 of 0644, would
// not be known as the secret any more.
func (r *renderer) secret(n *node, secret, text string) any {
	if n.form == formTagged && n.tag != tagString {
		r.fail(n.line, secret, "the value of the secret %%%s%% is always text: remove the tag %s", secret, n.tag)
		return nil
	}
	if r.path.isNaming() {
		r.failSecret(n.line, secret, "names")
		return nil
	}
	return text
}

// isNaming reports whether plans and errors call an object, or an item of a list, by the field at a path.
func (p fieldPath) isNaming() bool {
	if len(p) > 1 && p[len(p)-2].key == "finalizers" {
		return true // plans call these by themselves
	}
	if len(p) == 0 || !slices.Contains(namingFields, p[len(p)-1].key) {
		return false
	}
	return len(p) == 1 || !slices.Contains(freeMaps, p[len(p)-2].key)
}

// freeMaps are the fields that hold mappings whose keys are the user's.
var freeMaps = []string{"data", "stringData", "labels", "annotations", "matchLabels", "nodeSelector"}

// namingFields are the fields by which plans and errors call an object or an item of a list.
var namingFields = []string{
	"apiVersion", "kind", "namespace", "name", "generateName",
	"mountPath", "devicePath", "topologyKey", "ip", "secretName", "uid", "resourceName",
}

func (r *renderer) failSecret(line int, secret, where string) {
	r.fail(line, secret, "the secret %%%s%% may not stand here: plans and errors show %s", secret, where)
}

// defined reports whether every placeholder of a scalar has a value.
func (r *renderer) defined(n *node) bool {
	_, ok := r.values.expand(n.parts)
	return ok
}

// placeholder returns the name of the first placeholder of a scalar, or "".
func (n *node) placeholder() string {
	for _, p := range n.parts {
		if p.name != "" {
			return p.name
		}
	}
	return ""
}
