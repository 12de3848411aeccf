package mira

import (
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// Fleet does the work for all clients of one provider configuration. It is safe for
// concurrent use, and reads the template and the settings once. Each verb has a file
// of its name; apply.go has [Fleet.Create] and [Fleet.Update].
type Fleet struct {
	*services
}

// services are what an operation works with: what all operations of a run share, and what
// hides the secrets of its client.
type services struct {
	*shared
	kube   *kube.Client
	fields *managedfields.Manager // that of the client
}

// shared is what all operations of a run share.
type shared struct {
	batcher  *kube.Batcher
	claims   *kube.Claims
	watcher  *rollout.Watcher
	settings Settings
	gate     *rollout.Gate
	renderer *renderer
	owners   objectOwners
	locks    clientLocks
	told     onceEach
	clients  clientRegister
	recent   recentPlans
	cluster  loadCache[string] // the identity of the cluster
}

// NewFleet makes a fleet on a cluster.
func NewFleet(c *kube.Client, settings Settings) *Fleet {
	if settings.Hidden == nil {
		settings.Hidden = &managedfields.Register{}
	}
	settings.Hidden.Add(c.Manager().Secrets())
	return &Fleet{services: &services{
		shared: &shared{
			batcher:  kube.NewBatcher(c),
			claims:   kube.NewClaims(c),
			watcher:  rollout.NewWatcher(c.Dynamic(), logReader(c, settings), ClientLabel),
			settings: settings,
			gate:     rollout.NewGate(settings.Rollout.GateOptions),
			renderer: newRenderer(c, settings),
			recent:   newRecentPlans(),
		},
		kube:   c,
		fields: c.Manager(),
	}}
}

// hiding returns services that hide further secrets, by the names of their variables, beside
// those of the fleet.
func (s *services) hiding(secrets ...map[string]string) *services {
	further := managedfields.NewSecrets(secrets...)
	if further == nil {
		return s
	}
	s.settings.Hidden.Add(further)
	fields := s.fields.WithSecrets(managedfields.NewSecrets(slices.Concat(secrets, []map[string]string{s.settings.Secrets})...))
	return &services{shared: s.shared, kube: s.kube.WithManager(fields), fields: fields}
}
