package testbed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/audit"
)

const (
	// auditTimeout is how long a request may take to appear in the audit log.
	auditTimeout = time.Minute
	// calmRate is how many bytes of audit log a calm cluster writes in a second at
	// most: some dozens of requests for heartbeats and leases.
	calmRate = 64 << 10
	// calmTimeout is how long to wait for calm before going on without.
	calmTimeout = 3 * time.Minute
)

var (
	namespaces             = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	configMaps             = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	services               = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	serviceAccounts        = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	ingresses              = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
	statefulSets           = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	roles                  = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}
	roleBindings           = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	accessReviews          = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"}
	persistentVolumeClaims = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	clusterBindings        = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}
)

// resources are the resources that the benchmark writes, by their kinds.
var resources = map[string]schema.GroupVersionResource{
	"Service":        services,
	"Ingress":        ingresses,
	"StatefulSet":    statefulSets,
	"ServiceAccount": serviceAccounts,
	"Role":           roles,
	"RoleBinding":    roleBindings,
}

// Cluster is a cluster to benchmark on, with the rights of its administrator.
type Cluster struct {
	config *rest.Config
	admin  dynamic.Interface
	http   *http.Client
	// server is the address of the API server.
	server *url.URL
	log    *audit.Log
	path   string // the audit log's
	marks  atomic.Int64
}

// Connect connects to the cluster of a kubeconfig, whose API server writes an
// audit log to a file.
func Connect(kubeconfig, auditLog string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = "mira-bench"
	c := &Cluster{config: config, path: auditLog}
	if c.server, _, err = rest.DefaultServerUrlFor(config); err != nil {
		return nil, err
	}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	if c.admin, err = dynamic.NewForConfigAndClient(config, c.http); err != nil {
		return nil, err
	}
	c.log, err = audit.Open(auditLog)
	return c, err
}

// Version returns the version of Kubernetes.
func (c *Cluster) Version() (string, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(c.config, c.http)
	if err != nil {
		return "", err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}

// Address returns the host and port of the API server.
func (c *Cluster) Address() string {
	port := c.server.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(c.server.Hostname(), port)
}

// Events returns the events of the audit log since the last call.
func (c *Cluster) Events(ctx context.Context) ([]audit.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	// Requests of the benchmark itself mark the end: one, and another once the first
	// has appeared. The API server logs the end of a watch when it notices it, which
	// may be after the first mark.
	var events []audit.Event
	for range 2 {
		name := fmt.Sprintf("bench-mark-%d-%d", os.Getpid(), c.marks.Add(1))
		options := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
		_, err := c.admin.Resource(configMaps).Namespace(metav1.NamespaceDefault).List(ctx, options)
		if err != nil {
			return nil, err
		}
		more, err := c.log.Until(ctx, func(event audit.Event) bool {
			return event.Verb == "list" && strings.Contains(event.RequestURI, name)
		})
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return events, nil
}

// Calm waits until the control plane has little to do. It stops waiting after a
// while, because a busy cluster makes the results worse, not wrong.
func (c *Cluster) Calm(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	deadline := time.NewTimer(calmTimeout)
	defer deadline.Stop()
	last, calm := int64(-1), 0
	for calm < 2 {
		info, err := os.Stat(c.path)
		if err != nil {
			return err
		}
		if last >= 0 && info.Size()-last < calmRate {
			calm++
		} else {
			calm = 0
		}
		last = info.Size()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			return nil
		case <-ticker.C:
		}
	}
	return nil
}
