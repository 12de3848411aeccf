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

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Probe asks the server by dry runs how a live object can become what is applied, where a
// plain apply does not do it. It changes nothing. It is for one goroutine.
type Probe struct {
	client   *Client
	resource dynamic.ResourceInterface
	object   *unstructured.Unstructured // that is applied
	live     *unstructured.Unstructured

	// The answer to fresh, once it has been asked for.
	isAsked bool
	created *unstructured.Unstructured
	refusal error
}

// Probe returns a probe of an object that is applied to a live one.
func (c *Client) Probe(object, live *unstructured.Unstructured) (*Probe, error) {
	resource, err := c.readable(RefOf(live))
	if err != nil {
		return nil, err
	}
	return &Probe{client: c, resource: resource, object: object, live: live}, nil
}

var dryRunAll = []string{metav1.DryRunAll}

// fresh returns what the apply would create if the name were free. The server is asked
// once. The answer must not be changed.
func (p *Probe) fresh(ctx context.Context) (*unstructured.Unstructured, error) {
	if !p.isAsked {
		p.created, p.refusal = p.applyNew(ctx)
		p.isAsked = ctx.Err() == nil
	}
	return p.created, p.refusal
}

func (p *Probe) applyNew(ctx context.Context) (*unstructured.Unstructured, error) {
	renamed := p.object.DeepCopy()
	renamed.SetName(freeName(p.object))
	renamed.SetUID("")
	held := managedfields.ReleaseAllocated(renamed, p.live)
	options := metav1.ApplyOptions{DryRun: dryRunAll, FieldManager: p.client.fields.Name(), Force: p.client.force}
	fresh, err := p.resource.Apply(ctx, renamed.GetName(), renamed, options)
	if err != nil {
		return nil, p.client.errors.translate(verbApply, RefOf(p.object), err)
	}
	fresh.SetName(p.object.GetName())
	return p.client.fields.WithApplied(fresh, held)
}

// refusesChange reports whether the server, which has refused an update of the live
// object, refuses the change and not the content: it would create such an object, or
// finds fewer faults with it. How it says so depends on its version, so this is told by
// the pair of answers alone.
func (p *Probe) refusesChange(ctx context.Context, body *unstructured.Unstructured, refusal *RejectedError) (bool, error) {
	err := p.create(ctx, body)
	if ofContent, ok := errors.AsType[*RejectedError](err); ok {
		return refusal.adds(ofContent), nil
	}
	return err == nil, err
}

// Explain returns a refusal of the apply as a [*ImmutableFieldError] if the server would
// create the object, and refuses to make the live one the same.
func (p *Probe) Explain(ctx context.Context, refusal error) error {
	fresh, err := p.fresh(ctx)
	if err != nil {
		return refusal
	}
	body := fresh.DeepCopy()
	body.Object["metadata"] = p.live.DeepCopy().Object["metadata"]
	managedfields.KeepAllocated(body, p.live, p.object)
	_, err = p.update(ctx, body)
	if rejected, ok := errors.AsType[*RejectedError](err); ok && rejected.IsInvalid() {
		return &ImmutableFieldError{Ref: RefOf(p.live), Err: refusal}
	}
	return refusal
}

// create checks an object that is to be created in place of the live one.
func (p *Probe) create(ctx context.Context, object *unstructured.Unstructured) error {
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
func (p *Probe) update(ctx context.Context, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
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
func (p *Probe) delete(ctx context.Context) error {
	orphan := metav1.DeletePropagationOrphan
	err := p.resource.Delete(ctx, p.live.GetName(), metav1.DeleteOptions{DryRun: dryRunAll, PropagationPolicy: &orphan})
	if err != nil && !apierrors.IsNotFound(err) {
		return p.client.errors.translate("delete", RefOf(p.live), err)
	}
	return nil
}
