package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
)

const (
	nodePath  = "/api/v1/nodes/node-0"
	leasePath = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-0"
)

// health asks components how they are.
type health struct {
	keys keyFiles
}

// client returns a client of a component, and the path that says how it is.
func (h health) client(name, address string) (client *kubeapi.Client, path string, err error) {
	path, credentials := "/healthz", kubeapi.Credentials{CA: h.keys.path("ca.crt")}
	switch name {
	case "etcd":
		path, credentials = "/health", h.keys.etcd()
	case "kube-apiserver":
		path, credentials = "/readyz", h.keys.admin()
	default:
		// These answer this one path without credentials, and no other.
	}
	client, err = kubeapi.New(address, credentials)
	return client, path, err
}

// check asks the component for its health. For kwok, which keeps the node
// ready, it checks the node too.
func (h health) check(ctx context.Context, server string, component ComponentState) error {
	if component.Name == "kwok" {
		admin, err := kubeapi.New(server, h.keys.admin())
		if err != nil {
			return err
		}
		defer admin.Close()
		if err := nodeReady(ctx, admin); err != nil {
			return err
		}
	}
	client, path, err := h.client(component.Name, component.Address)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Check(ctx, path)
}

// nodeReady returns nil if pods can be scheduled to the node: it reports ready,
// and the node-lifecycle controller has lifted the taint of new nodes.
func nodeReady(ctx context.Context, client *kubeapi.Client) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := client.Get(ctx, nodePath, &node); err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		return fmt.Errorf("node-0 has the taint %s", taint.Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
	}
	return errors.New("node-0 is not ready")
}
