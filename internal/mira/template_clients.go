package mira

import (
	"context"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// clientsWith lists the clients of a namespace that have an object of one of some kinds,
// sorted, whatever state they are in. Those of the Django controller have no label: they are
// known by the names that a template gives to their objects. The sample is what that template
// gives to the client of `sampleName`; nil has only labels looked at.
func (s *services) clientsWith(
	ctx context.Context, namespace string, kinds []schema.GroupKind, sample *manifest, sampleName string,
) ([]string, error) {
	found := make(map[string]bool)
	for _, kind := range kinds {
		objects, err := kube.ListMetadata(ctx, s.kube, kind, namespace)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if object.GetDeletionTimestamp() != nil {
				continue
			}
			if client := clientOf(object, kind, sample, sampleName); client != "" {
				found[client] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// clientOf returns the name of the client that an object belongs to; "" for any other object.
func clientOf(object *unstructured.Unstructured, kind schema.GroupKind, sample *manifest, sampleName string) string {
	if client := object.GetLabels()[ClientLabel]; client != "" {
		return client
	}
	isDjango := slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == djangoManager
	})
	if sample == nil || !isDjango {
		return ""
	}
	for _, of := range sample.objects {
		before, after, hasName := strings.Cut(of.GetName(), sampleName)
		if of.GroupVersionKind().GroupKind() != kind || !hasName {
			continue
		}
		name, begins := strings.CutPrefix(object.GetName(), before)
		name, ends := strings.CutSuffix(name, after)
		if begins && ends && name != "" && len(name) <= MaximumClientName {
			return name
		}
	}
	return ""
}

// workloadKinds are those of the kinds whose objects run pods.
func workloadKinds(kinds []schema.GroupKind) []schema.GroupKind {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind schema.GroupKind) bool { return !isWorkload(kube.Ref{Kind: kind.Kind}) })
}

// hasWorkload reports whether a manifest has an object that runs pods.
func (m *manifest) hasWorkload() bool {
	return slices.ContainsFunc(m.objects, func(object *unstructured.Unstructured) bool { return isWorkload(kube.RefOf(object)) })
}
