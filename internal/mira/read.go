package mira

import (
	"context"
	"maps"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// Read refreshes what is recorded of a client with the live objects; nil when
// none of them is left. It needs no template. References keep the objects that
// are gone: a later delete or update must still know of them.
func (f *Fleet) Read(ctx context.Context, namespace, name string, before *State) (*State, error) {
	record := &State{
		Objects:  make(map[string]managedfields.Fields, len(before.Refs)),
		URL:      before.URL,
		Revision: before.Revision,
	}
	var live []*unstructured.Unstructured
	isLeaving := false
	objects, err := f.batcher.GetAll(ctx, name, before.Refs)
	if err != nil {
		return nil, err
	}
	for i, ref := range before.Refs {
		object := objects[i]
		if object == nil || object.GetDeletionTimestamp() != nil {
			// One on its way out is as good as gone, but a delete still has to
			// wait for it.
			isLeaving = isLeaving || object != nil
			record.Refs = append(record.Refs, ref)
			continue
		}
		if isOther := ref.UID != "" && ref.UID != object.GetUID(); !isOther || object.GetLabels()[ClientLabel] == name {
			ref = kube.RefOf(object)
		}
		record.Refs = append(record.Refs, ref)
		record.Objects[ref.Key()] = f.fields.Observe(object, before.Objects[ref.Key()])
		live = append(live, object)
	}
	if len(live) == 0 && !isLeaving {
		return nil, nil
	}
	record.Images = imagesOf(record.Objects)
	record.Claims = f.claimsOf(ctx, namespace, name, live, before.Claims)
	if find(live, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Ingress" }) != nil {
		record.URL = urlOf(live)
	}
	return record, nil
}

func find(objects []*unstructured.Unstructured, matches func(*unstructured.Unstructured) bool) *unstructured.Unstructured {
	if i := slices.IndexFunc(objects, matches); i >= 0 {
		return objects[i]
	}
	return nil
}

// Imported is a client found in the cluster.
type Imported struct {
	State
	AdminEmail string
	// Variables whose values differ from the fleet's, or that the fleet lacks.
	Variables map[string]string
	Warnings  []Warning
}

// Import finds the objects of a client that the template names, whoever wrote
// them, and recovers the e-mail and the variables from them.
func (f *Fleet) Import(ctx context.Context, spec Spec) (*Imported, error) {
	t, err := f.template(ctx, spec)
	if err != nil {
		return nil, err
	}
	values, err := f.values(ctx, t, spec)
	if err != nil {
		return nil, err
	}
	known := map[string]string{"CLIENT_NAME": spec.Name}
	if values.ClusterDomain != nil {
		known[ClusterDomainKey] = *values.ClusterDomain
	}
	var failed error
	read := make(map[string]*unstructured.Unstructured)
	recovered := t.Recover(known, func(kind schema.GroupKind, name string) *unstructured.Unstructured {
		if failed != nil || !slices.Contains(f.settings.AllowedKinds, kind) {
			return nil
		}
		ref := kube.NewRef(kind.WithVersion(""), spec.Namespace, name)
		if object, ok := read[ref.Key()]; ok {
			return object
		}
		object, err := f.kube.Get(ctx, ref)
		failed = err
		read[ref.Key()] = object
		return object
	})
	if failed != nil {
		return nil, failed
	}

	imported := &Imported{
		AdminEmail: recovered.Values["EMAIL_ADMIN"],
		Variables:  make(map[string]string),
		Warnings:   recoveryWarnings(spec, recovered),
	}
	for name, value := range recovered.Values {
		if template.ValidVariableName(name) == nil && f.settings.Variables[name] != value {
			imported.Variables[name] = value
		}
	}
	return imported, f.fillImported(ctx, spec, imported, recovered.Missing)
}

// fillImported records the live objects that the template, rendered with what
// was recovered, names: of their fields those that adopting them will take over
// or drop, so that the next plan shows what adoption changes, and only that.
func (f *Fleet) fillImported(ctx context.Context, spec Spec, imported *Imported, missing []string) error {
	spec.AdminEmail = imported.AdminEmail
	spec.Variables = maps.Clone(imported.Variables)
	for _, name := range missing {
		if _, ok := f.settings.Variables[name]; !ok {
			spec.Variables[name] = "" // the objects' names are all that matters then
		}
	}
	d, err := f.desire(ctx, spec)
	if err != nil {
		return err
	}
	imported.Objects, imported.Fingerprints = make(map[string]managedfields.Fields), make(map[string]managedfields.Fingerprint)
	var live []*unstructured.Unstructured
	var looked []kube.Ref
	for _, object := range d.objects {
		ref := kube.RefOf(object)
		looked = append(looked, ref)
		s := &step{desired: object, applied: object}
		if s.live, err = f.kube.Get(ctx, ref); err != nil {
			return err
		}
		if s.live == nil {
			continue
		}
		if err := checkOwner(s.live, spec.Name); err != nil {
			return err
		}
		live = append(live, s.live)
		imported.Refs = append(imported.Refs, kube.RefOf(s.live))
		imported.Objects[ref.Key()] = f.fields.Owned(s.live)
		if len(missing) > 0 {
			continue // what the template would give is not known
		}
		if err := f.foretell(ctx, s, nil); err != nil && s.refusal == nil {
			return err
		}
		if imported.Objects[ref.Key()], err = f.before(ctx, s); err != nil {
			return err
		}
		if s.result != nil && s.recreation == nil && f.fields.Adoption(s.live, s.result, nil).OnlyOwnershipDiffers() && f.fields.OwnsSame(s.live, s.result) {
			imported.Fingerprints[ref.Key()] = f.fields.FingerprintOf(object, s.live)
		}
	}
	if len(live) == 0 {
		return &NoSuchClientError{Namespace: spec.Namespace, Name: spec.Name, Looked: looked}
	}
	imported.Images = imagesOf(imported.Objects)
	imported.Claims = f.claimsOf(ctx, spec.Namespace, spec.Name, live, nil)
	imported.URL = urlOf(live)
	imported.Revision = d.revision
	return nil
}

// recoveryWarnings tells what the live objects did not give away.
func recoveryWarnings(spec Spec, recovered template.Recovered) []Warning {
	var warnings []Warning
	if len(recovered.Missing) > 0 {
		warnings = append(warnings, UnknownValuesWarning{Client: spec.Name, Placeholders: recovered.Missing})
	}
	for _, conflict := range recovered.Conflicts {
		warnings = append(warnings, ConflictingValuesWarning{Client: spec.Name, Conflict: conflict})
	}
	return warnings
}
