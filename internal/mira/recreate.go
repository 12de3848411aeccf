package mira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// recreateTimeout bounds the time between the delete of a StatefulSet and its
// being there again, which an interrupt does not cut short.
const recreateTimeout = 3 * time.Minute

// recreation plans to recreate a StatefulSet around its pods, when the server
// refused its apply for an immutable field. Otherwise it gives the refusal back.
func (f *Fleet) recreation(ctx context.Context, s *step, before *State, refusal error) error {
	var rejected *kube.RejectedError
	if s.live == nil || !isStatefulSet(s.desired) || !errors.As(refusal, &rejected) || !rejected.IsImmutableField() {
		return refusal
	}
	recreation, err := f.kube.PlanRecreation(ctx, s.desired, s.live, s.before)
	if err != nil {
		return err
	}
	if recreation == nil {
		return refusal
	}
	if recreation.InPlace != nil {
		s.applied = recreation.InPlace
		s.result, err = f.kube.DryRun(ctx, s.applied, s.live)
		return err
	}
	s.recreation, s.result, s.reclaimed = recreation, recreation.Result, recreation.Removed
	if s.refusal, err = f.checkSelector(ctx, s); err != nil {
		return err
	}
	lost, err := f.checkClaims(ctx, s, before)
	if s.refusal = errors.Join(s.refusal, lost); err != nil || s.refusal != nil {
		return cmp.Or(err, s.refusal)
	}
	s.replaced, err = f.podsWithout(ctx, s)
	return err
}

// podsWithout finds the pods that lack a claim which the StatefulSet will have.
func (f *Fleet) podsWithout(ctx context.Context, s *step) ([]rollout.Pod, error) {
	had := kube.ClaimTemplates(s.live)
	added := slices.DeleteFunc(kube.ClaimTemplates(s.result), func(name string) bool { return slices.Contains(had, name) })
	if len(added) == 0 {
		return nil, nil
	}
	var without []rollout.Pod
	for _, name := range podNames(s.live) {
		pod, err := f.pod(ctx, s.live.GetNamespace(), name)
		if err != nil {
			return nil, err
		}
		if pod != nil && metav1.IsControlledBy(pod, s.live) {
			without = append(without, rollout.Pod{Name: name, UID: pod.GetUID()})
		}
	}
	return without, nil
}

func (f *Fleet) pod(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	return f.kube.Get(ctx, kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, namespace, name))
}

