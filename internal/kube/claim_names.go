package kube

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

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

// CutClaimName takes the name of a StatefulSet's claim apart, as [ClaimNames] puts it
// together. It returns false for what is no name of a claim of that StatefulSet.
func CutClaimName(claim, statefulSet string) (template string, ordinal int, ok bool) {
	base, ok := CutOrdinal(claim)
	template, isOf := strings.CutSuffix(base, "-"+statefulSet)
	if !ok || !isOf || template == "" {
		return "", 0, false
	}
	ordinal, _ = strconv.Atoi(claim[len(base)+1:])
	return template, ordinal, true
}

// CutOrdinal takes the ordinal off the name of a StatefulSet's claim: what is left is
// `<template>-<StatefulSet>`. It returns false for what is no such name.
func CutOrdinal(claim string) (base string, ok bool) {
	at := strings.LastIndex(claim, "-")
	if at < 0 {
		return "", false
	}
	ordinal, err := strconv.Atoi(claim[at+1:])
	if err != nil || strconv.Itoa(ordinal) != claim[at+1:] {
		return "", false
	}
	return claim[:at], true
}
