package kube

import (
	"context"
	"errors"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const clusterIPField = "spec.clusterIP"

// serviceRecreation finds out what recreating a Service would result in that is to become
// headless, or not to be so any more: the server does not let its address change. It
// returns nil where that is not what changes. EndpointSlices stay while the Service is
// away, as they are not deleted with it.
func (p *Probe) serviceRecreation(ctx context.Context) (*Recreation, error) {
	fresh, err := p.fresh(ctx)
	if _, ok := errors.AsType[*RejectedError](err); ok {
		return nil, nil // it is the content that is refused
	}
	if err != nil {
		return nil, err
	}
	if managedfields.IsHeadless(fresh) == managedfields.IsHeadless(p.live) || p.client.fields.OthersOwn(p.live, clusterIPField) {
		return nil, nil
	}
	body := fresh.DeepCopy()
	managedfields.WithoutAllocated(body, p.object)
	recreation := &Recreation{Fields: []string{clusterIPField}}
	if recreation.Result, recreation.Removed, err = p.merge(ctx, body); err != nil {
		return nil, err
	}
	recreation.Merged = recreation.Result
	if err := p.delete(ctx); err != nil {
		return nil, err
	}
	logging.Debug(ctx, "Planned a recreation", "object", RefOf(p.live), "fields", recreation.Fields, "removedFields", len(recreation.Removed))
	return recreation, nil
}
