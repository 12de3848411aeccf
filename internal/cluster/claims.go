package cluster

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ClaimKind is that of PersistentVolumeClaims.
var ClaimKind = schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}

// listPage bounds how much of a LIST is held in memory at once.
const listPage = 500

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
func (c *Client) Claims(ctx context.Context, namespace, statefulSet string, templates []string) ([]Ref, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	quoted := make([]string, 0, len(templates))
	for _, template := range templates {
		quoted = append(quoted, regexp.QuoteMeta(template))
	}
	ours := regexp.MustCompile(`^(` + strings.Join(quoted, "|") + `)-` + regexp.QuoteMeta(statefulSet) + `-\d+$`)

	claims, err := c.resource(ClaimKind, namespace)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	options := metav1.ListOptions{Limit: listPage}
	for {
		page, err := claims.List(ctx, options)
		if err != nil {
			return nil, c.classify("list", NewRef(ClaimKind, namespace, "*"), err)
		}
		for i := range page.Items {
			if ours.MatchString(page.Items[i].GetName()) {
				ref := NewRef(ClaimKind, namespace, page.Items[i].GetName())
				ref.UID = page.Items[i].GetUID()
				refs = append(refs, ref)
			}
		}
		if page.GetContinue() == "" {
			break
		}
		options.Continue = page.GetContinue()
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	return refs, nil
}
