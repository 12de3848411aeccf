package managedfields

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// FieldOwner is a field, as [Fields] writes its path, and a manager that owns it.
type FieldOwner struct {
	Field   string
	Manager string
}

// Adoption is what an apply does to the ownership of a live object: it takes over
// what former managers own, and drops what it does not have.
type Adoption struct {
	manager  *Manager
	live     *unstructured.Unstructured
	result   *unstructured.Unstructured
	recorded Fields
	claimed  *fieldpath.Set // nil for none; see Claiming
}

// Adoption returns what an apply, of which `result` is the dry run, does to the
// ownership of a live object. `recorded` are the fields that we are recorded to own;
// others may have taken them since.
func (m *Manager) Adoption(live, result *unstructured.Unstructured, recorded Fields) Adoption {
	return Adoption{manager: m, live: live, result: result, recorded: recorded}
}

// Claiming returns the adoption that takes some fields from whoever owns them, or from
// nobody, so that the apply that follows removes them.
func (a Adoption) Claiming(fields Leftovers) Adoption {
	a.claimed = nil
	if len(fields) > 0 {
		a.claimed = fields.set(a.live)
	}
	return a
}

// FieldsTaken returns the fields that the apply takes from other managers because
// it changes their values, in the order of their paths. Former managers of an
// object that is not adopted yet do not count: all of theirs is taken.
func (a Adoption) FieldsTaken() []FieldOwner {
	ours := a.manager.Owned(a.result)
	isAdopted := a.manager.Adopted(a.live)
	var taken []FieldOwner
	for _, entry := range a.live.GetManagedFields() {
		isOursAnyway := a.manager.isOurs(entry) || a.manager.isFormerName(entry) || !isAdopted && isFormerManager(entry.Manager)
		if isOursAnyway || entry.Subresource == statusSubresource {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			wanted, isOurs := ours[path]
			if has, ok := a.manager.valueAt(a.live, at); ok && isOurs && has != wanted {
				taken = append(taken, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	return sortedOwners(taken)
}

// FieldsShared returns, of the fields that the apply drops, those that stay on the object
// all the same, because a manager that is not a former one owns them, too.
func (a Adoption) FieldsShared(dropped []string) []FieldOwner {
	var shared []FieldOwner
	for _, path := range dropped {
		at, ok := resolvePath(a.result.Object, path)
		if !ok {
			continue
		}
		for _, entry := range a.live.GetManagedFields() {
			if a.manager.isOurs(entry) || a.manager.isFormer(entry) || !decodeSet(entry).Has(at) {
				continue
			}
			manager := entry.Manager
			if entry.Subresource != "" {
				manager += " (" + entry.Subresource + ")"
			}
			shared = append(shared, FieldOwner{Field: path, Manager: manager})
		}
	}
	return sortedOwners(shared)
}

// OnlyOwnershipDiffers reports whether the apply would change nothing on the live object
// but who owns what, without any effect: no value changes, no manager is adopted, and
// no field that others own, too, is left to them.
func (a Adoption) OnlyOwnershipDiffers() bool {
	if !a.manager.Applied(a.live) || a.live.GetDeletionTimestamp() != nil || !sameContent(a.live, a.result) {
		return false
	}
	entries, err := a.Entries()
	if err != nil || !equality.Semantic.DeepEqual(entries, a.live.GetManagedFields()) {
		return false
	}
	// A field that others own, too, would not be removed when we drop it later, and is
	// not removed now.
	changing := a.dropped().Union(a.manager.ownedSet(a.result).Difference(a.manager.ownedSet(a.live)))
	others := setOf(a.live, func(entry metav1.ManagedFieldsEntry) bool { return !a.manager.isOurs(entry) })
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

// Entries returns the managedFields of the live object once it is adopted: the
// fields of former managers are ours, so that the apply that follows really drops
// those that it does not have. On an object that is adopted already, people with
// kubectl keep what they added since; they only lose the fields that the apply
// drops. The live object's own entries come back where adoption changes nothing.
//
// The error says that a set of fields could not be written as JSON.
func (a Adoption) Entries() ([]metav1.ManagedFieldsEntry, error) {
	isAdopted := a.manager.Adopted(a.live)
	dropped := a.dropped()
	taken := &fieldpath.Set{}
	names := sets.New[string]()
	var entries []metav1.ManagedFieldsEntry
	for _, entry := range a.live.GetManagedFields() {
		switch {
		case a.manager.endsWithAdoption(entry, isAdopted):
			// csaupgrade merges updates, and one entry of each name only: an apply
			// gets a name of its own.
			if entry.Operation == metav1.ManagedFieldsOperationApply {
				entry.Operation = metav1.ManagedFieldsOperationUpdate
				entry.Manager += " (apply)"
			}
			names.Insert(entry.Manager)
		case isAdopted && a.manager.isFormer(entry):
			taken = taken.Union(decodeSet(entry).Intersection(dropped))
			left, err := reduced(entry, dropped)
			if err != nil {
				return nil, err
			}
			if left == nil {
				continue
			}
			entry = *left
		}
		entries = append(entries, entry)
	}
	if a.claimed != nil {
		taken = taken.Union(a.claimed)
		var err error
		if entries, err = a.withoutClaimed(entries); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 && taken.Empty() {
		return a.live.GetManagedFields(), nil
	}
	return a.upgraded(entries, names, taken)
}

// withoutClaimed takes the claimed fields out of the entries of all managers but ours.
func (a Adoption) withoutClaimed(entries []metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, error) {
	if a.claimed == nil {
		return entries, nil
	}
	var left []metav1.ManagedFieldsEntry
	for _, entry := range entries {
		if a.manager.isOurs(entry) || entry.Subresource == statusSubresource {
			left = append(left, entry)
			continue
		}
		kept, err := reduced(entry, a.claimed)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			left = append(left, *kept)
		}
	}
	return left, nil
}

// upgraded merges the entries of former names into ours, and adds to ours what the
// apply drops: it must have been ours to go.
func (a Adoption) upgraded(
	entries []metav1.ManagedFieldsEntry, names sets.Set[string], dropped *fieldpath.Set,
) ([]metav1.ManagedFieldsEntry, error) {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetManagedFields(entries)
	if err := csaupgrade.UpgradeManagedFields(object, names, a.manager.name); err != nil {
		return nil, err
	}
	entries = object.GetManagedFields()
	if !dropped.Empty() && !slices.ContainsFunc(entries, a.manager.isOurs) {
		entries = append(entries, metav1.ManagedFieldsEntry{
			Manager: a.manager.name, Operation: metav1.ManagedFieldsOperationApply, APIVersion: a.live.GetAPIVersion(), FieldsType: "FieldsV1",
		})
	}
	return a.manager.owning(entries, dropped)
}

// dropped returns the fields that the apply drops: of those that we own, and of
// those that we are recorded to have owned before others took them.
func (a Adoption) dropped() *fieldpath.Set {
	kept := prefixes(a.manager.ownedSet(a.result))
	dropped := a.manager.ownedSet(a.live).Difference(a.manager.ownedSet(a.result))
	for path := range a.recorded {
		at, ok := resolvePath(a.live.Object, path)
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
				dropped.Insert(key) // merge keys are not recorded
			}
		}
	}
	return dropped
}

// Orphaned returns the paths of former managers that nobody applies or owns any
// more once the object is adopted and the result is stored. The error is that of
// [Adoption.Entries].
func (a Adoption) Orphaned() ([]fieldpath.Path, error) {
	entries, err := a.Entries()
	if err != nil {
		return nil, err
	}
	keep := a.manager.ownedSet(a.result)
	for _, entry := range entries {
		if entry.Subresource == "" && !a.manager.isOurs(entry) {
			keep = keep.Union(decodeSet(entry))
		}
	}
	return goingPaths(setOf(a.live, a.manager.isFormer), prefixes(keep)), nil
}

// Lost returns the fields of former managers, with their live values, that the
// object loses or has reset by its adoption. `after` is the object without the
// fields that [Adoption.Orphaned] names, as the server has defaulted it.
func (a Adoption) Lost(after *unstructured.Unstructured) Fields {
	ours := leaves(a.manager.ownedSet(a.result))
	former := leaves(setOf(a.live, a.manager.isFormer))
	lost := make(Fields)
	for path, at := range former {
		if _, isOurs := ours[path]; isOurs {
			continue
		}
		before, had := a.manager.valueAt(a.live, at)
		now, has := a.manager.valueAt(after, at)
		if had && (!has || before != now) {
			lost[path] = before
		}
	}
	return withoutMergeKeys(lost, former)
}

// EntriesOfRecreated returns the managedFields of an object that is deleted and
// created again: ours as in a first apply of all fields, which is `fresh`, and
// everybody else's as after our apply, which is the adoption's result.
func (a Adoption) EntriesOfRecreated(fresh *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, error) {
	var owners []metav1.ManagedFieldsEntry
	for _, entry := range fresh.GetManagedFields() {
		if a.manager.isOurs(entry) {
			owners = append(owners, entry)
		}
	}
	isAdopted := a.manager.Adopted(a.live)
	dropped := a.dropped()
	for _, entry := range a.result.GetManagedFields() {
		switch {
		case a.manager.isOurs(entry), a.manager.endsWithAdoption(entry, isAdopted), entry.Subresource == statusSubresource:
			continue
		case a.manager.isFormer(entry):
			left, err := reduced(entry, dropped)
			if err != nil {
				return nil, err
			}
			if left == nil {
				continue
			}
			entry = *left
		}
		owners = append(owners, entry)
	}
	return a.withoutClaimed(owners)
}
