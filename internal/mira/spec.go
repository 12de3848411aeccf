package mira

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// The names of the Django controller, which the provider keeps as defaults.
const (
	DefaultNamespace         = "default"
	DefaultTemplateNamespace = "controller"
	DefaultTemplateConfigMap = "templates-yaml"
	DefaultTemplateKey       = "client_template.yaml"

	SettingsNamespace = "controller"
	SettingsConfigMap = "mira-cluster-controller-config"
	ClusterDomainKey  = "CLUSTER_DOMAIN"
)

// MaximumClientName is how many characters a client's name may have.
const MaximumClientName = 40

// ClientLabel names the client that an object belongs to.
const ClientLabel = "mira-cluster.io/client"

const (
	managedByLabel  = "app.kubernetes.io/managed-by"
	managedBy       = "terraform-provider-mira"
	statefulSetKind = "StatefulSet"
)

// DefaultAllowedKinds are the kinds that a template may hold unless the configuration
// allows more.
func DefaultAllowedKinds() []schema.GroupKind {
	return []schema.GroupKind{
		{Kind: "Service"},
		{Group: "networking.k8s.io", Kind: "Ingress"},
		{Group: "apps", Kind: statefulSetKind},
	}
}

// TemplateSource says where a template is: in a key of a ConfigMap.
type TemplateSource struct {
	Namespace string
	ConfigMap string
	Key       string
}

// Override returns the source with those parts replaced that the other one has.
func (s TemplateSource) Override(by TemplateSource) TemplateSource {
	return TemplateSource{
		Namespace: cmp.Or(by.Namespace, s.Namespace),
		ConfigMap: cmp.Or(by.ConfigMap, s.ConfigMap),
		Key:       cmp.Or(by.Key, s.Key),
	}
}

// String names the source, as errors do.
func (s TemplateSource) String() string {
	return fmt.Sprintf("ConfigMap %s/%s, key %s", s.Namespace, s.ConfigMap, s.Key)
}

// Settings are what all clients of a fleet have in common.
type Settings struct {
	// ClusterDomain replaces %CLUSTER_DOMAIN%. If it is empty, the settings ConfigMap of
	// the Django controller is asked, once, if a template needs it.
	ClusterDomain string
	// Variables are placeholders beyond the three built-in ones, by name.
	Variables map[string]string
	// Secrets are placeholders whose values are not shown, by name. A fleet shows hashes of
	// them if the manager of its [kube.Client] knows them.
	Secrets map[string]string
	// Hidden gets the secrets of all clients, so that messages and logs of this process can be
	// redacted. A nil register is replaced by one of the fleet's own.
	Hidden *managedfields.Register
	// Adopt says which existing objects a create adopts.
	Adopt AdoptPolicy
	// AllowedKinds are those that a template may hold.
	AllowedKinds []schema.GroupKind
	// Rollout says how changes of pods spread over the fleet.
	Rollout RolloutSettings
}

// RolloutSettings say how changes of pods spread over the fleet, and what happens when
// a rollout fails.
type RolloutSettings struct {
	rollout.GateOptions
	// Keep leaves a failed rollout as it is. Otherwise it is rolled back.
	Keep bool
	// Grace is how long a pod may fail before its rollout counts as failed.
	Grace time.Duration
	// UnschedulableGrace is how long a pod may wait for a node or a volume.
	UnschedulableGrace time.Duration
	// Soak is how long the pods of a new revision have to stay ready.
	Soak time.Duration
	// OmitLogs leaves the logs of containers out of reports.
	OmitLogs bool
}

// DefaultRolloutSettings are those of a fleet whose configuration has no others.
func DefaultRolloutSettings() RolloutSettings {
	return RolloutSettings{
		GateOptions:        rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1},
		Grace:              rollout.DefaultGrace,
		UnschedulableGrace: rollout.DefaultUnschedulableGrace,
		Soak:               rollout.DefaultSoak,
	}
}

// Spec declares one client.
type Spec struct {
	Namespace  string
	Name       string
	AdminEmail string
	// Variables have precedence over those of the fleet.
	Variables map[string]string
	// Secrets are variables whose values are not shown. They have precedence over everything
	// of their names that is the fleet's.
	Secrets  map[string]string
	Template TemplateSource
	// Revision pins the template; empty takes it as it is.
	Revision string
	// RereadTemplate: the template may be the work of another resource of the same run, so
	// what was read of it before does not count, unless it has the pinned revision.
	RereadTemplate bool
	// DeleteData allows to delete the client's claims with it.
	DeleteData bool
}

// UnknownValues says which values of a [Spec] are not known yet.
type UnknownValues struct {
	AdminEmail bool
	Variables  []string // names whose values are not known
	// AnyVariable: not even the names are known.
	AnyVariable bool
	// Secrets and AnySecret are the same of the variables that are secret.
	Secrets   []string
	AnySecret bool
}

// ApplyOptions say how a client is applied.
type ApplyOptions struct {
	// Planned is what the operator agreed to; nil if it was not known. An apply that
	// would give something else writes nothing.
	Planned map[string]managedfields.Fields
	// Wait until the new revision serves.
	Wait bool
	// Timeout bounds the apply; that of an update from the moment when the gate admits
	// it. A roll back has as much time of its own. Zero sets no bound.
	Timeout time.Duration
}

// bound returns a context that ends with the time-out.
func (o ApplyOptions) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, o.Timeout)
}
