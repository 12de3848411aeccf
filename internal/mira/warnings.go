package mira

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// listed is a warning that names the fields of a client, a line a field; none where
// there are no lines.
func listed(spec Spec, summary, what string, lines []string) []Warning {
	if len(lines) == 0 {
		return nil
	}
	return []Warning{{Summary: summary, Detail: fmt.Sprintf("Client %q: %s\n%s", spec.Name, what, strings.Join(lines, "\n"))}}
}

// takeoverWarnings tells what applying takes from whom.
func (f *Fleet) takeoverWarnings(spec Spec, t trial) []Warning {
	var lines []string
	for _, s := range t {
		if s.live == nil || s.isNoOp {
			continue
		}
		for _, taken := range f.fields.Adoption(s.live, s.result, s.before).FieldsTaken() {
			lines = append(lines, fmt.Sprintf("  %s %s, set by %s", kube.RefOf(s.live).Key(), taken.Field, taken.Manager))
		}
	}
	return listed(spec, "Fields Taken From Other Managers", "these fields were set by others since the last apply, and go back to what the template says:", lines)
}

// reclaimWarnings tells what goes that somebody has put by hand beside what the
// template gives. The plan does not show it: it never was ours.
func reclaimWarnings(spec Spec, t trial) []Warning {
	var lines []string
	for _, s := range t {
		lines = append(lines, changes(kube.RefOf(s.desired).Key(), s.reclaimed, nil)...)
	}
	return listed(spec, "Fields Set By Hand Will Be Removed", "somebody has added these fields by hand, and the server does not take them beside those of the template:", lines)
}

// admissionWarnings tells where the server will store something else than the
// template gives. A value that it has stored already was told when it came.
func (f *Fleet) admissionWarnings(spec Spec, t trial) []Warning {
	var lines []string
	for _, s := range t {
		if s.settled != nil && managedfields.FieldsEqual(s.before, s.settled) {
			continue // it has been told
		}
		key := kube.RefOf(s.desired).Key()
		for _, a := range f.fields.AdmissionChanges(s.desired, s.result) {
			if had, ok := s.before[a.Field]; s.before != nil && ok != a.Removed && had == a.Got {
				continue
			}
			got := fmt.Sprintf("becomes %q", a.Got)
			if a.Removed {
				got = "is removed"
			}
			lines = append(lines, fmt.Sprintf("  %s %s: %q %s", key, a.Field, a.Wanted, got))
		}
	}
	return listed(spec, "Admission Changes Fields", "the server, most likely an admission policy or webhook of the cluster, changes these fields of the template:", lines)
}

// stayingWarnings tells which of the fields that the plan shows as going stay on
// the object, as others own them, too.
func (f *Fleet) stayingWarnings(spec Spec, t trial) []Warning {
	var lines []string
	for _, s := range t {
		if s.live == nil || s.isNoOp {
			continue
		}
		key := kube.RefOf(s.live).Key()
		var dropped []string
		owned := f.fields.Owned(s.result)
		for path := range s.before {
			if _, isKept := owned[path]; !isKept {
				dropped = append(dropped, path)
			}
		}
		for _, staying := range f.fields.Adoption(s.live, s.result, s.before).FieldsShared(dropped) {
			lines = append(lines, fmt.Sprintf("  %s %s, also set by %s", key, staying.Field, staying.Manager))
		}
	}
	return listed(spec, "Dropped Fields Stay", "the template does not have these fields any more, but they stay on the objects, as others own them, too:", lines)
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
		warnings = append(warnings, Warning{
			Summary: "Client Leaves Its Data Behind",
			Detail: fmt.Sprintf("Client %q: the template does not have %s any more, which will be deleted. Its PersistentVolumeClaims stay (%s), "+
				"but a StatefulSet of another name does not find them: it begins with empty ones.", spec.Name, ref, strings.Join(before.Claims, ", ")),
		})
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
	var names, lines []string
	isOurs := before == nil
	for _, s := range t {
		if s.live == nil || before != nil && (len(s.settled) > 0 || f.fields.Adopted(s.live)) {
			continue
		}
		ref := kube.RefOf(s.live)
		names = append(names, ref.String())
		isOurs = isOurs && s.isOwn(spec)
		had, err := f.before(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, line := range changes(ref.Key(), had, f.fields.Owned(s.result)) {
			if !strings.Contains(line, managedByLabel) && !strings.Contains(line, ClientLabel) {
				lines = append(lines, line)
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	detail := fmt.Sprintf("Objects of client %q exist already and will be adopted: %s.", spec.Name, strings.Join(names, ", "))
	if before != nil {
		detail = fmt.Sprintf("Objects of client %q were made anew since the last apply, by others, and will be adopted: %s.", spec.Name, strings.Join(names, ", "))
	}
	if isOurs {
		detail += " They carry the client's label already: they are left of a tainted client, which this plan replaces, or they are managed under another address or in another state. " +
			"If the resource was renamed in the configuration, use a `moved` block instead."
	}
	switch {
	case len(lines) == 0 && isOurs:
	case len(lines) == 0:
		detail += " They match the template; only the ownership labels are added, and no pod restarts."
	default:
		detail += " These fields change:\n" + strings.Join(lines, "\n")
	}
	return []Warning{{Summary: "Existing Objects Will Be Adopted", Detail: detail}}, nil
}
