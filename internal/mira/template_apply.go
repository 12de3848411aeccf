package mira

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// templateTries bounds how often a write is begun again because the ConfigMap was
// changed at the same moment: another key of it, or this one.
const templateTries = 8

// Put writes a template, and creates its ConfigMap if there is none, which it reports. It takes
// the key over from former managers. What was planned is written whatever is there by now.
func (t Templates) Put(ctx context.Context, spec TemplateSpec) (isCreated bool, err error) {
	err = t.settle(ctx, spec.Source, func(ctx context.Context, entry *kube.ConfigMapEntry) (bool, error) {
		if t.configMaps().Has(entry, spec.Content) {
			return true, nil
		}
		if entry.IsImmutable() {
			return false, &ImmutableConfigMapError{Source: spec.Source, Ref: entry.Ref}
		}
		isCreated = isCreated || !entry.HasConfigMap()
		return false, t.configMaps().Put(ctx, entry, spec.Content)
	})
	return isCreated && err == nil, err
}

// settle writes until what is there is as it is meant to be: others may change the ConfigMap
// at the same moment, and an answer may get lost. `write` reports whether nothing is left to
// do; else it writes.
func (t Templates) settle(
	ctx context.Context, source TemplateSource, write func(context.Context, *kube.ConfigMapEntry) (isDone bool, err error),
) error {
	var last error
	for try := 1; ; try++ {
		entry, err := t.lookAgain(ctx, source, last != nil)
		if err != nil {
			return cmp.Or(last, err)
		}
		isDone, err := write(ctx, entry)
		if isDone || err == nil {
			logging.Debug(ctx, "Wrote a client template", "source", source, "try", try)
			return nil
		}
		_, isChanged := errors.AsType[*kube.ChangedError](err)
		isLast := try == templateTries || last != nil && ctx.Err() != nil
		if isChanged && isLast {
			return &TemplateWriteError{Source: source, Err: fmt.Errorf("others change %s all the time", entry.Ref)}
		}
		last = t.refusal(source, entry, err)
		if isLast || !isChanged && !kube.IsOutcomeUnknown(err) {
			return last
		}
	}
}

// lookAgain reads the key of a template. After a write whose outcome is not known it does so
// even if the operator has interrupted the apply.
func (t Templates) lookAgain(ctx context.Context, source TemplateSource, isAfterWrite bool) (*kube.ConfigMapEntry, error) {
	if !isAfterWrite {
		return t.entry(ctx, source)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWriteTimeout)
	defer cancel()
	return t.entry(ctx, source)
}

// DeleteOptions say how a template is deleted.
type DeleteOptions struct {
	// Namespace is that of the clients.
	Namespace string
	Sample    SampleClient
	// Force deletes it also while clients follow it.
	Force bool
	// IsOwnConfigMap: the ConfigMap was created with the template, and goes with it if it holds
	// nothing else.
	IsOwnConfigMap bool
}

// Delete removes a template: its key, and the ConfigMap only if that was created with it and
// holds nothing else. What is gone already counts as done. As long as clients may follow it, it
// is kept: [*TemplateInUseError].
func (t Templates) Delete(ctx context.Context, source TemplateSource, options DeleteOptions) error {
	entry, err := t.entry(ctx, source)
	if err != nil {
		return err
	}
	if _, err := entry.Text(); err != nil {
		return nil //nolint:nilerr // it is gone
	}
	if !options.Force {
		if err := t.checkFollowers(ctx, source, entry, options); err != nil {
			return err
		}
	}
	err = t.settle(ctx, source, func(ctx context.Context, entry *kube.ConfigMapEntry) (bool, error) {
		if _, err := entry.Text(); err != nil {
			return true, nil //nolint:nilerr // it is gone
		}
		if options.IsOwnConfigMap && entry.IsAlone() {
			err := t.configMaps().Delete(ctx, entry)
			if _, isForbidden := errors.AsType[*kube.ForbiddenError](err); !isForbidden {
				return false, err
			}
		}
		if entry.IsImmutable() {
			return false, &ImmutableConfigMapError{Source: source, Ref: entry.Ref}
		}
		return false, t.configMaps().Remove(ctx, entry)
	})
	if err == nil {
		t.renderer.declared.forget(source)
	}
	return err
}

// checkFollowers refuses to delete a template while there are clients that may follow it.
func (t Templates) checkFollowers(ctx context.Context, source TemplateSource, entry *kube.ConfigMapEntry, options DeleteOptions) error {
	spec := TemplateSpec{Source: source, Namespace: options.Namespace, Sample: options.Sample}
	spec.Content, _ = entry.Text()
	var former *manifest
	name := cmp.Or(options.Sample.Name, DefaultSampleName)
	if parsed, err := parseContent(source, spec.Content); err == nil {
		former = t.formerSample(ctx, parsed, spec)
	}
	clients, err := t.clientsWith(ctx, options.Namespace, t.settings.AllowedKinds, former, name)
	if err != nil {
		return err
	}
	if clients = t.followersOf(source, options.Namespace, clients); len(clients) > 0 {
		return &TemplateInUseError{Source: source, Namespace: options.Namespace, Clients: clients}
	}
	return nil
}
