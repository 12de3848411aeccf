package managedfields

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// DefaultName is the name under which the provider applies, unless the
// configuration names another one.
const DefaultName = "terraform-provider-mira"

// RestartName is the field manager of a restart, whatever the provider's own is called. It
// owns the annotation of the restart alone, by an update. The name differs from ours, so
// that our next apply, which knows nothing of the annotation, does not remove it: that would
// restart the pods once more. It differs from kubectl's, so that a restart that was cut short
// is known to be ours.
const RestartName = DefaultName + "-restart"

// RestartAnnotation is the annotation of a pod template whose change restarts the pods. It is
// that of `kubectl rollout restart`, so that one restart takes the place of the other.
const RestartAnnotation = "kubectl.kubernetes.io/restartedAt"

// identity is who we are in managedFields. It tells what this provider has written from
// what others have.
type identity struct {
	name       string // under which the provider applies
	ownerLabel string // of every object that it has applied
}

// Name returns the name under which the provider applies.
func (id identity) Name() string { return id.name }

// OwnerLabel returns the label that every applied object carries.
func (id identity) OwnerLabel() string { return id.ownerLabel }

// isFormerManager reports whether a manager wrote clients before this provider did:
//
//   - the Django controller: the Kubernetes Python client calls itself OpenAPI-Generator;
//   - people with kubectl;
//   - Terraform's other ways: kubernetes_manifest applies as Terraform; kubectl_manifest and
//     the typed kubernetes_* resources update as HashiCorp, the begin of their user agent, and
//     kubectl_manifest applies as kubectl; helm_release writes under the name of its
//     plugin's file, such as terraform-provider-helm_v2.17.0_x5, and helm itself as helm;
//   - whoever wrote an object before managers were recorded.
//
// What they own becomes ours at adoption, so that a field that a later template drops goes
// from the live object, too.
//
// kubectl-rollout is left out on purpose: all it owns is the restartedAt
// annotation of pod templates, and removing that would restart the pods.
func isFormerManager(manager string) bool {
	switch manager {
	case "OpenAPI-Generator", "before-first-apply", "kubectl", "Terraform", "HashiCorp", "helm":
		return true
	case "kubectl-rollout":
		return false
	}
	return strings.HasPrefix(manager, "kubectl-") || strings.HasPrefix(manager, "terraform-provider-helm")
}

func (id identity) isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == id.name && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

// isFormerName reports whether an entry is of this provider under another name: the
// default name, or any name under which the owner label was applied. An update
// under our own name is the first half of a recreation.
func (id identity) isFormerName(entry metav1.ManagedFieldsEntry) bool {
	switch {
	case entry.Subresource != "" || id.isOurs(entry) || isRestart(entry):
		return false
	case entry.Manager == id.name || entry.Manager == DefaultName:
		return true
	}
	return id.ownerLabel != "" && entry.Operation == metav1.ManagedFieldsOperationApply &&
		decodeSet(entry).Has(fieldpath.MakePathOrDie("metadata", "labels", id.ownerLabel))
}

// isRestart reports whether an entry is what a restart leaves.
func isRestart(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == RestartName && entry.Operation == metav1.ManagedFieldsOperationUpdate
}

// isFormer reports whether an entry is of a former manager, or of a former name.
func (id identity) isFormer(entry metav1.ManagedFieldsEntry) bool {
	return id.isFormerName(entry) || entry.Subresource == "" && isFormerManager(entry.Manager) && !id.isOurs(entry)
}

// endsWithAdoption reports whether the fields of an entry of a live object all
// become ours when that object is adopted.
func (id identity) endsWithAdoption(entry metav1.ManagedFieldsEntry, isAdopted bool) bool {
	return id.isFormerName(entry) || !isAdopted && id.isFormer(entry)
}

// Applied reports whether our field manager has ever applied the live object.
func (id identity) Applied(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), id.isOurs)
}

