package protocoltest

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Instance is a resource that takes part in a walk with others. Each has a core of its
// own, which keeps its state.
type Instance struct {
	*Core
	// Attributes of the resource; nil where the configuration does not have it.
	Attributes map[string]any
	// IsTainted: the state marks it as one to be replaced.
	IsTainted bool
	// IsReplaced: the operator asks to replace it.
	IsReplaced bool
	// SkipsRefresh: the state is taken as it is.
	SkipsRefresh bool
}

// PlanTogether plans several resources in one walk, one after the other: the CLI does so
// in any order. The provider is that of the first one. It returns all errors; states are
// not kept.
func PlanTogether(ctx context.Context, instances ...Instance) error {
	first, err := instances[0].start(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for i, instance := range instances {
		w := *first
		w.Core = instance.Core
		if err := w.planInstance(ctx, instance); err != nil {
			failed = append(failed, fmt.Errorf("instance %d: %w", i, err))
		}
	}
	return errors.Join(failed...)
}

// planInstance does what core does for one instance in the walk of a plan.
func (w *walk) planInstance(ctx context.Context, instance Instance) error {
	null := tftypes.NewValue(w.typ, nil)
	prior, err := w.upgrade(ctx)
	if err == nil && !prior.IsNull() && !instance.SkipsRefresh {
		var read answer
		if read, err = w.read(ctx, prior); err == nil {
			prior, err = read.state.Unmarshal(w.typ)
		}
	}
	if err != nil {
		return err
	}
	var attributes any
	if instance.Attributes != nil {
		attributes = instance.Attributes
	}
	config := valueOf(w.typ, attributes)
	if instance.IsTainted {
		// Core plans it as a new one, and shows it as a replacement.
		_, err = w.planOnce(ctx, config, null, nil)
		return err
	}
	planned, err := w.planOnce(ctx, config, prior, w.Private)
	if err == nil && (instance.IsReplaced || len(planned.requiresReplace) > 0) {
		// The second plan gets the private state that the first one has returned.
		_, err = w.planOnce(ctx, config, null, planned.private)
	}
	return err
}

// planOnce sends one plan.
func (w *walk) planOnce(ctx context.Context, config, prior tftypes.Value, private []byte) (answer, error) {
	proposed := config
	if !config.IsNull() {
		proposed = w.propose(config, prior)
	}
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: w.Resource, PriorState: dynamic(prior), ProposedNewState: dynamic(proposed), Config: dynamic(config), PriorPrivate: private,
	}
	if !prior.IsNull() {
		req.PriorIdentity = w.identity
	}
	return w.planResourceChange(ctx, req)
}
