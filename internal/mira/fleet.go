package mira

import (
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

// services are what all operations of a run share.
type services struct {
	kube     *kube.Client
	batcher  *kube.Batcher
	claims   *kube.Claims
	fields   *managedfields.Manager
	watcher  *rollout.Watcher
	settings Settings
	gate     *rollout.Gate
	renderer *renderer
	owners   objectOwners
	locks    clientLocks
	told     onceEach
	clients  clientRegister
	cluster  loadCache[string] // the identity of the cluster
}

// NewFleet makes a fleet on a cluster.
func NewFleet(c *kube.Client, settings Settings) *Fleet {
	return &Fleet{services: &services{
		kube:     c,
		batcher:  kube.NewBatcher(c),
		claims:   kube.NewClaims(c),
		fields:   c.Manager(),
		watcher:  rollout.NewWatcher(c.Dynamic(), logReader(c, settings), ClientLabel),
		settings: settings,
		gate:     rollout.NewGate(settings.Rollout.GateOptions),
		renderer: newRenderer(c, settings),
	}}
}
