package mira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const (
	// recreateTimeout bounds the time between the delete of a StatefulSet and its being
	// there again, which an interrupt does not cut short.
	recreateTimeout = 3 * time.Minute
	// recreateTries is how often a recreation is planned again because the StatefulSet has
	// changed: its status does so all the time while a rollout goes on.
	recreateTries = 20
)

// planRecreation plans to recreate a StatefulSet around its pods, or a Service around its
// endpoints, if the server refused the apply because of an immutable field. Otherwise it
// returns the refusal.
func (p applyPlanner) planRecreation(ctx context.Context, c *objectChange, probe *kube.Probe, refusal error) error {
	if !isStatefulSet(c.manifest) && !managedfields.IsService(c.manifest) {
		return refusal
	}
	plan, err := probe.Recreation(ctx, c.prior)
	if err != nil {
		return err
	}
	if plan == nil {
		return refusal
	}
	if plan.InPlace != nil {
		c.applied, c.isOverridden = plan.InPlace, true
		c.dryRun, err = p.kube.DryRun(ctx, c.applied, c.live)
		return err
	}
	c.recreate(plan)
	if !isStatefulSet(c.manifest) {
		return nil
	}
	if c.recreation.refusal, err = p.checkSelector(ctx, c); err != nil {
		return err
	}
	claims, err := p.ofClaims().checkClaims(ctx, c)
	c.recreation.refusal = errors.Join(c.recreation.refusal, claims)
	if err != nil || c.recreation.refusal != nil {
		return cmp.Or(err, c.recreation.refusal)
	}
	c.recreation.withoutClaim, err = p.ofClaims().podsWithoutClaim(ctx, c)
	return err
}

// checkSelector refuses a selector that running pods do not match: the new StatefulSet
// would not take them over, and could not start its own beside them.
func (p applyPlanner) checkSelector(ctx context.Context, c *objectChange) (refusal, err error) {
	if !slices.Contains(c.recreation.Fields, "spec.selector") {
		return nil, nil
	}
	selector, err := selectorOf(c.dryRun)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.ref, err)
	}
	var lost []string
	for _, name := range podNames(c.live) {
		pod, err := p.pod(ctx, c.live.GetNamespace(), name)
		if err != nil {
			return nil, err
		}
		if pod != nil && metav1.IsControlledBy(pod, c.live) && !selector.Matches(labels.Set(pod.GetLabels())) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		return &SelectorError{Ref: kube.RefOf(c.live), Selector: selector.String(), Pods: lost}, nil
	}
	return nil, nil
}

func selectorOf(statefulSet *unstructured.Unstructured) (labels.Selector, error) {
	fields, _, err := unstructured.NestedMap(statefulSet.Object, "spec", "selector")
	if err != nil {
		return nil, err
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, selector); err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(selector)
}

// recreate deletes an object and creates it again around what it owns. Once begun, it is
// finished, whatever becomes of the context. An object that has changed since it was
// read is planned again: it must still give what was planned.
func (w *writer) recreate(ctx context.Context, c *objectChange) error {
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		logging.Debug(ctx, "Recreating an object around what it owns",
			"client", w.planner.spec.Name, "object", c.ref, "fields", c.recreation.Fields, "try", try)
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), recreateTimeout)
		stored, err := w.kube.Recreate(lasting, c.live, c.recreation.Recreation)
		cancel()
		if stored != nil {
			c.stored = stored
		}
		var changed *kube.ChangedError
		if !errors.As(err, &changed) || try == recreateTries {
			return err
		}
		growing := c.claims.growing // has been asked for by now
		if err := w.planAgain(ctx, c); err != nil {
			return err
		}
		c.claims.growing = growing
		if c.action != actionRecreate {
			return changed
		}
	}
}
