package mira

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// State is what is known of a client's objects: live, or as planned.
type State struct {
	// Objects are the fields that the provider owns, by `Kind/name`.
	Objects map[string]managedfields.Fields
	// Refs name the objects in the order of their creation.
	Refs []kube.Ref
	// Images are those of the StatefulSets' containers, init containers included, by the keys
	// that imagesOf gives them.
	Images map[string]string
	// Claims are the names of the PersistentVolumeClaims with the client's data,
	// sorted.
	Claims []string
	// URL is empty when no Ingress names a host.
	URL string
	// Revision is that of the template.
	Revision string
	// Fingerprints are those of the objects that the last apply left as the template wants
	// them, by `Kind/name`. Nil says nothing: what was recorded before holds.
	Fingerprints map[string]managedfields.Fingerprint
	// Cluster is the identity of the cluster that the client was last written to; empty
	// where it is not known.
	Cluster string
	// ReadBeforeDelete: the last refresh has found something because of which a delete must read
	// the objects, already in its plan: the client's StatefulSet has Kubernetes delete its claims,
	// or an object carries the label of another client.
	ReadBeforeDelete bool
	// PinnedRevision is the one to which the configuration pinned the client, if any.
	PinnedRevision string
	// Journal is what an apply has begun and not seen through; nil if there is nothing.
	Journal *Journal
	// DeletesData: the client is deleted with its claims. It is not gone as long as one of
	// them is there.
	DeletesData bool
	// IgnoresRollouts: the configuration does not wait for rollouts, so that none counts as
	// pending.
	IgnoresRollouts bool
}

// journaled returns an object as it was when it last served, if the journal has it. The
// state may be nil.
func (s *State) journaled(ref kube.Ref) *unstructured.Unstructured {
	if s == nil {
		return nil
	}
	return s.Journal.former(ref)
}

// hasRef reports whether a very object, by its UID, is recorded.
func (s *State) hasRef(ref kube.Ref) bool {
	return slices.ContainsFunc(s.Refs, func(recorded kube.Ref) bool { return recorded.SameObject(ref) && recorded.UID == ref.UID })
}

// SameClient reports whether both show the same of a client's objects: what a plan, and the plan
// of a delete, compares. The template's revision is not part of that.
func (s *State) SameClient(other *State) bool {
	return s.Journal.IsPending() == other.Journal.IsPending() && s.ReadBeforeDelete == other.ReadBeforeDelete && s.URL == other.URL &&
		slices.Equal(s.Claims, other.Claims) && maps.Equal(s.Images, other.Images) &&
		maps.EqualFunc(s.Objects, other.Objects, managedfields.FieldsEqual)
}

// imagesOf reads the images of the StatefulSets' containers from the fields, by the names of
// the containers. Where two StatefulSets have a container of one name, a key that names one
// of them would be a matter of chance: those stand by `StatefulSet/name/container`.
func imagesOf(objects map[string]managedfields.Fields) map[string]string {
	type container struct{ workload, image string }
	found := make(map[string][]container) // by the containers' names
	for key, fields := range objects {
		if !isStatefulSetKey(key) {
			continue
		}
		for path, image := range fields {
			if name, ok := containerOfImage(path); ok {
				found[name] = append(found[name], container{key, image})
			}
		}
	}
	images := make(map[string]string, len(found))
	for name, containers := range found {
		if len(containers) == 1 {
			images[name] = containers[0].image
			continue
		}
		for _, c := range containers {
			images[c.workload+"/"+name] = c.image
		}
	}
	return images
}

// containerOfImage returns the name of the container whose image stands at a path.
func containerOfImage(path string) (string, bool) {
	path, isImage := strings.CutSuffix(path, "].image")
	if !isImage {
		return "", false
	}
	for _, list := range []string{"spec.template.spec.containers[", "spec.template.spec.initContainers["} {
		if name, ok := strings.CutPrefix(path, list); ok {
			return name, true
		}
	}
	return "", false
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

// differences lists what differs between the fields of two sets of objects.
func differences(from, to map[string]managedfields.Fields) []FieldChange {
	keys := maps.Clone(from)
	maps.Copy(keys, to)
	var changed []FieldChange
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		changed = append(changed, fieldChanges(key, from[key], to[key])...)
	}
	return changed
}

// union adds references that are not there yet.
func union(refs, more []kube.Ref) []kube.Ref {
	all := slices.Clone(refs)
	for _, ref := range more {
		if !slices.ContainsFunc(all, ref.SameObject) {
			all = append(all, ref)
		}
	}
	return all
}
