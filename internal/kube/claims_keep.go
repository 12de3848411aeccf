package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// keepTimeout bounds how long [Claims.Keep] takes: the StatefulSet controller answers a
// change of a policy within a second, and does not at all where it does not run.
const keepTimeout = time.Minute

// The retention policy of a StatefulSet's claims, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention.
const (
	retentionPolicy = "persistentVolumeClaimRetentionPolicy"
	// WhenDeleted is the field of the policy for a StatefulSet that is deleted.
	WhenDeleted = "whenDeleted"
	// WhenScaled is the field of the policy for a StatefulSet that gets fewer replicas.
	WhenScaled = "whenScaled"
)

// DeletesClaims returns when Kubernetes deletes the claims of a StatefulSet: none, one or
// both of [WhenDeleted] and [WhenScaled].
func DeletesClaims(statefulSet *unstructured.Unstructured) []string {
	var when []string
	for _, field := range []string{WhenDeleted, WhenScaled} {
		if policy, _, _ := unstructured.NestedString(statefulSet.Object, "spec", retentionPolicy, field); policy == "Delete" {
			when = append(when, field)
		}
	}
	return when
}

// Keep makes sure that the claims of a live StatefulSet outlive it and its pods. It has
// three steps:
//
//  1. The retention policy becomes Retain. Its fields keep their owners.
//  2. The StatefulSet controller has seen that: from then on it makes no claim the
//     property of the StatefulSet or of a pod.
//  3. No claim is the property of the StatefulSet or of one of its pods any more. The
//     controller takes only those back whose pods are there and ready, so that the rest
//     is done here.
//
// A StatefulSet whose policy is Retain may have claims from before it was; where claims
// may not be listed that is not found out. Keep returns the StatefulSet as it is then.
func (c *Claims) Keep(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	isRetained := len(DeletesClaims(live)) == 0
	if !isRetained {
		var err error
		if live, err = c.retain(ctx, live); err != nil {
			return nil, err
		}
	}
	err := c.release(ctx, live, !isRetained)
	if _, ok := errors.AsType[*ForbiddenError](err); ok && isRetained {
		return live, nil
	}
	return live, err
}

// CheckKeep asks, by dry runs, whether [Claims.Keep] may do what it has to.
func (c *Claims) CheckKeep(ctx context.Context, live *unstructured.Unstructured) error {
	if len(DeletesClaims(live)) == 0 {
		return nil
	}
	statefulSets, err := c.client.readable(RefOf(live))
	if err != nil {
		return err
	}
	if _, err := c.patchPolicy(ctx, statefulSets, live, metav1.PatchOptions{DryRun: dryRunAll}); err != nil && !apierrors.IsConflict(err) {
		return err
	}
	owned, err := c.ownedBy(ctx, live, false)
	if err != nil || len(owned) == 0 {
		return err
	}
	claims, err := c.client.readable(owned[0].Ref)
	if err != nil {
		return err
	}
	err = c.disown(ctx, claims, owned[0], live.GetName(), metav1.PatchOptions{DryRun: dryRunAll})
	if apierrors.IsConflict(err) {
		return nil // the claim has changed, and the right is there
	}
	return err
}

// retain sets the policy, and waits until the controller has seen it.
func (c *Claims) retain(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ref := RefOf(live)
	statefulSets, err := c.client.writable(ref)
	if err != nil {
		return nil, err
	}
	var retained *unstructured.Unstructured
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		var err error
		if retained, err = c.patchPolicy(ctx, statefulSets, live, metav1.PatchOptions{}); !apierrors.IsConflict(err) {
			return err
		}
		now, failed := c.client.Get(ctx, ref)
		switch {
		case failed != nil:
			return failed
		case now == nil || now.GetUID() != ref.UID:
			return &NotFoundError{Ref: ref}
		}
		live = now // a controller has written its status
		return err
	})
	if err != nil {
		return nil, err
	}
	logging.Debug(ctx, "Set the retention policy of claims", "object", ref, "before", DeletesClaims(live))
	if retained, err = c.awaitObserved(ctx, statefulSets, retained); err != nil {
		return nil, err
	}
	// The fields go back to who owned them. Otherwise they would be ours by an update.
	owners := recreator{client: c.client, resource: statefulSets, former: ref.UID}
	owned, err := owners.setOwners(ctx, retained, live.GetManagedFields())
	if err != nil {
		// The next apply adopts what is ours by an update.
		logging.Debug(ctx, "Could not give the fields of the retention policy back", "object", ref, "error", err)
		return retained, nil
	}
	return owned, nil
}