// Adopted reports whether the live object was applied by us, also under a former
// name: former managers have nothing left on it but what they wrote since.
func (id identity) Adopted(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return id.isOurs(entry) || id.isFormerName(entry)
	})
}

// AllEndWithAdoption reports whether adopting a live object takes over the fields of all
// these managers, so that a conflict with them does not matter.
func (id identity) AllEndWithAdoption(live *unstructured.Unstructured, managers []string) bool {
	isAdopted := id.Adopted(live)
	ends := make(map[string]bool)
	for _, entry := range live.GetManagedFields() {
		if id.endsWithAdoption(entry, isAdopted) {
			ends[entry.Manager] = true
		}
	}
	return !slices.ContainsFunc(managers, func(manager string) bool { return !ends[manager] })
}

// WroteLast reports whether no other manager has changed the spec of a live object since our last
// change, which may be a restart. The times of the managed fields count seconds: of two changes within one, ours
// does not count as the last.
func (id identity) WroteLast(live *unstructured.Unstructured) bool {
	var ours, others time.Time
	for _, entry := range live.GetManagedFields() {
		switch {
		case entry.Time == nil || entry.Subresource != "":
		case entry.Manager == id.name || isRestart(entry):
			ours = later(ours, entry.Time.Time)
		default:
			others = later(others, entry.Time.Time)
		}
	}
	return ours.After(others)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// WroteAlone reports whether no manager but ours, by an update, has written an
// object. Writers of the status do not count.
func (id identity) WroteAlone(object *unstructured.Unstructured) bool {
	return !slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Subresource != statusSubresource && (entry.Manager != id.name || entry.Operation != metav1.ManagedFieldsOperationUpdate)
	})
}

// IsHalfRecreated reports whether a live object was created again after its deletion, and
// its fields were not given to their owners: all are ours by an update.
func (id identity) IsHalfRecreated(live *unstructured.Unstructured) bool {
	return !id.Applied(live) && slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == id.name && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
	})
}

// OthersOwn reports whether another manager, and not one that ends with the adoption, owns
// a field of a live object.
func (id identity) OthersOwn(live *unstructured.Unstructured, path string) bool {
	at, ok := resolvePath(live.Object, path)
	isAdopted := id.Adopted(live)
	return ok && setOf(live, func(entry metav1.ManagedFieldsEntry) bool {
		return !id.isOurs(entry) && !id.endsWithAdoption(entry, isAdopted)
	}).Has(at)
}

// ourEntries reads our entries only: GetManagedFields copies and converts all of
// them, which every plan would pay for every object.
func (id identity) ourEntries(live *unstructured.Unstructured) []ourEntry {
	field, _, _ := unstructured.NestedFieldNoCopy(live.Object, "metadata", "managedFields")
	entries, _ := field.([]any)
	var ours []ourEntry
	for _, entry := range entries {
		values, _ := entry.(map[string]any)
		text := func(name string) string {
			value, _ := values[name].(string)
			return value
		}
		isOurs := id.isOurs(metav1.ManagedFieldsEntry{
			Manager: text("manager"), Operation: metav1.ManagedFieldsOperationType(text("operation")), Subresource: text("subresource"),
		})
		if !isOurs {
			continue
		}
		fields, err := json.Marshal(values["fieldsV1"])
		if err != nil {
			continue // it came as JSON
		}
		ours = append(ours, ourEntry{apiVersion: text("apiVersion"), fields: fields})
	}
	return ours
}

// owning adds fields to our entries. It changes the entries that it is given, and returns
// them.
func (id identity) owning(entries []metav1.ManagedFieldsEntry, fields *fieldpath.Set) ([]metav1.ManagedFieldsEntry, error) {
	for i, entry := range entries {
		if !id.isOurs(entry) {
			continue
		}
		var err error
		if entries[i], err = withSet(entry, decodeSet(entry).Union(fields)); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
