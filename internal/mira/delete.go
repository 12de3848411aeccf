package mira

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// Deleted is what a delete left and took.
type Deleted struct {
	KeptClaims    []string
	DeletedClaims []string
	Warnings      []Warning
}

// Delete removes what is recorded of a client, in reverse order, and waits for
// the pods to end. It needs no template. What is gone already counts as done;
// what belongs to another client, or took the name of a recorded object, is left
// alone and reported. Claims stay unless deleteData says otherwise.
func (f *Fleet) Delete(ctx context.Context, namespace, name string, record *State, deleteData bool) (*Deleted, error) {
	turn := f.turn(namespace, name)
	turn.mu.Lock()
	defer turn.mu.Unlock()
	if turn.created {
		return &Deleted{Warnings: []Warning{AppliedElsewhereWarning{Client: name}}}, nil
	}
	live := make(map[string]*unstructured.Unstructured, len(record.Refs))
	var refused []error
	for _, ref := range record.Refs {
		object, err := f.kube.Get(ctx, ref)
		if err == nil && object != nil {
			err = checkClaimPolicy(object, deleteData)
			live[ref.Key()] = object
		}
		refused = append(refused, err)
	}
	if err := errors.Join(refused...); err != nil {
		return nil, err
	}
	deleted := &Deleted{}
	claims, err := f.claimsLeft(ctx, namespace, record, live, deleteData)
	if err != nil {
		// Without the list nothing can be deleted that should be; what is only
		// to be kept needs no list.
		if deleteData {
			return nil, err
		}
		deleted.Warnings = append(deleted.Warnings, ClaimsUnreadableWarning{Client: name, Err: err})
		deleted.KeptClaims = record.Claims
	}
	for _, ref := range slices.Backward(record.Refs) {
		if live[ref.Key()] == nil {
			continue
		}
		left, err := f.remove(ctx, ref, name)
		if err != nil {
			return nil, err
		}
		if left != nil {
			deleted.Warnings = append(deleted.Warnings, left)
			delete(claims, ref.Key()) // they hold somebody else's data now
		}
	}
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		for _, claim := range claims[key] {
			if !deleteData {
				deleted.KeptClaims = append(deleted.KeptClaims, claim.Name)
				continue
			}
			if err := f.kube.Delete(ctx, claim); err != nil {
				return nil, err
			}
			deleted.DeletedClaims = append(deleted.DeletedClaims, claim.Name)
		}
	}
	return deleted, nil
}

// remove deletes one recorded object if it still is the client's. Otherwise it
// leaves it alone and says so.
func (f *Fleet) remove(ctx context.Context, ref kube.Ref, client string) (Warning, error) {
	live, err := f.kube.Get(ctx, ref)
	if err != nil || live == nil {
		return nil, err
	}
	owner := live.GetLabels()[ClientLabel]
	isRecreated := owner == "" && ref.UID != "" && live.GetUID() != ref.UID
	if owner != client && owner != "" || isRecreated {
		return ObjectKeptWarning{Client: client, Object: ref, Owner: owner}, nil
	}
	return nil, f.kube.Delete(ctx, kube.RefOf(live))
}

// claimsLeft finds the claims of the recorded StatefulSets, by the keys of these.
// Where one is gone by now, the names of its claim templates come from the claims
// recorded. Recorded claims of no recorded StatefulSet, as a template leaves them
// that renames it, stand under the empty key.
func (f *Fleet) claimsLeft(ctx context.Context, namespace string, record *State, live map[string]*unstructured.Unstructured, fresh bool) (map[string][]kube.Ref, error) {
	claims := make(map[string][]kube.Ref)
	rest := slices.Clone(record.Claims)
	for _, ref := range record.Refs {
		if ref.Kind != statefulSetKind {
			continue
		}
		var templates []string
		if object := live[ref.Key()]; object != nil {
			templates = kube.ClaimTemplates(object)
		}
		for _, claim := range record.Claims {
			if template, ok := templateOf(claim, ref.Name); ok && !slices.Contains(templates, template) {
				templates = append(templates, template)
			}
		}
		found, err := f.claims.List(ctx, kube.ListClaims{Namespace: namespace, StatefulSet: ref.Name, Templates: templates, Fresh: fresh})
		if err != nil {
			return nil, err
		}
		claims[ref.Key()] = found
		rest = slices.DeleteFunc(rest, func(claim string) bool { _, ok := templateOf(claim, ref.Name); return ok })
	}
	for _, name := range rest {
		claim, err := f.kube.Get(ctx, kube.NewRef(kube.ClaimKind, namespace, name))
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims[""] = append(claims[""], kube.RefOf(claim))
		}
	}
	return claims, nil
}

// templateOf gives the claim template of a StatefulSet's claim; false for a claim
// of another one.
func templateOf(claim, statefulSet string) (string, bool) {
	template, ordinal, ok := cutClaimName(claim, statefulSet)
	_, err := strconv.ParseUint(ordinal, 10, 32)
	return template, ok && err == nil
}
