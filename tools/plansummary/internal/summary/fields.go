package summary

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// Field is the change of one value of a client.
type Field struct {
	// Object is the object that the field belongs to, as `Kind/name`; empty for an argument of the resource.
	Object string `json:"object,omitempty"`
	// Path is that of the field, the argument's name, or [WholeObject].
	Path   string     `json:"path"`
	Before plan.Value `json:"before"`
	After  plan.Value `json:"after"`
}

// WholeObject is the path of a change that creates or removes an object.
const WholeObject = "(object)"

var exists = plan.Text("exists")

// derived are the attributes that only say again what objects says, or what follows from other attributes.
var derived = []string{"id", "images", "persistent_volume_claims", "template_revision", "url"}

// fieldsOf returns what a change changes on a client. Whole objects stand for their fields.
func fieldsOf(change *plan.Change) []Field {
	before, after := change.BeforeSide(), change.AfterSide()
	keys := before.Keys()
	maps.Copy(keys, after.Keys())
	var fields, rest []Field
	for key := range keys {
		switch {
		case key == "objects":
			fields = append(fields, objectFields(before, after)...)
		case slices.Contains(derived, key):
			rest = appendChanges(rest, before, after, key)
		default:
			fields = appendChanges(fields, before, after, key)
		}
	}
	if len(fields) == 0 {
		fields = rest
	}
	slices.SortFunc(fields, compareFields)
	return fields
}

func compareFields(a, b Field) int {
	return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Path, b.Path))
}

// appendChanges appends the changes at a path, and below it where mappings stand.
func appendChanges(fields []Field, before, after plan.Side, path ...string) []Field {
	if (before.IsMap(path...) || after.IsMap(path...)) && !after.IsUnknown(path...) &&
		!before.IsSensitive(path...) && !after.IsSensitive(path...) {
		keys := before.Keys(path...)
		maps.Copy(keys, after.Keys(path...))
		for key := range keys {
			fields = appendChanges(fields, before, after, append(slices.Clone(path), key)...)
		}
		return fields
	}
	if field, ok := changeAt(before, after, path...); ok {
		field.Path = strings.Join(path, ".")
		fields = append(fields, field)
	}
	return fields
}

// changeAt returns the change of a value, and false where there is none.
func changeAt(before, after plan.Side, path ...string) (Field, bool) {
	field := Field{Before: before.Value(path...), After: after.Value(path...)}
	if field.After.State != plan.Unknown && isSame(before.Raw(path...), after.Raw(path...)) {
		return Field{}, false
	}
	return field, true
}

func isSame(before, after any) bool {
	a, errA := json.Marshal(before)
	b, errB := json.Marshal(after)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// objectFields returns the changes of the attribute objects.
func objectFields(before, after plan.Side) []Field {
	const attribute = "objects"
	if after.IsUnknown(attribute) || before.IsSensitive(attribute) || after.IsSensitive(attribute) {
		if field, ok := changeAt(before, after, attribute); ok {
			field.Path, field.Before = attribute, plan.Value{}
			return []Field{field}
		}
		return nil
	}
	keys := before.Keys(attribute)
	maps.Copy(keys, after.Keys(attribute))
	var fields []Field
	for key := range keys {
		had, has := before.IsMap(attribute, key), after.IsMap(attribute, key) || after.IsUnknown(attribute, key)
		switch {
		case had && !has:
			fields = append(fields, Field{Object: key, Path: WholeObject, Before: exists})
		case !had && has:
			fields = append(fields, Field{Object: key, Path: WholeObject, After: exists})
		default:
			paths := before.Keys(attribute, key)
			maps.Copy(paths, after.Keys(attribute, key))
			for path := range paths {
				if field, ok := changeAt(before, after, attribute, key, path); ok {
					field.Object, field.Path = key, path
					fields = append(fields, field)
				}
			}
		}
	}
	return fields
}
