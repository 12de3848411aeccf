package kube

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Recreation is how an object gets values that the server does not let change:
// it is deleted without what it owns, such as the pods of a StatefulSet, and
// created again around that.
type Recreation struct {
	// Fields that cannot be changed in place, as `spec.serviceName`, sorted.
	Fields []string
	// Result is the object as it will be, with what others own on it.
	Result *unstructured.Unstructured
	// InPlace is the object as it can be applied without a recreation; nothing else is
	// set then. The field that the server refuses is one that it sets to a value of its
	// own on every new object, and the live object has that value already.
	InPlace *unstructured.Unstructured
	// Removed are fields of people with kubectl, with their live values, that the
	// server does not take together with those that are applied.
	Removed managedfields.Fields
	// Merged is the result of an apply that leaves the immutable fields as they are.
	Merged *unstructured.Unstructured
}

// Recreation finds out, after an apply was refused as invalid, whether that is for
// immutable fields, which fields these are, and what recreating the object would result
// in; nil when the refusal has another reason. It only asks the server, by dry runs:
//
//   - a create of the object under another name checks all of it, and shows the
//     immutable fields as they would be stored;
//   - an update of each field that differs, and a create of the same, show whether it is
//     immutable: the change is refused, and the content is not;
//   - an apply with the live values of the immutable fields shows the rest, merged
//     with what others own (where the server refuses that, it is merged here);
//   - a delete shows whether the rights suffice.
func (p *Probe) Recreation(ctx context.Context, recorded managedfields.Fields) (*Recreation, error) {
	if managedfields.IsService(p.live) {
		return p.serviceRecreation(ctx)
	}
	c, object, live := p.client, p.object, p.live
	fresh, err := p.fresh(ctx)
	if _, ok := errors.AsType[*RejectedError](err); ok {
		return nil, nil // it is the content that is refused
	}
	if err != nil {
		return nil, err
	}
	immutable, err := p.immutableFields(ctx, fresh)
	if err != nil {
		return nil, err
	}
	changeable := object.DeepCopy()
	overridden := managedfields.OverriddenSpecFields(object, live, fresh)
	for _, field := range slices.Concat(immutable, overridden) {
		copySpecField(changeable, live, field)
	}
	if len(immutable) == 0 {
		if len(overridden) == 0 {
			return nil, nil
		}
		return &Recreation{InPlace: changeable}, nil
	}
	recreation := &Recreation{}
	recreation.Merged, err = c.DryRun(ctx, changeable, live)
	if _, ok := errors.AsType[*RejectedError](err); ok {
		// The rest does not go with the live values, as a mount of a new claim.
		recreation.Merged, recreation.Removed, err = p.merge(ctx, fresh)
	}
	if err != nil {
		return nil, err
	}
	if err := p.delete(ctx); err != nil {
		return nil, err
	}
	recreation.Result, err = c.recreated(recreation.Merged, fresh, live, immutable, recorded)
	if err != nil {
		return nil, err
	}
	if err := p.create(ctx, recreation.Result); err != nil {
		return nil, err
	}
	for _, field := range immutable {
		recreation.Fields = append(recreation.Fields, "spec."+field)
	}
	logging.Debug(ctx, "Planned a recreation", "object", RefOf(live), "fields", recreation.Fields, "removedFields", len(recreation.Removed))
	return recreation, nil
}

// recreated returns the object to create: `merged` without what goes at an adoption,
// with the immutable fields of a new object, and with the owners of its fields.
func (c *Client) recreated(
	merged, fresh, live *unstructured.Unstructured, immutable []string, recorded managedfields.Fields,
) (*unstructured.Unstructured, error) {
	adoption := c.fields.Adoption(live, merged, recorded)
	going, err := adoption.Orphaned()
	if err != nil {
		return nil, err
	}
	body := adoption.Leftovers(fresh).Without(merged, fresh)
	managedfields.Remove(body, going)
	body = c.fields.Emptied(body, fresh).In(body)
	for _, field := range immutable {
		copySpecField(body, fresh, field)
	}
	owners, err := adoption.EntriesOfRecreated(fresh)
	if err != nil {
		return nil, err
	}
	body.SetManagedFields(owners)
	return body, nil
}

// merge merges a new object with what others own on the live one, and has the server
// check that. As [Probe.ConflictRemoval] does, it removes what it must.
func (p *Probe) merge(
	ctx context.Context, fresh *unstructured.Unstructured,
) (*unstructured.Unstructured, managedfields.Fields, error) {
	foreign := p.client.fields.Foreign(p.object, p.live, nil)
	var refusal error
	for _, removal := range append([][]string{nil}, foreign.Removals()...) {
		merged, err := foreign.Merge(fresh, removal)
		if err != nil {
			return nil, nil, err
		}
		err = p.create(ctx, merged)
		if _, ok := errors.AsType[*RejectedError](err); ok {
			refusal = cmp.Or(refusal, err)
			continue
		}
		return merged, foreign.Below(removal), err
	}
	return nil, nil, refusal
}

// immutableFields asks about each field of the spec in which a new object differs
// from the live one.
func (p *Probe) immutableFields(ctx context.Context, fresh *unstructured.Unstructured) ([]string, error) {
	var immutable []string
	for _, field := range managedfields.DifferingSpecFields(p.live, fresh) {
		body := p.live.DeepCopy()
		copySpecField(body, fresh, field)
		_, err := p.update(ctx, body)
		if err == nil {
			continue
		}
		rejected, ok := errors.AsType[*RejectedError](err)
		if !ok {
			return nil, err // whether it is immutable is not known
		}
		isImmutable, err := p.refusesChange(ctx, body, rejected)
		if err != nil {
			return nil, err
		}
		if isImmutable {
			immutable = append(immutable, field)
		}
	}
	return immutable, nil
}

// copySpecField copies a field of the spec; where it is absent, it is removed.
func copySpecField(to, from *unstructured.Unstructured, field string) {
	value, found, _ := unstructured.NestedFieldCopy(from.Object, "spec", field)
	if !found {
		unstructured.RemoveNestedField(to.Object, "spec", field)
		return
	}
	_ = unstructured.SetNestedField(to.Object, value, "spec", field)
}
