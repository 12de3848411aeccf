package mira

import (
	"fmt"
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

// TemplateError says what a template, or a value for it, does wrong. It wraps one
// or several *template.Error.
type TemplateError struct {
	Source TemplateSource
	Err    error
}

func (e *TemplateError) Error() string { return fmt.Sprintf("%s: %v", e.Source, e.Err) }

func (e *TemplateError) Unwrap() error { return e.Err }

// RevisionError says that the template is not the one that the client is pinned
// to.
type RevisionError struct {
	Source        TemplateSource
	Pinned, Found string
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("%s has revision %s, and the client is pinned to %s", e.Source, e.Found, e.Pinned)
}

// ForeignObjectError says that an object belongs to another client.
type ForeignObjectError struct {
	Ref   kube.Ref
	Owner string // the other client's name
}

func (e *ForeignObjectError) Error() string {
	return fmt.Sprintf("%s belongs to client %q", e.Ref, e.Owner)
}

// ClaimPolicyError says that deleting or scaling a StatefulSet would delete
// claims, which the configuration does not allow.
type ClaimPolicyError struct {
	Ref    kube.Ref
	Policy string // whenDeleted or whenScaled
	Live   bool   // the object in the cluster does so, not the template
}

func (e *ClaimPolicyError) Error() string {
	return fmt.Sprintf("%s asks Kubernetes to delete its claims (spec.%s.%s is Delete)", e.Ref, retentionPolicyKey, e.Policy)
}

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
	return fmt.Sprintf("%s: spec.volumeClaimTemplates has no %q any more, whose claims hold data of the client: %s", e.Ref, e.Template, strings.Join(e.Claims, ", "))
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
	return fmt.Sprintf("%s: spec.volumeClaimTemplates asks for %s, and PersistentVolumeClaim %s", e.Ref, e.To.String(), strings.Join(sizes, ", "))
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
	text := "the result would differ from the plan:"
	for _, change := range e.Changes {
		text += "\n" + change.String()
	}
	return text
}

// PartialWriteError says that a write failed after others had been done.
type PartialWriteError struct {
	Written []kube.Ref // in the order they were written; still there
	Undone  []kube.Ref // created by this call and deleted again
	Err     error
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
	return fmt.Sprintf("client %q of namespace %q was created by another resource in this run", e.Name, e.Namespace)
}

// NoSuchClientError says that no object of a client was found.
type NoSuchClientError struct {
	Namespace, Name string
	Looked          []kube.Ref
}

func (e *NoSuchClientError) Error() string {
	names := make([]string, 0, len(e.Looked))
	for _, ref := range e.Looked {
		names = append(names, ref.Key())
	}
	return fmt.Sprintf("namespace %q holds none of the objects of client %q: %s", e.Namespace, e.Name, strings.Join(names, ", "))
}
