package mira

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// UnknownValues says which values of a [Spec] are not known yet.
type UnknownValues struct {
	AdminEmail bool
	Variables  []string // names whose values are not known
	// AnyVariable: not even the names are known.
	AnyVariable bool
}

// PartialPlan is what is known of a client before all its values are.
type PartialPlan struct {
	Revision string   // empty when it is not known
	URL      *string  // nil when it is not known; empty when there is none
	Claims   []string // nil when they are not known
	Warnings []Warning
}

// PlanPartial tells what does not depend on the values that are not known: it renders
// the template with two different values for each and keeps what comes out the
// same. What the server makes of the objects is not among it. Nil without an error
// says that nothing can be foreseen.
func (f *Fleet) PlanPartial(ctx context.Context, spec Spec, unknown UnknownValues, before *State) (*PartialPlan, error) {
	t, err := f.template(ctx, spec)
	if warning, ok := notYet(spec, before, err); ok {
		return &PartialPlan{Warnings: []Warning{warning}}, nil
	}
	if err != nil {
		return nil, err
	}
	// Numbers are as good as any text, and pass where a number must stand.
	var seen [2]*desired
	for i, value := range []string{"1", "7"} {
		tried := spec
		tried.DeleteData = true // whether claims may go does not matter here
		if unknown.AdminEmail {
			tried.AdminEmail = value
		}
		tried.Variables = maps.Clone(spec.Variables)
		if tried.Variables == nil {
			tried.Variables = make(map[string]string)
		}
		names := unknown.Variables
		if unknown.AnyVariable {
			names = slices.DeleteFunc(t.Placeholders(), func(name string) bool { return isBuiltIn(name) })
		}
		for _, name := range names {
			tried.Variables[name] = value
		}
		if seen[i], err = f.desire(ctx, tried); err != nil {
			var unreadable *TemplateError
			if errors.As(err, &unreadable) {
				return nil, nil // the real values may do better
			}
			return nil, err
		}
	}
	foresight := &PartialPlan{Revision: seen[0].revision}
	// Where admission has given the client another address it will do so again.
	if seen[0].url == seen[1].url && (before == nil || before.URL == seen[0].url) {
		foresight.URL = &seen[0].url
	}
	claims := [2][]string{seen[0].claims(before), seen[1].claims(before)}
	if slices.Equal(claims[0], claims[1]) {
		foresight.Claims = claims[0]
	}
	return foresight, nil
}

func isBuiltIn(placeholder string) bool {
	return placeholder == "CLIENT_NAME" || placeholder == "EMAIL_ADMIN" || placeholder == ClusterDomainKey
}

// claims gives the names of the claims that the client will have, those recorded
// before included: not empty, but without nil.
func (d *desired) claims(before *State) []string {
	claims := []string{}
	for _, object := range d.objects {
		if isStatefulSet(object) {
			claims = append(claims, kube.ClaimNames(object)...)
		}
	}
	if before != nil {
		claims = append(claims, before.Claims...)
	}
	slices.Sort(claims)
	return slices.Compact(claims)
}

// notYet tells whether a template that is not the pinned one, or not there, may
// become it in the same run, by what another resource writes: it is not there at
// all, or it still is the one that the client was pinned to before.
func notYet(spec Spec, before *State, err error) (Warning, bool) {
	if spec.Revision == "" {
		return nil, false
	}
	pending := TemplatePendingWarning{Client: spec.Name, Template: spec.Template, Revision: spec.Revision}
	var other *RevisionError
	var missing *TemplateUnavailableError
	var noObject *kube.NotFoundError
	var noKey *kube.MissingKeyError
	switch {
	case errors.As(err, &other) && before != nil && before.Pinned == other.Found:
		pending.Found = other.Found
		return pending, true
	case errors.As(err, &missing) && (errors.As(err, &noObject) || errors.As(err, &noKey)):
		return pending, true
	}
	return nil, false
}
