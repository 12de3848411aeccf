package mira

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// TemplateUnavailableError says that the template could not be read.
type TemplateUnavailableError struct {
	Source TemplateSource
	Err    error
}

func (e *TemplateUnavailableError) Error() string {
	return fmt.Sprintf("reading the client template (%s): %v", e.Source, e.Err)
}

func (e *TemplateUnavailableError) Unwrap() error { return e.Err }

// TemplateError says what is wrong with a template, or with a value for it. It wraps one
// or several [*template.Error].
type TemplateError struct {
	Source TemplateSource
	Err    error
}

func (e *TemplateError) Error() string { return fmt.Sprintf("%s: %v", e.Source, e.Err) }

func (e *TemplateError) Unwrap() error { return e.Err }

// RevisionError says that the template is not the one to which the client is pinned.
type RevisionError struct {
	Source        TemplateSource
	Pinned, Found string
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("%s has revision %s, and the client is pinned to %s", e.Source, e.Found, e.Pinned)
}

// NoWorkloadError says that a template has nothing that runs pods, for a client that has.
type NoWorkloadError struct {
	Source TemplateSource
	Client string
	Had    []kube.Ref // what runs its pods; at least one
}

func (e *NoWorkloadError) Error() string {
	return fmt.Sprintf("%s has no StatefulSet or other workload, and client %q runs in %s", e.Source, e.Client, e.Had[0])
}

// ForeignObjectError says that an object belongs to another client.
type ForeignObjectError struct {
	Ref   kube.Ref
	Owner string // the other client's name
}

func (e *ForeignObjectError) Error() string {
	return fmt.Sprintf("%s belongs to client %q", e.Ref, e.Owner)
}

// ClaimPolicyError says that a template asks Kubernetes to delete claims when their
// StatefulSet is deleted or shrinks, which the configuration does not allow.
type ClaimPolicyError struct {
	Ref    kube.Ref
	Policy string // whenDeleted or whenScaled
}

func (e *ClaimPolicyError) Error() string {
	return fmt.Sprintf("%s asks Kubernetes to delete its claims (spec.persistentVolumeClaimRetentionPolicy.%s is Delete)", e.Ref, e.Policy)
}

// DataReplacedError says that a client is to be replaced by itself, and that its data would
// be deleted on the way.
type DataReplacedError struct {
	Namespace, Name string
	Claims          []string
}

func (e *DataReplacedError) Error() string {
	return fmt.Sprintf("replacing client %q of namespace %q deletes its data, as delete_data is true in the state: PersistentVolumeClaim %s",
		e.Name, e.Namespace, strings.Join(e.Claims, ", "))
}

// ClaimsNotSafeError says that a live StatefulSet has Kubernetes delete its claims when it
// goes or shrinks, and that this could not be changed. The StatefulSet was left alone.
type ClaimsNotSafeError struct {
	Ref      kube.Ref
	Policies []string // whenDeleted, whenScaled; none where claims are left from such a policy
	Err      error
}

func (e *ClaimsNotSafeError) Error() string {
	policy := "an earlier spec.persistentVolumeClaimRetentionPolicy"
	if len(e.Policies) > 0 {
		policy = fmt.Sprintf("its live spec.persistentVolumeClaimRetentionPolicy (%s: Delete)", strings.Join(e.Policies, ", "))
	}
	return fmt.Sprintf("%s would take its claims with it, by %s, and that could not be prevented: %v", e.Ref, policy, e.Err)
}

func (e *ClaimsNotSafeError) Unwrap() error { return e.Err }

// SelectorError says that a StatefulSet's new selector does not match pods that it
// runs.
type SelectorError struct {
	Ref      kube.Ref
	Selector string   // the new one, as kubectl's --selector takes it
	Pods     []string // that would be lost
}

func (e *SelectorError) Error() string {
	return fmt.Sprintf("%s: the new spec.selector (%s) does not match the running pods %s", e.Ref, e.Selector, strings.Join(e.Pods, ", "))
}

