package mira

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// ClientsQuery says where [Fleet.Clients] looks, and with which template it compares.
type ClientsQuery struct {
	Namespace string
	Template  TemplateSource
}

// Overview is what a namespace holds of a fleet.
type Overview struct {
	// Clients are sorted by name.
	Clients []FoundClient
	// Revision is that of the template; empty where it could not be read.
	Revision string
	// OrphanedClaims are the claims of clients that are not there any more, sorted by name; nil
	// where claims could not be listed.
	OrphanedClaims []FoundClaim
	Warnings       []Warning
}

// FoundClient is a client as it is in the cluster, whoever has made it.
type FoundClient struct {
	Namespace, Name string
	AdminEmail      string // empty where the objects do not tell
	// Variables are those that the objects tell and that the fleet has not, or has with another
	// value.
	Variables map[string]string
	URL       string
	Images    map[string]string
	Rollout   ClientHealth
	// IsManaged: an object has the client's label.
	IsManaged bool
	// Objects are the keys of those that are there. Missing are the keys of those that the
	// template gives, and that are not there. It is nil where that is not known.
	Objects, Missing []string
	// IsUpToDate is nil where that cannot be told. Revision is that of the template, for a
	// client that is up to date; otherwise it is not known, and empty.
	IsUpToDate *bool
	Revision   string
	// Differences are what is not as the template gives it, each as the key of an object and
	// the path of a field: never a value.
	Differences []string
	// Claims are sorted by name; nil where claims could not be listed.
	Claims []FoundClaim
}

// ClientHealth is how the pods of a client are.
type ClientHealth struct {
	// State is a [rollout.HealthState], or [ClientAbsent].
	State  string
	Reason string // for a client that fails or progresses
	// Desired and Ready are numbers of pods. They are nil for a client without StatefulSet.
	Desired, Ready *int64
}

// ClientAbsent is the state of a client without StatefulSet.
const ClientAbsent = "absent"

// FoundClaim is a claim of a client.
type FoundClaim struct {
	Name   string
	Client string // empty where that cannot be told
	Size   resource.Quantity
	Phase  string
	// InUse: a StatefulSet has the claim's template, whether it runs or is stopped, or a pod
	// mounts the claim.
	InUse bool
}

// Clients finds all clients of a namespace, those of the Django controller and half-made ones
// included, and says of each how it is. It costs the pages of a list for each kind, however
// many clients there are.
//
// Without the right to list a kind, or without a template, it says what it can see, and warns
// of what it cannot. It needs the right to list StatefulSets.
func (f *Fleet) Clients(ctx context.Context, query ClientsQuery) (*Overview, error) {
	s, err := newSurvey(ctx, f.services, query)
	if err != nil {
		return nil, err
	}
	groups := s.groups()
	claims := s.claims(groups)
	names := slices.Sorted(maps.Keys(groups))
	overview := &Overview{Clients: make([]FoundClient, len(names)), OrphanedClaims: claims.orphaned}
	if s.template != nil {
		overview.Revision = s.template.Revision()
	}
	failed := make([]error, len(names))
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		all.Go(func() error {
			var err error
			overview.Clients[i], failed[i], err = s.describe(name, groups[name])
			overview.Clients[i].Claims = claims.of(name)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	overview.Warnings = slices.Concat(s.warnings, notCompared(names, failed, query.Template))
	return overview, nil
}

// notCompared warns of the clients that could not be compared, once for each reason.
func notCompared(names []string, failed []error, source TemplateSource) []Warning {
	byReason := make(map[string]*NotComparedWarning)
	for i, err := range failed {
		if err == nil {
			continue
		}
		reason := byReason[err.Error()]
		if reason == nil {
			reason = &NotComparedWarning{Template: source, Err: err}
			byReason[err.Error()] = reason
		}
		reason.Clients = append(reason.Clients, names[i])
	}
	var warnings []Warning
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		warnings = append(warnings, *byReason[reason])
	}
	return warnings
}

// Client finds one client as [Fleet.Clients] does. The error is a [*NoSuchClientError] where
// there is none of that name.
func (f *Fleet) Client(ctx context.Context, query ClientsQuery, name string) (*FoundClient, []Warning, error) {
	overview, err := f.Clients(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	i, ok := slices.BinarySearchFunc(overview.Clients, name, func(c FoundClient, name string) int { return cmp.Compare(c.Name, name) })
	if !ok {
		return nil, nil, &NoSuchClientError{Namespace: query.Namespace, Name: name, Missing: f.namedBy(ctx, query, name)}
	}
	warnings := slices.DeleteFunc(overview.Warnings, func(warning Warning) bool {
		of, isOfClients := warning.(NotComparedWarning)
		return isOfClients && !slices.Contains(of.Clients, name)
	})
	return &overview.Clients[i], warnings, nil
}

// namedBy returns the objects that the template gives for a client; none where they cannot be
// told.
func (s *services) namedBy(ctx context.Context, query ClientsQuery, name string) []kube.Ref {
	spec := Spec{Namespace: query.Namespace, Name: name, Template: query.Template, AdminEmail: openValue}
	t, err := s.renderer.template(ctx, spec)
	if err != nil {
		return nil
	}
	spec.Variables = make(map[string]string)
	for _, placeholder := range t.Placeholders() {
		if _, ok := s.settings.Variables[placeholder]; !ok {
			spec.Variables[placeholder] = openValue
		}
	}
	m, err := s.renderer.render(ctx, spec)
	if err != nil {
		return nil
	}
	refs := make([]kube.Ref, 0, len(m.objects))
	for _, object := range m.objects {
		refs = append(refs, kube.RefOf(object))
	}
	return refs
}

// openValue stands for a value that is not known.
const openValue = "x-value-not-recovered"

// isOpen reports whether a text holds [openValue].
func isOpen(text string) bool {
	return strings.Contains(text, openValue) || strings.HasPrefix(text, "eC12YWx1ZS1ub3QtcmVjb3ZlcmVk")
}

// isForbidden reports whether the server has refused a request for want of a right.
func isForbidden(err error) bool {
	_, ok := errors.AsType[*kube.ForbiddenError](err)
	return ok
}
