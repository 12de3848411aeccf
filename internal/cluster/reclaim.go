package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Reclaimed is how an object that the server does not take, as somebody has put
// something by hand beside what we apply, can be applied: without that.
type Reclaimed struct {
	// Fields that go, with their live values; none where the object is not adopted
	// yet, as adopting it takes all that former managers have set.
	Fields Fields
	// Result is the object as it will be.
	Result *unstructured.Unstructured
}

// Reclaim finds out, after an apply was rejected, which fields of people with
// kubectl stand in its way: another member of a union, as a second handler of a
// probe, or a port of the same name under another number. It takes away as little
// as the server asks for; nil when that is not the reason. It only asks.
func (c *Client) Reclaim(ctx context.Context, object, live *unstructured.Unstructured) (*Reclaimed, error) {
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	isAdopted := c.Adopted(live)
	beside := c.beside(object, live)
	if len(beside) == 0 {
		return nil, nil
	}
	fresh, err := c.dryRunCreate(ctx, resource, object)
	if err != nil {
		return nil, ctx.Err() // what we apply is bad by itself, or cannot be tried under another name
	}
	var rejected *RejectedError
	foreign := c.foreign(object, live)
	ways := tries(foreign)
	if !isAdopted && len(ways) > 0 {
		ways = ways[len(ways)-1:] // adoption takes all of them anyway
	}
	for _, roots := range ways {
		after, err := c.dryRunUpdate(ctx, resource, c.over(fresh, live, roots), live)
		if errors.As(err, &rejected) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after.SetManagedFields(fresh.GetManagedFields())
		reclaimed := &Reclaimed{Result: after}
		if isAdopted {
			reclaimed.Fields = below(foreign, roots)
		}
		return reclaimed, nil
	}
	if !isAdopted {
		return nil, nil
	}
	return nil, &BesideError{Ref: ref, Fields: beside}
}

// BesideError says that a new object would be taken, but not what an apply makes of
// the live one: together with what others have put beside it.
type BesideError struct {
	Ref    Ref
	Fields []FieldOwner // those that others have, sorted
	Err    error        // the server's refusal
}

func (e *BesideError) Error() string {
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, fmt.Sprintf("%s, by %s", f.Field, f.Manager))
	}
	return fmt.Sprintf("%v. Others have put beside the template's fields: %s", e.Err, strings.Join(lines, "; "))
}

func (e *BesideError) Unwrap() error { return e.Err }

// beside gives what others have put beside what is applied, by whom.
func (c *Client) beside(object, live *unstructured.Unstructured) []FieldOwner {
	var beside []FieldOwner
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) || entry.Subresource != "" {
			continue
		}
		for path, at := range leaves(decodeSet(entry)) {
			_, isThere := lookUp(live.Object, at)
			_, isApplied := lookUp(object.Object, at)
			if isThere && !isApplied && *at[0].FieldName != "metadata" {
				beside = append(beside, FieldOwner{Field: path, Manager: entry.Manager})
			}
		}
	}
	return sortedOwners(beside)
}

// tries gives what to take away of foreign fields, in this order: one of them, or
// all.
func tries(foreign map[string]Fields) [][]string {
	all := slices.Sorted(maps.Keys(foreign))
	var tries [][]string
	for _, root := range all {
		tries = append(tries, []string{root})
	}
	if len(all) > 1 {
		tries = append(tries, all)
	}
	return tries
}

func below(foreign map[string]Fields, roots []string) Fields {
	fields := make(Fields)
	for _, root := range roots {
		maps.Copy(fields, foreign[root])
	}
	return fields
}

// over gives a live object what we apply, as a new object has it, and takes away
// what we do not apply any more and what lies below some paths. It does what the
// server does at an apply.
func (c *Client) over(fresh, live *unstructured.Unstructured, roots []string) *unstructured.Unstructured {
	body := live.DeepCopy()
	ours := c.ownedSet(fresh)
	others := setOf(live, func(entry metav1.ManagedFieldsEntry) bool { return !c.isOurs(entry) })
	kept := prefixes(ours.Union(others))
	withoutAll(body, goingPaths(c.ownedSet(live), kept))
	for path := range others.All() {
		for end := range path {
			if part := path[:end+1]; isBelow(part, roots) {
				without(body.Object, part)
			}
		}
	}
	for at := range ours.Leaves().All() {
		if value, ok := lookUp(fresh.Object, at); ok {
			with(body.Object, at, value)
		}
	}
	return body
}

// foreign gives what former managers have put beside what is applied, by the path
// where it begins.
func (c *Client) foreign(object, live *unstructured.Unstructured) map[string]Fields {
	foreign := make(map[string]Fields)
	former := leaves(setOf(live, c.isFormer))
	for path, at := range former {
		value, ok := valueAt(live, at)
		if !ok || *at[0].FieldName == "metadata" {
			continue
		}
		for end := range at {
			if _, isApplied := lookUp(object.Object, at[:end+1]); !isApplied {
				root := FormatPath(at[:end+1])
				if foreign[root] == nil {
					foreign[root] = make(Fields)
				}
				foreign[root][path] = value
				break
			}
		}
	}
	for root, fields := range foreign {
		foreign[root] = lean(fields, former)
	}
	return foreign
}

// isBelow tells whether a path is one of some paths, or below one.
func isBelow(path fieldpath.Path, roots []string) bool {
	for end := range path {
		if len(roots) > 0 && slices.Contains(roots, FormatPath(path[:end+1])) {
			return true
		}
	}
	return false
}

// merge gives a new object what others own on the live one. It does what the
// server does at an apply, but that new items of lists come last. What lies below
// some paths is left out.
func (c *Client) merge(fresh, live *unstructured.Unstructured, roots []string) (*unstructured.Unstructured, error) {
	merged := fresh.DeepCopy()
	ours := c.ownedSet(fresh)
	entries := slices.DeleteFunc(fresh.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool { return !c.isOurs(entry) })
	adopted := c.Adopted(live)
	for _, entry := range live.GetManagedFields() {
		if c.isOurs(entry) || c.isFormerName(entry) || !adopted && c.isFormer(entry) || entry.Subresource == "status" {
			continue
		}
		for at := range decodeSet(entry).Leaves().All() {
			if value, ok := lookUp(live.Object, at); ok && !ours.Has(at) && !isBelow(at, roots) {
				with(merged.Object, at, value)
			}
		}
		gone := ours
		for path := range decodeSet(entry).All() {
			if isBelow(path, roots) {
				gone = gone.Union(fieldpath.NewSet(path.Copy()))
			}
		}
		left, err := reduced(entry, gone)
		if err != nil {
			return nil, err
		}
		if left != nil {
			entries = append(entries, *left)
		}
	}
	if replicas, found, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); found && !ours.Has(fieldpath.MakePathOrDie("spec", "replicas")) {
		// A scale to zero leaves the field to no manager.
		_ = unstructured.SetNestedField(merged.Object, replicas, "spec", "replicas")
	}
	merged.SetManagedFields(entries)
	merged.SetUID(live.GetUID())
	return merged, nil
}
