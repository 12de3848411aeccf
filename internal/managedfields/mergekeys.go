package managedfields

import (
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// MergeKey is a set of fields that identifies the items of a list.
type MergeKey struct {
	// Fields are their names, sorted as managedFields sort them.
	Fields []string
	// IsDeclared says that the API's schema declares the fields as the keys of a list
	// (x-kubernetes-list-map-keys), so that they occur in managedFields. The others
	// identify the items of lists that are owned as a whole, and never stand in a
	// path: a path must not be resolved by them.
	IsDeclared bool
}

// MergeKeys are the merge keys of the lists in the kinds that templates hold, in the
// order in which to try them where the schema of a list is not known.
var MergeKeys = []MergeKey{
	{Fields: []string{"name"}, IsDeclared: true},
	{Fields: []string{"mountPath"}, IsDeclared: true},
	{Fields: []string{"devicePath"}, IsDeclared: true},
	{Fields: []string{"containerPort", "protocol"}, IsDeclared: true},
	{Fields: []string{"port", "protocol"}, IsDeclared: true},
	{Fields: []string{"topologyKey", "whenUnsatisfiable"}, IsDeclared: true},
	{Fields: []string{"topologyKey"}}, // terms of pod affinity
	{Fields: []string{"ip"}, IsDeclared: true},
	{Fields: []string{"host"}},             // rules of an Ingress
	{Fields: []string{"path", "pathType"}}, // paths of an Ingress
	{Fields: []string{"path"}},             // files of a volume
	{Fields: []string{"key"}, IsDeclared: true},
	{Fields: []string{"secretName"}, IsDeclared: true},
	{Fields: []string{"type"}, IsDeclared: true},
	{Fields: []string{"uid"}, IsDeclared: true},
	{Fields: []string{"resourceName"}, IsDeclared: true},
}

// elementOf returns how managedFields name an item of a list by this key; false where
// the item lacks one of its fields.
func (k MergeKey) elementOf(item map[string]any) (fieldpath.PathElement, bool) {
	fields := make(value.FieldList, 0, len(k.Fields))
	for _, name := range k.Fields {
		v, ok := item[name]
		if !ok {
			return fieldpath.PathElement{}, false
		}
		fields = append(fields, value.Field{Name: name, Value: value.NewValueInterface(v)})
	}
	return fieldpath.PathElement{Key: &fields}, true
}

// isMergeKey reports whether a path is that of a merge key of the list item in which
// the field stands.
func isMergeKey(path fieldpath.Path) bool {
	if len(path) < 2 {
		return false
	}
	item, field := path[len(path)-2], path[len(path)-1]
	return item.Key != nil && field.FieldName != nil &&
		slices.ContainsFunc(*item.Key, func(key value.Field) bool { return key.Name == *field.FieldName })
}

// mergeKeysOf returns the paths of the merge keys of the list item at a path.
func mergeKeysOf(item fieldpath.Path) []fieldpath.Path {
	last := item[len(item)-1]
	if last.Key == nil {
		return nil
	}
	keys := make([]fieldpath.Path, 0, len(*last.Key))
	for _, key := range *last.Key {
		keys = append(keys, append(item.Copy(), fieldpath.FieldNameElement(key.Name)))
	}
	return keys
}