// patchPolicy sets the policy of a StatefulSet that has not changed since it was read.
func (c *Claims) patchPolicy(
	ctx context.Context, statefulSets dynamic.ResourceInterface, live *unstructured.Unstructured, options metav1.PatchOptions,
) (*unstructured.Unstructured, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": live.GetUID(), "resourceVersion": live.GetResourceVersion()},
		"spec":     map[string]any{retentionPolicy: map[string]any{WhenDeleted: "Retain", WhenScaled: "Retain"}},
	})
	if err != nil {
		return nil, err
	}
	options.FieldManager = c.client.fields.Name()
	patched, err := statefulSets.Patch(looksAfter(ctx), live.GetName(), types.MergePatchType, patch, options)
	if err != nil {
		return nil, c.client.errors.translate("patch", RefOf(live), err)
	}
	return patched, nil
}

// awaitObserved waits until the controller has worked on a StatefulSet as it is now.
func (c *Claims) awaitObserved(
	ctx context.Context, statefulSets dynamic.ResourceInterface, written *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	ref := RefOf(written)
	hasObserved := func(event watch.Event) (bool, error) {
		live, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			return false, nil
		}
		if event.Type == watch.Deleted || live.GetUID() != ref.UID {
			return false, &NotFoundError{Ref: ref}
		}
		observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
		if observed < written.GetGeneration() {
			return false, nil
		}
		written = live
		return true, nil
	}
	_, err := watchtools.UntilWithSync(ctx, watchOne(statefulSets, ref.Name), &unstructured.Unstructured{}, nil, hasObserved)
	var gone *NotFoundError
	switch {
	case err == nil, errors.As(err, &gone):
		return written, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the StatefulSet controller has not taken notice of its new policy: %w", context.Cause(ctx))
	}
	return nil, c.client.connection.Explain(err)
}

// release takes the StatefulSet and its pods out of the owners of its claims, until a fresh
// list has no claim that one of them owns.
func (c *Claims) release(ctx context.Context, statefulSet *unstructured.Unstructured, fresh bool) error {
	for {
		owned, err := c.ownedBy(ctx, statefulSet, fresh)
		if err != nil || len(owned) == 0 {
			return err
		}
		if fresh {
			if err := c.disownAll(ctx, owned, statefulSet.GetName()); err != nil {
				return err
			}
		}
		fresh = true // what was listed a minute ago may have changed
	}
}

func (c *Claims) disownAll(ctx context.Context, owned []claimMetadata, statefulSet string) error {
	for _, claim := range owned {
		claims, err := c.client.writable(claim.Ref)
		if err != nil {
			return err
		}
		err = c.disown(ctx, claims, claim, statefulSet, metav1.PatchOptions{})
		if _, isGone := errors.AsType[*NotFoundError](err); isGone || apierrors.IsConflict(err) {
			continue // the next list tells
		}
		if err != nil {
			return err
		}
		logging.Debug(ctx, "Took a claim from its owners", "claim", claim.Ref, "owners", len(claim.owners))
	}
	return nil
}

// disown takes a claim that has not changed since it was listed from a StatefulSet and its
// pods. Other owners keep it.
func (c *Claims) disown(
	ctx context.Context, claims dynamic.ResourceInterface, claim claimMetadata, statefulSet string, options metav1.PatchOptions,
) error {
	left := slices.DeleteFunc(slices.Clone(claim.owners), func(owner metav1.OwnerReference) bool { return isOwner(owner, statefulSet) })
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": claim.UID, "resourceVersion": claim.resourceVersion, "ownerReferences": left},
	})
	if err != nil {
		return err
	}
	options.FieldManager = c.client.fields.Name()
	if _, err := claims.Patch(looksAfter(ctx), claim.Name, types.MergePatchType, patch, options); err != nil {
		return c.client.errors.translate("patch", claim.Ref, err)
	}
	return nil
}

// ownedBy returns the claims that the garbage collector would delete with a StatefulSet or
// with one of its pods.
func (c *Claims) ownedBy(ctx context.Context, statefulSet *unstructured.Unstructured, fresh bool) ([]claimMetadata, error) {
	all, err := c.all(ctx, statefulSet.GetNamespace(), fresh)
	if err != nil {
		return nil, err
	}
	var owned []claimMetadata
	for _, claim := range all {
		if _, _, ok := CutClaimName(claim.Name, statefulSet.GetName()); !ok {
			continue // an ephemeral volume's claim goes with its pod
		}
		if slices.ContainsFunc(claim.owners, func(owner metav1.OwnerReference) bool { return isOwner(owner, statefulSet.GetName()) }) {
			owned = append(owned, claim)
		}
	}
	return owned, nil
}

// isOwner reports whether an owner is a StatefulSet of a name, or one of its pods. The UID
// does not matter: what is owned by a StatefulSet that is no more is deleted, too.
func isOwner(owner metav1.OwnerReference, statefulSet string) bool {
	switch schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return owner.Name == statefulSet
	case schema.GroupKind{Kind: "Pod"}:
		ordinal, ok := strings.CutPrefix(owner.Name, statefulSet+"-")
		_, err := strconv.ParseUint(ordinal, 10, 32)
		return ok && err == nil
	}
	return false
}
