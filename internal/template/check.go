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

// checker checks the objects of one client against the policy, the rules for names, and the types of common fields.
type checker struct {
	policy Policy
	values *Values
	errs   *errorList
	seen   map[objectKey]int // the lines of the objects so far
}

type objectKey struct {
	kind schema.GroupKind
	name string
}

// object checks an object. It skips fields whose placeholders have no value, which is an error of its own.
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
	c.duplicates(o, kind, fail)
}

// string returns the text of a scalar, or false if a placeholder has no value, or is a secret.
func (c *checker) string(n *node) (string, bool) {
	if n.parts == nil {
		return n.text()
	}
	if c.values.secretOf(n.parts) != "" {
		return "", false // an error of its own
	}
	return c.values.expand(n.parts)
}

// failFunc adds an error at a line and a path of an object.
type failFunc func(line int, path string, e Error)

// kind returns the group and kind of an object, or false if it has none.
func (c *checker) kind(o *Object, fail failFunc) (schema.GroupKind, bool) {
	for _, key := range []string{"apiVersion", "kind"} {
		n := o.root.get(key)
		if _, ok := c.string(n); !ok {
			return schema.GroupKind{}, false
		}
		if rendered, ok := o.Object[key].(string); !ok || rendered == "" {
			reason := fmt.Sprintf("must be a string, and the value of %s is none", joinParts(n.parts))
			fail(n.line, key, Error{Placeholder: n.placeholder(), Reason: reason})
			return schema.GroupKind{}, false
		}
	}
	version, err := schema.ParseGroupVersion(o.GetAPIVersion())
	if err != nil {
		reason := fmt.Sprintf("%q is not a version, nor a group and a version as apps/v1 is", o.GetAPIVersion())
		fail(o.LineOf("apiVersion"), "apiVersion", Error{Reason: reason})
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

// kindName formats a kind as allowed_kinds does: group/Kind, with "core" for the group without a name.
func kindName(k schema.GroupKind) string {
	if k.Group == "" {
		return "core/" + k.Kind
	}
	return k.Group + "/" + k.Kind
}

// name checks that the API server would accept the object's name. If it would not, but would for a client with a
// harmless name, the client's name is at fault.
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
		e.Reason = fmt.Sprintf("the client name %q makes the %s name %q, which is not legal: %s",
			c.values.ClientName, kind.Kind, text, problem)
	}
	fail(n.line, "metadata.name", e)
}

// maxPrefixLength is the limit for names of StatefulSets and CronJobs. Kubernetes uses them as parts of names and label
// values, which have at most 63 characters: the label controller-revision-hash is the StatefulSet's name, a dash and a
// hash of up to 10 characters (https://github.com/kubernetes/kubernetes/issues/64023); the name of a CronJob's Job has a
// dash and 10 digits after it (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/).
const maxPrefixLength = 63 - 1 - 10

// nameProblem explains why the name is not legal for the kind. It returns "" if it is legal.
func nameProblem(kind schema.GroupKind, name string, o *Object) string {
	var problems []string
	switch {
	case kind == serviceKind:
		problems = validation.IsDNS1035Label(name)
	case kind == statefulSetKind:
		problems = validation.IsDNS1123Label(name)
		if len(name) > maxPrefixLength {
			problems = []string{fmt.Sprintf(
				"it has %d characters and may have %d, because its pods have a label of the name, a dash and a hash",
				len(name), maxPrefixLength)}
		}
		if len(problems) == 0 {
			problems = claimProblems(name, o)
		}
	case kind == cronJobKind:
		problems = validation.IsDNS1123Subdomain(name)
		if len(name) > maxPrefixLength {
			problems = []string{fmt.Sprintf(
				"it has %d characters and may have %d, because its Jobs have names that begin with it", len(name), maxPrefixLength)}
		}
	case kind.Group == "rbac.authorization.k8s.io":
		problems = content.IsPathSegmentName(name)
	default:
		problems = validation.IsDNS1123Subdomain(name)
	}
	for i, problem := range problems {
		// Without the examples and regular expressions that follow, the message is easier to read.
		problems[i], _, _ = strings.Cut(problem, " (e.g.")
	}
	return strings.Join(problems, "; ")
}

// claimProblems checks the names of the PersistentVolumeClaims, which contain the StatefulSet's name.
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
		full := volume + "-" + name + "-" + strconv.FormatInt(last, 10)
		if len(full) > validation.DNS1123SubdomainMaxLength {
			return []string{fmt.Sprintf("it makes the PersistentVolumeClaim name %q, which has %d characters and may have %d",
				full, len(full), validation.DNS1123SubdomainMaxLength)}
		}
	}
	return nil
}

// value returns the value at a path of keys, or nil.
func value(object any, keys ...string) any {
	for _, key := range keys {
		fields, _ := object.(map[string]any)
		object = fields[key]
	}
	return object
}

// textMaps are the paths of the mappings whose values are always text in Kubernetes.
var textMaps = [][]string{
	{"metadata", "labels"},
	{"metadata", "annotations"},
	{"spec", "template", "metadata", "labels"},
	{"spec", "template", "metadata", "annotations"},
	{"spec", "selector", "matchLabels"},
}

// strings checks the fields in which a number or boolean is the most common mistake: labels, annotations and the values
// of environment variables are always text in Kubernetes. The API server's error would name no line and no placeholder.
func (c *checker) strings(o *Object, kind schema.GroupKind, fail failFunc) {
	for _, path := range textMaps {
		c.textMap(o, path, fail)
	}
	if kind == serviceKind {
		c.textMap(o, []string{"spec", "selector"}, fail)
	}
	for _, list := range []string{"initContainers", "containers"} {
		path := []string{"spec", "template", "spec", list}
		containers, _ := value(o.Object, path...).([]any)
		for i, container := range containers {
			variables, _ := value(container, "env").([]any)
			for j, variable := range variables {
				at := slices.Concat(path, []string{strconv.Itoa(i), "env", strconv.Itoa(j), "value"})
				c.text(o, value(variable, "value"), at, fail)
			}
		}
	}
}

// textMap checks that the values of a mapping are text.
func (c *checker) textMap(o *Object, path []string, fail failFunc) {
	fields, _ := value(o.Object, path...).(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		c.text(o, fields[key], slices.Concat(path, []string{key}), fail)
	}
}

// text checks that a scalar is text.
func (c *checker) text(o *Object, v any, path []string, fail failFunc) {
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
	n, line := o.find(path)
	e := Error{Reason: fmt.Sprintf("must be text, and %s is %s: put it in quotes", scalar, typeName(v))}
	if n != nil && n.parts != nil {
		e.Placeholder = n.placeholder()
		e.Reason = fmt.Sprintf("must be text, and the value of %s is %s: put the placeholder in quotes", joinParts(n.parts), typeName(v))
	}
	fail(line, pathOf(path).String(), e)
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
			p = append(p, pathElement{label: element})
		} else {
			p = append(p, pathElement{key: element})
		}
	}
	return p
}
