package mira

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// Imported is a client found in the cluster.
type Imported struct {
	State
	AdminEmail string
	// Variables are those whose values differ from the fleet's, or that the fleet lacks.
	Variables map[string]string
	Warnings  []Warning
}

// Import finds the objects of a client that the template names, whoever wrote them, and
// recovers the e-mail and the variables from them. An import does not have the client's
// configuration. What is known to be secret all the same is not among the variables, and shows
// as everywhere: see [services.secretVariables].
func (f *Fleet) Import(ctx context.Context, spec Spec) (*Imported, error) {
	recovered, err := f.recoverValues(ctx, spec)
	if err != nil {
		return nil, err
	}
	imported := &Imported{
		AdminEmail: recovered.Values["EMAIL_ADMIN"],
		Variables:  make(map[string]string),
		Warnings:   recoveryWarnings(spec.Name, recovered.Recovered),
	}
	for name, value := range recovered.Values {
		if template.ValidVariableName(name) == nil && f.settings.Variables[name] != value {
			imported.Variables[name] = value
		}
	}
	spec.AdminEmail = imported.AdminEmail
	spec.Variables = maps.Clone(imported.Variables)
	spec.Secrets = recovered.secrets
	for _, name := range recovered.Missing {
		if _, ok := f.settings.Variables[name]; !ok {
			spec.Variables[name] = "" // the objects' names are all that matters then
		}
	}
	manifest, err := f.renderer.render(ctx, spec)
	if err != nil {
		return nil, err
	}
	p := &planner{subject: &subject{services: f.hiding(append(recovered.hidden, recovered.secrets)...), spec: spec}}
	imported.State, err = p.importState(ctx, manifest, len(recovered.Missing) == 0)
	return imported, err
}

// recoveredValues are what the live objects tell of the placeholders.
type recoveredValues struct {
	// Recovered is without the secrets. One of which nothing certain is known is missing.
	template.Recovered
	// secrets are the values of secret variables, by name. They may not get into the state.
	secrets map[string]string
	// hidden are further values of secret variables, such as those of before the last change.
	hidden []map[string]string
}

// recoverValues reads the values of the placeholders out of the live objects.
func (s *services) recoverValues(ctx context.Context, spec Spec) (*recoveredValues, error) {
	t, err := s.renderer.template(ctx, spec)
	if err != nil {
		return nil, err
	}
	values, err := s.renderer.values(ctx, t, spec)
	if err != nil {
		return nil, err
	}
	var failed error
	read := make(map[string]*unstructured.Unstructured)
	recovered := s.recoverFrom(t, values, func(kind schema.GroupKind, name string) *unstructured.Unstructured {
		if failed != nil || !slices.Contains(s.settings.AllowedKinds, kind) {
			return nil
		}
		ref := kube.NewRef(kind.WithVersion(""), spec.Namespace, name)
		if object, ok := read[ref.Key()]; ok {
			return object
		}
		object, err := s.kube.Get(ctx, ref)
		failed = err
		read[ref.Key()] = object
		return object
	})
	return recovered, failed
}

// recoverFrom reads the values of the placeholders out of the live objects that a function
// finds. `values` are those that are known of the client: its name, and what is the fleet's.
func (s *services) recoverFrom(t *template.Template, values template.Values, lookUp template.Lookup) *recoveredValues {
	given := map[string]string{"CLIENT_NAME": values.ClientName}
	for name, value := range values.Variables {
		if t.IsOrdinaryText(name) {
			given[name] = value // a place of it does not tell whether it is one
		}
	}
	if values.ClusterDomain != nil {
		given[ClusterDomainKey] = *values.ClusterDomain
	}
	known := maps.Clone(given)
	for name, secret := range values.Secrets {
		if secret != "" {
			known[name] = secret
		}
	}
	var read []*unstructured.Unstructured
	seen := func(kind schema.GroupKind, name string) *unstructured.Unstructured {
		object := lookUp(kind, name)
		if object != nil && !slices.Contains(read, object) {
			read = append(read, object)
		}
		return object
	}
	recovered := &recoveredValues{Recovered: t.Recover(known, seen)}
	recovered.setSecret(s.secretVariables(t, read))
	if len(known) > len(given) {
		// The live objects may have other values of the fleet's secrets.
		recovered.hide(t.Recover(given, lookUp), values.Secrets)
	}
	for name := range values.Secrets {
		if _, isRecovered := recovered.secrets[name]; !isRecovered {
			recovered.Missing = slices.DeleteFunc(recovered.Missing, func(missing string) bool { return missing == name })
		}
	}
	return recovered
}

