package mira

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// takeovers warns of the fields that the apply takes from other managers.
func (s changeSet) takeovers(m *managedfields.Manager, client string) []Warning {
	var taken []OwnedField
	for _, c := range s {
		if !c.writesToLive() {
			continue
		}
		for _, field := range c.adoption(m).FieldsTaken() {
			taken = append(taken, OwnedField{Object: c.ref.Key(), FieldOwner: field})
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return []Warning{TakeoverWarning{Client: client, Fields: taken}}
}

// pendingRollouts warns of the rollouts that were not seen through.
func pendingRollouts(client string, prior *State) []Warning {
	if prior == nil || !prior.Journal.IsPending() {
		return nil
	}
	return []Warning{PendingRolloutWarning{Client: client, Pending: prior.Journal.Rollouts, CanRollBack: len(prior.Journal.Former) > 0}}
}

// leavingObjects warns of the objects that go, but for StatefulSets.
func (s changeSet) leavingObjects(client string) []Warning {
	var leaving []kube.Ref
	for _, c := range s.deletions() {
		if c.ref.Kind != statefulSetKind {
			leaving = append(leaving, c.ref)
		}
	}
	if len(leaving) == 0 {
		return nil
	}
	return []Warning{ObjectsLeaveWarning{Client: client, Objects: leaving}}
}

// unprobedContainers warns of the containers of new pods that have no readiness probe, once
// for each template.
func (s changeSet) unprobedContainers(revision string, told *onceEach) []Warning {
	var containers []string
	for _, c := range s.withManifest() {
		if c.action == actionNone || !isStatefulSet(c.manifest) || c.live != nil && c.keepsPodTemplate() {
			continue
		}
		containers = append(containers, withoutReadinessProbe(c.manifest)...)
	}
	if len(containers) == 0 || !told.isFirst("readinessProbe "+revision) {
		return nil
	}
	return []Warning{NoReadinessProbeWarning{Containers: containers}}
}

// withoutReadinessProbe returns the names of a workload's containers that have none.
func withoutReadinessProbe(workload *unstructured.Unstructured) []string {
	containers, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", "containers")
	var names []string
	for _, container := range containers {
		fields, _ := container.(map[string]any)
		name, _, _ := unstructured.NestedString(fields, "name")
		if _, found, _ := unstructured.NestedMap(fields, "readinessProbe"); !found && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// removals warns of the fields that were added by hand and that go. The plan
// does not show them: they never were ours.
func (s changeSet) removals(client string) []Warning {
	var removed []FieldChange
	for _, c := range s {
		removed = append(removed, fieldChanges(c.ref.Key(), c.removal, nil)...)
	}
	if len(removed) == 0 {
		return nil
	}
	return []Warning{ManualFieldsWarning{Client: client, Changes: removed}}
}

// recreations warns of the StatefulSets that are recreated, and of the claims that
// grow. What a replacement of the client would recreate is deleted first.
func (s changeSet) recreations(client string, isReplaced bool) []Warning {
	var warnings []Warning
	for _, c := range s {
		switch {
		case c.refusal() != nil:
			warnings = append(warnings, ReplaceRequiredWarning{Client: client, Err: c.refusal()})
		case c.action == actionRecreate && !isStatefulSet(c.manifest):
			warnings = append(warnings, ServiceRecreationWarning{
				Client: client, Service: kube.RefOf(c.live), IsHeadless: managedfields.IsHeadless(c.dryRun),
				GetsSelector: managedfields.IsHeadless(c.dryRun) && managedfields.GetsSelector(c.live, c.dryRun),
			})
		case c.action == actionRecreate && (!isReplaced || !c.isOwn(client)):
			recreated := RecreationWarning{
				Client: client, StatefulSet: kube.RefOf(c.live), Fields: c.recreation.Fields, NewRevision: !c.keepsPodTemplate(),
			}
			for _, pod := range c.recreation.withoutClaim {
				recreated.WithoutClaim = append(recreated.WithoutClaim, pod.Name)
			}
			warnings = append(warnings, recreated)
		}
		if len(c.claims.growing) > 0 {
			warnings = append(warnings, ClaimGrowthWarning{Client: client, Claims: c.claims.growing})
		}
		if len(c.claims.tooSmall) > 0 {
			warnings = append(warnings, ClaimsTooSmallWarning{Client: client, Claims: c.claims.tooSmall})
		}
	}
	return warnings
}

// admissionChanges warns of the fields that the server will store with another value
// than the template has. A value that it has stored already was told when it came.
func (s changeSet) admissionChanges(m *managedfields.Manager, client string) []Warning {
	var changed []AdmittedField
	for _, c := range s.withManifest() {
		if c.action == actionNone && managedfields.FieldsEqual(c.prior, c.unchanged.fields) {
			continue // it has been told
		}
		for _, change := range m.AdmissionChanges(c.manifest, c.dryRun) {
			if had, ok := c.prior[change.Field]; c.prior != nil && ok != change.Removed && had == change.Got {
				continue
			}
			changed = append(changed, AdmittedField{Object: c.ref.Key(), AdmissionChange: change})
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return []Warning{AdmissionWarning{Client: client, Fields: changed}}
}

// sharedFields warns of the fields that the plan shows as going and that stay on the
// object, because others own them, too.
func (s changeSet) sharedFields(m *managedfields.Manager, client string) []Warning {
	var shared []OwnedField
	for _, c := range s {
		if !c.writesToLive() {
			continue
		}
		var dropped []string
		owned := m.Owned(c.dryRun)
		for path := range c.prior {
			if _, isKept := owned[path]; !isKept {
				dropped = append(dropped, path)
			}
		}
		for _, field := range c.adoption(m).FieldsShared(dropped) {
			shared = append(shared, OwnedField{Object: c.ref.Key(), FieldOwner: field})
		}
	}
	if len(shared) == 0 {
		return nil
	}
	return []Warning{SharedFieldsWarning{Client: client, Fields: shared}}
}

// keptFields warns of the fields that the template has dropped and that the server keeps.
func (s changeSet) keptFields(client string) []Warning {
	var kept []KeptField
	for _, c := range s {
		for _, field := range c.kept {
			kept = append(kept, KeptField{Object: kube.RefOf(c.live), Field: field.Field, Value: field.Value})
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []Warning{KeptFieldsWarning{Client: client, Fields: kept}}
}

// differingFields warns of the fields that the server has filled in for what the object was
// before, and that it does not give the value of a new one.
func (s changeSet) differingFields(client string) []Warning {
	var differing []DifferingField
	for _, c := range s {
		for _, field := range c.differing {
			differing = append(differing, DifferingField{
				KeptField: KeptField{Object: kube.RefOf(c.live), Field: field.Field, Value: field.Value}, Wanted: field.Wanted,
			})
		}
	}
	if len(differing) == 0 {
		return nil
	}
	return []Warning{DifferingFieldsWarning{Client: client, Fields: differing}}
}

// fallbacks warns of the fields that the apply drops, or leaves to the server, and that get
// another value by that: the plan shows at most that they go.
func (s changeSet) fallbacks(m *managedfields.Manager, client string) []Warning {
	var changes []FieldChange
	for _, c := range s {
		if !c.writesToLive() || !m.Adopted(c.live) {
			continue
		}
		before, after := c.adoption(m).Fallbacks(c.leftovers)
		changes = append(changes, fieldChanges(c.ref.Key(), before, after)...)
	}
	if len(changes) == 0 {
		return nil
	}
	return []Warning{FallbackWarning{Client: client, Changes: changes}}
}

// renamedStatefulSets warns of the StatefulSets that go: one of another name begins
// with claims of its own, without the data.
func (s changeSet) renamedStatefulSets(client string, prior *State) []Warning {
	var warnings []Warning
	for _, c := range s.deletions() {
		if c.ref.Kind == statefulSetKind {
			warnings = append(warnings, RenamedStatefulSetWarning{Client: client, StatefulSet: c.ref, Claims: prior.Claims})
		}
	}
	return warnings
}

// claims warns of the claims that new StatefulSets find, and of the policies that are taken
// back so that claims stay.
func (s changeSet) claims(client string) []Warning {
	var warnings []Warning
	for _, c := range s {
		if len(c.claims.found) > 0 {
			warnings = append(warnings, ClaimsFoundWarning{Client: client, Namespace: c.ref.Namespace, Claims: c.claims.found})
		}
		if len(c.claims.atRisk) > 0 {
			warnings = append(warnings, ClaimPolicyWarning{Client: client, StatefulSet: c.ref, Policies: c.claims.atRisk})
		}
	}
	return warnings
}

// adoptions warns of the existing objects that the apply takes over, and of what it
// changes on them. For an update these are objects that others have created again since the
// last apply, or those of a client that was imported. What goes that others have set is told
// apart.
func (p *planner) adoptions(ctx context.Context, changes changeSet) ([]Warning, error) {
	if p.replacesOwn() {
		return nil, nil // they are deleted first
	}
	adopted := AdoptionWarning{Client: p.spec.Name, Origin: p.adoptionOrigin(changes)}
	removed := AdoptionRemovesWarning{Client: p.spec.Name}
	for _, c := range changes {
		if !p.adopts(c) {
			if c.live == nil && c.action == actionApply && adopted.Origin != AdoptedRecreated {
				adopted.Missing = append(adopted.Missing, c.ref)
			}
			continue
		}
		adopted.Objects = append(adopted.Objects, kube.RefOf(c.live))
		had, err := p.adoptedFields(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, change := range fieldChanges(c.ref.Key(), had, p.fields.Owned(c.dryRun)) {
			line := change.String()
			switch {
			case strings.Contains(line, managedByLabel) || strings.Contains(line, ClientLabel):
			case change.Kind == FieldRemoved && !p.fields.Applied(c.live):
				removed.Changes = append(removed.Changes, change)
			default:
				adopted.Changes = append(adopted.Changes, change)
			}
		}
	}
	var warnings []Warning
	if len(adopted.Objects) > 0 && (adopted.ChangesObjects() || adopted.Origin == AdoptedLabelled) {
		warnings = append(warnings, adopted)
	}
	if len(removed.Changes) > 0 {
		warnings = append(warnings, removed)
	}
	return warnings, nil
}

// adopts reports whether the apply takes over an object that exists.
func (p *planner) adopts(c *objectChange) bool {
	return c.live != nil && (p.prior == nil || c.action != actionNone && !p.fields.Adopted(c.live))
}

// adoptionOrigin returns where the objects come from that the apply takes over.
func (p *planner) adoptionOrigin(changes changeSet) AdoptionOrigin {
	origin := AdoptedLabelled
	if p.prior != nil {
		origin = AdoptedImported
	}
	for _, c := range changes {
		switch {
		case !p.adopts(c):
		case p.prior == nil && !c.isOwn(p.spec.Name):
			return AdoptedUnlabelled
		case p.prior != nil && !p.prior.hasRef(kube.RefOf(c.live)):
			return AdoptedRecreated
		}
	}
	return origin
}
