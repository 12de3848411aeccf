package managedfields

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Observe returns the live values of the fields that matter to a plan: those that
// we own, and those of `prior` that are still there although others have changed or
// taken them, or left them to no manager, as `kubectl scale --replicas=0` does.
func (m *Manager) Observe(live *unstructured.Unstructured, prior Fields) Fields {
	ours := m.ownership(live)
	var more map[string]fieldpath.Path
	for path := range prior {
		if _, ok := ours.fields[path]; ok {
			continue
		}
		if at, ok := resolvePath(live.Object, path); ok {
			if more == nil {
				more = leaves(ours.set)
			}
			more[path] = at
		}
	}
	fields := maps.Clone(ours.fields)
	if more != nil {
		fields, _ = m.project(live, more, fieldpath.NewSet(slices.Collect(maps.Values(more))...))
	}
	return m.keepHidden(live, fields, prior)
}

// notRecorded is shown in the place of what may be a secret that is not known.
const notRecorded = "(not recorded)"

// HideUnrecorded returns what [Manager.Observe] has returned, for an object that may hold
// secrets which are not known, as a refresh does not have the configuration of a client. The
// secrets among the recorded fields show as hashes. What is not recorded, and is ours all the
// same, was written by an apply whose result is in no state: it may be a secret, so that it
// does not show. The next plan, which has the configuration, shows it as a change.
//
// What others have written shows as ever.
func (m *Manager) HideUnrecorded(live *unstructured.Unstructured, fields, recorded Fields) Fields {
	ours := m.ownership(live).fields
	hidden := 0
	for path, text := range fields {
		was, isRecorded := recorded[path]
		_, isOurs := ours[path]
		switch {
		case !isOurs || isRecorded && (text == was || IsHash(text)):
		case isRecorded:
			fields[path] = notRecorded
		default:
			delete(fields, path)
			hidden++
		}
	}
	if hidden > 0 {
		fields[notRecorded] = strconv.Itoa(hidden) + " fields"
	}
	return fields
}
