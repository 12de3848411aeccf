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
// recovers the e-mail and the variables from them.
func (f *Fleet) Import(ctx context.Context, spec Spec) (*Imported, error) {
	recovered, err := f.recoverValues(ctx, spec)
	if err != nil {
		return nil, err
	}
	imported := &Imported{
		AdminEmail: recovered.Values["EMAIL_ADMIN"],
		Variables:  make(map[string]string),
		Warnings:   recoveryWarnings(spec.Name, recovered),
	}
	for name, value := range recovered.Values {
		if template.ValidVariableName(name) == nil && f.settings.Variables[name] != value {
			imported.Variables[name] = value
		}
	}
	spec.AdminEmail = imported.AdminEmail
	spec.Variables = maps.Clone(imported.Variables)
	for _, name := range recovered.Missing {
		if _, ok := f.settings.Variables[name]; !ok {
			spec.Variables[name] = "" // the objects' names are all that matters then
		}
	}
	manifest, err := f.renderer.render(ctx, spec)
	if err != nil {
		return nil, err
	}
	p := &planner{services: f.services, spec: spec}
	imported.State, err = p.importState(ctx, manifest, len(recovered.Missing) == 0)
	return imported, err
}

// recoverValues reads the values of the placeholders out of the live objects.
func (s *services) recoverValues(ctx context.Context, spec Spec) (template.Recovered, error) {
	t, err := s.renderer.template(ctx, spec)
	if err != nil {
		return template.Recovered{}, err
	}
	values, err := s.renderer.values(ctx, t, spec)
	if err != nil {
		return template.Recovered{}, err
	}
	// What is recovered gets into the state. Secrets may not, whatever the live objects have.
	known := map[string]string{"CLIENT_NAME": spec.Name}
	maps.Copy(known, values.Secrets)
	for name, value := range values.Variables {
		if t.IsOrdinaryText(name) {
			known[name] = value // a place of it does not tell whether it is one
		}
	}
	if values.ClusterDomain != nil {
		known[ClusterDomainKey] = *values.ClusterDomain
	}
	var failed error
	read := make(map[string]*unstructured.Unstructured)
	recovered := t.Recover(known, func(kind schema.GroupKind, name string) *unstructured.Unstructured {
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
	state.URL = shownURL(p.fields, live, m.url)
	return state, nil
}

// importObject returns what is recorded of a live object.
func (p *planner) importObject(ctx context.Context, c *objectChange) (objectState, error) {
	if err := p.dryRunApply(ctx, c); err != nil && c.refusal() == nil {
		return objectState{}, err
	}
	var state objectState
	var err error
	if state.fields, err = p.adoptedFields(ctx, c); err != nil {
		return objectState{}, err
	}
	if c.action == actionApply && p.fields.Adoption(c.live, c.dryRun, nil).OnlyOwnershipDiffers() && p.fields.OwnsSame(c.live, c.dryRun) {
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
