package mira

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// AdoptPolicy says which existing objects a create adopts.
type AdoptPolicy string

// The policies. The empty one is AdoptUnmanaged.
const (
	// AdoptUnmanaged adopts objects that no mira_client manages.
	AdoptUnmanaged AdoptPolicy = "unmanaged"
	// AdoptAny adopts what another state or another address manages, too.
	AdoptAny AdoptPolicy = "any"
	// AdoptNever adopts nothing.
	AdoptNever AdoptPolicy = "never"
)

// AddState notes that the state of this run has a client. A create may find the objects
// of such a client: it is tainted, and is deleted first.
func (f *Fleet) AddState(namespace, name string) { f.clients.addState(namespace, name) }

// AddFollower notes which template a client of the state follows.
func (f *Fleet) AddFollower(namespace, name string, source TemplateSource) {
	f.renderer.declared.follow(namespace, name, source)
}

// Declare notes what a resource plans for a client. The error says that another resource
// of this run has planned something that does not go with it: [*DuplicateClientError],
// [*RenamedClientError] or [*SharedClientError].
func (f *Fleet) Declare(namespace, name string, as Declaration) error {
	return f.clients.declare(namespace, name, as)
}

// checkAdoption refuses to adopt a live object that the settings do not allow to adopt:
// [*ExistingClientError]. Only creates adopt whole clients.
func (p *planner) checkAdoption(live *unstructured.Unstructured) error {
	if p.prior != nil || live.GetDeletionTimestamp() != nil || p.replacesOwn() {
		return nil // what is being deleted is waited for, and created again
	}
	isLabelled := live.GetLabels()[ClientLabel] == p.spec.Name
	switch p.settings.Adopt {
	case AdoptAny:
		return nil
	case AdoptNever:
	default:
		if !isLabelled {
			return nil
		}
	}
	return &ExistingClientError{Namespace: p.spec.Namespace, Name: p.spec.Name, Object: kube.RefOf(live), IsLabelled: isLabelled}
}

// replacesOwn reports whether the client that is to be created is one that the state has:
// its objects are deleted first.
func (s *subject) replacesOwn() bool {
	return s.prior == nil && s.clients.isInState(s.spec.Namespace, s.spec.Name)
}

// Release takes the client's label off its objects, so that the next create adopts them:
// they are there, and no state has them. Objects that are gone, or belong to another
// client, are left alone. Where the settings allow to adopt labelled objects there is
// nothing to do.
func (f *Fleet) Release(ctx context.Context, client string, refs []kube.Ref) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return f.release(ctx, client, refs)
}

func (s *services) release(ctx context.Context, client string, refs []kube.Ref) error {
	if s.settings.Adopt == AdoptAny {
		return nil
	}
	var failed []error
	for _, ref := range refs {
		logging.Debug(ctx, "Taking the label off an object, as no state has it", "client", client, "object", ref)
		failed = append(failed, s.kube.RemoveOwner(ctx, ref, client))
	}
	return errors.Join(failed...)
}
