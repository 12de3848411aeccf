package kube

import (
	"context"
	"errors"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const (
	clusterIPField = "spec.clusterIP"
	familiesField  = "spec.ipFamilyPolicy"
)

// serviceRecreation finds out what recreating a Service would result in that is to become
// headless, or not to be so any more: the server does not let its address change. So it is with
// the families of addresses that the server has chosen for a headless Service without a
// selector, if the Service gets one. It returns nil where that is not what changes.
// EndpointSlices stay while the Service is away, as they are not deleted with it.
func (p *Probe) serviceRecreation(ctx context.Context) (*Recreation, error) {
	fresh, err := p.fresh(ctx)
	if _, ok := errors.AsType[*RejectedError](err); ok {
		return nil, nil // it is the content that is refused
	}
	if err != nil {
		return nil, err
	}
	field := clusterIPField
	if managedfields.IsHeadless(fresh) == managedfields.IsHeadless(p.live) {
		field = familiesField
		if !managedfields.GetsSelector(p.live, fresh) {
			return nil, nil
		}
	}
	if p.client.fields.OthersOwn(p.live, field) {
		return nil, nil
	}
	body := fresh.DeepCopy()
	managedfields.WithoutAllocated(body, p.object)
	recreation := &Recreation{Fields: []string{field}}
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
