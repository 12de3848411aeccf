package managedfields

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// names tell the entries of this provider in managedFields from those of others.
type names struct {
	name       string // under which the provider applies
	ownerLabel string // of every object that it has applied
}

// Name returns the name under which the provider applies.
func (n names) Name() string { return n.name }

// OwnerLabel returns the label that every applied object carries.
func (n names) OwnerLabel() string { return n.ownerLabel }

// isFormerManager reports whether a manager wrote clients before this provider did:
// the Django controller (the Kubernetes Python client calls itself
// OpenAPI-Generator), people with kubectl, and whoever wrote an object before
// managers were recorded. What they own becomes ours at adoption, so that a field
// that a later template drops goes from the live object, too.
//
// kubectl-rollout is left out on purpose: all it owns is the restartedAt
// annotation of pod templates, and removing that would restart the pods.
func isFormerManager(manager string) bool {
	switch manager {
	case "OpenAPI-Generator", "before-first-apply", "kubectl":
		return true
	case "kubectl-rollout":
		return false
	}
	return strings.HasPrefix(manager, "kubectl-")
}

func (n names) isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == n.name && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

// isFormerName reports whether an entry is of this provider under another name: the
// default name, or any name under which the owner label was applied. An update
// under our own name is the first half of a recreation.
func (n names) isFormerName(entry metav1.ManagedFieldsEntry) bool {
	switch {
	case entry.Subresource != "" || n.isOurs(entry):
		return false
	case entry.Manager == n.name || entry.Manager == DefaultName:
		return true
	}
	return n.ownerLabel != "" && entry.Operation == metav1.ManagedFieldsOperationApply &&
		decodeSet(entry).Has(fieldpath.MakePathOrDie("metadata", "labels", n.ownerLabel))
}

// isFormer reports whether an entry is of a former manager, or of a former name.
func (n names) isFormer(entry metav1.ManagedFieldsEntry) bool {
	return n.isFormerName(entry) || entry.Subresource == "" && isFormerManager(entry.Manager) && !n.isOurs(entry)
}

// endsWithAdoption reports whether the fields of an entry of a live object all
// become ours when that object is adopted.
func (n names) endsWithAdoption(entry metav1.ManagedFieldsEntry, isAdopted bool) bool {
	return n.isFormerName(entry) || !isAdopted && n.isFormer(entry)
}
