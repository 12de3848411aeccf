package mira

import (
	"cmp"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// djangoManager is the field manager of the Kubernetes Python client, with which the Django
// controller wrote clients.
const djangoManager = "OpenAPI-Generator"

// groups finds which clients there are, and which objects each has.
//
// An object with the label belongs to the client that the label names. Any other must have a
// kind and a name that the template gives for a client, and one thing more, as a name may be a
// coincidence:
//
//   - the client's name stands at another place of the object where the template has it, or
//   - the Django controller has written the object, or
//   - there is such a client already, by its other objects. An import would take the object, too.
//
// Where several clients are possible, the one counts whose name stands at most places, then
// the one that has other objects, then the one that the template's longer text is for.
func (s *survey) groups() map[string][]*unstructured.Unstructured {
	groups := make(map[string][]*unstructured.Unstructured)
	var unsure []*unstructured.Unstructured
	candidates := make(map[*unstructured.Unstructured][]template.Candidate)
	for _, object := range s.objects {
		if client := object.GetLabels()[ClientLabel]; client != "" {
			groups[client] = append(groups[client], object)
			continue
		}
		if s.template == nil {
			continue
		}
		if possible := s.candidates(object); len(possible) > 0 {
			candidates[object] = possible
			unsure = append(unsure, object)
		}
	}
	known := make(map[string]bool)
	for client := range groups {
		known[client] = true
	}
	for _, object := range unsure {
		if best := candidates[object][0]; best.Agreeing > 0 || isByDjango(object) {
			known[best.Client] = true
		}
	}
	for _, object := range unsure {
		if client, ok := choose(candidates[object], known, isByDjango(object)); ok {
			groups[client] = append(groups[client], object)
		}
	}
	return groups
}

// candidates returns the clients that an object without label may be of, the likeliest first.
func (s *survey) candidates(object *unstructured.Unstructured) []template.Candidate {
	possible := slices.DeleteFunc(s.template.Identify(object, s.knownValues()), func(c template.Candidate) bool {
		return !isClientName(c.Client)
	})
	slices.SortStableFunc(possible, func(a, b template.Candidate) int {
		return cmp.Or(b.Agreeing-a.Agreeing, len(a.Client)-len(b.Client))
	})
	return possible
}

// choose returns the client that an object is of, among those that it may be of.
func choose(candidates []template.Candidate, known map[string]bool, isByDjango bool) (string, bool) {
	best := candidates[0]
	for _, other := range candidates[1:] {
		if other.Agreeing == best.Agreeing && known[other.Client] && !known[best.Client] {
			best = other
		}
	}
	return best.Client, best.Agreeing > 0 || isByDjango || known[best.Client]
}

// isClientName reports whether a client can have a name.
func isClientName(name string) bool {
	return len(name) <= MaximumClientName && len(validation.IsDNS1123Label(name)) == 0
}

// isByDjango reports whether the Django controller has written an object.
func isByDjango(object *unstructured.Unstructured) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == djangoManager && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == ""
	})
}

// knownValues are the values of placeholders that all clients have, by which their names can be
// told.
func (s *survey) knownValues() map[string]string {
	known := maps.Clone(s.fleet.Variables)
	if known == nil {
		known = make(map[string]string, 1)
	}
	if s.fleet.ClusterDomain != nil {
		known[ClusterDomainKey] = *s.fleet.ClusterDomain
	}
	return known
}
