package mira

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// takeoverWarnings tells what applying takes from whom.
func (f *Fleet) takeoverWarnings(spec Spec, t trial) []Warning {
	var taken []OwnedField
	for _, s := range t {
		if s.live == nil || s.isNoOp {
			continue
		}
		for _, field := range f.fields.Adoption(s.live, s.result, s.before).FieldsTaken() {
			taken = append(taken, OwnedField{Object: kube.RefOf(s.live).Key(), FieldOwner: field})
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return []Warning{TakeoverWarning{Client: spec.Name, Fields: taken}}
}

// reclaimWarnings tells what goes that somebody has put by hand beside what the
// template gives. The plan does not show it: it never was ours.
func reclaimWarnings(spec Spec, t trial) []Warning {
	var removed []FieldChange
	for _, s := range t {
		removed = append(removed, fieldChanges(kube.RefOf(s.desired).Key(), s.reclaimed, nil)...)
	}
	if len(removed) == 0 {
		return nil
	}
	return []Warning{ManualFieldsWarning{Client: spec.Name, Changes: removed}}
}

// admissionWarnings tells where the server will store something else than the
// template gives. A value that it has stored already was told when it came.
func (f *Fleet) admissionWarnings(spec Spec, t trial) []Warning {
	var changed []AdmittedField
	for _, s := range t {
		if s.settled != nil && managedfields.FieldsEqual(s.before, s.settled) {
			continue // it has been told
		}
		for _, change := range f.fields.AdmissionChanges(s.desired, s.result) {
			if had, ok := s.before[change.Field]; s.before != nil && ok != change.Removed && had == change.Got {
				continue
			}
			changed = append(changed, AdmittedField{Object: kube.RefOf(s.desired).Key(), AdmissionChange: change})
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return []Warning{AdmissionWarning{Client: spec.Name, Fields: changed}}
}

// stayingWarnings tells which of the fields that the plan shows as going stay on
// the object, as others own them, too.
func (f *Fleet) stayingWarnings(spec Spec, t trial) []Warning {
	var shared []OwnedField
	for _, s := range t {
		if s.live == nil || s.isNoOp {
			continue
		}
		var dropped []string
		owned := f.fields.Owned(s.result)
		for path := range s.before {
			if _, isKept := owned[path]; !isKept {
				dropped = append(dropped, path)
			}
		}
		for _, field := range f.fields.Adoption(s.live, s.result, s.before).FieldsShared(dropped) {
			shared = append(shared, OwnedField{Object: kube.RefOf(s.live).Key(), FieldOwner: field})
		}
	}
	if len(shared) == 0 {
		return nil
	}
	return []Warning{SharedFieldsWarning{Client: spec.Name, Fields: shared}}
}

// dataWarnings tells when a StatefulSet gets another name: the new one begins
// with claims of its own, without the data.
func dataWarnings(spec Spec, before *State, t trial) []Warning {
	if before == nil {
		return nil
	}
	var warnings []Warning
	for _, ref := range before.Refs {
		isKept := slices.ContainsFunc(t, func(s *step) bool { return ref.SameObject(kube.RefOf(s.desired)) })
		if ref.Kind != statefulSetKind || isKept {
			continue
		}
		warnings = append(warnings, RenamedStatefulSetWarning{Client: spec.Name, StatefulSet: ref, Claims: before.Claims})
	}
	return warnings
}

// before gives the live values of what adopting an object will change: of the
// fields that are applied, and of those that a former manager set and that go.
func (f *Fleet) before(ctx context.Context, s *step) (managedfields.Fields, error) {
	result := s.result
	if s.recreation != nil {
		result = s.recreation.Merged
	}
	dropped, err := f.kube.FieldsLost(ctx, s.live, result)
	if err != nil {
		return nil, err
	}
	fields := f.fields.Observe(s.live, f.fields.Owned(s.result))
	maps.Copy(fields, dropped)
	return fields, nil
}

// adoptionWarnings tells what of the objects that exist a create takes over, and
// what it changes on them: a plan of a create shows only what will be. Of an update
// it tells of objects that somebody has made anew since the last apply.
func (f *Fleet) adoptionWarnings(ctx context.Context, spec Spec, before *State, t trial) ([]Warning, error) {
	adopted := AdoptionWarning{Client: spec.Name, Origin: AdoptedLabelled}
	if before != nil {
		adopted.Origin = AdoptedRecreated
	}
	for _, s := range t {
		if s.live == nil || before != nil && (len(s.settled) > 0 || f.fields.Adopted(s.live)) {
			continue
		}
		ref := kube.RefOf(s.live)
		adopted.Objects = append(adopted.Objects, ref)
		if before == nil && !s.isOwn(spec) {
			adopted.Origin = AdoptedUnlabelled
		}
		had, err := f.before(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, change := range fieldChanges(ref.Key(), had, f.fields.Owned(s.result)) {
			if line := change.String(); !strings.Contains(line, managedByLabel) && !strings.Contains(line, ClientLabel) {
				adopted.Changes = append(adopted.Changes, change)
			}
		}
	}
	if len(adopted.Objects) == 0 {
		return nil, nil
	}
	return []Warning{adopted}, nil
}
