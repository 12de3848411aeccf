package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// isFormerManager tells whether a manager wrote clients before this provider did:
// the Django controller (the Kubernetes Python client calls itself
// OpenAPI-Generator), people with kubectl, and whoever wrote an object before
// managers were recorded. What they own becomes ours at adoption, so that a field
// that a later template drops goes from the live object, too.
//
// kubectl-rollout is left out on purpose: all it owns is the restartedAt
// annotation of pod templates, and taking that away would restart the pods.
func isFormerManager(manager string) bool {
	switch manager {
	case "OpenAPI-Generator", "before-first-apply", "kubectl":
		return true
	case "kubectl-rollout":
		return false
	}
	return strings.HasPrefix(manager, "kubectl-")
}

func (c *Client) isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == c.manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

// isFormerName tells whether an entry is of this provider under another name: the
// one that it had by default, or any under which somebody applied the owner's
// label. An update under our own name is the first half of a recreation.
func (c *Client) isFormerName(entry metav1.ManagedFieldsEntry) bool {
	switch {
	case entry.Subresource != "" || c.isOurs(entry):
		return false
	case entry.Manager == c.manager || entry.Manager == DefaultFieldManager:
		return true
	}
	return c.ownerLabel != "" && entry.Operation == metav1.ManagedFieldsOperationApply &&
		decodeSet(entry).Has(fieldpath.MakePathOrDie("metadata", "labels", c.ownerLabel))
}

// isFormer tells whether an entry is of a former manager, or of a former name.
func (c *Client) isFormer(entry metav1.ManagedFieldsEntry) bool {
	return c.isFormerName(entry) || entry.Subresource == "" && isFormerManager(entry.Manager) && !c.isOurs(entry)
}

// Applied tells whether our field manager has ever applied the live object.
func (c *Client) Applied(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), c.isOurs)
}

// Adopted tells whether the live object was applied by us, also under a former
// name: former managers have nothing left on it but what they wrote since.
func (c *Client) Adopted(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return c.isOurs(entry) || c.isFormerName(entry)
	})
}

// setOf gives the fields of all entries that a predicate holds for.
func setOf(live *unstructured.Unstructured, which func(metav1.ManagedFieldsEntry) bool) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if which(entry) {
			set = set.Union(decodeSet(entry))
		}
	}
	return set
}

// decodeSet reads the fields of an entry. One that cannot be read counts as
// empty, as in csaupgrade: the server wrote it, and it owns nothing we can name.
func decodeSet(entry metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := &fieldpath.Set{}
	if entry.FieldsV1 == nil {
		return set
	}
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return &fieldpath.Set{}
	}
	return set
}

// Taken gives the fields that applying takes from other managers because it
// changes their values, in the order of their paths. `result` is the dry run of
// our apply. Former managers of an object that is not adopted yet do not count:
// all of theirs is taken.
func (c *Client) Taken(live, result *unstructured.Unstructured) []FieldOwner {
	ours := c.Owned(result)
	adopted := c.Adopted(live)
	var taken []FieldOwner
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) || c.isFormerName(entry) || entry.Subresource == "status" || !adopted && isFormerManager(entry.Manager) {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			wanted, isOurs := ours[path]
			if has, ok := valueAt(live, at); ok && isOurs && has != wanted {
				taken = append(taken, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	return sortedOwners(taken)
}

// Staying gives those of the fields that an apply drops which stay on the object
// all the same, as a manager that is not a former one owns them, too. `result` is
// the dry run of our apply.
func (c *Client) Staying(live, result *unstructured.Unstructured, dropped []string) []FieldOwner {
	var staying []FieldOwner
	for _, path := range dropped {
		at, ok := resolvePath(result.Object, path)
		if !ok {
			continue
		}
		for _, entry := range live.GetManagedFields() {
			if c.isOurs(entry) || c.isFormer(entry) || !decodeSet(entry).Has(at) {
				continue
			}
			manager := entry.Manager
			if entry.Subresource != "" {
				manager += " (" + entry.Subresource + ")"
			}
			staying = append(staying, FieldOwner{Field: path, Manager: manager})
		}
	}
	return sortedOwners(staying)
}

// OnlyOwners tells whether an apply, of which `result` is the dry run, would change
// nothing on a live object but who owns what, in a way that nobody would notice:
// no value changes, nobody is adopted, and no field that others own, too, is left to
// them.
func (c *Client) OnlyOwners(live, result *unstructured.Unstructured, recorded Fields) bool {
	if !c.Applied(live) || live.GetDeletionTimestamp() != nil || !sameContent(live, result) {
		return false
	}
	entries, err := c.migrated(live, result, recorded)
	if err != nil || !equality.Semantic.DeepEqual(entries, live.GetManagedFields()) {
		return false
	}
	// What others own, too, would not go with us later, or not come with us now.
	changing := c.dropped(live, result, recorded).Union(c.ownedSet(result).Difference(c.ownedSet(live)))
	others := setOf(live, func(entry metav1.ManagedFieldsEntry) bool { return !c.isOurs(entry) })
	return changing.Leaves().Intersection(others).Empty()
}

// sameContent compares objects without what the server notes about them.
func sameContent(a, b *unstructured.Unstructured) bool {
	a, b = a.DeepCopy(), b.DeepCopy()
	for _, object := range []*unstructured.Unstructured{a, b} {
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		object.SetGeneration(0)
		delete(object.Object, "status")
	}
	return equality.Semantic.DeepEqual(a.Object, b.Object)
}

func sortedOwners(owners []FieldOwner) []FieldOwner {
	slices.SortFunc(owners, func(a, b FieldOwner) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Manager, b.Manager))
	})
	return slices.Compact(owners)
}

