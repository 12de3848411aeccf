package protocoltest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// template is a client template as a list of documents.
type template []map[string]any

// parseTemplate decodes documents that are separated by lines of three dashes.
func parseTemplate(text string) template {
	text = strings.ReplaceAll(text, ": %CLIENT_NAME%\n", ": '%CLIENT_NAME%'\n") // as YAML has it
	var documents template
	for document := range strings.SplitSeq(text, "\n---\n") {
		var fields map[string]any
		if err := yaml.Unmarshal([]byte(document), &fields); err != nil {
			panic(err) // the test is wrong
		}
		if len(fields) > 0 {
			documents = append(documents, fields)
		}
	}
	return documents
}

// numberOfNode is the port of a node that a template asks for by a variable. It is a number
// without quotes.
var numberOfNode = regexp.MustCompile(`(?i)(nodePort: )'(%[A-Z0-9_]+%)'`)

// String returns the template as YAML.
func (t template) String() string {
	var texts []string
	for _, document := range t {
		data, err := yaml.Marshal(document)
		if err != nil {
			panic(err) // it comes from YAML
		}
		texts = append(texts, string(data))
	}
	return numberOfNode.ReplaceAllString(strings.Join(texts, "---\n"), "$1$2")
}

func (t template) clone() template {
	var copied template
	data, err := json.Marshal(t)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		panic(err) // it comes from YAML
	}
	return copied
}

// nameOf returns what an item of a list is known by, or a document; empty if there is
// nothing.
func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	for _, key := range []string{"mountPath", "containerPort", "name", "ip", "host", "topologyKey", "kind"} {
		value, ok := fields[key]
		if !ok {
			continue
		}
		if metadata, ok := fields["metadata"].(map[string]any); ok {
			return fmt.Sprintf("%v %v", value, metadata["name"])
		}
		return fmt.Sprint(value)
	}
	metadata, _ := fields["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return name
}

// Words of a [feature] in the place of a value.
const (
	removed  = "DROP"
	reversed = "REVERSE"
)

// merge merges fields into others, as [feature] says.
func merge(into, from map[string]any) {
	for key, value := range from {
		switch value := value.(type) {
		case string:
			list, isList := into[key].([]any)
			switch {
			case value == removed:
				delete(into, key)
			case value == reversed && isList:
				slices.Reverse(list)
			case value != reversed:
				into[key] = value
			}
		case map[string]any:
			fields, ok := into[key].(map[string]any)
			if !ok {
				fields = make(map[string]any)
			}
			merge(fields, value)
			into[key] = fields
		case []any:
			list, _ := into[key].([]any)
			into[key] = mergeItems(list, value)
		default:
			into[key] = value
		}
	}
}

func mergeItems(into, from []any) []any {
	if len(from) == 0 {
		return []any{}
	}
	for i, item := range from {
		fields, isMap := item.(map[string]any)
		name := nameOf(item)
		if !isMap || name == "" {
			return from // the list is one value
		}
		at := slices.IndexFunc(into, func(has any) bool { return nameOf(has) == name || nameByName(has) == name })
		var merged map[string]any
		if at >= 0 {
			merged, _ = into[at].(map[string]any)
		} else {
			merged = make(map[string]any)
			into = slices.Insert(into, min(len(into), i), any(merged))
		}
		merge(merged, fields)
	}
	return into
}

// nameByName returns the field `name`, which the port of a container need not have.
func nameByName(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// find returns the map at a path below a document; nil if it is not there.
func find(document map[string]any, path string) map[string]any {
	at := any(document)
	for name := range strings.SplitSeq(path, "/") {
		switch has := at.(type) {
		case map[string]any:
			at = has[name]
		case []any:
			i := slices.IndexFunc(has, func(item any) bool { return nameOf(item) == name })
			if i < 0 {
				return nil
			}
			at = has[i]
		default:
			return nil
		}
	}
	fields, _ := at.(map[string]any)
	return fields
}
