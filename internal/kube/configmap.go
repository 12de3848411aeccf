package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// ConfigMapKind is the kind of what holds client templates.
var ConfigMapKind = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}

// ConfigMaps reads and writes single keys of ConfigMaps.
type ConfigMaps struct{ client *Client }

// NewConfigMaps returns those that a client reaches.
func NewConfigMaps(client *Client) ConfigMaps { return ConfigMaps{client: client} }

// Key reads one key of a ConfigMap. A missing ConfigMap or key is a
// [*NotFoundError] or a [*MissingKeyError], a key that holds no text a [*BinaryKeyError].
func (c ConfigMaps) Key(ctx context.Context, namespace, name, key string) (string, error) {
	entry, err := c.Entry(ctx, namespace, name, key)
	if err != nil {
		return "", err
	}
	return entry.Text()
}

// ConfigMapEntry is one key of a ConfigMap, as the cluster has it. The other keys are other
// people's: nothing here changes them.
type ConfigMapEntry struct {
	Ref  Ref // with its UID, if the ConfigMap is there
	Key  string
	live *unstructured.Unstructured // nil if there is no such ConfigMap
}

// Entry reads a key of a ConfigMap. Neither needs to be there.
func (c ConfigMaps) Entry(ctx context.Context, namespace, name, key string) (*ConfigMapEntry, error) {
	ref := NewRef(ConfigMapKind, namespace, name)
	live, err := c.client.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return entryOf(ref, key, live), nil
}

func entryOf(ref Ref, key string, live *unstructured.Unstructured) *ConfigMapEntry {
	if live != nil {
		ref = RefOf(live)
	}
	return &ConfigMapEntry{Ref: ref, Key: key, live: live}
}

// Text returns the text of the key. The errors are those of [ConfigMaps.Key].
func (e *ConfigMapEntry) Text() (string, error) {
	if e.live == nil {
		return "", &NotFoundError{Ref: NewRef(ConfigMapKind, e.Ref.Namespace, e.Ref.Name)}
	}
	data, _, err := unstructured.NestedStringMap(e.live.Object, "data")
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.Ref, err)
	}
	if value, ok := data[e.Key]; ok {
		return value, nil
	}
	binary, _, err := unstructured.NestedStringMap(e.live.Object, "binaryData")
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.Ref, err)
	}
	ref := NewRef(ConfigMapKind, e.Ref.Namespace, e.Ref.Name)
	if encoded, ok := binary[e.Key]; ok {
		content, _ := base64.StdEncoding.DecodeString(encoded) // the server has checked it
		return "", &BinaryKeyError{Ref: ref, Key: e.Key, Encoding: encodingOf(content)}
	}
	keys := slices.AppendSeq(slices.Collect(maps.Keys(data)), maps.Keys(binary))
	slices.Sort(keys)
	return "", &MissingKeyError{Ref: ref, Key: e.Key, Keys: keys}
}

// HasConfigMap reports whether the ConfigMap is there, with the key or without it.
func (e *ConfigMapEntry) HasConfigMap() bool { return e.live != nil }

// IsImmutable reports whether the ConfigMap is marked as one that never changes.
func (e *ConfigMapEntry) IsImmutable() bool {
	if e.live == nil {
		return false
	}
	immutable, _, _ := unstructured.NestedBool(e.live.Object, "immutable")
	return immutable
}

// IsAlone reports whether the ConfigMap holds nothing but the key.
func (e *ConfigMapEntry) IsAlone() bool {
	if e.live == nil {
		return false
	}
	data, _, _ := unstructured.NestedMap(e.live.Object, "data")
	binary, _, _ := unstructured.NestedMap(e.live.Object, "binaryData")
	_, hasKey := data[e.Key]
	return len(binary) == 0 && (len(data) == 0 || len(data) == 1 && hasKey)
}

// Label returns the value of a label of the ConfigMap; empty if it has none.
func (e *ConfigMapEntry) Label(name string) string {
	if e.live == nil {
		return ""
	}
	return e.live.GetLabels()[name]
}

// Owners returns the field managers that own the key and are neither ours nor those of
// kubectl, the Django controller or the provider under another name, sorted.
func (c ConfigMaps) Owners(e *ConfigMapEntry) []string {
	if e.live == nil {
		return nil
	}
	return c.client.fields.DataKeyOwners(e.live, e.Key)
}

