package managedfields

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Fields maps the path of a field to its value.
//
// A path is field names joined with dots. A list item stands in brackets, by the
// values of its merge keys (`containers[mira]`, `ports[443,TCP]`), and so does a map
// key that is not a plain word (`labels[app.kubernetes.io/name]`). The keys of a list
// come in the order of the keys' names, as in managedFields. Since the keys stand in
// the path, the fields that hold them are left out, unless an item has no other field
// (`env[FLAG].name`).
//
// A value is the scalar as text; a list or map that is owned as a whole is JSON. What
// contains a secret is a hash.
//
// Two things that the items of a list do not tell have paths of their own. The order of a
// list, where it has a meaning, is the JSON list of its items' names (`containers.order`).
// An item that is there more than once has its further copies as JSON (`env[LEVEL][1]`).
//
// Paths and values are in Unicode NFC, as those that Terraform hands back.
type Fields map[string]string

// FieldsEqual reports whether both hold the same paths with the same values.
func FieldsEqual(a, b Fields) bool { return maps.Equal(a, b) }

// withoutMergeKeys leaves out the merge keys of list items that have other fields.
func withoutMergeKeys(fields Fields, paths map[string]fieldpath.Path) Fields {
	items := make(map[string]Fields)
	kept := make(Fields, len(fields))
	for path, text := range fields {
		at := paths[path]
		if !isMergeKey(at) {
			kept[path] = text
			continue
		}
		item := FormatPath(at[:len(at)-1])
		if items[item] == nil {
			items[item] = make(Fields)
		}
		items[item][path] = text
	}
	// Inner items first, as what is left of them counts for the outer ones.
	for _, item := range slices.SortedFunc(maps.Keys(items), func(a, b string) int { return len(b) - len(a) }) {
		if !kept.hasBelow(item) {
			maps.Copy(kept, items[item])
		}
	}
	return kept
}

// hasBelow reports whether there is a field below a path.
func (f Fields) hasBelow(path string) bool {
	for field := range f {
		if rest, ok := strings.CutPrefix(field, path); ok && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// hashBelow returns a value below a path that is shown as a hash; empty if there is none.
func (f Fields) hashBelow(path string) string {
	for field, value := range f {
		if strings.HasPrefix(field, path+".") && IsHash(value) {
			return value
		}
	}
	return ""
}

// withoutStatus leaves out the status that the server sets on each claim template: no
// manager owns it, but it stands inside a list that is owned as a whole.
func withoutStatus(claims []any) []any {
	without := make([]any, 0, len(claims))
	for _, claim := range claims {
		if fields, ok := claim.(map[string]any); ok {
			fields = maps.Clone(fields)
			delete(fields, "status")
			claim = fields
		}
		without = append(without, claim)
	}
	return without
}

// normalized returns a text in Unicode NFC. Terraform normalizes every string, and the server
// none: they can be compared in this form only.
func normalized(text string) string { return norm.NFC.String(text) }

// text writes a scalar as itself and anything else as JSON, in Unicode NFC.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return normalized(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		// Unstructured content comes from JSON and goes back to it.
		return fmt.Sprint(v)
	}
	return normalized(strings.TrimSuffix(b.String(), "\n"))
}
