package managedfields

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// FormatPath writes a path of managedFields the way [Fields] does.
func FormatPath(path fieldpath.Path) string {
	var b strings.Builder
	for _, element := range path {
		switch {
		case element.FieldName != nil:
			if isWord(*element.FieldName) {
				if b.Len() > 0 {
					b.WriteByte('.')
				}
				b.WriteString(*element.FieldName)
			} else {
				b.WriteString("[" + normalized(*element.FieldName) + "]")
			}
		case element.Key != nil:
			keys := make([]string, 0, len(*element.Key))
			for _, key := range *element.Key {
				keys = append(keys, text(key.Value.Unstructured()))
			}
			b.WriteString("[" + strings.Join(keys, ",") + "]")
		case element.Value != nil:
			b.WriteString("[" + text((*element.Value).Unstructured()) + "]")
		case element.Index != nil:
			b.WriteString("[" + strconv.Itoa(*element.Index) + "]")
		}
	}
	return b.String()
}

func isWord(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return name != ""
}

// lastName returns the name of the field at a path; empty where it is a list item.
func lastName(path fieldpath.Path) string {
	if name := path[len(path)-1].FieldName; name != nil {
		return *name
	}
	return ""
}

// resolvePath finds a path as [FormatPath] wrote it in an object, whoever owns
// the field; false when the object has none. The order of a list has no such path.
func resolvePath(object map[string]any, path string) (fieldpath.Path, bool) {
	var resolved fieldpath.Path
	var at any = object
	for _, part := range splitPath(path) {
		element, ok := match(at, part)
		if !ok {
			return nil, false
		}
		at, _ = descend(at, element)
		resolved = append(resolved, element)
	}
	return resolved, len(resolved) > 0
}

// pathPart is a part of a path as [FormatPath] writes it.
type pathPart struct {
	text string
	// isBracketed: it stands in brackets, as list items do, and map keys that are no words.
	isBracketed bool
}

// splitPath splits a path at dots and brackets.
func splitPath(path string) []pathPart {
	var parts []pathPart
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			end := 1
			for end < len(path) && (path[end] != ']' || end+1 < len(path) && path[end+1] != '.' && path[end+1] != '[') {
				end++
			}
			parts = append(parts, pathPart{path[1:end], true})
			path = path[min(end+1, len(path)):]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			parts = append(parts, pathPart{path[:end], false})
			path = path[end:]
		}
	}
	return parts
}

// match finds the field of a map, or the item of a list, that a part of a path
// means.
func match(at any, part pathPart) (fieldpath.PathElement, bool) {
	switch at := at.(type) {
	case map[string]any:
		name, ok := keyOf(at, part.text)
		return fieldpath.FieldNameElement(name), ok
	case []any:
		if part.isBracketed {
			return matchItem(at, part.text)
		}
	}
	return fieldpath.PathElement{}, false
}

// keyOf returns the key of a map that is shown as a text. A path is in Unicode NFC, and
// the key need not be.
func keyOf(fields map[string]any, shown string) (string, bool) {
	if _, ok := fields[shown]; ok {
		return shown, true
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if normalized(name) == shown {
			return name, true
		}
	}
	return shown, false
}

func matchItem(items []any, shown string) (fieldpath.PathElement, bool) {
	for _, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			if text(item) == shown {
				return fieldpath.ValueElement(value.NewValueInterface(item)), true
			}
			continue
		}
		for _, key := range MergeKeys {
			if element, ok := key.elementOf(fields); ok && key.IsDeclared && FormatPath(fieldpath.Path{element}) == "["+shown+"]" {
				return element, true
			}
		}
	}
	return fieldpath.PathElement{}, false
}

