package mira

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// The names of the Django controller, which the provider keeps as defaults.
const (
	DefaultNamespace         = "default"
	DefaultTemplateNamespace = "controller"
	DefaultTemplateConfigMap = "templates-yaml"
	DefaultTemplateKey       = "client_template.yaml"

	SettingsNamespace  = "controller"
	SettingsConfigMap  = "mira-cluster-controller-config"
	ClusterDomainKey   = "CLUSTER_DOMAIN"
	MaximumClientName  = 40
	managedBy          = "terraform-provider-mira"
	managedByLabel     = "app.kubernetes.io/managed-by"
	statefulSetKind    = "StatefulSet"
	retentionPolicyKey = "persistentVolumeClaimRetentionPolicy"

	// ClientLabel names the client that an object belongs to.
	ClientLabel = "mira-cluster.io/client"
)

// DefaultAllowedKinds are the kinds that a template may hold unless the
// configuration allows more.
func DefaultAllowedKinds() []schema.GroupKind {
	return []schema.GroupKind{
		{Kind: "Service"},
		{Group: "networking.k8s.io", Kind: "Ingress"},
		{Group: "apps", Kind: statefulSetKind},
	}
}

// TemplateSource says where a template lies: a key of a ConfigMap.
type TemplateSource struct {
	Namespace string
	ConfigMap string
	Key       string
}

// Override gives the source with those parts replaced that the other one has.
func (s TemplateSource) Override(by TemplateSource) TemplateSource {
	return TemplateSource{
		Namespace: cmp.Or(by.Namespace, s.Namespace),
		ConfigMap: cmp.Or(by.ConfigMap, s.ConfigMap),
		Key:       cmp.Or(by.Key, s.Key),
	}
}

func (s TemplateSource) String() string {
	return fmt.Sprintf("ConfigMap %s/%s, key %s", s.Namespace, s.ConfigMap, s.Key)
}

// Settings are what all clients of a fleet have in common.
type Settings struct {
	// ClusterDomain replaces %CLUSTER_DOMAIN%. Where it is empty, the settings
	// ConfigMap of the Django controller is asked, once, if a template needs it.
	ClusterDomain string
	// Variables are placeholders beyond the three built-in ones, by name.
	Variables map[string]string
	// AllowedKinds are those that a template may hold.
	AllowedKinds []schema.GroupKind
	// Rollout says how changes of pods spread over the fleet.
	Rollout RolloutSettings
}

// Spec declares one client.
type Spec struct {
	Namespace  string
	Name       string
	AdminEmail string
	// Variables go before those of the fleet.
	Variables map[string]string
	Template  TemplateSource
	// Revision pins the template; empty takes it as it is.
	Revision string
	// Override: the client names its template itself. What it names may be the
	// work of another resource of the same run, so it is read anew each time.
	Override bool
	// DeleteData lets the client's claims be deleted with it.
	DeleteData bool
}

// Fleet does the work for all clients of one provider configuration. It is safe
// for concurrent use, and reads the template and the settings once.
type Fleet struct {
	kube      *kube.Client
	batcher   *kube.Batcher
	claims    *kube.Claims
	fields    *managedfields.Manager
	watcher   *rollout.Watcher
	settings  Settings
	gate      *rollout.Gate
	templates shared[TemplateSource, *template.Template]
	domain    shared[struct{}, *string]
	turns     sync.Map // of *turn, by namespace/name of a client
	owners    sync.Map // of the names of clients, by the objects that this run found to be theirs
}

// turn lets one operation at a time write a client's objects, and remembers
// between them: the CLI may create and delete the same client in one run, in any
// order, when its address changes or create_before_destroy is set.
type turn struct {
	mu      sync.Mutex
	created bool
}

func (f *Fleet) turn(namespace, name string) *turn {
	t, _ := f.turns.LoadOrStore(namespace+"/"+name, &turn{})
	return t.(*turn)
}

