package mira

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

const claimTemplatesField = "spec.volumeClaimTemplates"

// claimTemplateOf returns the claim template of a StatefulSet's claim; false for a claim
// of another one.
func claimTemplateOf(claim, statefulSet string) (string, bool) {
	template, _, ok := kube.CutClaimName(claim, statefulSet)
	return template, ok
}

// claimPlanner finds out what becomes of a client's claims when its StatefulSets change.
type claimPlanner struct{ *subject }

func (s *subject) ofClaims() claimPlanner { return claimPlanner{s} }

// checkClaims compares the claim templates of a StatefulSet before and after its
// recreation, as far as there are claims of them: one that goes or shrinks is refused,
// one that grows is noted.
func (p claimPlanner) checkClaims(ctx context.Context, c *objectChange) (refusal, err error) {
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
		template, _ := claimTemplateOf(claim.Name, ref.Name)
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
// and those of replicas that are no more. Where claims may not be listed, the last are
// those recorded only.
func (p claimPlanner) existingClaims(ctx context.Context, c *objectChange) ([]*kube.Claim, error) {
	ref := kube.RefOf(c.live)
	names := slices.Concat(kube.ClaimNames(c.live), kube.ClaimNames(c.dryRun))
	templates := slices.Concat(kube.ClaimTemplates(c.live), kube.ClaimTemplates(c.dryRun))
	if p.prior != nil {
		for _, name := range p.prior.Claims {
			if template, ok := claimTemplateOf(name, ref.Name); ok {
				names, templates = append(names, name), append(templates, template)
			}
		}
	}
	found, err := p.claims.List(ctx, kube.ListClaims{Namespace: ref.Namespace, StatefulSet: ref.Name, Templates: templates})
	if _, ok := errors.AsType[*kube.ForbiddenError](err); err != nil && !ok {
		return nil, err
	}
	for _, claim := range found {
		names = append(names, claim.Name)
	}
	slices.Sort(names)
	return p.getClaims(ctx, ref.Namespace, slices.Compact(names))
}

// getClaims reads those of the named claims that are there. A plan reads them together
// with those of other clients.
func (p claimPlanner) getClaims(ctx context.Context, namespace string, names []string) ([]*kube.Claim, error) {
	if p.batched {
		return p.claims.GetAll(ctx, namespace, names)
	}
	var claims []*kube.Claim
	for _, name := range names {
		claim, err := p.claims.Get(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims = append(claims, claim)
		}
	}
	return claims, nil
}

// planGrowth notes that a claim is to grow, if the server agrees.
func (p claimPlanner) planGrowth(ctx context.Context, c *objectChange, claim *kube.Claim, size resource.Quantity) error {
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

// recordedClaims returns the recorded claims of the client.
func (p claimPlanner) recordedClaims() []string {
	if p.prior == nil {
		return nil
	}
	return p.prior.Claims
}

// claimNamesOf returns the names of the claims that a new StatefulSet will use, and of those
// recorded that are of its claim templates, sorted.
func (p claimPlanner) claimNamesOf(statefulSet *unstructured.Unstructured) []string {
	names := kube.ClaimNames(statefulSet)
	sizes := kube.ClaimSizes(statefulSet)
	for _, name := range p.recordedClaims() {
		template, ok := claimTemplateOf(name, statefulSet.GetName())
		if _, isUsed := sizes[template]; ok && isUsed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// claimsAhead are claims that are being read.
type claimsAhead struct {
	names  []string
	done   chan struct{}
	claims []*kube.Claim
	err    error
}

// readAhead begins to read the claims that a StatefulSet of the template will use; nil for any
// other object. The caller calls stop in the end.
func (p claimPlanner) readAhead(ctx context.Context, object *unstructured.Unstructured) (ahead *claimsAhead, stop func()) {
	if !isStatefulSet(object) {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ahead = &claimsAhead{names: p.claimNamesOf(object), done: make(chan struct{})}
	go func() {
		defer close(ahead.done)
		ahead.claims, ahead.err = p.getClaims(ctx, object.GetNamespace(), ahead.names)
	}()
	return ahead, func() {
		cancel()
		<-ahead.done
	}
}

// planKeptClaims finds the claims that a new StatefulSet will use, and notes those that
// are smaller than it asks for. They were kept when the client, or its StatefulSet, was
// deleted. A create does not need the right to read claims: without, nothing is noted.
// `ahead` may be nil.
func (p claimPlanner) planKeptClaims(ctx context.Context, c *objectChange, ahead *claimsAhead) error {
	recorded := p.recordedClaims()
	sizes := kube.ClaimSizes(c.dryRun)
	names := p.claimNamesOf(c.dryRun)
	var claims []*kube.Claim
	var err error
	if ahead != nil && slices.Equal(ahead.names, names) {
		<-ahead.done
		claims, err = ahead.claims, ahead.err
	} else {
		claims, err = p.getClaims(ctx, c.dryRun.GetNamespace(), names)
	}
	if _, ok := errors.AsType[*kube.ForbiddenError](err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	for _, claim := range claims {
		if !slices.Contains(recorded, claim.Name) && p.clients.withData(p.spec.Namespace, p.spec.Name) == nil {
			c.claims.found = append(c.claims.found, claim.Name)
		}
		template, _ := claimTemplateOf(claim.Name, c.dryRun.GetName())
		if size := sizes[template]; claim.Requested.Cmp(size) < 0 {
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
			if kube.IsOutcomeUnknown(err) {
				w.progress.uncertain = append(w.progress.uncertain, growth.Claim)
			}
			return &ClaimGrowthError{ClaimGrowth: growth, Err: err}
		}
		w.progress.grown = append(w.progress.grown, growth.Claim)
		logging.Debug(ctx, "Asked for more storage", "client", w.planner.spec.Name, "claim", growth.Claim)
	}
	return nil
}

// awaitGrowth waits until the claims of a StatefulSet have grown.
func (s *services) awaitGrowth(ctx context.Context, client string, c *objectChange) (warnings []Warning, err error) {
	for _, growth := range c.claims.growing {
		isDeferred, err := s.claims.AwaitGrowth(ctx, growth.Claim, growth.To)
		if err != nil {
			return warnings, &RolloutError{Err: err}
		}
		if isDeferred {
			warnings = append(warnings, FileSystemPendingWarning{Client: client, Claim: growth})
		}
	}
	return warnings, nil
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
