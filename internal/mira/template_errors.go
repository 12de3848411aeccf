package mira

import (
	"fmt"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// TemplateContentError says what is wrong with the content that a resource declares for a
// template. It wraps one or several [*template.Error].
type TemplateContentError struct {
	Source TemplateSource
	Err    error
}

func (e *TemplateContentError) Error() string {
	return fmt.Sprintf("the content for %s is no client template: %v", e.Source, e.Err)
}

func (e *TemplateContentError) Unwrap() error { return e.Err }

// TemplateTwiceError says that two resources declare a template.
type TemplateTwiceError struct {
	Source TemplateSource
}

func (e *TemplateTwiceError) Error() string {
	return fmt.Sprintf("%s is declared by more than one resource, with different content", e.Source)
}

// SampleRefusedError says that the server would not take an object that the content gives for
// a sample client.
type SampleRefusedError struct {
	Source TemplateSource
	Err    error
}

func (e *SampleRefusedError) Error() string {
	return fmt.Sprintf("the content for %s does not work for a sample client: %v", e.Source, e.Err)
}

func (e *SampleRefusedError) Unwrap() error { return e.Err }

// LostWorkloadError says that the content has nothing that runs pods, and that there are
// clients that have.
type LostWorkloadError struct {
	Source    TemplateSource
	Namespace string   // of the clients
	Clients   []string // sorted; at least one
}

func (e *LostWorkloadError) Error() string {
	return fmt.Sprintf("the content for %s has no StatefulSet or other workload, and namespace %q has %s that may follow it and would "+
		"lose theirs: %s", e.Source, e.Namespace, counted(len(e.Clients), "client"), firstOf(e.Clients))
}

// TemplateInUseError says that a template cannot be deleted, as clients follow it.
type TemplateInUseError struct {
	Source    TemplateSource
	Namespace string   // of the clients
	Clients   []string // sorted; at least one
}

func (e *TemplateInUseError) Error() string {
	return fmt.Sprintf("%s cannot be deleted: namespace %q has %s that may follow it: %s",
		e.Source, e.Namespace, counted(len(e.Clients), "client"), firstOf(e.Clients))
}

// TemplateOwnedError says that another field manager has written the template, and that its
// fields are not to be taken.
type TemplateOwnedError struct {
	Source   TemplateSource
	Managers []string
	Err      error // the server's refusal
}

func (e *TemplateOwnedError) Error() string {
	return fmt.Sprintf("%s is owned by %s", e.Source, strings.Join(e.Managers, ", "))
}

func (e *TemplateOwnedError) Unwrap() error { return e.Err }

// ImmutableConfigMapError says that the ConfigMap of a template is marked as immutable.
type ImmutableConfigMapError struct {
	Source TemplateSource
	Ref    kube.Ref
}

func (e *ImmutableConfigMapError) Error() string {
	return fmt.Sprintf("%s is immutable, so that key %s cannot change", e.Ref, e.Source.Key)
}

// TemplateWriteError says that a template could not be written or deleted, or that the server
// says so beforehand.
type TemplateWriteError struct {
	Source TemplateSource
	Err    error
}

func (e *TemplateWriteError) Error() string { return e.Err.Error() }

func (e *TemplateWriteError) Unwrap() error { return e.Err }

// maxNames bounds how many names an error lists.
const maxNames = 5

func counted(count int, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", count, what)
}

// firstOf lists the first of some names, and how many there are beside them.
func firstOf(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
}