// claim registers an object as a client's for this run, and refuses it to any
// other.
func (f *Fleet) claim(ref kube.Ref, client string) error {
	ref.UID, ref.APIVersion = "", ref.GroupVersionKind().Group
	if owner, _ := f.owners.LoadOrStore(ref, client); owner.(string) != client {
		return &ForeignObjectError{Ref: ref, Owner: owner.(string)}
	}
	return nil
}

// NewFleet makes a fleet on a cluster.
func NewFleet(c *kube.Client, settings Settings) *Fleet {
	return &Fleet{
		kube:     c,
		batcher:  kube.NewBatcher(c),
		claims:   kube.NewClaims(c),
		fields:   c.Manager(),
		watcher:  rollout.NewWatcher(c.Dynamic(), c.Logs, ClientLabel),
		settings: settings,
		gate:     rollout.NewGate(settings.Rollout.GateOptions),
	}
}

// shared remembers what was loaded, for all who ask. A failure is not
// remembered, and one asker's cancellation does not reach the others.
type shared[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	mu     sync.Mutex
	loaded bool
	value  V
}

func (s *shared[K, V]) get(key K, renew func(V) bool, load func() (V, error)) (V, error) {
	s.mu.Lock()
	if s.entries == nil {
		s.entries = make(map[K]*entry[V])
	}
	e, ok := s.entries[key]
	if !ok {
		e = &entry[V]{}
		s.entries[key] = e
	}
	s.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loaded && !renew(e.value) {
		return e.value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	e.value, e.loaded = value, true
	return value, nil
}

// template reads and parses the template of a client. One that another resource
// of the same run has just changed is read again when the pinned revision says
// that the one remembered is not meant.
func (f *Fleet) template(ctx context.Context, spec Spec) (*template.Template, error) {
	isOther := func(t *template.Template) bool { return spec.Revision != "" && t.Revision() != spec.Revision }
	isStale := func(t *template.Template) bool { return isOther(t) || spec.Override && spec.Revision == "" }
	source := spec.Template
	t, err := f.templates.get(source, isStale, func() (*template.Template, error) {
		text, err := f.kube.ConfigMapKey(ctx, source.Namespace, source.ConfigMap, source.Key)
		if err != nil {
			return nil, &TemplateUnavailableError{Source: source, Err: err}
		}
		t, err := template.Parse(text)
		if err != nil {
			return nil, &TemplateError{Source: source, Err: err}
		}
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	if isOther(t) {
		return nil, &RevisionError{Source: source, Pinned: spec.Revision, Found: t.Revision()}
	}
	return t, nil
}

// clusterDomain is nil when none is configured.
func (f *Fleet) clusterDomain(ctx context.Context) (*string, error) {
	if f.settings.ClusterDomain != "" {
		return &f.settings.ClusterDomain, nil
	}
	never := func(*string) bool { return false }
	return f.domain.get(struct{}{}, never, func() (*string, error) {
		domain, err := f.kube.ConfigMapKey(ctx, SettingsNamespace, SettingsConfigMap, ClusterDomainKey)
		var noConfigMap *kube.NotFoundError
		var noKey *kube.MissingKeyError
		switch {
		case errors.As(err, &noConfigMap), errors.As(err, &noKey):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("reading %s, which the template needs: %w", ClusterDomainKey, err)
		}
		return &domain, nil
	})
}

// values gathers what replaces the placeholders of a client's template.
func (f *Fleet) values(ctx context.Context, t *template.Template, spec Spec) (template.Values, error) {
	values := template.Values{
		ClientName: spec.Name,
		AdminEmail: spec.AdminEmail,
		Variables:  maps.Clone(f.settings.Variables),
	}
	if values.Variables == nil {
		values.Variables = make(map[string]string, len(spec.Variables))
	}
	maps.Copy(values.Variables, spec.Variables)
	if t.Uses(ClusterDomainKey) {
		domain, err := f.clusterDomain(ctx)
		if err != nil {
			return values, err
		}
		values.ClusterDomain = domain
	}
	return values, nil
}
