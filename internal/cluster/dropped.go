package cluster

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Dropped gives the fields, with their live values, that an object loses or has
// reset when it is adopted: those that a former manager set and that we do not
// apply. `result` is the dry run of our apply.
//
// A former manager owns the server's defaults, too, as it wrote by POST. They go
// and come back with the same values, so they must not count. Only the server
// knows its defaults: it is asked by the dry run of an update without the
// fields.
func (c *Client) Dropped(ctx context.Context, live, result *unstructured.Unstructured) (Fields, error) {
	if c.Adopted(live) {
		return nil, nil
	}
	former := legacySet(live)
	going := c.orphaned(former, live, result)
	if len(going) == 0 {
		return nil, nil
	}
	body := result.DeepCopy()
	body.SetManagedFields(nil)
	body.SetResourceVersion(live.GetResourceVersion())
	for _, path := range going {
		without(body.Object, path)
	}
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	after, err := resource.Update(ctx, body, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.manager})
	if err != nil {
		return nil, c.classify("update", ref, err)
	}
	ours := leaves(c.ownedSet(result))
	dropped := make(Fields)
	for path, at := range leaves(former) {
		if _, isOurs := ours[path]; isOurs {
			continue
		}
		before, had := valueAt(live, at)
		now, has := valueAt(after, at)
		if had && (!has || before != now) {
			dropped[path] = before
		}
	}
	return dropped, nil
}

// orphaned gives the paths that nobody applies or owns once the former managers'
// fields are ours.
func (c *Client) orphaned(former *fieldpath.Set, live, result *unstructured.Unstructured) []fieldpath.Path {
	keep := c.ownedSet(result)
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource == "" && !legacyManagers.Has(entry.Manager) {
			keep = keep.Union(decodeSet(entry))
		}
	}
	kept := make(map[string]bool)
	for path := range keep.All() {
		for end := range path {
			kept[FormatPath(path[:end+1])] = true
		}
	}
	var going []fieldpath.Path
	for path := range former.All() {
		if !kept[FormatPath(path)] {
			going = append(going, path.Copy())
		}
	}
	return going
}

// without takes a field or a list item away; what is not there stays so.
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
		i := slices.IndexFunc(at, func(item any) bool {
			_, ok := descend([]any{item}, element)
			return ok
		})
		switch {
		case i < 0 || element.Index != nil:
		case len(rest) == 0:
			return slices.Delete(at, i, i+1)
		default:
			at[i] = without(at[i], rest)
		}
		return at
	}
	return at
}