// ClaimLostError says that a StatefulSet would not use the claims of a claim
// template any more.
type ClaimLostError struct {
	Ref      kube.Ref
	Template string
	Claims   []string
}

func (e *ClaimLostError) Error() string {
	return fmt.Sprintf("%s: spec.volumeClaimTemplates has no %q any more, whose claims hold data of the client: %s",
		e.Ref, e.Template, strings.Join(e.Claims, ", "))
}

// ClaimShrinksError says that a StatefulSet asks for less storage than claims
// have.
type ClaimShrinksError struct {
	Ref    kube.Ref
	Claims []*kube.Claim // at least one
	To     resource.Quantity
}

// Least is what the StatefulSet has to ask for.
func (e *ClaimShrinksError) Least() resource.Quantity {
	var least resource.Quantity
	for _, claim := range e.Claims {
		if claim.Requested.Cmp(least) > 0 {
			least = claim.Requested
		}
	}
	return least
}

func (e *ClaimShrinksError) Error() string {
	sizes := make([]string, 0, len(e.Claims))
	for _, claim := range e.Claims {
		sizes = append(sizes, fmt.Sprintf("%s has %s", claim.Name, claim.Requested.String()))
	}
	return fmt.Sprintf("%s: spec.volumeClaimTemplates asks for %s, and PersistentVolumeClaim %s",
		e.Ref, e.To.String(), strings.Join(sizes, ", "))
}

// ClaimGrowthError says that a claim may not grow.
type ClaimGrowthError struct {
	ClaimGrowth
	Err error
}

func (e *ClaimGrowthError) Error() string {
	return fmt.Sprintf("%s cannot grow from %s to %s: %v", e.Claim, e.From.String(), e.To.String(), e.Err)
}

func (e *ClaimGrowthError) Unwrap() error { return e.Err }

// OutdatedPlanError says that applying now would not give what was planned.
// Nothing was written.
type OutdatedPlanError struct {
	Changes []FieldChange
}

func (e *OutdatedPlanError) Error() string {
	lines := []string{"the result would differ from the plan:"}
	for _, change := range e.Changes {
		lines = append(lines, change.String())
	}
	return strings.Join(lines, "\n")
}

// PartialWriteError says that a write failed after others had been done.
type PartialWriteError struct {
	Written []kube.Ref // in the order they were written; still there
	Undone  []kube.Ref // created by this call and deleted again
	// Uncertain are the objects of which it is not known whether they were written, as the
	// server did not say and could not be asked.
	Uncertain []kube.Ref
	Err       error
}

func (e *PartialWriteError) Error() string { return e.Err.Error() }

func (e *PartialWriteError) Unwrap() error { return e.Err }

// RolloutError says that the objects are written but the new revision does not
// serve. It wraps what package rollout says about it.
type RolloutError struct {
	Err error
}

func (e *RolloutError) Error() string { return e.Err.Error() }

func (e *RolloutError) Unwrap() error { return e.Err }

// DuplicateClientError says that a client is declared more than once.
type DuplicateClientError struct {
	Namespace, Name string
}

func (e *DuplicateClientError) Error() string {
	return fmt.Sprintf("client %q of namespace %q is declared by more than one resource", e.Name, e.Namespace)
}

// RenamedClientError says that one resource deletes a client, and another one creates
// it in the same run.
type RenamedClientError struct {
	Namespace, Name string
}

func (e *RenamedClientError) Error() string {
	return fmt.Sprintf("client %q of namespace %q is destroyed by one resource and created by another", e.Name, e.Namespace)
}

// SharedClientError says that one resource deletes a client that another one keeps.
type SharedClientError struct {
	Namespace, Name string
}

func (e *SharedClientError) Error() string {
	return fmt.Sprintf("client %q of namespace %q is destroyed by one resource and kept by another", e.Name, e.Namespace)
}