// Adopt makes the fields that former managers own on a live object ours, without
// changing any of them, so that the apply that follows really drops those that it
// does not have. On an object that is adopted already, people with kubectl keep
// what they added since; they only lose the fields that the apply drops: those of
// `result`, its dry run, and of what was recorded of the object.
//
// The patch is bound to the object's resourceVersion: if the object changed in the
// meantime the server answers with a conflict. It returns the object after the
// change; an object that needs none comes back as it is.
func (c *Client) Adopt(ctx context.Context, live, result *unstructured.Unstructured, recorded Fields) (*unstructured.Unstructured, error) {
	entries, err := c.migrated(live, result, recorded)
	if err != nil || equality.Semantic.DeepEqual(entries, live.GetManagedFields()) {
		return live, err
	}
	return c.patchManagedFields(ctx, live, entries)
}

// migrated gives the managedFields of an object after its adoption.
func (c *Client) migrated(live, result *unstructured.Unstructured, recorded Fields) ([]metav1.ManagedFieldsEntry, error) {
	adopted := c.Adopted(live)
	dropped := c.dropped(live, result, recorded)
	taken := &fieldpath.Set{}
	names := sets.New[string]()
	var entries []metav1.ManagedFieldsEntry
	for _, entry := range live.GetManagedFields() {
		switch {
		case c.isFormerName(entry), !adopted && c.isFormer(entry):
			// csaupgrade merges updates. An apply goes by a name of its own, as it
			// merges one entry of each name only.
			if entry.Operation == metav1.ManagedFieldsOperationApply {
				entry.Operation = metav1.ManagedFieldsOperationUpdate
				entry.Manager += " (apply)"
			}
			names.Insert(entry.Manager)
		case adopted && c.isFormer(entry):
			taken = taken.Union(decodeSet(entry).Intersection(dropped))
			left, err := reduced(entry, dropped)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", RefOf(live), err)
			}
			if left == nil {
				continue
			}
			entry = *left
		}
		entries = append(entries, entry)
	}
	if len(names) == 0 && taken.Empty() {
		return live.GetManagedFields(), nil
	}
	upgraded := &unstructured.Unstructured{Object: map[string]any{}}
	upgraded.SetManagedFields(entries)
	if err := csaupgrade.UpgradeManagedFields(upgraded, names, c.manager); err != nil {
		return nil, fmt.Errorf("%s: %w", RefOf(live), err)
	}
	entries = upgraded.GetManagedFields()
	for i := range entries {
		if !c.isOurs(entries[i]) {
			continue
		}
		// What an apply drops must have been ours to go.
		fields, err := decodeSet(entries[i]).Union(taken).ToJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", RefOf(live), err)
		}
		entries[i].FieldsV1 = metav1.NewFieldsV1(string(fields))
	}
	return entries, nil
}

// dropped gives the fields that an apply gives up: of those that we own, and of
// those that we are recorded to have owned before somebody else took them.
func (c *Client) dropped(live, result *unstructured.Unstructured, recorded Fields) *fieldpath.Set {
	kept := prefixes(c.ownedSet(result))
	dropped := c.ownedSet(live).Difference(c.ownedSet(result))
	for path := range recorded {
		at, ok := resolvePath(live.Object, path)
		if !ok {
			continue
		}
		for end := range at {
			part := at[:end+1]
			if kept[FormatPath(part)] {
				continue
			}
			dropped.Insert(part.Copy())
			for _, key := range mergeKeysOf(part) {
				dropped.Insert(key) // which are not recorded
			}
		}
	}
	return dropped
}

// prefixes gives all paths of a set, and those on the way to them.
func prefixes(set *fieldpath.Set) map[string]bool {
	found := make(map[string]bool)
	for path := range set.All() {
		for end := range path {
			found[FormatPath(path[:end+1])] = true
		}
	}
	return found
}

// reduced gives an entry without some of its fields; nil when none is left.
func reduced(entry metav1.ManagedFieldsEntry, dropped *fieldpath.Set) (*metav1.ManagedFieldsEntry, error) {
	set := decodeSet(entry)
	left := set.Difference(dropped)
	switch {
	case left.Equals(set):
		return &entry, nil
	case left.Empty():
		return nil, nil
	}
	fields, err := left.ToJSON()
	if err != nil {
		return nil, err
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(fields))
	return &entry, nil
}

// patchManagedFields writes who owns what, and nothing else.
func (c *Client) patchManagedFields(ctx context.Context, live *unstructured.Unstructured, entries []metav1.ManagedFieldsEntry) (*unstructured.Unstructured, error) {
	// A resourceVersion that is replaced by an old one is a conflict, where a
	// failing "test" would be an invalid request.
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
	if err != nil {
		return nil, err
	}
	ref := RefOf(live)
	resource, err := c.written(ref)
	if err != nil {
		return nil, err
	}
	patched, err := resource.Patch(ctx, ref.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: c.manager})
	if err != nil {
		return nil, c.classify("adopt", ref, err)
	}
	return patched, nil
}
