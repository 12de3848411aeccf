package mira

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

const (
	retentionPolicyKey  = "persistentVolumeClaimRetentionPolicy"
	claimTemplatesField = "spec.volumeClaimTemplates"
)

// checkClaimPolicy refuses a StatefulSet that lets Kubernetes delete claims, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention.
func checkClaimPolicy(object *unstructured.Unstructured, deleteData bool) error {
	if deleteData || !isStatefulSet(object) {
		return nil
	}
	for _, policy := range []string{"whenDeleted", "whenScaled"} {
		if value, _, _ := unstructured.NestedString(object.Object, "spec", retentionPolicyKey, policy); value == "Delete" {
			return &ClaimPolicyError{Ref: kube.RefOf(object), Policy: policy, Live: object.GetUID() != ""}
		}
	}
	return nil
}

// cutClaimName takes the name of a StatefulSet's claim apart:
// `<template>-<StatefulSet>-<ordinal>`. It returns false for a claim of another one.
func cutClaimName(claim, statefulSet string) (template, ordinal string, ok bool) {
	i := strings.LastIndex(claim, "-"+statefulSet+"-")
	if i <= 0 {
		return "", "", false
	}
	return claim[:i], claim[i+len(statefulSet)+2:], true
}

// claimTemplateOf returns the claim template of a StatefulSet's claim; false for a claim
// of another one.
func claimTemplateOf(claim, statefulSet string) (string, bool) {
	template, ordinal, ok := cutClaimName(claim, statefulSet)
	_, err := strconv.ParseUint(ordinal, 10, 32)
	return template, ok && err == nil
}

// checkClaims compares the claim templates of a StatefulSet before and after its
// recreation, as far as there are claims of them: one that goes or shrinks is refused,
// one that grows is noted.
func (p *planner) checkClaims(ctx context.Context, c *objectChange) (refusal, err error) {
	if !slices.Contains(c.recreation.Fields, claimTemplatesField) {
		return nil, nil
	}
	ref := kube.RefOf(c.live)
	had, gets := kube.ClaimSizes(c.live), kube.ClaimSizes(c.dryRun)
	claims, err := p.existingClaims(ctx, c)
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
			// A claim of a former template, which nothing has used since.
		case !isKept:
			lost[template] = append(lost[template], claim.Name)
		case size.Cmp(former) < 0 && size.Cmp(claim.Requested) < 0:
			shrunk[template] = append(shrunk[template], claim)
		case size.Cmp(claim.Requested) > 0:
			if err := p.planGrowth(ctx, c, claim, size); err != nil {
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

// existingClaims reads the claims of a StatefulSet: those of its replicas, those recorded,
// and those of replicas that are no more, whose ordinals follow.
func (p *planner) existingClaims(ctx context.Context, c *objectChange) ([]*kube.Claim, error) {
	ref := kube.RefOf(c.live)
	names := slices.Concat(kube.ClaimNames(c.live), kube.ClaimNames(c.dryRun))
	if p.prior != nil {
		names = append(names, p.prior.Claims...)
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
		claim, err := p.claims.Get(ctx, ref.Namespace, name)
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims = append(claims, claim)
		}
	}
	for _, template := range slices.Sorted(maps.Keys(next)) {
		for ordinal := next[template]; ; ordinal++ {
			claim, err := p.claims.Get(ctx, ref.Namespace, fmt.Sprintf("%s-%s-%d", template, ref.Name, ordinal))
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

// planGrowth notes that a claim is to grow, if the server agrees.
func (p *planner) planGrowth(ctx context.Context, c *objectChange, claim *kube.Claim, size resource.Quantity) error {
	growth := ClaimGrowth{Claim: claim.Ref, From: claim.Requested, To: size}
	if !claim.Bound {
		c.claims.tooSmall = append(c.claims.tooSmall, growth)
		return nil
	}
	if err := p.claims.DryRunGrow(ctx, claim.Ref, size); err != nil {
		return &ClaimGrowthError{ClaimGrowth: growth, Err: err}
	}
	c.claims.growing = append(c.claims.growing, growth)
	return nil
}

// planGrowthOfKept notes the claims that are smaller than a new StatefulSet asks for. They
// were kept when the client, or its StatefulSet, was deleted.
func (p *planner) planGrowthOfKept(ctx context.Context, c *objectChange) error {
	names := kube.ClaimNames(c.dryRun)
	if p.prior != nil {
		names = append(names, p.prior.Claims...)
		slices.Sort(names)
	}
	sizes := kube.ClaimSizes(c.dryRun)
	for _, name := range slices.Compact(names) {
		template, ok := claimTemplateOf(name, c.dryRun.GetName())
		size := sizes[template]
		if !ok || size.IsZero() {
			continue
		}
		claim, err := p.claims.Get(ctx, c.dryRun.GetNamespace(), name)
		var forbidden *kube.ForbiddenError
		switch {
		case errors.As(err, &forbidden):
			return nil // a create does not need the right to read claims
		case err != nil:
			return err
		case claim != nil && claim.Requested.Cmp(size) < 0:
			if err := p.planGrowth(ctx, c, claim, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// growClaims asks for the storage that the plan announced. It comes before the
// StatefulSet is written: as long as the StatefulSet has the former size, the next plan
// shows what is left to do.
func (w *writer) growClaims(ctx context.Context, c *objectChange) error {
	for _, growth := range c.claims.growing {
		if err := w.claims.Grow(ctx, growth.Claim, growth.To); err != nil {
			return &ClaimGrowthError{ClaimGrowth: growth, Err: err}
		}
		w.progress.grown = append(w.progress.grown, growth.Claim)
		logging.Debug(ctx, "Asked for more storage", "client", w.planner.spec.Name, "claim", growth.Claim)
	}
	return nil
}

// awaitGrowth waits until the claims of a StatefulSet have grown.
func (o *operation) awaitGrowth(ctx context.Context, c *objectChange) error {
	for _, growth := range c.claims.growing {
		isDeferred, err := o.claims.AwaitGrowth(ctx, growth.Claim, growth.To)
		if err != nil {
			return &RolloutError{Err: err}
		}
		if isDeferred {
			o.warn(FileSystemPendingWarning{Client: o.spec.Name, Claim: growth})
		}
	}
	return nil
}

// claimsOf returns the names of the claims that the StatefulSets among the objects use,
// and of the recorded ones those that are still there: a replica that is no more leaves
// its claim behind.
func (s *services) claimsOf(
	ctx context.Context, namespace, client string, objects []*unstructured.Unstructured, recorded []string,
) []string {
	var names []string
	for _, object := range objects {
		if isStatefulSet(object) {
			names = append(names, kube.ClaimNames(object)...)
		}
	}
	for _, name := range recorded {
		if slices.Contains(names, name) {
			continue
		}
		exists, err := s.batcher.HasClaim(ctx, client, namespace, name)
		// Better a name too many than one forgotten: it may hold data.
		if err != nil || exists {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