// ExistingClientError says that an object of a client that is to be created exists, and
// that the settings do not allow to adopt it.
type ExistingClientError struct {
	Namespace, Name string
	Object          kube.Ref // the first that was found
	// IsLabelled: the object carries the client's label, so that a mira_client manages it.
	IsLabelled bool
}

func (e *ExistingClientError) Error() string {
	if e.IsLabelled {
		return fmt.Sprintf("%s exists and carries the label %s=%s, but this state does not have the client", e.Object, ClientLabel, e.Name)
	}
	return fmt.Sprintf("%s exists", e.Object)
}

// AnotherClusterError says that nothing recorded of a client is there, and that the
// cluster is not the one in which the client was recorded.
type AnotherClusterError struct {
	Namespace, Name string
	Recorded, Found string // identities of clusters
}

func (e *AnotherClusterError) Error() string {
	return fmt.Sprintf("none of the objects of client %q that the state has is in namespace %q of this cluster, "+
		"which is another cluster than the one in which they were written", e.Name, e.Namespace)
}

// NoSuchClientError says that no object of a client was found.
type NoSuchClientError struct {
	Namespace, Name string
	Missing         []kube.Ref // the objects that the template names; empty where that is not known
}

func (e *NoSuchClientError) Error() string {
	names := make([]string, 0, len(e.Missing))
	for _, ref := range e.Missing {
		names = append(names, ref.Key())
	}
	if len(names) == 0 {
		return fmt.Sprintf("namespace %q holds no object of client %q", e.Namespace, e.Name)
	}
	return fmt.Sprintf("namespace %q holds none of the objects of client %q: %s", e.Namespace, e.Name, strings.Join(names, ", "))
}

// NotBegunError says that an update was interrupted while it waited for its turn at the
// gate. Nothing was written.
type NotBegunError struct {
	Err error
}

func (e *NotBegunError) Error() string {
	reason := e.Err.Error()
	if errors.Is(e.Err, context.Canceled) {
		reason = "the run was interrupted"
	}
	return "its rollout had not begun, as others had to end first: " + reason
}

func (e *NotBegunError) Unwrap() error { return e.Err }

// RolledBackError says that a rollout failed, and what its roll back did.
type RolledBackError struct {
	// Err is why the rollout failed: a [*RolloutError].
	Err error
	// Restored are the objects that are again as they were.
	Restored []kube.Ref
	// Deleted are the objects that the apply had created.
	Deleted []kube.Ref
	// Grown are the claims that keep their new size.
	Grown []kube.Ref
	// Left are the objects that could not be restored or deleted, and why.
	Left []LeftError
	// Serving is why the former revision does not serve again; nil if it does.
	Serving error
	// OfCreate: the apply was to create the client, or to adopt it.
	OfCreate bool
}

// LeftError says why an object is still as the failed rollout left it.
type LeftError struct {
	Ref kube.Ref
	// Created: the apply had created it, so that it should have been deleted. Otherwise it
	// should have been restored.
	Created bool
	Err     error
}

func (e *LeftError) Error() string { return fmt.Sprintf("%s: %v", e.Ref, e.Err) }

func (e *LeftError) Unwrap() error { return e.Err }

func (e *RolledBackError) Error() string { return e.Err.Error() }

func (e *RolledBackError) Unwrap() error { return e.Err }

// IsComplete reports whether everything is again as it was.
func (e *RolledBackError) IsComplete() bool { return len(e.Left) == 0 && e.Serving == nil }

// refs names what there is of a client after the roll back of an update.
func (e *RolledBackError) refs(prior []kube.Ref) []kube.Ref {
	refs := slices.Clone(prior)
	for i, ref := range refs {
		if at := slices.IndexFunc(e.Restored, ref.SameObject); at >= 0 {
			refs[i] = e.Restored[at] // may have been recreated
		}
	}
	for _, left := range e.Left {
		refs = union(refs, []kube.Ref{left.Ref})
	}
	return refs
}