// Has reports whether the key has a text and is ours, so that nothing is to be written.
func (c ConfigMaps) Has(e *ConfigMapEntry, text string) bool {
	live, err := e.Text()
	return err == nil && live == text && c.client.fields.OwnDataKeyAlone(e.live, e.Key)
}

// applied is what an apply of a text sends: the key, and the other keys that we have
// applied as they are, as the server would delete those that are left out.
func (c ConfigMaps) applied(e *ConfigMapEntry, text string) *unstructured.Unstructured {
	data := make(map[string]any)
	if e.live != nil {
		texts, _, _ := unstructured.NestedMap(e.live.Object, "data")
		for _, key := range c.client.fields.OwnedDataKeys(e.live) {
			data[key] = texts[key]
		}
	}
	data[e.Key] = text
	apiVersion, kind := ConfigMapKind.ToAPIVersionAndKind()
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"namespace": e.Ref.Namespace, "name": e.Ref.Name},
		"data":     data,
	}}
}

// DryRun has the server say whether it would store a text. What former managers own is
// no conflict, as [ConfigMaps.Put] takes that over.
func (c ConfigMaps) DryRun(ctx context.Context, e *ConfigMapEntry, text string) error {
	options := metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, Force: c.client.force}
	object := c.applied(e, text)
	_, err := c.client.apply(ctx, object, options)
	if conflict, ok := errors.AsType[*ConflictError](err); ok && e.live != nil && c.client.fields.AreFormer(e.live, conflict.managers()) {
		options.Force = true
		_, err = c.client.apply(ctx, object, options)
	}
	return err
}

// Put stores a text under the key, and creates the ConfigMap if there is none. The
// error is a [*ChangedError] if the ConfigMap is not any more as it was read; perhaps a
// write of ours whose answer was lost has changed it.
func (c ConfigMaps) Put(ctx context.Context, e *ConfigMapEntry, text string) error {
	object := c.applied(e, text)
	if e.live == nil {
		_, err := c.client.Apply(ctx, OnlyIfAbsent(object))
		return err
	}
	live := e.live
	entries, isTaken, err := c.client.fields.TakeDataKey(live, e.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Ref, err)
	}
	if isTaken {
		before := managersOf(live)
		if live, err = c.client.patchManagedFields(ctx, live, entries); err != nil {
			return c.changed(e, err)
		}
		if logging.IsEnabled(ctx) {
			logging.Debug(ctx, "Took over a key", "object", e.Ref, "key", e.Key, "managersBefore", before, "managers", managersOf(live))
		}
	}
	_, err = c.client.Apply(ctx, OnlyIfUnchanged(object, live))
	return err
}

// Remove deletes the key, whoever owns it, and leaves the ConfigMap. The errors are those
// of [ConfigMaps.Put].
func (c ConfigMaps) Remove(ctx context.Context, e *ConfigMapEntry) error {
	resource, err := c.client.writable(e.Ref)
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": string(e.live.GetUID()), "resourceVersion": e.live.GetResourceVersion()},
		"data":     map[string]any{e.Key: nil},
	}}
	body, err := patch.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = resource.Patch(looksAfter(ctx), e.Ref.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: c.client.fields.Name()})
	if err != nil {
		return c.changed(e, c.client.errors.translate("patch", e.Ref, err))
	}
	return nil
}

// Delete deletes the whole ConfigMap as it was read. The errors are those of
// [ConfigMaps.Put]. One that is gone already counts as deleted.
func (c ConfigMaps) Delete(ctx context.Context, e *ConfigMapEntry) error {
	resource, err := c.client.writable(e.Ref)
	if err != nil {
		return err
	}
	uid, version := e.live.GetUID(), e.live.GetResourceVersion()
	err = resource.Delete(looksAfter(ctx), e.Ref.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return c.changed(e, c.client.errors.translate("delete", e.Ref, err))
}

// changed marks a conflict as one that a second look solves.
func (c ConfigMaps) changed(e *ConfigMapEntry, err error) error {
	if _, isDenied := errors.AsType[*DeniedError](err); apierrors.IsConflict(err) && !isDenied {
		return &ChangedError{Ref: e.Ref, MayBeOurs: true, Err: err}
	}
	return err
}
