package managedfields

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// statusSubresource is how an entry is marked whose manager wrote the status.
const statusSubresource = "status"

// setOf returns the fields of all entries for which a predicate holds.
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

// withSet returns an entry with other fields.
func withSet(entry metav1.ManagedFieldsEntry, set *fieldpath.Set) (metav1.ManagedFieldsEntry, error) {
	fields, err := set.ToJSON()
	if err != nil {
		return entry, err
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(fields))
	return entry, nil
}

// reduced returns an entry without some of its fields; nil when none is left.
func reduced(entry metav1.ManagedFieldsEntry, dropped *fieldpath.Set) (*metav1.ManagedFieldsEntry, error) {
	set := decodeSet(entry)
	left := set.Difference(dropped)
	switch {
	case left.Equals(set):
		return &entry, nil
	case left.Empty():
		return nil, nil
	}
	entry, err := withSet(entry, left)
	return &entry, err
}

// fieldsOf returns the fields that the manager of an entry owns on another copy of the
// object.
func fieldsOf(entry metav1.ManagedFieldsEntry, object *unstructured.Unstructured) *fieldpath.Set {
	entries := object.GetManagedFields()
	if at := indexOf(entries, entry); at >= 0 {
		return decodeSet(entries[at])
	}
	return &fieldpath.Set{}
}

// indexOf returns the index of the entry of the same manager by the same kind of
// write; -1 when there is none.
func indexOf(entries []metav1.ManagedFieldsEntry, like metav1.ManagedFieldsEntry) int {
	for i, entry := range entries {
		if entry.Manager == like.Manager && entry.Operation == like.Operation &&
			entry.Subresource == like.Subresource && entry.APIVersion == like.APIVersion {
			return i
		}
	}
	return -1
}