func descend(at any, element fieldpath.PathElement) (any, bool) {
	switch {
	case element.FieldName != nil:
		fields, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		next, ok := fields[*element.FieldName]
		return next, ok
	case element.Key != nil:
		return find(at, func(item any) bool { return hasKeys(item, *element.Key) })
	case element.Value != nil:
		wanted := *element.Value
		return find(at, func(item any) bool { return value.Equals(value.NewValueInterface(item), wanted) })
	case element.Index != nil:
		items, ok := at.([]any)
		if !ok || *element.Index < 0 || *element.Index >= len(items) {
			return nil, false
		}
		return items[*element.Index], true
	}
	return nil, false
}

// lookUp reads the value at a path; false when there is none.
func lookUp(at any, path fieldpath.Path) (any, bool) {
	for _, element := range path {
		next, ok := descend(at, element)
		if !ok {
			return nil, false
		}
		at = next
	}
	return at, true
}

// with sets the value at a path, and creates what is missing on the way to it: maps, and
// list items with their keys. It returns `at`, as a list that grows is a new one.
func with(at any, path fieldpath.Path, leaf any) any {
	if len(path) == 0 {
		return runtime.DeepCopyJSONValue(leaf)
	}
	element, rest := path[0], path[1:]
	if element.FieldName != nil {
		fields, ok := at.(map[string]any)
		if !ok {
			fields = make(map[string]any)
		}
		fields[*element.FieldName] = with(fields[*element.FieldName], rest, leaf)
		return fields
	}
	items, _ := at.([]any)
	i := lastIndex(items, func(item any) bool { return isItem(item, element) })
	switch {
	case element.Index != nil:
		return at // lists without keys are owned as a whole
	case i < 0 && element.Key != nil:
		item := make(map[string]any)
		for _, key := range *element.Key {
			item[key.Name] = key.Value.Unstructured()
		}
		return append(items, with(item, rest, leaf))
	case i < 0:
		return append(items, (*element.Value).Unstructured())
	case element.Key != nil:
		items[i] = with(items[i], rest, leaf)
	}
	return items
}

// find returns the last item of a list that matches: of two with the same merge key, which
// an update by hand can leave, the last one counts.
func find(list any, matches func(any) bool) (any, bool) {
	items, ok := list.([]any)
	if !ok {
		return nil, false
	}
	if i := lastIndex(items, matches); i >= 0 {
		return items[i], true
	}
	return nil, false
}

func lastIndex(items []any, matches func(any) bool) int {
	for i, item := range slices.Backward(items) {
		if matches(item) {
			return i
		}
	}
	return -1
}

// isItem reports whether a path element names a list item.
func isItem(item any, element fieldpath.PathElement) bool {
	_, ok := descend([]any{item}, element)
	return ok
}

func hasKeys(item any, keys value.FieldList) bool {
	fields, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for _, key := range keys {
		has, ok := fields[key.Name]
		if !ok && key.Name == "protocol" { // of a port, which a template may leave out
			has, ok = protocolOf(fields), true
		}
		if !ok || !value.Equals(value.NewValueInterface(has), key.Value) {
			return false
		}
	}
	return true
}

// Remove deletes fields and list items from an object, if they are there.
func Remove(object *unstructured.Unstructured, paths []fieldpath.Path) {
	for _, path := range paths {
		without(object.Object, path)
	}
}

// without removes a field or a list item, if it is there. It returns `at`, as a list that
// shrinks is a new one.
func without(at any, path fieldpath.Path) any {
	element, rest := path[0], path[1:]
	switch at := at.(type) {
	case map[string]any:
		if element.FieldName == nil {
			return at
		}
		name := *element.FieldName
		switch child, ok := at[name]; {
		case !ok:
		case len(rest) == 0:
			delete(at, name)
		default:
			at[name] = without(child, rest)
		}
		return at
	case []any:
		i := lastIndex(at, func(item any) bool { return isItem(item, element) })
		switch {
		case i < 0 || element.Index != nil:
		case len(rest) == 0:
			return slices.DeleteFunc(at, func(item any) bool { return isItem(item, element) })
		default:
			at[i] = without(at[i], rest)
		}
		return at
	}
	return at
}
