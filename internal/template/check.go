package template

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

var (
	serviceKind     = schema.GroupKind{Kind: "Service"}
	statefulSetKind = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	cronJobKind     = schema.GroupKind{Group: "batch", Kind: "CronJob"}
)

// checker holds the objects of one client against the policy and the rules for names.
type checker struct {
	policy Policy
	values *Values
	errs   *errorList
	seen   map[objectKey]int // lines
}

type objectKey struct {
	kind schema.GroupKind
	name string
}

// object checks what can be checked of an object. Fields whose placeholders have no value are passed over, as that is
// reported already.
func (c *checker) object(o *Object, s *source) {
	fail := func(line int, path string, e Error) {
		e.Line, e.Document, e.Path = line, s.document, path
		c.errs.add(&e)
	}
	kind, known := c.kind(o, fail)
	if known {
		c.allowed(kind, o, fail)
	}
	metadata := s.root.get("metadata")
	if namespace := metadata.get("namespace"); namespace != nil {
		text, ok := c.string(namespace)
		if ok && text != c.policy.Namespace {
			fail(namespace.line, "metadata.namespace", Error{Reason: fmt.Sprintf(
				"the document is in namespace %q, and the client's objects belong in %q: remove the field", text, c.policy.Namespace)})
		}
	}
	name := metadata.get("name")
	text, ok := c.string(name)
	if !ok || !known {
		return
	}
	c.name(kind, o, name, text, fail)
	key := objectKey{kind, text}
	if line, ok := c.seen[key]; ok {
		fail(o.Line, "metadata.name", Error{Reason: fmt.Sprintf("another %s %q begins in line %d already", kind.Kind, text, line)})
		return
	}
	if c.seen == nil {
		c.seen = map[objectKey]int{}
	}
	c.seen[key] = o.Line
	c.strings(o, kind, fail)
}

// string gives the text of a scalar, and false where a placeholder has no value.
func (c *checker) string(n *node) (string, bool) {
	if n.parts == nil {
		return n.text()
	}
	return c.values.expand(n.parts)
}

type failFunc func(line int, path string, e Error)

// kind gives the group and kind of an object, and false where it has none.
func (c *checker) kind(o *Object, fail failFunc) (schema.GroupKind, bool) {
	for _, key := range []string{"apiVersion", "kind"} {
		n := o.root.get(key)
		if _, ok := c.string(n); !ok {
			return schema.GroupKind{}, false
		}
		if rendered, ok := o.Object[key].(string); !ok || rendered == "" {
			fail(n.line, key, Error{Placeholder: n.placeholder(), Reason: fmt.Sprintf("must be a string, and the value of %s is none", joinParts(n.parts))})
			return schema.GroupKind{}, false
		}
	}
	version, err := schema.ParseGroupVersion(o.GetAPIVersion())
	if err != nil {
		fail(o.LineOf("apiVersion"), "apiVersion", Error{Reason: fmt.Sprintf("%q is not a version, nor a group and a version as apps/v1 is", o.GetAPIVersion())})
		return schema.GroupKind{}, false
	}
	return schema.GroupKind{Group: version.Group, Kind: o.GetKind()}, true
}

func (c *checker) allowed(kind schema.GroupKind, o *Object, fail failFunc) {
	if slices.Contains(c.policy.AllowedKinds, kind) {
		return
	}
	var allowed []string
	reason := ""
	for _, k := range c.policy.AllowedKinds {
		allowed = append(allowed, kindName(k))
		if k.Kind == kind.Kind {
			reason = fmt.Sprintf("; if %s is meant, correct the apiVersion", kindName(k))
		}
	}
	fail(o.LineOf("kind"), "kind", Error{Reason: fmt.Sprintf(
		"a template may not hold objects of the kind %s (allowed: %s)%s; to allow it, add %q to allowed_kinds",
		kindName(kind), strings.Join(allowed, ", "), reason, kindName(kind))})
}

// kindName writes a kind as allowed_kinds does: group/Kind, with the group "core" for the one that has no name.
func kindName(k schema.GroupKind) string {
	if k.Group == "" {
		return "core/" + k.Kind
	}
	return k.Group + "/" + k.Kind
}

// name checks that the API server would take the object's name. Where it would not, and would take it for a client with
// a harmless name, the client's name is at fault.
func (c *checker) name(kind schema.GroupKind, o *Object, n *node, text string, fail failFunc) {
	problem := nameProblem(kind, text, o)
	if problem == "" {
		return
	}
	harmless := *c.values
	harmless.ClientName = "a"
	e := Error{Reason: fmt.Sprintf("the %s name %q is not legal: %s", kind.Kind, text, problem)}
	if other, _ := harmless.expand(n.parts); nameProblem(kind, other, o) == "" {
		e.InvalidClientName, e.Placeholder = true, PlaceholderClientName
		e.Reason = fmt.Sprintf("the client name %q makes the %s name %q, which is not legal: %s", c.values.ClientName, kind.Kind, text, problem)
	}
	fail(n.line, "metadata.name", e)
}

