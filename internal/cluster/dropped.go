package cluster

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
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
	if c.Applied(live) {
		return nil, nil
	}
	going, err := c.orphaned(live, result, nil)
	if err != nil || len(going) == 0 {
		return nil, err
	}
	body := result.DeepCopy()
	withoutAll(body, going)
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	after, err := c.dryRunUpdate(ctx, resource, body, live)
	if err != nil {
		return nil, err
	}
	ours := leaves(c.ownedSet(result))
	dropped := make(Fields)
	former := leaves(setOf(live, c.isFormer))
	for path, at := range former {
		if _, isOurs := ours[path]; isOurs {
			continue
		}
		before, had := valueAt(live, at)
		now, has := valueAt(after, at)
		if had && (!has || before != now) {
			dropped[path] = before
		}
	}
	return lean(dropped, former), nil
}

// dryRunUpdate has the server make of a live object what it would of an update. A
// controller that writes its status at the same moment is no reason to fail.
func (c *Client) dryRunUpdate(ctx context.Context, resource dynamic.ResourceInterface, body, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	body.SetManagedFields(nil)
	// Without a resourceVersion the server takes the newest. Custom resources need
	// one, and have to be tried again where it is old by now.
	body.SetResourceVersion("")
	var after *unstructured.Unstructured
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var err error
		after, err = resource.Update(ctx, body, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.manager})
		if needsVersion(err) || apierrors.IsConflict(err) {
			now, failed := resource.Get(ctx, body.GetName(), metav1.GetOptions{})
			if failed != nil {
				return failed
			}
			body.SetResourceVersion(now.GetResourceVersion())
			after, err = resource.Update(ctx, body, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.manager})
		}
		return err
	})
	if err != nil {
		return nil, c.classify("update", RefOf(live), err)
	}
	return after, nil
}

func needsVersion(err error) bool {
	var status *apierrors.StatusError
	return apierrors.IsInvalid(err) && errors.As(err, &status) && status.ErrStatus.Details != nil &&
		slices.ContainsFunc(status.ErrStatus.Details.Causes, func(cause metav1.StatusCause) bool { return cause.Field == "metadata.resourceVersion" })
}

// orphaned gives the paths of former managers that nobody applies or owns any more
// once the object is adopted and `result`, the dry run of our apply, is stored.
func (c *Client) orphaned(live, result *unstructured.Unstructured, recorded Fields) ([]fieldpath.Path, error) {
	entries, err := c.migrated(live, result, recorded)
	if err != nil {
		return nil, err
	}
	keep := c.ownedSet(result)
	for _, entry := range entries {
		if entry.Subresource == "" && !c.isOurs(entry) {
			keep = keep.Union(decodeSet(entry))
		}
	}
	kept := prefixes(keep)
	return goingPaths(setOf(live, c.isFormer), kept), nil
}

// goingPaths gives the paths of a set that are not kept. A struct goes with its last
// field, whatever defaults it holds beside: the set names no structs.
func goingPaths(set *fieldpath.Set, kept map[string]bool) []fieldpath.Path {
	var going []fieldpath.Path
	for path := range set.All() {
		for end := range path {
			// The metadata stay: the name is in no set.
			if part := path[:end+1]; !kept[FormatPath(part)] && FormatPath(part) != "metadata" {
				going = append(going, part.Copy())
			}
		}
	}
	return going
}

func withoutAll(object *unstructured.Unstructured, paths []fieldpath.Path) {
	for _, path := range paths {
		without(object.Object, path)
	}
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
