package managedfields

import (
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// ErrNothingKnown says that an object as it was before has no known fields.
var ErrNothingKnown = errors.New("nothing is known of what it was")

// Restoration takes a write of ours back.
type Restoration struct {
	manager *Manager
	prior   *unstructured.Unstructured // the object as it was
	written *unstructured.Unstructured // the object as our write left it
}

// Restoration returns how to take a write of ours back: `prior` is the object as it
// was, `written` as the write left it.
func (m *Manager) Restoration(prior, written *unstructured.Unstructured) Restoration {
	return Restoration{manager: m, prior: prior, written: written}
}

// Object returns what to apply to have the object as it was: all that we owned on it
// or own now, and what others have lost to us, with the values of then. The error is
// [ErrNothingKnown].
func (r Restoration) Object() (*unstructured.Unstructured, error) {
	m, prior, written := r.manager, r.prior, r.written
	set := m.ownedSet(prior).Union(m.ownedSet(written))
	for _, entry := range prior.GetManagedFields() {
		if entry.Subresource == statusSubresource || m.isOurs(entry) {
			continue
		}
		set = set.Union(decodeSet(entry).Difference(fieldsOf(entry, written)))
	}
	content, ok := within(prior.Object, set).(map[string]any)
	if !ok || len(content) == 0 {
		return nil, ErrNothingKnown
	}
	former := &unstructured.Unstructured{Object: content}
	former.SetGroupVersionKind(written.GroupVersionKind())
	former.SetNamespace(written.GetNamespace())
	former.SetName(written.GetName())
	if claims, found, _ := unstructured.NestedSlice(content, "spec", "volumeClaimTemplates"); found {
		_ = unstructured.SetNestedSlice(content, withoutStatus(claims), "spec", "volumeClaimTemplates")
	}
	return former, nil
}

// within returns a copy of what a set holds of a value. Items of lists keep their
// order: another one would be another pod template.
func within(value any, set *fieldpath.Set) any {
	part := func(value any, element fieldpath.PathElement) (any, bool) {
		if below, ok := set.Children.Get(element); ok {
			return within(value, below), true
		}
		return runtime.DeepCopyJSONValue(value), set.Members.Has(element)
	}
	switch value := value.(type) {
	case map[string]any:
		content := make(map[string]any)
		for name, field := range value {
			if kept, ok := part(field, fieldpath.FieldNameElement(name)); ok {
				content[name] = kept
			}
		}
		return content
	case []any:
		var elements []fieldpath.PathElement
		set.Members.Iterate(func(element fieldpath.PathElement) { elements = append(elements, element) })
		set.Children.Iterate(func(element fieldpath.PathElement) { elements = append(elements, element) })
		content := []any{}
		for i, item := range value {
			at := slices.IndexFunc(elements, func(element fieldpath.PathElement) bool { return isItem(item, element) })
			if at < 0 {
				continue
			}
			isAgain := func(item any) bool { return isItem(item, elements[at]) }
			if elements[at].Key != nil && slices.ContainsFunc(value[i+1:], isAgain) {
				continue // no apply can have two items with the same key, and the last one counts
			}
			kept, _ := part(item, elements[at])
			if fields, ok := kept.(map[string]any); ok && elements[at].Key != nil {
				for _, key := range *elements[at].Key {
					fields[key.Name] = key.Value.Unstructured()
				}
			}
			content = append(content, kept)
		}
		return content
	}
	return runtime.DeepCopyJSONValue(value)
}

// Entries returns the managedFields of the restored object: ours as they were, and
// to others what they had lost. `restored` is the object after the apply of
// [Restoration.Object]. The error says that a set of fields could not be written as
// JSON.
func (r Restoration) Entries(restored *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, error) {
	entries := slices.DeleteFunc(restored.GetManagedFields(), r.manager.isOurs)
	for _, entry := range r.prior.GetManagedFields() {
		if entry.Subresource == statusSubresource {
			continue // its writer has written it again
		}
		at := indexOf(entries, entry)
		if at < 0 {
			entries = append(entries, entry)
			continue
		}
		both := decodeSet(entries[at]).Union(decodeSet(entry))
		if both.Equals(decodeSet(entries[at])) {
			continue
		}
		var err error
		if entries[at], err = withSet(entries[at], both); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Differences returns in what an object differs from what it was before, by no other
// manager's doing: Extra are the fields that it did not have, without those that we own.
func (r Restoration) Differences(object *unstructured.Unstructured) Differences {
	m := r.manager
	others := setOf(object, func(entry metav1.ManagedFieldsEntry) bool {
		return !m.isOurs(entry) && entry.Subresource != statusSubresource
	})
	ours := m.ownedSet(object)
	d := Differences{prior: r.prior}
	for _, leftover := range compare(m.projection, object, r.prior, others) {
		switch {
		case !leftover.IsExtra:
			d.lost = append(d.lost, leftover)
		case !hasBelow(ours, leftover.at):
			d.Extra = append(d.Extra, leftover)
		}
	}
	for _, leftover := range compare(m.projection, r.prior, object, others) {
		if leftover.IsExtra {
			d.lost = append(d.lost, leftover)
		}
	}
	return d
}

// Differences are the fields in which an object differs from what it was before.
type Differences struct {
	Extra Leftovers // that it did not have
	lost  Leftovers // that had another value, or are gone
	prior *unstructured.Unstructured
}

// Fields returns the paths of the fields, sorted.
func (d Differences) Fields() []string {
	var fields []string
	for _, leftover := range slices.Concat(d.Extra, d.lost) {
		fields = append(fields, leftover.Field)
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// Restoring returns an object that is applied with the values that were lost.
func (d Differences) Restoring(object *unstructured.Unstructured) *unstructured.Unstructured {
	return d.lost.Keeping(object, d.prior)
}

// Claim returns the managedFields of an object by which the extra fields are ours, so that
// the apply that follows removes them. The error is that of [Adoption.Entries].
func (m *Manager) Claim(object *unstructured.Unstructured, extra Leftovers) ([]metav1.ManagedFieldsEntry, error) {
	return m.owning(object.GetManagedFields(), extra.set(object))
}
