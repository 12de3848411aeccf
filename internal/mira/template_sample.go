package mira

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// The sample client for which a template is tried, unless the configuration names another.
// No client should have its name.
const (
	DefaultSampleName  = "mira-template-sample"
	DefaultSampleEmail = "admin@example.com"
)

// SampleClient is the client for which a template is tried. What is empty has a default.
type SampleClient struct {
	Name       string
	AdminEmail string
	Variables  map[string]string
}

// sample is what a template gives for a sample client.
type sample struct {
	manifest *manifest // nil where it cannot be said without the values of a real client
	name     string    // of the client
	// undefined are the placeholders that neither the fleet nor the sample client has a value
	// for, sorted. A client may have one.
	undefined []string
}

// sampleOf renders a template for a sample client. What goes wrong because of a placeholder
// without a value is no error: the plans of the clients know the values.
func (t Templates) sampleOf(ctx context.Context, parsed *template.Template, spec TemplateSpec) (*sample, error) {
	client := Spec{
		Namespace:  spec.Namespace,
		Name:       cmp.Or(spec.Sample.Name, DefaultSampleName),
		AdminEmail: cmp.Or(spec.Sample.AdminEmail, DefaultSampleEmail),
		Template:   spec.Source,
		Variables:  maps.Clone(spec.Sample.Variables),
		DeleteData: true, // whether claims may be deleted is a client's to say
	}
	s := &sample{name: client.Name}
	for _, name := range parsed.Placeholders() {
		_, isVariable := t.settings.Variables[name]
		_, isSecret := t.settings.Secrets[name]
		_, isSampled := client.Variables[name]
		if !isBuiltIn(name) && !isVariable && !isSecret && !isSampled && !parsed.IsOrdinaryText(name) {
			s.undefined = append(s.undefined, name)
		}
	}
	// A number is as good as any text, and passes where a number must stand.
	client.Variables = withEach(client.Variables, s.undefined, "1")
	rendered, err := t.renderer.renderTemplate(ctx, parsed, client)
	if err == nil {
		s.manifest = rendered
		return s, nil
	}
	faults, others := faultsOf(err)
	if len(others) > 0 {
		return nil, errors.Join(others...)
	}
	faults = slices.DeleteFunc(faults, func(fault error) bool {
		single, ok := errors.AsType[*template.Error](fault)
		return ok && s.isUndefinedIn(spec.Content, single.Line)
	})
	if len(faults) > 0 {
		return nil, &TemplateContentError{Source: spec.Source, Err: errors.Join(faults...)}
	}
	return s, nil
}

// faultsOf separates the faults of a template from other errors of its rendering.
func faultsOf(err error) (faults, others []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, single := range joined.Unwrap() {
			more, further := faultsOf(single)
			faults, others = append(faults, more...), append(others, further...)
		}
		return faults, others
	}
	invalid, ok := errors.AsType[*TemplateError](err)
	if !ok {
		return nil, []error{err}
	}
	for _, fault := range template.Errors(invalid.Err) {
		faults = append(faults, fault)
	}
	return faults, nil
}

// isUndefinedIn reports whether a line of a template has a placeholder without a value. Of a
// fault without a line it cannot be said that it has not.
func (s *sample) isUndefinedIn(content string, line int) bool {
	if line <= 0 {
		return len(s.undefined) > 0
	}
	lines := strings.Split(content, "\n")
	return line <= len(lines) && slices.ContainsFunc(s.undefined, func(name string) bool {
		return strings.Contains(lines[line-1], "%"+name+"%")
	})
}

// dryRunSample has the server dry-run the objects of the sample client, as far as the rights allow.
// The error names every object that the server would not take.
func (t Templates) dryRunSample(ctx context.Context, s *sample, spec TemplateSpec) error {
	if s.manifest == nil {
		return nil
	}
	answers := make([]error, len(s.manifest.objects))
	var all errgroup.Group
	all.SetLimit(maxDryRuns)
	for i, object := range s.manifest.objects {
		all.Go(func() error {
			_, answers[i] = t.kube.DryRun(ctx, object, nil)
			return nil
		})
	}
	_ = all.Wait()
	var refused []error
	for i, err := range answers {
		if err == nil {
			continue
		}
		isRefused, err := t.isSampleRefused(ctx, s, i, spec, err)
		switch {
		case err != nil && !isRefused:
			return err
		case isRefused:
			refused = append(refused, &SampleRefusedError{Source: spec.Source, Err: err})
		}
	}
	return errors.Join(refused...)
}

// isSampleRefused reports whether the template is at fault that the server would not take the
// i-th object of the sample client. Without a refusal, an error is one that ends the plan.
func (t Templates) isSampleRefused(ctx context.Context, s *sample, i int, spec TemplateSpec, err error) (bool, error) {
	_, noNamespace := errors.AsType[*kube.NamespaceNotFoundError](err)
	_, isForbidden := errors.AsType[*kube.ForbiddenError](err)
	_, isOwned := errors.AsType[*kube.ConflictError](err)
	_, isUnknownKind := errors.AsType[*kube.KindError](err)
	_, isDenied := errors.AsType[*kube.DeniedError](err)
	rejected, isRejected := errors.AsType[*kube.RejectedError](err)
	switch {
	case noNamespace, isForbidden, isOwned:
		logging.Debug(ctx, "The server cannot be asked about an object of the sample client", "template", spec.Source, "reason", err)
		return false, nil
	case isUnknownKind, isDenied:
		return true, err
	case !isRejected:
		return false, err
	}
	s.manifest.locate(err, i, nil)
	causes := slices.DeleteFunc(slices.Clone(rejected.Causes), func(cause kube.Cause) bool {
		return s.isUndefinedIn(spec.Content, cause.Line)
	})
	if len(causes) == 0 {
		return false, nil
	}
	if live, getErr := t.kube.Get(ctx, kube.RefOf(s.manifest.objects[i])); getErr != nil || live != nil {
		return false, getErr // it is a real client's, and that one's plan says what can change in place
	}
	return true, err
}