// Names of StatefulSets and CronJobs are parts of names and label values, which have 63 characters at most: the label
// controller-revision-hash is the StatefulSet's name, a dash and a hash of up to 10 characters
// (https://github.com/kubernetes/kubernetes/issues/64023); a Job of a CronJob has a dash and 10 digits after the name
// (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/).
const maxPrefixLength = 63 - 1 - 10

// nameProblem says why the name is not legal for the kind, or "" where it is.
func nameProblem(kind schema.GroupKind, name string, o *Object) string {
	var problems []string
	switch {
	case kind == serviceKind:
		problems = validation.IsDNS1035Label(name)
	case kind == statefulSetKind:
		problems = validation.IsDNS1123Label(name)
		if len(name) > maxPrefixLength {
			problems = []string{fmt.Sprintf("it has %d characters and may have %d, because its pods have a label of the name, a dash and a hash", len(name), maxPrefixLength)}
		}
		if len(problems) == 0 {
			problems = claimProblems(name, o)
		}
	case kind == cronJobKind:
		problems = validation.IsDNS1123Subdomain(name)
		if len(name) > maxPrefixLength {
			problems = []string{fmt.Sprintf("it has %d characters and may have %d, because its Jobs have names that begin with it", len(name), maxPrefixLength)}
		}
	case kind.Group == "rbac.authorization.k8s.io":
		problems = content.IsPathSegmentName(name)
	default:
		problems = validation.IsDNS1123Subdomain(name)
	}
	for i, problem := range problems {
		// The examples and regular expressions that follow would hide what is said.
		problems[i], _, _ = strings.Cut(problem, " (e.g.")
	}
	return strings.Join(problems, "; ")
}

// claimProblems looks at the names of the PersistentVolumeClaims, which the StatefulSet's name is part of.
func claimProblems(name string, o *Object) []string {
	claims, _ := value(o.Object, "spec", "volumeClaimTemplates").([]any)
	last := int64(0)
	if replicas, ok := value(o.Object, "spec", "replicas").(int64); ok && replicas > 0 {
		last = replicas - 1
	}
	for _, claim := range claims {
		volume, ok := value(claim, "metadata", "name").(string)
		if !ok {
			continue
		}
		if full := volume + "-" + name + "-" + strconv.FormatInt(last, 10); len(full) > validation.DNS1123SubdomainMaxLength {
			return []string{fmt.Sprintf("it makes the PersistentVolumeClaim name %q, which has %d characters and may have %d",
				full, len(full), validation.DNS1123SubdomainMaxLength)}
		}
	}
	return nil
}

// value gives what stands at a path of keys, or nil.
func value(object any, keys ...string) any {
	for _, key := range keys {
		fields, _ := object.(map[string]any)
		object = fields[key]
	}
	return object
}

// strings checks the fields in which a number or boolean is the most common mistake: labels, annotations and the values
// of environment variables are always text in Kubernetes. The API server's answer would name no line and no placeholder.
func (c *checker) strings(o *Object, kind schema.GroupKind, fail failFunc) {
	text := func(v any, at ...string) {
		if v == nil {
			return
		}
		if _, ok := v.(string); ok {
			return
		}
		scalar, ok := scalarText(v)
		if !ok {
			return
		}
		if c.errs.count() >= maxErrors {
			fail(o.Line, "", Error{Reason: "must be text"}) // counted and not shown
			return
		}
		n, line := o.find(at)
		e := Error{Reason: fmt.Sprintf("must be text, and %s is %s: put it in quotes", scalar, typeName(v))}
		if n != nil && n.parts != nil {
			e.Placeholder = n.placeholder()
			e.Reason = fmt.Sprintf("must be text, and the value of %s is %s: put the placeholder in quotes", joinParts(n.parts), typeName(v))
		}
		fail(line, pathOf(at).String(), e)
	}
	texts := func(at ...string) {
		fields, _ := value(o.Object, at...).(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			text(fields[key], append(slices.Clone(at), key)...)
		}
	}
	texts("metadata", "labels")
	texts("metadata", "annotations")
	texts("spec", "template", "metadata", "labels")
	texts("spec", "template", "metadata", "annotations")
	texts("spec", "selector", "matchLabels")
	if kind == serviceKind {
		texts("spec", "selector")
	}
	for _, list := range []string{"initContainers", "containers"} {
		at := []string{"spec", "template", "spec", list}
		containers, _ := value(o.Object, at...).([]any)
		for i, container := range containers {
			variables, _ := value(container, "env").([]any)
			for j, variable := range variables {
				text(value(variable, "value"), append(slices.Clone(at), strconv.Itoa(i), "env", strconv.Itoa(j), "value")...)
			}
		}
	}
}

func typeName(v any) string {
	if _, ok := v.(bool); ok {
		return "a boolean"
	}
	return "a number"
}

func pathOf(elements []string) fieldPath {
	var p fieldPath
	for _, element := range elements {
		if _, err := strconv.Atoi(element); err == nil {
			p = append(p, step{label: element})
		} else {
			p = append(p, step{key: element})
		}
	}
	return p
}
