package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
)

// Claim is a PersistentVolumeClaim, as far as its size goes.
type Claim struct {
	Ref
	Requested resource.Quantity
	Bound     bool // the server lets only bound claims grow
}

// Get reads a claim; nil without an error when there is none.
func (c *Claims) Get(ctx context.Context, namespace, name string) (*Claim, error) {
	live, err := c.client.Get(ctx, NewRef(ClaimKind, namespace, name))
	if err != nil || live == nil {
		return nil, err
	}
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	return &Claim{Ref: RefOf(live), Requested: storageRequest(live.Object), Bound: phase == string(corev1.ClaimBound)}, nil
}

// Grow asks for more storage.
func (c *Claims) Grow(ctx context.Context, ref Ref, size resource.Quantity) error {
	return c.grow(ctx, ref, size, metav1.PatchOptions{})
}

// DryRunGrow asks whether a claim may have more storage: among others, whether its
// class lets it grow.
func (c *Claims) DryRunGrow(ctx context.Context, ref Ref, size resource.Quantity) error {
	return c.grow(ctx, ref, size, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
}

func (c *Claims) grow(ctx context.Context, ref Ref, size resource.Quantity, options metav1.PatchOptions) error {
	claims, err := c.client.writable(ref)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		// The UID keeps the patch from another claim that took the name.
		"metadata": map[string]any{"uid": ref.UID},
		"spec":     map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": size.String()}}},
	})
	if err != nil {
		return err
	}
	options.FieldManager = c.client.fields.Name()
	// Asking twice for the same size changes nothing.
	if _, err := claims.Patch(looksAfter(ctx), ref.Name, types.MergePatchType, patch, options); err != nil {
		return c.client.errors.translate("grow", ref, err)
	}
	return nil
}

// GrowthError says that a claim has not got the storage that it asks for.
type GrowthError struct {
	Ref    Ref
	Size   resource.Quantity
	Reason string
	Err    error // nil when the storage back end has given up
}

// Error names the claim and says what is known about its growth.
func (e *GrowthError) Error() string {
	return fmt.Sprintf("%s has not grown to %s: %s", e.Ref, e.Size.String(), e.Reason)
}

// Unwrap returns why the wait ended.
func (e *GrowthError) Unwrap() error { return e.Err }

// AwaitGrowth waits until a claim has the storage that it asks for. Deferred is
// true when the volume has grown and only the file system is left, which some
// storage back ends do at the next start of the pod, see
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#resizing-an-in-use-persistentvolumeclaim.
func (c *Claims) AwaitGrowth(ctx context.Context, ref Ref, size resource.Quantity) (deferred bool, err error) {
	claims, err := c.client.readable(ref)
	if err != nil {
		return false, err
	}
	reason := "it has not been read yet"
	hasGrown := func(event watch.Event) (bool, error) {
		live, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			return false, nil
		}
		if event.Type == watch.Deleted || live.GetUID() != ref.UID {
			return false, &NotFoundError{Ref: ref}
		}
		claim := &corev1.PersistentVolumeClaim{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, claim); err != nil {
			return false, err
		}
		growth := growthOf(claim, size)
		deferred, reason = growth.deferred, growth.reason
		if growth.failed {
			return false, &GrowthError{Ref: ref, Size: size, Reason: reason}
		}
		return growth.done || growth.deferred, nil
	}
	_, err = watchtools.UntilWithSync(ctx, watchOne(claims, ref.Name), &unstructured.Unstructured{}, nil, hasGrown)
	var failed *GrowthError
	var gone *NotFoundError
	switch {
	case err == nil, errors.As(err, &failed), errors.As(err, &gone):
		return deferred, err
	case ctx.Err() != nil:
		return false, &GrowthError{Ref: ref, Size: size, Reason: reason, Err: context.Cause(ctx)}
	}
	return false, c.client.connection.Explain(err)
}

type growth struct {
	done, deferred, failed bool
	reason                 string
}

// growthOf returns how far a claim has come.
func growthOf(claim *corev1.PersistentVolumeClaim, size resource.Quantity) growth {
	capacity := claim.Status.Capacity[corev1.ResourceStorage]
	if capacity.Cmp(size) >= 0 {
		return growth{done: true}
	}
	g := growth{reason: fmt.Sprintf("its capacity is %s", capacity.String())}
	switch status := claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage]; status {
	case corev1.PersistentVolumeClaimControllerResizeInfeasible, corev1.PersistentVolumeClaimNodeResizeInfeasible:
		g.failed = true
		g.reason += ", and the storage back end says " + string(status)
	case corev1.PersistentVolumeClaimNodeResizePending:
		g.deferred = true
	default: // under way
	}
	for _, condition := range claim.Status.Conditions {
		if condition.Status != corev1.ConditionTrue {
			continue
		}
		if condition.Type == corev1.PersistentVolumeClaimFileSystemResizePending {
			g.deferred = true
		}
		g.reason += fmt.Sprintf(" (%s: %s)", condition.Type, condition.Message)
	}
	g.deferred = g.deferred && !g.failed
	return g
}