// secretVariables returns the names of the variables that are known to be secret without the
// client's configuration: those that are secret variables of the fleet, also with an empty
// value; those of which a live object says so; and those that stand in the data of Secrets
// and nowhere else.
func (s *services) secretVariables(t *template.Template, live []*unstructured.Unstructured) map[string]bool {
	names := make(map[string]bool)
	for name := range s.settings.Secrets {
		names[name] = true
	}
	for _, name := range t.OnlyInSecretData() {
		names[name] = true
	}
	for _, object := range live {
		if object == nil {
			continue
		}
		for _, name := range secretNames(object) {
			names[name] = true
		}
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return template.ValidVariableName(name) != nil })
	return names
}

// setSecret takes the secret variables out of those that get into the state.
func (r *recoveredValues) setSecret(names map[string]bool) {
	r.secrets = make(map[string]string)
	for name, value := range r.Values {
		if names[name] {
			r.secrets[name] = value
		}
	}
	maps.DeleteFunc(r.Values, func(name, _ string) bool { return names[name] })
	for _, conflict := range r.Conflicts {
		if names[conflict.Name] {
			r.hideFindings(conflict)
			r.Missing = append(r.Missing, conflict.Name)
		}
	}
	r.Conflicts = slices.DeleteFunc(r.Conflicts, func(conflict template.Conflict) bool { return names[conflict.Name] })
	slices.Sort(r.Missing)
}

// hide hides what was recovered of secrets.
func (r *recoveredValues) hide(recovered template.Recovered, secrets map[string]string) {
	for name, value := range recovered.Values {
		if _, isSecret := secrets[name]; isSecret {
			r.hidden = append(r.hidden, map[string]string{name: value})
		}
	}
	for _, conflict := range recovered.Conflicts {
		if _, isSecret := secrets[conflict.Name]; isSecret {
			r.hideFindings(conflict)
		}
	}
}

func (r *recoveredValues) hideFindings(conflict template.Conflict) {
	for _, finding := range conflict.Found {
		r.hidden = append(r.hidden, map[string]string{conflict.Name: finding.Value})
	}
}

// importState records the live objects that the manifest names: of their fields those that
// adopting them will take over or drop, so that the next plan shows what adoption changes,
// and only that. An incomplete manifest is one whose values were not all recovered: what
// the template would give is not known then, and only the owned fields are recorded.
func (p *planner) importState(ctx context.Context, m *manifest, isComplete bool) (State, error) {
	state := State{
		Objects:      make(map[string]managedfields.Fields),
		Fingerprints: make(map[string]managedfields.Fingerprint),
		Revision:     m.revision,
	}
	var live []*unstructured.Unstructured
	var missing []kube.Ref
	for _, object := range m.objects {
		c := newObjectChange(object, objectState{})
		var err error
		if c.live, err = p.kube.Get(ctx, c.ref); err != nil {
			return state, err
		}
		if c.live == nil {
			missing = append(missing, c.ref)
			continue
		}
		if err := checkOwner(c.live, p.spec.Name); err != nil {
			return state, err
		}
		imported := objectState{fields: p.fields.Owned(c.live)}
		if namesSecrets(c.live, nil) {
			imported.fields = p.fields.HideUnrecorded(c.live, imported.fields, nil)
		}
		if isComplete {
			if imported, err = p.importObject(ctx, c); err != nil {
				return state, err
			}
		}
		live = append(live, c.live)
		state.Refs = append(state.Refs, kube.RefOf(c.live))
		state.Objects[c.ref.Key()] = imported.fields
		if imported.fingerprint != (managedfields.Fingerprint{}) {
			state.Fingerprints[c.ref.Key()] = imported.fingerprint
		}
	}
	if len(live) == 0 {
		return state, &NoSuchClientError{Namespace: p.spec.Namespace, Name: p.spec.Name, Missing: missing}
	}
	state.Images = imagesOf(state.Objects)
	state.Claims = p.claimsOf(ctx, p.spec.Namespace, p.spec.Name, live, nil)
	state.URL = shownURL(p.fields, live, m.url(p.fields))
	return state, nil
}

// importObject returns what is recorded of a live object.
func (p *planner) importObject(ctx context.Context, c *objectChange) (objectState, error) {
	if err := (applyPlanner{p.subject}).dryRunApply(ctx, c); err != nil && c.refusal() == nil {
		return objectState{}, err
	}
	var state objectState
	var err error
	if state.fields, err = p.adoptedFields(ctx, c); err != nil {
		return objectState{}, err
	}
	if c.action == actionApply && p.fields.Adoption(c.live, c.dryRun, nil).OnlyOwnershipDiffers() && c.isSettled(p.fields) {
		state.fingerprint = p.fields.FingerprintOf(c.manifest, c.live)
	}
	return state, nil
}

// recoveryWarnings warns of what the live objects did not tell.
func recoveryWarnings(client string, recovered template.Recovered) []Warning {
	var warnings []Warning
	if len(recovered.Missing) > 0 {
		warnings = append(warnings, UnknownValuesWarning{Client: client, Placeholders: recovered.Missing})
	}
	for _, conflict := range recovered.Conflicts {
		warnings = append(warnings, ConflictingValuesWarning{Client: client, Conflict: conflict})
	}
	return warnings
}
