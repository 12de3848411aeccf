package cluster

import (
	"cmp"
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// legacyManagers wrote clients before this provider did: the Django controller
// (the Kubernetes Python client calls itself OpenAPI-Generator) and people with
// kubectl. What they own becomes ours at adoption, so that a field that a later
// template drops goes from the live object, too.
//
// kubectl-rollout is left out on purpose: all it owns is the restartedAt
// annotation of pod templates, and taking that away would restart the pods.
var legacyManagers = sets.New(
	"OpenAPI-Generator",
	"kubectl",
	"kubectl-annotate",
	"kubectl-client-side-apply",
	"kubectl-create",
	"kubectl-edit",
	"kubectl-label",
	"kubectl-patch",
	"kubectl-replace",
	"kubectl-set",
)

// Adopted tells whether our field manager has ever applied the live object.
func (c *Client) Adopted(live *unstructured.Unstructured) bool {
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) {
			return true
		}
	}
	return false
}

func (c *Client) isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == c.manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

func (c *Client) ownedSet(live *unstructured.Unstructured) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) {
			set = set.Union(decodeSet(entry))
		}
	}
	return set
}

// legacySet is what adoption takes over.
func legacySet(live *unstructured.Unstructured) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if legacyManagers.Has(entry.Manager) && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" {
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
	var taken []FieldOwner
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) || entry.Subresource == "status" || !c.Adopted(live) && legacyManagers.Has(entry.Manager) {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			wanted, isOurs := ours[path]
			if has, ok := valueAt(live, at); ok && isOurs && has != wanted {
				taken = append(taken, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	slices.SortFunc(taken, func(a, b FieldOwner) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Manager, b.Manager))
	})
	return slices.Compact(taken)
}

// Adopt makes the fields that legacy managers own on a live object ours, without
// changing any of them. The patch is bound to the object's resourceVersion: if
// the object changed in the meantime the server answers with a conflict. It
// returns the object after the change; an object that needs none comes back as
// it is.
func (c *Client) Adopt(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if c.Adopted(live) {
		return live, nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, legacyManagers, c.manager)
	if err != nil || patch == nil {
		return live, err
	}
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	adopted, err := resource.Patch(ctx, ref.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: c.manager})
	if err != nil {
		return nil, c.classify("adopt", ref, err)
	}
	return adopted, nil
}
