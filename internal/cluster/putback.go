package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// PutBack takes a write of ours back: `before` is the object as it was, `written`
// as we left it. What we owned then has its former values and nothing beside them,
// and what we took from others has its values and goes back to them. What others
// have written since, and what they owned all along, stays. A StatefulSet whose
// immutable fields have changed is recreated around its pods once more.
//
// It gives the object as it is then. An object that somebody has deleted since is a
// [*NotFoundError].
func (c *Client) PutBack(ctx context.Context, before, written *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	former, err := c.formerly(before, written)
	if err != nil {
		return nil, err
	}
	var result *unstructured.Unstructured
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		live, err := c.Get(ctx, RefOf(written))
		if err != nil {
			return err
		}
		if live == nil || live.GetUID() != written.GetUID() {
			return &NotFoundError{Ref: RefOf(written)}
		}
		former.SetUID(live.GetUID())
		result, err = c.apply(ctx, former, metav1.ApplyOptions{Force: true})
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.IsImmutableField() {
			result, err = c.recreateFormer(ctx, former, live, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		entries, err := c.formerOwners(before, result)
		if err != nil || equality.Semantic.DeepEqual(entries, result.GetManagedFields()) {
			return err
		}
		patched, err := c.patchManagedFields(ctx, result, entries)
		if err == nil {
			result = patched
			return nil
		}
		if now, failed := c.Get(ctx, RefOf(result)); failed == nil && now != nil && now.GetUID() == result.GetUID() {
			result = now // a controller has written its status
		}
		return err
	})
	return result, err
}

// recreateFormer puts back what the server does not let change in place.
func (c *Client) recreateFormer(ctx context.Context, former, live *unstructured.Unstructured, refusal error) (*unstructured.Unstructured, error) {
	former.SetUID("")
	recreation, err := c.PlanRecreation(ctx, former, live, nil)
	switch {
	case err != nil:
		return nil, err
	case recreation == nil:
		return nil, refusal
	case recreation.InPlace != nil:
		return c.apply(ctx, recreation.InPlace, metav1.ApplyOptions{Force: true})
	}
	return c.Recreate(ctx, live, recreation)
}

// formerly gives what to apply to have an object as it was: all that we owned on it
// or own now, and what others have lost to us, with the values of then.
func (c *Client) formerly(before, written *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	set := c.ownedSet(before).Union(c.ownedSet(written))
	for _, entry := range before.GetManagedFields() {
		if entry.Subresource == "status" || c.isOurs(entry) {
			continue
		}
		set = set.Union(decodeSet(entry).Difference(fieldsOf(entry, written)))
	}
	content, ok := within(before.Object, set).(map[string]any)
	if !ok || len(content) == 0 {
		return nil, fmt.Errorf("%s: nothing is known of what it was", RefOf(written))
	}
	former := &unstructured.Unstructured{Object: content}
	former.SetGroupVersionKind(written.GroupVersionKind())
	former.SetNamespace(written.GetNamespace())
	former.SetName(written.GetName())
	if claims, found, _ := unstructured.NestedSlice(content, "spec", "volumeClaimTemplates"); found {
		_ = unstructured.SetNestedSlice(content, withoutStatus(claims), "spec", "volumeClaimTemplates")
	}
	return former, nil
}

// within gives a copy of what a set holds of a value. Items of lists keep their
// order: another one would be another pod template.
func within(value any, set *fieldpath.Set) any {
	part := func(value any, element fieldpath.PathElement) (any, bool) {
		if below, ok := set.Children.Get(element); ok {
			return within(value, below), true
		}
		return runtime.DeepCopyJSONValue(value), set.Members.Has(element)
	}
	switch value := value.(type) {
	case map[string]any:
		content := make(map[string]any)
		for name, field := range value {
			if kept, ok := part(field, fieldpath.FieldNameElement(name)); ok {
				content[name] = kept
			}
		}
		return content
	case []any:
		var elements []fieldpath.PathElement
		set.Members.Iterate(func(element fieldpath.PathElement) { elements = append(elements, element) })
		set.Children.Iterate(func(element fieldpath.PathElement) { elements = append(elements, element) })
		content := []any{}
		for _, item := range value {
			at := slices.IndexFunc(elements, func(element fieldpath.PathElement) bool {
				_, ok := descend([]any{item}, element)
				return ok
			})
			if at < 0 {
				continue
			}
			kept, _ := part(item, elements[at])
			if fields, ok := kept.(map[string]any); ok && elements[at].Key != nil {
				for _, key := range *elements[at].Key {
					fields[key.Name] = key.Value.Unstructured()
				}
			}
			content = append(content, kept)
		}
		return content
	}
	return runtime.DeepCopyJSONValue(value)
}

// formerOwners gives the managedFields of an object that has been put back: ours as
// they were, and to others what they had lost.
func (c *Client) formerOwners(before, result *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, error) {
	var entries []metav1.ManagedFieldsEntry
	for _, entry := range result.GetManagedFields() {
		if !c.isOurs(entry) {
			entries = append(entries, entry)
		}
	}
	for _, entry := range before.GetManagedFields() {
		if entry.Subresource == "status" {
			continue // its writer has written it anew
		}
		at := indexOf(entries, entry)
		if at < 0 {
			entries = append(entries, entry)
			continue
		}
		both := decodeSet(entries[at]).Union(decodeSet(entry))
		if both.Equals(decodeSet(entries[at])) {
			continue
		}
		fields, err := both.ToJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", RefOf(result), err)
		}
		entries[at].FieldsV1 = metav1.NewFieldsV1(string(fields))
	}
	return entries, nil
}

// fieldsOf gives the fields that the manager of an entry owns on another copy of the
// object.
func fieldsOf(entry metav1.ManagedFieldsEntry, object *unstructured.Unstructured) *fieldpath.Set {
	entries := object.GetManagedFields()
	if at := indexOf(entries, entry); at >= 0 {
		return decodeSet(entries[at])
	}
	return &fieldpath.Set{}
}

// indexOf finds the entry of the same manager, by the same kind of write; -1 when
// there is none.
func indexOf(entries []metav1.ManagedFieldsEntry, like metav1.ManagedFieldsEntry) int {
	for i, entry := range entries {
		if entry.Manager == like.Manager && entry.Operation == like.Operation && entry.Subresource == like.Subresource && entry.APIVersion == like.APIVersion {
			return i
		}
	}
	return -1
}
