package kube

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RemoveOwner takes the owner label off an object, if the label has this value, and leaves
// everything else as it is. An object that is gone, or has another owner, is left alone.
func (c *Client) RemoveOwner(ctx context.Context, ref Ref, owner string) error {
	label := c.fields.OwnerLabel()
	live, err := c.Get(ctx, ref)
	if err != nil || live == nil || label == "" || live.GetLabels()[label] != owner || ref.UID != "" && live.GetUID() != ref.UID {
		return err
	}
	// The UID is a precondition.
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": live.GetUID(), "labels": map[string]any{label: nil}},
	})
	if err != nil {
		return err
	}
	resource, err := c.writable(ref)
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, ref.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: c.fields.Name()})
	if err != nil {
		return c.errors.translate("patch", ref, err)
	}
	return nil
}
