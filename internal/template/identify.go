package template

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Candidate is a client that an object may belong to, judging by the template.
type Candidate struct {
	// Client is the value of %CLIENT_NAME% with which the template gives an object of this kind and name.
	Client string
	// Agreeing is how many further places of the object have the client's name where the template has it. Where it is
	// zero, the object may have its name by chance.
	Agreeing int
}

// Identify returns the clients that an object may belong to: those for which the template has an object of its kind and
// name. There can be several, as a client acme-2 may have an object of the name that another one has for a client acme.
// They come in the order of the template, without those that cannot be told because the name holds a placeholder that
// is not known.
func (t *Template) Identify(object *unstructured.Unstructured, known map[string]string) []Candidate {
	var found []Candidate
	for _, s := range t.objects {
		r := newIdentification(known)
		kind, ok := r.kindOf(s)
		if !ok || kind != object.GroupVersionKind().GroupKind() {
			continue
		}
		name := s.root.at("metadata", "name")
		if name == nil {
			continue
		}
		client, ok := r.solveClient(name.parts, object.GetName())
		if !ok {
			continue
		}
		candidate := Candidate{Client: client, Agreeing: r.agreeing(s, client, object)}
		if i := slices.IndexFunc(found, func(c Candidate) bool { return c.Client == client }); i >= 0 {
			found[i].Agreeing = max(found[i].Agreeing, candidate.Agreeing)
			continue
		}
		found = append(found, candidate)
	}
	return found
}

// identification is a recovery that looks for the client's name alone.
type identification struct{ *recovery }

// newIdentification returns one that knows some placeholders, and not the client's name.
func newIdentification(known map[string]string) identification {
	known = maps.Clone(known)
	delete(known, PlaceholderClientName)
	return identification{&recovery{known: known, values: known}}
}

// kindOf returns the kind of an object of the template; false where it holds a placeholder that is not known.
func (r identification) kindOf(s *source) (schema.GroupKind, bool) {
	apiVersion, ok1 := r.text(s.root.get("apiVersion"))
	kind, ok2 := r.text(s.root.get("kind"))
	version, err := schema.ParseGroupVersion(apiVersion)
	return schema.GroupKind{Group: version.Group, Kind: kind}, ok1 && ok2 && err == nil
}

// agreeing counts the places of a live object, but for its name, that have the client's name where the template does.
func (r identification) agreeing(s *source, client string, object *unstructured.Unstructured) int {
	values := maps.Clone(r.known)
	if values == nil {
		values = make(map[string]string, 1)
	}
	values[PlaceholderClientName] = client
	count := 0
	in := recovery{known: values, values: values, findings: map[string][]finding{}, noted: map[notedFinding]bool{}}
	in.seen = func(parts []part, text string) {
		if slices.ContainsFunc(parts, isClientName) && in.path.String() != "metadata.name" && in.possible(parts, text) {
			count++
		}
	}
	in.walk(s.root, object.Object)
	return count
}

// ClaimClient returns the client that a claim is of, judging by the claim's name and labels: those that the StatefulSet of
// the template would give it. isOfTemplate reports whether it is a claim of any client; the name is "" where only the
// labels say so, as for a claim of a former claim template.
func (t *Template) ClaimClient(claim string, labels, known map[string]string) (client string, isOfTemplate bool) {
	r := newIdentification(known)
	for _, s := range t.objects {
		kind, ok := r.kindOf(s)
		if !ok || kind != (schema.GroupKind{Group: "apps", Kind: "StatefulSet"}) {
			continue
		}
		labelled, fits := r.selected(s.root.at("spec", "selector", "matchLabels"), labels)
		name, isNamed := r.claimClient(s, claim)
		switch {
		case isNamed && (fits && labelled > 0 || r.hasText(s.root.at("metadata", "name"))):
			return name, true
		case fits && labelled > 0:
			isOfTemplate = true
		}
	}
	return "", isOfTemplate
}

// selected reports whether labels can be those of a selector of the template, and how many it has.
func (r identification) selected(selector *node, labels map[string]string) (count int, fits bool) {
	if selector == nil {
		return 0, false
	}
	for _, f := range selector.fields {
		if f.parts != nil {
			continue
		}
		text, has := labels[f.key]
		if !has || !r.compatibleScalar(f.value, text) {
			return 0, false
		}
		count++
	}
	return count, true
}

// claimClient solves the name of a claim, `<claim template>-<StatefulSet>-<ordinal>`, for the client's name.
func (r identification) claimClient(s *source, claim string) (string, bool) {
	name, claims := s.root.at("metadata", "name"), s.root.at("spec", "volumeClaimTemplates")
	at := strings.LastIndex(claim, "-")
	if at < 0 || name == nil || claims == nil {
		return "", false
	}
	if ordinal, err := strconv.Atoi(claim[at+1:]); err != nil || strconv.Itoa(ordinal) != claim[at+1:] {
		return "", false
	}
	for _, item := range claims.items {
		of := item.at("metadata", "name")
		if of == nil {
			continue
		}
		parts := slices.Concat(partsOf(of), []part{{text: "-"}}, partsOf(name))
		if client, ok := r.solveClient(parts, claim[:at]); ok {
			return client, true
		}
	}
	return "", false
}

// solveClient solves a name for the client's name.
func (r identification) solveClient(parts []part, name string) (string, bool) {
	if !slices.ContainsFunc(parts, isClientName) {
		return "", false
	}
	client, ok := r.solveFor(PlaceholderClientName, r.settled(parts), name)
	return client, ok && client != ""
}

func isClientName(p part) bool { return p.name == PlaceholderClientName }

// hasText reports whether a name holds more than the placeholder: anything is called like a client otherwise.
func (*recovery) hasText(name *node) bool {
	return slices.ContainsFunc(name.parts, func(p part) bool { return p.name == "" })
}

// partsOf returns the parts of a scalar, also of one without placeholders.
func partsOf(n *node) []part {
	if n.parts != nil {
		return n.parts
	}
	text, _ := scalarText(n.value)
	return []part{{text: text}}
}
