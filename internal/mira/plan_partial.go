package mira

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// PartialPlan is what is known of a client before all its values are.
type PartialPlan struct {
	Revision string   // empty when it is not known
	URL      *string  // nil when it is not known; empty when there is none
	Claims   []string // nil when they are not known
	Warnings []Warning
}

// PlanPartial returns what does not depend on the values that are not known: it renders
// the template with two different values for each, and keeps what comes out the same.
// What the server makes of the objects is not among it. Nil without an error says that
// nothing is known.
func (f *Fleet) PlanPartial(ctx context.Context, spec Spec, unknown UnknownValues, prior *State) (*PartialPlan, error) {
	fields := f.hiding(spec.Secrets).fields
	t, err := f.renderer.template(ctx, spec)
	if pending, ok := templatePending(spec, prior, err); ok {
		return &PartialPlan{Warnings: []Warning{pending}}, nil
	}
	if err != nil {
		return nil, err
	}
	// Numbers are as good as any text, and pass where a number must stand.
	var rendered [2]*manifest
	for i, value := range []string{"1", "7"} {
		rendered[i], err = f.renderer.render(ctx, unknown.filled(spec, value, t.Placeholders()))
		if _, ok := errors.AsType[*TemplateError](err); ok {
			return nil, nil // the real values may do better
		}
		if err != nil {
			return nil, err
		}
	}
	plan := &PartialPlan{Revision: rendered[0].revision}
	url := rendered[0].url(fields)
	// Where admission has given the client another address it will do so again.
	if url == rendered[1].url(fields) && (prior == nil || prior.URL == url) {
		plan.URL = &url
	}
	if claims := rendered[0].claims(prior); slices.Equal(claims, rendered[1].claims(prior)) {
		plan.Claims = claims
	}
	return plan, nil
}

// filled returns the spec with one value for everything that is not known.
func (u UnknownValues) filled(spec Spec, value string, placeholders []string) Spec {
	spec.DeleteData = true // whether claims may be deleted does not matter here
	if u.AdminEmail {
		spec.AdminEmail = value
	}
	names := slices.DeleteFunc(placeholders, isBuiltIn)
	variables, secrets := u.Variables, u.Secrets
	if u.AnyVariable {
		variables = without(names, spec.Secrets)
	}
	if u.AnySecret {
		secrets = without(names, spec.Variables)
	}
	spec.Variables, spec.Secrets = withEach(spec.Variables, variables, value), withEach(spec.Secrets, secrets, value)
	return spec
}

// without returns the names that are not among those of some values.
func without(names []string, values map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, isThere := values[name]
		return isThere
	})
}

// withEach returns a copy of some values with one more value for each of the names.
func withEach(values map[string]string, names []string, value string) map[string]string {
	values = maps.Clone(values)
	if values == nil {
		values = make(map[string]string, len(names))
	}
	for _, name := range names {
		values[name] = value
	}
	return values
}

// isBuiltIn reports whether a placeholder is not a variable.
func isBuiltIn(placeholder string) bool {
	return placeholder == "CLIENT_NAME" || placeholder == "EMAIL_ADMIN" || placeholder == ClusterDomainKey
}

// templatePending reports whether a template that is not the pinned one, or not there,
// may become it in the same run, by what another resource writes: it is not there at
// all, or it still is the one to which the client was pinned before.
func templatePending(spec Spec, prior *State, err error) (Warning, bool) {
	if spec.Revision == "" {
		return nil, false
	}
	pending := TemplatePendingWarning{Client: spec.Name, Template: spec.Template, Revision: spec.Revision}
	var other *RevisionError
	var missing *TemplateUnavailableError
	switch {
	case errors.As(err, &other) && prior != nil && prior.PinnedRevision == other.Found:
		pending.Found = other.Found
		return pending, true
	case errors.As(err, &missing) && isMissing(err):
		return pending, true
	}
	return nil, false
}
