package cluster

import (
	"bytes"
	"encoding/json"
	"maps"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// owned is what we own of an object. Its parts are shared, and must not be changed.
type owned struct {
	entries []ourEntry
	set     *fieldpath.Set
	fields  Fields
}

// ourEntry is an entry of managedFields of ours, its fields in a form that is the
// same for the same fields.
type ourEntry struct {
	apiVersion string
	fields     []byte
}

// owned finds out what we own of an object. A gathered one, which does not change and
// which a plan looks at several times, is taken apart once.
func (c *Client) owned(live *unstructured.Unstructured) owned {
	if known, ok := c.ownership.get(live); ok {
		return known()
	}
	return c.findOwned(live)
}

// remember has owned keep its answer for an object that will not change.
func (c *Client) remember(object *unstructured.Unstructured) {
	c.ownership.put(object, sync.OnceValue(func() owned { return c.findOwned(object) }))
}

func (c *Client) findOwned(live *unstructured.Unstructured) owned {
	entries := c.ourEntries(live)
	set := unionOf(entries)
	return owned{entries: entries, set: set, fields: project(live, leaves(set))}
}

func unionOf(entries []ourEntry) *fieldpath.Set {
	union := &fieldpath.Set{}
	for _, entry := range entries {
		set := &fieldpath.Set{}
		if err := set.FromJSON(bytes.NewReader(entry.fields)); err != nil {
			continue // see decodeSet
		}
		union = union.Union(set)
	}
	return union
}

// Owned gives the fields of a live object that this client's field manager
// owns.
func (c *Client) Owned(live *unstructured.Unstructured) Fields {
	return maps.Clone(c.owned(live).fields)
}

func (c *Client) ownedSet(live *unstructured.Unstructured) *fieldpath.Set {
	if known, ok := c.ownership.get(live); ok {
		return known().set
	}
	return unionOf(c.ourEntries(live))
}

// ourEntries reads our entries only: GetManagedFields copies and converts all of
// them, which every plan would pay for every object.
func (c *Client) ourEntries(live *unstructured.Unstructured) []ourEntry {
	field, _, _ := unstructured.NestedFieldNoCopy(live.Object, "metadata", "managedFields")
	entries, _ := field.([]any)
	var ours []ourEntry
	for _, entry := range entries {
		values, _ := entry.(map[string]any)
		text := func(name string) string {
			value, _ := values[name].(string)
			return value
		}
		isOurs := c.isOurs(metav1.ManagedFieldsEntry{
			Manager: text("manager"), Operation: metav1.ManagedFieldsOperationType(text("operation")), Subresource: text("subresource"),
		})
		if !isOurs {
			continue
		}
		fields, err := json.Marshal(values["fieldsV1"])
		if err != nil {
			continue // it came as JSON
		}
		ours = append(ours, ourEntry{apiVersion: text("apiVersion"), fields: fields})
	}
	return ours
}
