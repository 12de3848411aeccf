package kube

import (
	"context"
	"errors"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
)

// FieldsLost returns the fields, with their live values, that an object loses or has
// reset when it is adopted: those that a former manager set and that we do not
// apply. `result` is the dry run of our apply.
//
// A former manager owns the server's defaults, too, as it wrote by POST. They go
// and come back with the same values, so they must not count. Only the server
// knows its defaults: it is asked by the dry run of an update without the
// fields.
func (c *Client) FieldsLost(ctx context.Context, live, result *unstructured.Unstructured) (managedfields.Fields, error) {
	if c.fields.Applied(live) {
		return nil, nil
	}
	adoption := c.fields.Adoption(live, result, nil)
	going, err := adoption.Orphaned()
	if err != nil || len(going) == 0 {
		return nil, err
	}
	body := result.DeepCopy()
	managedfields.Remove(body, going)
	ref := RefOf(live)
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	after, err := c.dryRunUpdate(ctx, resource, body, live)
	if err != nil {
		return nil, err
	}
	return adoption.Lost(after), nil
}

// dryRunUpdate has the server make of a live object what it would of an update. A
// controller that writes its status at the same moment is no reason to fail.
func (c *Client) dryRunUpdate(ctx context.Context, resource dynamic.ResourceInterface, body, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	body.SetManagedFields(nil)
	// Without a resourceVersion the server takes the newest. Custom resources need
	// one, and have to be tried again where it is old by now.
	body.SetResourceVersion("")
	var after *unstructured.Unstructured
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var err error
		after, err = resource.Update(ctx, body, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.fields.Name()})
		if needsVersion(err) || apierrors.IsConflict(err) {
			now, failed := resource.Get(ctx, body.GetName(), metav1.GetOptions{})
			if failed != nil {
				return failed
			}
			body.SetResourceVersion(now.GetResourceVersion())
			after, err = resource.Update(ctx, body, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.fields.Name()})
		}
		return err
	})
	if err != nil {
		return nil, c.classify("update", RefOf(live), err)
	}
	return after, nil
}

func needsVersion(err error) bool {
	var status *apierrors.StatusError
	return apierrors.IsInvalid(err) && errors.As(err, &status) && status.ErrStatus.Details != nil &&
		slices.ContainsFunc(status.ErrStatus.Details.Causes, func(cause metav1.StatusCause) bool { return cause.Field == "metadata.resourceVersion" })
}
