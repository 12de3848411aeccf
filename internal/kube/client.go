package kube

import (
	"context"
	"errors"
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Options says how a [Client] writes.
type Options struct {
	// Manager is the field manager that owns what is applied; nil for that of the
	// default name.
	Manager *managedfields.Manager
	// Force takes fields that other managers own with another value.
	Force bool
}

// Client reads and writes the objects of one cluster. It is safe for concurrent
// use; one serves all clients of a fleet. [Batcher] and [Claims] stand on it.
type Client struct {
	connection *connection.Connection
	http       *http.Client
	requests   rest.Interface    // that dynamic stands on
	dynamic    dynamic.Interface // both share one HTTP client and its connection
	core       func() (rest.Interface, error)
	kinds      *kinds
	errors     translator

	fields *managedfields.Manager
	force  bool

	writes *writes
}

// New returns a client for a connection. It does not talk to the server.
func New(conn *connection.Connection, options Options) (*Client, error) {
	httpClient, err := newHTTPClient(conn)
	if err != nil {
		return nil, conn.Explain(err)
	}
	config := dynamic.ConfigFor(conn.Config)
	config.APIPath = "/"
	repeating, err := rest.UnversionedRESTClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, conn.Explain(err)
	}
	requests := sentOnce{repeating}
	fields := options.Manager
	if fields == nil {
		fields = managedfields.NewManager("", "")
	}
	return &Client{
		connection: conn,
		http:       httpClient,
		requests:   requests,
		dynamic:    dynamic.New(requests),
		core:       sync.OnceValues(func() (rest.Interface, error) { return coreClient(conn, httpClient) }),
		kinds:      newKinds(conn, httpClient),
		errors:     translator{conn},
		fields:     fields,
		force:      options.Force,
		writes:     &writes{},
	}, nil
}

// Dynamic returns the untyped client that [Client] stands on, for watches.
func (c *Client) Dynamic() dynamic.Interface { return c.dynamic }

// Manager returns the field manager under which the client applies.
func (c *Client) Manager() *managedfields.Manager { return c.fields }

// WithManager returns a client that is the same but for its field manager, which must have
// the name of the other one. Both share what they know of the cluster.
func (c *Client) WithManager(manager *managedfields.Manager) *Client {
	other := *c
	other.fields = manager
	return &other
}

// Explain turns a transport failure of a request made through [Client.Dynamic]
// into a [*connection.UnreachableError]; other errors come back as they are.
func (c *Client) Explain(err error) error { return c.connection.Explain(err) }

// readable returns the endpoint of an object for requests that do not change it.
func (c *Client) readable(ref Ref) (dynamic.ResourceInterface, error) {
	resource, err := c.kinds.served(ref.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return c.dynamic.Resource(resource).Namespace(ref.Namespace), nil
}

// writable returns the endpoint of an object that is about to be changed. What a
// [Batcher] has read of the object is not used any more.
func (c *Client) writable(ref Ref) (dynamic.ResourceInterface, error) {
	resource, err := c.kinds.served(ref.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	c.writes.add(objectKey{resource: resource, namespace: ref.Namespace, name: ref.Name})
	return c.dynamic.Resource(resource).Namespace(ref.Namespace), nil
}

// Get reads the live object of a reference; nil without an error when there is
// none.
func (c *Client) Get(ctx context.Context, ref Ref) (*unstructured.Unstructured, error) {
	resource, err := c.readable(ref)
	if err != nil {
		return nil, err
	}
	live, err := resource.Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		err = c.errors.translate("get", ref, err)
		if _, ok := errors.AsType[*NotFoundError](err); ok {
			return nil, nil
		}
		return nil, err
	}
	return live, nil
}

// objectKey names an object by its endpoint.
type objectKey struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// writes are the objects that we have written, or are about to write. They stay in
// it: a list that is on its way may hold an object as it was before.
type writes struct {
	mu   sync.Mutex
	keys map[objectKey]bool
}

func (w *writes) add(key objectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		w.keys = make(map[objectKey]bool)
	}
	w.keys[key] = true
}

func (w *writes) has(key objectKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys[key]
}
