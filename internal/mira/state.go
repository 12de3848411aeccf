package mira

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// State is what is known of a client's objects: live, or as planned.
type State struct {
	// Objects are the fields that the provider owns, by `Kind/name`.
	Objects map[string]managedfields.Fields
	// Refs name the objects in the order of their creation.
	Refs []kube.Ref
	// Images by the name of the container, init containers included.
	Images map[string]string
	// Claims are the names of the PersistentVolumeClaims with the client's data,
	// sorted.
	Claims []string
	// URL is empty when no Ingress names a host.
	URL string
	// Revision of the template.
	Revision string
	// Fingerprints of the objects that applying the template left as it wants them, by
	// `Kind/name`. Nil where there are none to tell of, so that former ones hold.
	Fingerprints map[string]managedfields.Fingerprint
	// Pinned is the revision that the configuration asked for; may be empty.
	Pinned string
}

// SameClient tells whether both show the same of a client's objects: what a plan
// compares. The template's revision is not part of that.
func (r *State) SameClient(other *State) bool {
	return r.URL == other.URL && slices.Equal(r.Claims, other.Claims) && maps.Equal(r.Images, other.Images) &&
		maps.EqualFunc(r.Objects, other.Objects, managedfields.FieldsEqual)
}

// imagesOf reads the containers' images out of the fields.
func imagesOf(objects map[string]managedfields.Fields) map[string]string {
	images := make(map[string]string)
	for key, fields := range objects {
		if !strings.HasPrefix(key, statefulSetKind+"/") {
			continue
		}
		for path, value := range fields {
			path, isImage := strings.CutSuffix(path, "].image")
			for _, list := range []string{"spec.template.spec.containers[", "spec.template.spec.initContainers["} {
				if name, ok := strings.CutPrefix(path, list); ok && isImage {
					images[name] = value
				}
			}
		}
	}
	return images
}

// claimsOf gives the claims that the StatefulSets among the objects use, and of
// those recorded before the ones that are still there: a replica that is no more
// leaves its claim behind.
func (f *Fleet) claimsOf(ctx context.Context, namespace, client string, objects []*unstructured.Unstructured, before []string) []string {
	var names []string
	for _, object := range objects {
		if isStatefulSet(object) {
			names = append(names, kube.ClaimNames(object)...)
		}
	}
	for _, name := range before {
		if slices.Contains(names, name) {
			continue
		}
		isThere, err := f.batcher.HasClaim(ctx, client, namespace, name)
		// Better a name too many than one forgotten: it may hold data.
		if err != nil || isThere {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// RefsOf names objects by their keys alone, for a state that has lost its
// references. The order is that in which Kubernetes likes to have them: what
// others refer to first.
func RefsOf(namespace string, objects map[string]managedfields.Fields) []kube.Ref {
	var refs []kube.Ref
	for _, kind := range DefaultAllowedKinds() {
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if name, ok := strings.CutPrefix(key, kind.Kind+"/"); ok {
				refs = append(refs, kube.NewRef(kind.WithVersion("v1"), namespace, name))
			}
		}
	}
	return refs
}

// ChangeKind says what becomes of a field.
type ChangeKind int

// The kinds of changes of a field.
const (
	FieldAdded ChangeKind = iota + 1
	FieldChanged
	FieldRemoved
)

// FieldChange is the change of one field of an object.
type FieldChange struct {
	Kind   ChangeKind
	Object string // Kind/name
	Field  string
	// Before is empty for a field that is added, After for one that is removed.
	Before, After string
}

// String is the change as one line of a plan.
func (c FieldChange) String() string {
	switch c.Kind {
	case FieldAdded:
		return fmt.Sprintf("  + %s %s: %q", c.Object, c.Field, c.After)
	case FieldRemoved:
		return fmt.Sprintf("  - %s %s: %q", c.Object, c.Field, c.Before)
	default:
		return fmt.Sprintf("  ~ %s %s: %q -> %q", c.Object, c.Field, c.Before, c.After)
	}
}

// fieldChanges lists the differences between two sets of fields of an object, in the
// order of their paths.
func fieldChanges(object string, from, to managedfields.Fields) []FieldChange {
	paths := make(map[string]bool)
	for path := range from {
		paths[path] = true
	}
	for path := range to {
		paths[path] = true
	}
	var changed []FieldChange
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, had := from[path]
		after, has := to[path]
		change := FieldChange{Kind: FieldChanged, Object: object, Field: path, Before: before, After: after}
		switch {
		case had && has && before == after:
			continue
		case !had:
			change.Kind = FieldAdded
		case !has:
			change.Kind = FieldRemoved
		}
		changed = append(changed, change)
	}
	return changed
}
