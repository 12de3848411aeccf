package kube

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ClaimKind is that of PersistentVolumeClaims.
var ClaimKind = schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}

// ClaimTemplates gives the names of a StatefulSet's volumeClaimTemplates.
func ClaimTemplates(statefulSet *unstructured.Unstructured) []string {
	templates, _, _ := unstructured.NestedSlice(statefulSet.Object, "spec", "volumeClaimTemplates")
	var names []string
	for _, template := range templates {
		if fields, ok := template.(map[string]any); ok {
			if name, _, _ := unstructured.NestedString(fields, "metadata", "name"); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// ClaimSizes gives the storage that each of a StatefulSet's volumeClaimTemplates
// asks for, by name.
func ClaimSizes(statefulSet *unstructured.Unstructured) map[string]resource.Quantity {
	templates, _, _ := unstructured.NestedSlice(statefulSet.Object, "spec", "volumeClaimTemplates")
	sizes := make(map[string]resource.Quantity, len(templates))
	for _, template := range templates {
		fields, ok := template.(map[string]any)
		if !ok {
			continue
		}
		name, _, _ := unstructured.NestedString(fields, "metadata", "name")
		sizes[name] = storageRequest(fields)
	}
	return sizes
}

// storageRequest is zero where there is none.
func storageRequest(claim map[string]any) resource.Quantity {
	text, _, _ := unstructured.NestedString(claim, "spec", "resources", "requests", "storage")
	size, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}
	}
	return size
}

// maxClaimNames bounds what [ClaimNames] gives: nobody reads more, and a typing
// error in the number of replicas must not fill the memory.
const maxClaimNames = 1000

// ClaimNames gives the names of the claims that a StatefulSet's replicas use:
// `<template>-<StatefulSet>-<ordinal>`, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage.
func ClaimNames(statefulSet *unstructured.Unstructured) []string {
	replicas, found, _ := unstructured.NestedInt64(statefulSet.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	start, _, _ := unstructured.NestedInt64(statefulSet.Object, "spec", "ordinals", "start")
	var names []string
	for _, template := range ClaimTemplates(statefulSet) {
		for ordinal := start; ordinal < start+replicas && len(names) < maxClaimNames; ordinal++ {
			names = append(names, fmt.Sprintf("%s-%s-%d", template, statefulSet.GetName(), ordinal))
		}
	}
	slices.Sort(names)
	return names
}

// Claims finds the PersistentVolumeClaims of a StatefulSet, those of replicas
// that are no more included. The StatefulSet need not exist any more: its name
// and the names of its claim templates suffice. (Their labels do not tell them
// apart: they are those of the selector, which clients may share.)
//
// As they can only be found among all of the namespace, the list is shared by all
// who ask within a minute, unless it must be fresh: a fleet that is destroyed would
// list all its claims for each of its clients.
func (c *Client) Claims(ctx context.Context, namespace, statefulSet string, templates []string, fresh bool) ([]Ref, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	quoted := make([]string, 0, len(templates))
	for _, template := range templates {
		quoted = append(quoted, regexp.QuoteMeta(template))
	}
	ours := regexp.MustCompile(`^(` + strings.Join(quoted, "|") + `)-` + regexp.QuoteMeta(statefulSet) + `-\d+$`)
	all, err := c.claimsIn(ctx, namespace, fresh)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for _, ref := range all {
		if ours.MatchString(ref.Name) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// claimList is what was last read of a namespace's claims.
type claimList struct {
	mu    sync.Mutex
	since time.Time
	refs  []Ref // sorted by name
}

// claimsIn lists all claims of a namespace. Who comes while somebody lists them waits
// for that list.
func (c *Client) claimsIn(ctx context.Context, namespace string, fresh bool) ([]Ref, error) {
	found, _ := c.claimLists.LoadOrStore(namespace, &claimList{})
	list := found.(*claimList)
	list.mu.Lock()
	defer list.mu.Unlock()
	if !fresh && !list.since.IsZero() && time.Since(list.since) < gatherAge {
		return list.refs, nil
	}
	mapping, err := c.mapping(ClaimKind)
	if err != nil {
		return nil, err
	}
	since := time.Now()
	var refs []Ref
	options := listOptions{limit: pageSize, nameOnly: true}
	for {
		page, err := c.listItems(ctx, mapping.Resource, namespace, options)
		if err != nil {
			return nil, c.classify("list", NewRef(ClaimKind, namespace, "*"), err)
		}
		for _, item := range page.items {
			ref := NewRef(ClaimKind, namespace, item.name)
			claim, err := decodeItem(item.data, ref)
			if err != nil {
				return nil, c.classify("list", ref, err)
			}
			ref.UID = claim.GetUID()
			refs = append(refs, ref)
		}
		if page.next == "" {
			break
		}
		options.next = page.next
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	list.refs, list.since = refs, since
	return refs, nil
}
