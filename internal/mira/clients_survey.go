package mira

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

var (
	statefulSetGroupKind = schema.GroupKind{Group: "apps", Kind: statefulSetKind}
	eventKind            = schema.GroupKind{Kind: "Event"}
)

// survey is all that was read of a namespace for an overview. After [newSurvey] it sends no
// request.
type survey struct {
	*services
	namespace string
	// template is nil where it could not be read.
	template *template.Template
	// fleet are the values that all clients have.
	fleet template.Values
	// objects are those of the kinds that templates may hold. Without the right to list a kind,
	// it is among the unlisted.
	objects  []*unstructured.Unstructured
	unlisted map[schema.GroupKind]bool
	// pods and claimObjects are nil where they could not be listed.
	pods, claimObjects []*unstructured.Unstructured
	podsByOwner        map[types.UID][]*unstructured.Unstructured
	// refusalsByOwner are the events of StatefulSets with [rollout.ReasonFailedCreate].
	refusalsByOwner map[types.UID][]*unstructured.Unstructured
	claimsByName    map[string]*unstructured.Unstructured
	warnings        []Warning
}

// newSurvey reads a namespace: a page of a list, and perhaps more, for each kind, and the events where a
// pod is missing.
func newSurvey(ctx context.Context, s *services, query ClientsQuery) (*survey, error) {
	found := &survey{services: s, namespace: query.Namespace, unlisted: make(map[schema.GroupKind]bool)}
	var listed map[schema.GroupKind]*listing
	var all errgroup.Group
	all.Go(func() error { return found.readTemplate(ctx, query) })
	all.Go(func() error {
		listed = s.listKinds(ctx, query.Namespace)
		return nil
	})
	if err := all.Wait(); err != nil {
		return nil, err
	}
	if err := found.take(listed); err != nil {
		return nil, err
	}
	found.index()
	if err := found.readRefusals(ctx); err != nil {
		return nil, err
	}
	return found, nil
}

// readRefusals reads why pods cannot be created, where a pod is missing: otherwise it sends no
// request. Only a cluster that does not answer is an error.
func (s *survey) readRefusals(ctx context.Context) error {
	if s.pods == nil || !slices.ContainsFunc(s.objects, s.lacksPods) {
		return nil
	}
	events, err := kube.ListSelected(ctx, s.kube, eventKind, s.namespace, map[string]string{
		"reason": rollout.ReasonFailedCreate, "involvedObject.kind": statefulSetKind,
	})
	switch {
	case isForbidden(err):
		s.warnings = append(s.warnings, UnlistedWarning{Namespace: s.namespace, Kind: eventKind, Err: err})
	case err != nil:
		return err
	}
	for _, event := range events {
		uid, _, _ := unstructured.NestedString(event.Object, "involvedObject", "uid")
		s.refusalsByOwner[types.UID(uid)] = append(s.refusalsByOwner[types.UID(uid)], event)
	}
	return nil
}

// lacksPods reports whether a StatefulSet has fewer pods than it shall have.
func (s *survey) lacksPods(object *unstructured.Unstructured) bool {
	wanted, isSet, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if !isSet {
		wanted = 1
	}
	return isStatefulSet(object) && int64(len(s.podsByOwner[object.GetUID()])) < wanted
}

// index finds pods by their owners, and claims by their names.
func (s *survey) index() {
	s.podsByOwner, s.claimsByName = make(map[types.UID][]*unstructured.Unstructured), make(map[string]*unstructured.Unstructured)
	s.refusalsByOwner = make(map[types.UID][]*unstructured.Unstructured)
	for _, pod := range s.pods {
		if owner := metav1.GetControllerOf(pod); owner != nil {
			s.podsByOwner[owner.UID] = append(s.podsByOwner[owner.UID], pod)
		}
	}
	for _, claim := range s.claimObjects {
		s.claimsByName[claim.GetName()] = claim
	}
}

// readTemplate reads the template, and the cluster domain where the template uses it. Only a
// cluster that does not answer is an error.
func (s *survey) readTemplate(ctx context.Context, query ClientsQuery) error {
	spec := Spec{Namespace: query.Namespace, Template: query.Template, RereadTemplate: true}
	t, err := s.renderer.template(ctx, spec)
	switch {
	case err == nil:
	case ctx.Err() != nil || isUnreachable(err):
		return err
	default:
		s.warnings = append(s.warnings, NoTemplateWarning{Namespace: query.Namespace, Err: err})
		return nil
	}
	s.template = t
	values, err := s.renderer.values(ctx, t, spec)
	switch {
	case err == nil:
	case ctx.Err() != nil || isUnreachable(err):
		return err
	default:
		// The objects tell the domain, too.
		logging.Debug(ctx, "Could not read the cluster domain", "error", err)
	}
	s.fleet = values
	return nil
}

func isUnreachable(err error) bool {
	_, ok := errors.AsType[*connection.UnreachableError](err)
	return ok
}

// listing is the answer to a list of one kind.
type listing struct {
	objects []*unstructured.Unstructured
	err     error
}

// listKinds lists what clients consist of, all kinds at the same time.
func (s *services) listKinds(ctx context.Context, namespace string) map[schema.GroupKind]*listing {
	listed := make(map[schema.GroupKind]*listing)
	for _, kind := range append(slices.Clone(s.settings.AllowedKinds), statefulSetGroupKind, podKind.GroupKind(), kube.ClaimKind.GroupKind()) {
		listed[kind] = &listing{}
	}
	var all errgroup.Group
	for kind, of := range listed {
		all.Go(func() error {
			of.objects, of.err = kube.ListAll(ctx, s.kube, kind, namespace)
			return nil
		})
	}
	_ = all.Wait()
	return listed
}

// take takes in what was listed. The error says that a list failed without which there is
// nothing to say.
func (s *survey) take(listed map[schema.GroupKind]*listing) error {
	if err := listed[statefulSetGroupKind].err; err != nil {
		return err
	}
	kinds := slices.SortedFunc(maps.Keys(listed), compareKinds)
	for _, kind := range kinds {
		of := listed[kind]
		isAllowed := slices.Contains(s.settings.AllowedKinds, kind)
		_, isNoKind := errors.AsType[*kube.KindError](of.err)
		switch {
		case isForbidden(of.err):
			s.unlisted[kind] = true
			s.warnings = append(s.warnings, UnlistedWarning{Namespace: s.namespace, Kind: kind, Err: of.err})
			continue
		case of.err != nil && !isNoKind:
			return of.err
		}
		if isAllowed || kind == statefulSetGroupKind {
			s.objects = append(s.objects, of.objects...)
		}
		switch known := append([]*unstructured.Unstructured{}, of.objects...); kind {
		case podKind.GroupKind():
			s.pods = known
		case kube.ClaimKind.GroupKind():
			s.claimObjects = known
		}
	}
	return nil
}

// compareKinds orders kinds as operators know them: those of a template first, in the order in
// which they are created.
func compareKinds(a, b schema.GroupKind) int {
	rank := func(kind schema.GroupKind) int {
		if i := slices.Index(DefaultAllowedKinds(), kind); i >= 0 {
			return i
		}
		return len(DefaultAllowedKinds())
	}
	if difference := rank(a) - rank(b); difference != 0 {
		return difference
	}
	return cmp.Compare(a.String(), b.String())
}
