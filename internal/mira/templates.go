package mira

import (
	"context"
	"errors"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// Templates does the work for the client templates that Terraform manages. A template is one
// key of a ConfigMap; the other keys are other people's. Each verb has a file of its name,
// such as template_plan.go; Read and the data are here.
type Templates struct{ *services }

// Templates returns what works on the templates of the fleet.
func (f *Fleet) Templates() Templates { return Templates{f.services} }

// TemplateSpec declares a template.
type TemplateSpec struct {
	Source  TemplateSource
	Content string
	// Namespace is that of the clients.
	Namespace string
	Sample    SampleClient
}

// TemplateState is what is known of a template.
type TemplateState struct {
	Content string
	// Revision is that of the content, and Placeholders are those that it uses, sorted. Both are
	// empty for a content that is no template.
	Revision     string
	Placeholders []string
}

// ParseTemplate returns what follows from the content of a template alone. The error is a
// [*TemplateContentError].
func ParseTemplate(source TemplateSource, content string) (*TemplateState, error) {
	parsed, err := parseContent(source, content)
	if err != nil {
		return nil, err
	}
	return templateState(content, parsed), nil
}

func parseContent(source TemplateSource, content string) (*template.Template, error) {
	parsed, err := template.Parse(content)
	if err != nil {
		return nil, &TemplateContentError{Source: source, Err: err}
	}
	return parsed, nil
}

func templateState(content string, parsed *template.Template) *TemplateState {
	return &TemplateState{Content: content, Revision: parsed.Revision(), Placeholders: parsed.Placeholders()}
}

// Read returns a template as it is in the cluster; nil if there is none. Content that
// was made unreadable as a template has no revision: the plan that follows puts it right.
func (t Templates) Read(ctx context.Context, source TemplateSource) (*TemplateState, error) {
	content, err := t.configMaps().Key(ctx, source.Namespace, source.ConfigMap, source.Key)
	switch {
	case err != nil && isMissing(err):
		return nil, nil
	case err != nil:
		return nil, &TemplateUnavailableError{Source: source, Err: err}
	}
	parsed, err := template.Parse(content)
	if err != nil {
		logging.Debug(ctx, "What the cluster has is no client template", "source", source, "error", err)
		return &TemplateState{Content: content}, nil
	}
	return templateState(content, parsed), nil
}

// Find returns a template as it is in the cluster. One that is not there is a
// [*TemplateUnavailableError], and content that is no template a [*TemplateContentError].
func (t Templates) Find(ctx context.Context, source TemplateSource) (*TemplateState, error) {
	content, err := t.configMaps().Key(ctx, source.Namespace, source.ConfigMap, source.Key)
	if err != nil {
		return nil, &TemplateUnavailableError{Source: source, Err: err}
	}
	return ParseTemplate(source, content)
}

func (t Templates) configMaps() kube.ConfigMaps { return kube.NewConfigMaps(t.kube) }

// entry reads the key of a template, which need not be there. The error says that nothing can
// be written there.
func (t Templates) entry(ctx context.Context, source TemplateSource) (*kube.ConfigMapEntry, error) {
	entry, err := t.configMaps().Entry(ctx, source.Namespace, source.ConfigMap, source.Key)
	if err != nil {
		return nil, &TemplateWriteError{Source: source, Err: err}
	}
	if client := entry.Label(ClientLabel); client != "" {
		return nil, &ForeignObjectError{Ref: entry.Ref, Owner: client}
	}
	if _, err := entry.Text(); err != nil && !isMissing(err) {
		return nil, &TemplateUnavailableError{Source: source, Err: err}
	}
	return entry, nil
}

// refusal returns what the server's refusal of a write means.
func (t Templates) refusal(source TemplateSource, entry *kube.ConfigMapEntry, err error) error {
	if _, isOwned := errors.AsType[*kube.ConflictError](err); isOwned {
		return &TemplateOwnedError{Source: source, Managers: t.configMaps().Owners(entry), Err: err}
	}
	return &TemplateWriteError{Source: source, Err: err}
}
