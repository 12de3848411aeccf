package testbed

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Image is the image in the sample template that a release replaces.
const Image = "mira:3.0"

// WithImage returns the template of another release.
func WithImage(template, image string) (string, error) {
	released := strings.ReplaceAll(template, "image: "+Image+"\n", "image: "+image+"\n")
	if released == template && image != Image {
		return "", fmt.Errorf("the template has no line %q", "image: "+Image)
	}
	return released, nil
}

// placeholder matches a placeholder of a template. The provider's own rules are stricter.
var placeholder = regexp.MustCompile(`%([A-Z][A-Z0-9_]*[A-Z0-9])%`)

// render replaces the placeholders of a template by values that are safe in YAML, and
// leaves out fields that only an exported object has.
func render(template, client, domain string) ([]*unstructured.Unstructured, error) {
	values := map[string]string{"CLIENT_NAME": client, "CLUSTER_DOMAIN": domain, "EMAIL_ADMIN": Email(client)}
	return decodeClean(placeholder.ReplaceAllStringFunc(template, func(found string) string { return values[strings.Trim(found, "%")] }))
}

// Email returns the address of a client's administrator.
func Email(client string) string { return "admin@" + client + ".example" }

// Documents returns the objects of a template as YAML, by their kinds and with the
// placeholders, for providers with a resource for each object. Each has a namespace
// and no status, as a careful author would write it.
func Documents(template, namespace string) (map[string]string, error) {
	// A plain scalar must not begin with a percent sign.
	const before, after = "placeholder-", "-end"
	objects, err := decodeClean(placeholder.ReplaceAllString(template, before+"$1"+after))
	if err != nil {
		return nil, err
	}
	documents := make(map[string]string, len(objects))
	for _, o := range objects {
		o.SetNamespace(namespace)
		restored := restore(o.Object, func(text string) string {
			return regexp.MustCompile(before+`([A-Z0-9_]+)`+after).ReplaceAllString(text, "%$1%")
		})
		text, err := yaml.Marshal(restored)
		if err != nil {
			return nil, err
		}
		if _, ok := documents[o.GetKind()]; ok {
			return nil, fmt.Errorf("the template has two objects of kind %s", o.GetKind())
		}
		documents[o.GetKind()] = string(text)
	}
	return documents, nil
}

// restore calls change for every string in a value.
func restore(value any, change func(string) string) any {
	switch value := value.(type) {
	case string:
		return change(value)
	case []any:
		for i := range value {
			value[i] = restore(value[i], change)
		}
	case map[string]any:
		for name := range value {
			value[name] = restore(value[name], change)
		}
	}
	return value
}

func decodeClean(text string) ([]*unstructured.Unstructured, error) {
	objects, err := decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	for _, o := range objects {
		clean(o.Object)
	}
	return objects, nil
}

// clean removes status blocks and null values at any depth.
func clean(value any) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			clean(item)
		}
	case map[string]any:
		for name, field := range value {
			if name == "status" || field == nil {
				delete(value, name)
				continue
			}
			clean(field)
		}
	}
}
