package mira

import (
	"context"
	"errors"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// TemplatePlan is what applying a [TemplateSpec] would give.
type TemplatePlan struct {
	TemplateState
	Warnings []Warning
}

// Plan checks the content of a template, as far as that can be done before any client follows
// it, and has the clients of this run that are pinned to its revision planned with it. `prior`
// is what is recorded of the template; nil for one that is to be created. Nothing is written.
func (t Templates) Plan(ctx context.Context, spec TemplateSpec, prior *TemplateState) (*TemplatePlan, error) {
	parsed, err := parseContent(spec.Source, spec.Content)
	if err != nil {
		return nil, err
	}
	if !t.renderer.declared.declare(spec.Source, spec.Content, parsed) {
		return nil, &TemplateTwiceError{Source: spec.Source}
	}
	plan := &TemplatePlan{TemplateState: *templateState(spec.Content, parsed)}
	if prior != nil && prior.Content == spec.Content && prior.Revision == plan.Revision {
		return plan, nil
	}
	entry, err := t.entry(ctx, spec.Source)
	if err != nil {
		return nil, err
	}
	before := t.keepFormer(spec.Source, entry)
	pending, err := t.dryRunEntry(ctx, spec, entry)
	if err != nil {
		return nil, err
	}
	plan.Warnings = slices.Concat(pending, t.takeovers(spec, entry, prior, before, plan.Revision))
	sample, err := t.sampleOf(ctx, parsed, spec)
	if err != nil {
		return nil, err
	}
	if len(sample.undefined) > 0 {
		plan.Warnings = append(plan.Warnings, UndefinedPlaceholdersWarning{Template: spec.Source, Placeholders: sample.undefined})
	}
	if err := t.checkWorkloads(ctx, spec, entry, before, sample); err != nil {
		return nil, err
	}
	return plan, t.dryRunSample(ctx, sample, spec)
}

// keepFormer has the clients that are not pinned to what is declared go on with the template
// that is there, in this plan or apply, and returns it; nil if there is none.
func (t Templates) keepFormer(source TemplateSource, entry *kube.ConfigMapEntry) *template.Template {
	text, err := entry.Text()
	if err != nil {
		return nil
	}
	isStale := func(*template.Template) bool { return false }
	former, err := t.renderer.templates.get(source.String(), isStale, func() (*template.Template, error) { return template.Parse(text) })
	if err != nil {
		return nil
	}
	return former
}

// dryRunEntry has the server say whether it would store the content.
func (t Templates) dryRunEntry(ctx context.Context, spec TemplateSpec, entry *kube.ConfigMapEntry) ([]Warning, error) {
	if t.configMaps().Has(entry, spec.Content) {
		return nil, nil
	}
	if entry.IsImmutable() {
		return nil, &ImmutableConfigMapError{Source: spec.Source, Ref: entry.Ref}
	}
	err := t.configMaps().DryRun(ctx, entry, spec.Content)
	if _, isPending := errors.AsType[*kube.NamespaceNotFoundError](err); isPending {
		return []Warning{TemplateNamespacePendingWarning{Template: spec.Source}}, nil
	}
	if err != nil {
		return nil, t.refusal(spec.Source, entry, err)
	}
	return nil, nil
}

// takeovers returns the warnings about what the content takes the place of.
func (t Templates) takeovers(
	spec TemplateSpec, entry *kube.ConfigMapEntry, prior *TemplateState, before *template.Template, revision string,
) []Warning {
	text, err := entry.Text()
	if err != nil || text == spec.Content {
		return nil
	}
	var warnings []Warning
	if prior == nil {
		existing := ExistingTemplateWarning{Template: spec.Source, To: revision}
		if before != nil {
			existing.From = before.Revision()
		}
		warnings = append(warnings, existing)
	}
	if owners := t.configMaps().Owners(entry); len(owners) > 0 {
		warnings = append(warnings, TemplateTakenWarning{Template: spec.Source, Managers: owners})
	}
	return warnings
}

// checkWorkloads refuses content without any workload for a template that had one, if there
// are clients that would lose theirs. Clients that this run knows to follow another template
// do not count.
func (t Templates) checkWorkloads(
	ctx context.Context, spec TemplateSpec, entry *kube.ConfigMapEntry, before *template.Template, s *sample,
) error {
	if _, err := entry.Text(); err != nil || s.manifest == nil || s.manifest.hasWorkload() {
		return nil //nolint:nilerr // without a text no client follows it
	}
	former := t.formerSample(ctx, before, spec)
	if former != nil && !former.hasWorkload() {
		return nil
	}
	clients, err := t.clientsWith(ctx, spec.Namespace, workloadKinds(t.settings.AllowedKinds), former, s.name)
	if err != nil {
		return err
	}
	if clients = t.followersOf(spec.Source, spec.Namespace, clients); len(clients) > 0 {
		return &LostWorkloadError{Source: spec.Source, Namespace: spec.Namespace, Clients: clients}
	}
	return nil
}

// formerSample returns what the template that is there gives for the sample client; nil where
// that cannot be said.
func (t Templates) formerSample(ctx context.Context, before *template.Template, spec TemplateSpec) *manifest {
	if before == nil {
		return nil
	}
	former, err := t.sampleOf(ctx, before, spec)
	if err != nil {
		return nil
	}
	return former.manifest
}

// followersOf returns those of the clients that may follow a template.
func (t Templates) followersOf(source TemplateSource, namespace string, clients []string) []string {
	return slices.DeleteFunc(clients, func(client string) bool {
		return t.renderer.declared.followsOther(namespace, client, source)
	})
}
