package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// Options says how a [Client] writes.
type Options struct {
	// Manager is the field manager that owns what is applied; nil for that of the
	// default name.
	Manager *managedfields.Manager
	// Force takes fields that other managers own with another value.
	Force bool
}

// Client reads and writes the objects of one cluster. It is safe for
// concurrent use; one serves every client of a fleet.
type Client struct {
	connection *connection.Connection
	requests   rest.Interface    // that dynamic stands on
	dynamic    dynamic.Interface // both share one HTTP client and its connection
	gatherer   *gatherer
	claimLists sync.Map // of *claimList, by namespace
	dryRuns lately[Ref, recentDryRun]
	fields     *managedfields.Manager
	force      bool

	// Kinds outside the usual three are looked up in the server's discovery,
	// which costs requests; the usual ones never are.
	known     meta.RESTMapper
	discovery func() (meta.RESTMapper, error)

	core func() (rest.Interface, error)
}

// New makes a client of a connection. It does not talk to the server.
func New(conn *connection.Connection, options Options) (*Client, error) {
	httpClient, err := rest.HTTPClientFor(conn.Config)
	if err != nil {
		return nil, conn.Explain(err)
	}
	config := dynamic.ConfigFor(conn.Config)
	config.APIPath = "/"
	requests, err := rest.UnversionedRESTClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, conn.Explain(err)
	}
	fields := options.Manager
	if fields == nil {
		fields = managedfields.NewManager("", "")
	}
	c := &Client{
		connection: conn,
		requests:   requests,
		dynamic:    dynamic.New(requests),
		fields:     fields,
		force:      options.Force,
		known:      usualKinds(),
		discovery: sync.OnceValues(func() (meta.RESTMapper, error) {
			client, err := discovery.NewDiscoveryClientForConfigAndClient(conn.Config, httpClient)
			if err != nil {
				return nil, err
			}
			return restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client)), nil
		}),
		core: sync.OnceValues(func() (rest.Interface, error) { return coreClient(conn, httpClient) }),
	}
	c.gatherer = newGatherer(c)
	return c, nil
}

// Dynamic is the untyped client that [Client] stands on, for watches.
func (c *Client) Dynamic() dynamic.Interface { return c.dynamic }

// Manager returns the field manager under which the client applies.
func (c *Client) Manager() *managedfields.Manager { return c.fields }

// Explain turns a transport failure of a request made through [Client.Dynamic]
// into an [*connection.UnreachableError]; other errors come back as they are.
func (c *Client) Explain(err error) error { return c.connection.Explain(err) }

func usualKinds() meta.RESTMapper {
	// The versions are those to use where a reference names none.
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{
		{Version: "v1"}, {Group: "apps", Version: "v1"}, {Group: "networking.k8s.io", Version: "v1"},
	})
	for _, gvk := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "Service"},
		{Version: "v1", Kind: "ConfigMap"},
		{Version: "v1", Kind: "Secret"},
		{Version: "v1", Kind: "PersistentVolumeClaim"},
		{Version: "v1", Kind: "Pod"},
		{Version: "v1", Kind: "Event"},
		{Group: "apps", Version: "v1", Kind: "StatefulSet"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	} {
		mapper.Add(gvk, meta.RESTScopeNamespace)
	}
	return mapper
}

// resource gives the endpoint of a namespaced kind.
func (c *Client) resource(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(gvk)
	if err != nil {
		return nil, err
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

func (c *Client) endpoint(ref Ref) (dynamic.ResourceInterface, error) {
	return c.resource(ref.GroupVersionKind(), ref.Namespace)
}

// written is endpoint for a request that changes an object.
func (c *Client) written(ref Ref) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(ref.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	c.forget(mapping, ref)
	return c.dynamic.Resource(mapping.Resource).Namespace(ref.Namespace), nil
}

func (c *Client) mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	mapping, err := c.known.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		mapper, derr := c.discovery()
		if derr != nil {
			return nil, c.connection.Explain(derr)
		}
		mapping, err = mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	switch {
	case meta.IsNoMatchError(err):
		return nil, &KindError{GVK: gvk, Reason: "the server does not serve this kind in this version"}
	case err != nil:
		return nil, c.connection.Explain(fmt.Errorf("looking up kind %s: %w", gvk.Kind, err))
	case mapping.Scope.Name() != meta.RESTScopeNameNamespace:
		return nil, &KindError{GVK: gvk, Reason: "it is cluster-scoped, and everything of a client must live in the client's namespace"}
	}
	return mapping, nil
}

// Get reads the live object of a reference; nil without an error when there is
// none.
func (c *Client) Get(ctx context.Context, ref Ref) (*unstructured.Unstructured, error) {
	resource, err := c.resource(ref.GroupVersionKind(), ref.Namespace)
	if err != nil {
		return nil, err
	}
	live, err := resource.Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		err = c.classify("get", ref, err)
		var gone *NotFoundError
		if errors.As(err, &gone) {
			return nil, nil
		}
		return nil, err
	}
	return live, nil
}

// ConfigMapKey reads one key of a ConfigMap. A missing ConfigMap or key is a
// [*NotFoundError] or a [*MissingKeyError].
func (c *Client) ConfigMapKey(ctx context.Context, namespace, name, key string) (string, error) {
	ref := NewRef(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, namespace, name)
	live, err := c.Get(ctx, ref)
	if err != nil {
		return "", err
	}
	if live == nil {
		return "", &NotFoundError{Ref: ref}
	}
	data, _, err := unstructured.NestedStringMap(live.Object, "data")
	if err != nil {
		return "", fmt.Errorf("%s: %w", ref, err)
	}
	value, ok := data[key]
	if !ok {
		return "", &MissingKeyError{Ref: ref, Key: key, Keys: slices.Sorted(maps.Keys(data))}
	}
	return value, nil
}
