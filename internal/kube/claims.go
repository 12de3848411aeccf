package kube

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/cache"
)

// ClaimKind is that of PersistentVolumeClaims.
var ClaimKind = schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}

// ClaimTemplates returns the names of a StatefulSet's volumeClaimTemplates.
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

// ClaimSizes returns the storage that each of a StatefulSet's volumeClaimTemplates
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

// claimsPageSize bounds a page of the list of claims.
const claimsPageSize = 500

// storageRequest is zero where there is none.
func storageRequest(claim map[string]any) resource.Quantity {
	text, _, _ := unstructured.NestedString(claim, "spec", "resources", "requests", "storage")
	size, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}
	}
	return size
}

// maxClaimNames bounds what [ClaimNames] returns: nobody reads more, and a typing
// error in the number of replicas must not fill the memory.
const maxClaimNames = 1000

// ClaimNames returns the names of the claims that a StatefulSet's replicas use:
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

// Claims finds, reads and grows the PersistentVolumeClaims of StatefulSets.
type Claims struct {
	client *Client
	recent *cache.LRUExpireCache // of []Ref by namespace
	lists  singleflight.Group    // by namespace
}

// NewClaims returns what looks after the claims of a client's cluster.
func NewClaims(client *Client) *Claims {
	return &Claims{client: client, recent: cache.NewLRUExpireCache(recentObjects)}
}

// ListClaims says whose claims [Claims.List] finds.
type ListClaims struct {
	Namespace string
	// StatefulSet is the name of the StatefulSet. It need not exist any more.
	StatefulSet string
	// Templates are the names of its claim templates.
	Templates []string
	// Fresh asks the server now. Otherwise the claims may have been listed up to a
	// minute ago, for another StatefulSet of the namespace.
	Fresh bool
}

// List finds the claims of a StatefulSet, those of replicas that are no more
// included. Its name and the names of its claim templates suffice. (The labels of
// claims do not tell them apart: they are those of the selector, which clients may
// share.)
//
// As they can only be found among all of the namespace, the list is shared by all
// who ask within a minute: a fleet that is destroyed would list all its claims for
// each of its clients.
func (c *Claims) List(ctx context.Context, of ListClaims) ([]Ref, error) {
	if len(of.Templates) == 0 {
		return nil, nil
	}
	quoted := make([]string, 0, len(of.Templates))
	for _, template := range of.Templates {
		quoted = append(quoted, regexp.QuoteMeta(template))
	}
	ours := regexp.MustCompile(`^(` + strings.Join(quoted, "|") + `)-` + regexp.QuoteMeta(of.StatefulSet) + `-\d+$`)
	all, err := c.all(ctx, of.Namespace, of.Fresh)
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

// all returns all claims of a namespace, sorted by name. Who comes while somebody
// lists them waits for that list, unless it must be fresh.
func (c *Claims) all(ctx context.Context, namespace string, fresh bool) ([]Ref, error) {
	if fresh {
		return c.list(ctx, namespace)
	}
	for {
		isOwn := false
		refs, err, _ := c.lists.Do(namespace, func() (any, error) {
			isOwn = true
			if recent, ok := c.recent.Get(namespace); ok {
				return recent, nil
			}
			return c.list(ctx, namespace)
		})
		switch {
		case err == nil:
			return refs.([]Ref), nil
		case isOwn:
			return nil, err
		}
		// Another caller's list failed, perhaps as that caller was cancelled.
	}
}

func (c *Claims) list(ctx context.Context, namespace string) ([]Ref, error) {
	resource, err := c.client.kinds.resource(ClaimKind)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	var refs []Ref
	options := listOptions{resource: resource, namespace: namespace, limit: claimsPageSize, nameOnly: true}
	for {
		page, err := listPage(ctx, c.client.requests, options)
		if err != nil {
			return nil, c.client.errors.translate("list", NewRef(ClaimKind, namespace, "*"), err)
		}
		for _, item := range page.items {
			ref := NewRef(ClaimKind, namespace, item.name)
			claim, err := decodeItem(item.data, ref)
			if err != nil {
				return nil, c.client.errors.translate("list", ref, err)
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
	c.recent.Add(namespace, refs, recentTTL-time.Since(begun))
	return refs, nil
}