// checkSelector refuses a selector that running pods do not match: the new
// StatefulSet would not take them over, and could not start its own beside them.
func (f *Fleet) checkSelector(ctx context.Context, s *step) (refusal, err error) {
	if !slices.Contains(s.recreation.Fields, "spec.selector") {
		return nil, nil
	}
	selector, err := selectorOf(s.result)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kube.RefOf(s.desired), err)
	}
	var lost []string
	for _, name := range podNames(s.live) {
		pod, err := f.pod(ctx, s.live.GetNamespace(), name)
		if err != nil {
			return nil, err
		}
		if pod != nil && metav1.IsControlledBy(pod, s.live) && !selector.Matches(labels.Set(pod.GetLabels())) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		return &SelectorError{Ref: kube.RefOf(s.live), Selector: selector.String(), Pods: lost}, nil
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

// maxPods bounds what is looked at: a typing error in the number of replicas must
// not cost a request for each.
const maxPods = 1000

// podNames gives the names that a StatefulSet's pods have, or had before it was
// scaled down.
func podNames(statefulSet *unstructured.Unstructured) []string {
	replicas, found, _ := unstructured.NestedInt64(statefulSet.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	running, _, _ := unstructured.NestedInt64(statefulSet.Object, "status", "replicas")
	start, _, _ := unstructured.NestedInt64(statefulSet.Object, "spec", "ordinals", "start")
	var names []string
	for ordinal := start; ordinal < start+max(replicas, running) && len(names) < maxPods; ordinal++ {
		names = append(names, fmt.Sprintf("%s-%d", statefulSet.GetName(), ordinal))
	}
	return names
}

// checkClaims compares the claim templates before and after, as far as there are
// claims of them: one that goes or shrinks is refused, one that grows is noted.
func (f *Fleet) checkClaims(ctx context.Context, s *step, before *State) (refusal, err error) {
	ref := kube.RefOf(s.live)
	if !slices.Contains(s.recreation.Fields, "spec.volumeClaimTemplates") {
		return nil, nil
	}
	had, gets := kube.ClaimSizes(s.live), kube.ClaimSizes(s.result)
	claims, err := f.claimsThere(ctx, s, before)
	if err != nil {
		return nil, err
	}
	lost, shrunk := make(map[string][]string), make(map[string][]*kube.Claim)
	for _, claim := range claims {
		template, _, _ := cutClaimName(claim.Name, ref.Name)
		size, isKept := gets[template]
		former, wasUsed := had[template]
		switch {
		case !isKept && !wasUsed:
			// a claim of a former template, which nothing has used since
		case !isKept:
			lost[template] = append(lost[template], claim.Name)
		case size.Cmp(former) < 0 && size.Cmp(claim.Requested) < 0:
			shrunk[template] = append(shrunk[template], claim)
		case size.Cmp(claim.Requested) > 0:
			if err := f.grow(ctx, s, claim, size); err != nil {
				return nil, err
			}
		}
	}
	var refused []error
	for _, template := range slices.Sorted(maps.Keys(lost)) {
		refused = append(refused, &ClaimLostError{Ref: ref, Template: template, Claims: lost[template]})
	}
	for _, template := range slices.Sorted(maps.Keys(shrunk)) {
		refused = append(refused, &ClaimShrinksError{Ref: ref, Claims: shrunk[template], To: gets[template]})
	}
	return errors.Join(refused...), nil
}

// claimsThere reads the claims of a StatefulSet: those of its replicas, those
// recorded, and those of replicas that are no more, which follow these.
func (f *Fleet) claimsThere(ctx context.Context, s *step, before *State) ([]*kube.Claim, error) {
	ref := kube.RefOf(s.live)
	names := slices.Concat(kube.ClaimNames(s.live), kube.ClaimNames(s.result))
	if before != nil {
		names = append(names, before.Claims...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var claims []*kube.Claim
	next := make(map[string]int)
	for _, name := range names {
		template, ordinal, ok := cutClaimName(name, ref.Name)
		number, err := strconv.Atoi(ordinal)
		if !ok || err != nil {
			continue
		}
		next[template] = max(next[template], number+1)
		claim, err := f.claims.Get(ctx, ref.Namespace, name)
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims = append(claims, claim)
		}
	}
	for _, template := range slices.Sorted(maps.Keys(next)) {
		for ordinal := next[template]; ; ordinal++ {
			claim, err := f.claims.Get(ctx, ref.Namespace, fmt.Sprintf("%s-%s-%d", template, ref.Name, ordinal))
			if err != nil {
				return nil, err
			}
			if claim == nil {
				break
			}
			claims = append(claims, claim)
		}
	}
	return claims, nil
}

// cutClaimName takes apart `<template>-<StatefulSet>-<ordinal>`.
func cutClaimName(claim, statefulSet string) (template, ordinal string, ok bool) {
	i := strings.LastIndex(claim, "-"+statefulSet+"-")
	if i <= 0 {
		return "", "", false
	}
	return claim[:i], claim[i+len(statefulSet)+2:], true
}

// grow notes that a claim is to grow, if the server agrees.
func (f *Fleet) grow(ctx context.Context, s *step, claim *kube.Claim, size resource.Quantity) error {
	growth := ClaimGrowth{Claim: claim.Ref, From: claim.Requested, To: size}
	if !claim.Bound {
		s.small = append(s.small, growth)
		return nil
	}
	if err := f.claims.DryRunGrow(ctx, claim.Ref, size); err != nil {
		return &ClaimGrowthError{ClaimGrowth: growth, Err: err}
	}
	s.growth = append(s.growth, growth)
	return nil
}

// growKept notes the claims, kept from a former life of a client or of its
// StatefulSet, that are smaller than the new StatefulSet asks for.
func (f *Fleet) growKept(ctx context.Context, s *step, before *State) error {
	names := kube.ClaimNames(s.result)
	if before != nil {
		names = append(names, before.Claims...)
		slices.Sort(names)
	}
	sizes := kube.ClaimSizes(s.result)
	for _, name := range slices.Compact(names) {
		template, ok := templateOf(name, s.result.GetName())
		size := sizes[template]
		if !ok || size.IsZero() {
			continue
		}
		claim, err := f.claims.Get(ctx, s.result.GetNamespace(), name)
		var forbidden *kube.ForbiddenError
		switch {
		case errors.As(err, &forbidden):
			return nil // it is no condition for a create to see the claims
		case err != nil:
			return err
		case claim != nil && claim.Requested.Cmp(size) < 0:
			if err := f.grow(ctx, s, claim, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// recreationWarnings tells which StatefulSets are recreated, and which claims
// grow.
func recreationWarnings(spec Spec, t trial, isCreate bool) []Warning {
	var warnings []Warning
	for _, s := range t {
		switch {
		case s.refusal != nil:
			warnings = append(warnings, ReplaceRequiredWarning{Client: spec.Name, Err: s.refusal})
		case s.recreation != nil && (!isCreate || !s.isOwn(spec)):
			recreated := RecreationWarning{
				Client: spec.Name, StatefulSet: kube.RefOf(s.live), Fields: s.recreation.Fields, NewRevision: !s.sameTemplate(),
			}
			for _, pod := range s.replaced {
				recreated.WithoutClaim = append(recreated.WithoutClaim, pod.Name)
			}
			warnings = append(warnings, recreated)
		}
		if len(s.growth) > 0 {
			warnings = append(warnings, ClaimGrowthWarning{Client: spec.Name, Claims: s.growth})
		}
		if len(s.small) > 0 {
			warnings = append(warnings, ClaimsTooSmallWarning{Client: spec.Name, Claims: s.small})
		}
	}
	return warnings
}

// sameTemplate tells whether the pods stay as they are.
func (s *step) sameTemplate() bool {
	before, _, _ := unstructured.NestedMap(s.live.Object, "spec", "template")
	after, _, _ := unstructured.NestedMap(s.result.Object, "spec", "template")
	return equality.Semantic.DeepEqual(before, after)
}

// growClaims asks for the storage that the plan announced. It comes before the
// StatefulSet is written: as long as that one has the former size, the next plan
// shows what is left to do.
func (f *Fleet) growClaims(ctx context.Context, s *step, outcome *Outcome) error {
	for _, g := range s.growth {
		if err := f.claims.Grow(ctx, g.Claim, g.To); err != nil {
			return &ClaimGrowthError{ClaimGrowth: g, Err: err}
		}
		outcome.Grown = append(outcome.Grown, g.Claim)
	}
	return nil
}

// awaitGrowth waits until the claims have grown.
func (f *Fleet) awaitGrowth(ctx context.Context, spec Spec, s *step, outcome *Outcome) error {
	for _, g := range s.growth {
		deferred, err := f.claims.AwaitGrowth(ctx, g.Claim, g.To)
		if err != nil {
			return &RolloutError{Err: err}
		}
		if deferred {
			outcome.Warnings = append(outcome.Warnings, FileSystemPendingWarning{Client: spec.Name, Claim: g})
		}
	}
	return nil
}

// recreateTries is how often a recreation is planned anew because the StatefulSet
// has changed: its status does so all the time while a rollout goes on.
const recreateTries = 20

// recreate deletes a StatefulSet and creates it again around its pods. Begun, it
// is finished, whatever becomes of the context. One that has changed since it was
// looked at is looked at again: it must still give what was planned.
func (f *Fleet) recreate(ctx context.Context, spec Spec, s *step, before *State) error {
	planned := f.fields.Owned(s.result)
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), recreateTimeout)
		result, err := f.kube.Recreate(lasting, s.live, s.recreation)
		cancel()
		if result != nil {
			s.result, s.written = result, true
		}
		var changed *kube.ChangedError
		if !errors.As(err, &changed) || try == recreateTries {
			return err
		}
		growth := s.growth // has been asked for by now
		*s = step{desired: s.desired, applied: s.desired, before: s.before}
		if err := f.try(ctx, spec, s, before); err != nil {
			return err
		}
		s.growth = growth
		if s.recreation == nil {
			return changed
		}
		if changed := fieldChanges(kube.RefOf(s.desired).Key(), planned, f.fields.Owned(s.result)); len(changed) > 0 {
			return &OutdatedPlanError{Changes: changed}
		}
	}
}

// replace deletes the pods of a StatefulSet that lack a claim which it has, one
// after the other: it cannot change them, and would try for ever. They are left of
// a StatefulSet that had not got the claim yet.
func (f *Fleet) replace(ctx context.Context, s *step) error {
	templates := kube.ClaimTemplates(s.result)
	var without []rollout.Pod
	for _, name := range podNames(s.result) {
		if len(templates) == 0 {
			break
		}
		pod, err := f.pod(ctx, s.result.GetNamespace(), name)
		var forbidden *kube.ForbiddenError
		switch {
		case errors.As(err, &forbidden):
			return nil // the wait will tell what is missing
		case err != nil:
			return err
		case pod == nil || pod.GetDeletionTimestamp() != nil || hasClaims(pod, templates):
		case metav1.GetControllerOf(pod) == nil || metav1.IsControlledBy(pod, s.result):
			without = append(without, rollout.Pod{Name: name, UID: pod.GetUID()})
		}
	}
	if err := rollout.Replace(ctx, f.kube.Dynamic(), s.result.GetNamespace(), without); err != nil {
		return f.kube.Explain(err)
	}
	return nil
}

// hasClaims tells whether a pod mounts the claims of all templates.
func hasClaims(pod *unstructured.Unstructured, templates []string) bool {
	volumes, _, _ := unstructured.NestedSlice(pod.Object, "spec", "volumes")
	mounted := make(map[string]bool)
	for _, volume := range volumes {
		if fields, ok := volume.(map[string]any); ok {
			name, _, _ := unstructured.NestedString(fields, "persistentVolumeClaim", "claimName")
			mounted[name] = true
		}
	}
	return !slices.ContainsFunc(templates, func(template string) bool { return !mounted[template+"-"+pod.GetName()] })
}
