package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
)

// probe asks the server by dry runs what it would make of objects in the place of a
// live one. It changes nothing.
type probe struct {
	client   *Client
	resource dynamic.ResourceInterface
	live     *unstructured.Unstructured
}

func (c *Client) newProbe(live *unstructured.Unstructured) (*probe, error) {
	resource, err := c.readable(RefOf(live))
	if err != nil {
		return nil, err
	}
	return &probe{client: c, resource: resource, live: live}, nil
}

var dryRunAll = []string{metav1.DryRunAll}

// applyNew returns what an apply of an object would create if its name were free.
func (p *probe) applyNew(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	renamed := object.DeepCopy()
	renamed.SetName(freeName(object))
	options := metav1.ApplyOptions{DryRun: dryRunAll, FieldManager: p.client.fields.Name(), Force: p.client.force}
	fresh, err := p.resource.Apply(ctx, renamed.GetName(), renamed, options)
	if err != nil {
		return nil, p.client.errors.translate(verbApply, RefOf(object), err)
	}
	fresh.SetName(object.GetName())
	return fresh, nil
}

// create checks an object that is to be created in place of the live one.
func (p *probe) create(ctx context.Context, object *unstructured.Unstructured) error {
	renamed := asNew(object)
	renamed.SetName(freeName(object))
	options := metav1.CreateOptions{DryRun: dryRunAll, FieldManager: p.client.fields.Name()}
	if _, err := p.resource.Create(ctx, renamed, options); err != nil {
		return p.client.errors.translate("create", RefOf(object), err)
	}
	return nil
}

// freeName is one that nothing else has.
func freeName(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%.40s-%s", object.GetName(), rand.String(10))
}

// update returns what an update of the live object would store. A controller that
// writes the object's status at the same moment is no reason to fail.
func (p *probe) update(ctx context.Context, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	options := metav1.UpdateOptions{DryRun: dryRunAll, FieldManager: p.client.fields.Name()}
	body.SetManagedFields(nil)
	// Without a resourceVersion the server takes the newest. Custom resources need
	// one, and have to be tried again where it is old by now.
	body.SetResourceVersion("")
	var after *unstructured.Unstructured
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var err error
		after, err = p.resource.Update(ctx, body, options)
		if needsVersion(err) || apierrors.IsConflict(err) {
			now, failed := p.resource.Get(ctx, body.GetName(), metav1.GetOptions{})
			if failed != nil {
				return failed
			}
			body.SetResourceVersion(now.GetResourceVersion())
			after, err = p.resource.Update(ctx, body, options)
		}
		return err
	})
	if err != nil {
		return nil, p.client.errors.translate("update", RefOf(p.live), err)
	}
	return after, nil
}

func needsVersion(err error) bool {
	var status *apierrors.StatusError
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.ErrStatus.Details == nil {
		return false
	}
	return slices.ContainsFunc(status.ErrStatus.Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Field == "metadata.resourceVersion"
	})
}

// delete checks whether the live object may be deleted without what it owns. One that
// is gone by now counts as deleted.
func (p *probe) delete(ctx context.Context) error {
	orphan := metav1.DeletePropagationOrphan
	err := p.resource.Delete(ctx, p.live.GetName(), metav1.DeleteOptions{DryRun: dryRunAll, PropagationPolicy: &orphan})
	if err != nil && !apierrors.IsNotFound(err) {
		return p.client.errors.translate("delete", RefOf(p.live), err)
	}
	return nil
}
