package managedfields

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// dataField is where a ConfigMap has its texts.
const dataField = "data"

func dataKey(key string) fieldpath.Path { return fieldpath.MakePathOrDie(dataField, key) }

// OwnedDataKeys returns the keys of the data of a live ConfigMap that we have applied,
// sorted. An apply that leaves one of them out deletes it.
func (m *Manager) OwnedDataKeys(live *unstructured.Unstructured) []string {
	data, _, _ := unstructured.NestedMap(live.Object, dataField)
	owned := m.ownedSet(live)
	var keys []string
	for key := range data {
		if owned.Has(dataKey(key)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// OwnDataKeyAlone reports whether we have applied a key of the data of a live ConfigMap, and
// no former manager owns it beside us.
func (m *Manager) OwnDataKeyAlone(live *unstructured.Unstructured, key string) bool {
	return m.ownedSet(live).Has(dataKey(key)) && !setOf(live, m.isFormer).Has(dataKey(key))
}

// DataKeyOwners returns the managers that own a key of the data of a live ConfigMap and are
// neither ours nor former ones, sorted.
func (m *Manager) DataKeyOwners(live *unstructured.Unstructured, key string) []string {
	var managers []string
	for _, entry := range live.GetManagedFields() {
		if !m.isOurs(entry) && !m.isFormer(entry) && decodeSet(entry).Has(dataKey(key)) {
			managers = append(managers, entry.Manager)
		}
	}
	slices.Sort(managers)
	return slices.Compact(managers)
}

// TakeDataKey returns the managedFields of a live ConfigMap once a key that former managers
// own is ours instead, so that a later apply of another text is no conflict with them. What
// they own beside it stays with them: other keys are other people's. False says that there
// is nothing to take.
func (m *Manager) TakeDataKey(live *unstructured.Unstructured, key string) ([]metav1.ManagedFieldsEntry, bool, error) {
	taken := fieldpath.NewSet(dataKey(key))
	var entries []metav1.ManagedFieldsEntry
	isTaken := false
	for _, entry := range live.GetManagedFields() {
		if !m.isFormer(entry) || !decodeSet(entry).Has(dataKey(key)) {
			entries = append(entries, entry)
			continue
		}
		isTaken = true
		left, err := reduced(entry, taken)
		if err != nil {
			return nil, false, err
		}
		if left != nil {
			entries = append(entries, *left)
		}
	}
	if !isTaken {
		return live.GetManagedFields(), false, nil
	}
	if !slices.ContainsFunc(entries, m.isOurs) {
		entries = append(entries, metav1.ManagedFieldsEntry{
			Manager: m.name, Operation: metav1.ManagedFieldsOperationApply, APIVersion: live.GetAPIVersion(), FieldsType: "FieldsV1",
		})
	}
	entries, err := m.owning(entries, taken)
	return entries, err == nil, err
}

// AreFormer reports whether all these managers of a live object are former ones.
func (m *Manager) AreFormer(live *unstructured.Unstructured, managers []string) bool {
	former := make(map[string]bool)
	for _, entry := range live.GetManagedFields() {
		if m.isFormer(entry) {
			former[entry.Manager] = true
		}
	}
	return !slices.ContainsFunc(managers, func(manager string) bool { return !former[manager] })
}
