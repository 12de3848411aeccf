package kube

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// kinds finds the endpoint of a kind. The usual kinds are known. Others are looked
// up in the server's discovery, which costs requests.
type kinds struct {
	connection *connection.Connection
	known      meta.RESTMapper
	discovery  func() (meta.RESTMapper, error)
}

func newKinds(conn *connection.Connection, httpClient *http.Client) *kinds {
	return &kinds{
		connection: conn,
		known:      usualKinds(),
		discovery: sync.OnceValues(func() (meta.RESTMapper, error) {
			client, err := discovery.NewDiscoveryClientForConfigAndClient(conn.Config, httpClient)
			if err != nil {
				return nil, err
			}
			client = discovery.NewDiscoveryClient(sentOnce{client.RESTClient()})
			return restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client)), nil
		}),
	}
}

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

// served returns the endpoint of a namespaced kind: in the version of the reference, or,
// where the server does not serve that any more, in the version that it prefers. An object
// is the same in all of them.
func (k *kinds) served(gvk schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	resource, err := k.resource(gvk)
	if _, isUnknown := errors.AsType[*KindError](err); !isUnknown || gvk.Version == "" {
		return resource, err
	}
	gvk.Version = ""
	if served, other := k.resource(gvk); other == nil {
		return served, nil
	}
	return resource, err
}

// resource returns the endpoint of a namespaced kind. The error is a [*KindError]
// or that of the server's discovery.
func (k *kinds) resource(gvk schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	mapping, err := k.known.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		mapper, derr := k.discovery()
		if derr != nil {
			return schema.GroupVersionResource{}, k.connection.Explain(derr)
		}
		mapping, err = mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	switch {
	case meta.IsNoMatchError(err):
		err = &KindError{GVK: gvk, Reason: "the server does not serve this kind in this version"}
	case err != nil:
		err = k.connection.Explain(fmt.Errorf("looking up kind %s: %w", gvk.Kind, err))
	case mapping.Scope.Name() != meta.RESTScopeNameNamespace:
		err = &KindError{GVK: gvk, Reason: "it is cluster-scoped, and everything of a client must live in the client's namespace"}
	default:
		return mapping.Resource, nil
	}
	return schema.GroupVersionResource{}, err
}
