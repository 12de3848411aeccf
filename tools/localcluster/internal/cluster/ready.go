package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
)

// startTimeout bounds a start. A start takes seconds on an idle machine; on a busy
// one it may take minutes, and that is no failure.
const startTimeout = 10 * time.Minute

// pollInterval is how often a start checks whether it is done.
const pollInterval = 50 * time.Millisecond

var (
	//go:embed manifests/node.yaml
	nodeManifest []byte
	//go:embed manifests/storageclass.yaml
	storageClassManifest []byte
)

const (
	nodePath           = "/api/v1/nodes/node-0"
	leasePath          = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-0"
	storageClassPath   = "/apis/storage.k8s.io/v1/storageclasses/standard"
	serviceAccountPath = "/api/v1/namespaces/default/serviceaccounts/default"
)

// awaitHealthy waits until the component answers.
func (s *supervisor) awaitHealthy(ctx context.Context, p program) error {
	path, credentials := s.health(p.name)
	client, err := kubeapi.New(p.address, credentials)
	if err != nil {
		return err
	}
	defer client.Close()
	return s.await(ctx, p.name, func() error { return client.Check(ctx, path) })
}

// setUp writes the objects that make pods run, and waits for what a namespace
// needs before the first pod can be created in it.
func (s *supervisor) setUp(ctx context.Context) error {
	client, err := s.adminClient(s.state.Server)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Apply(ctx, storageClassPath, storageClassManifest); err != nil {
		return fmt.Errorf("write the default StorageClass: %w", err)
	}
	if err := client.Apply(ctx, nodePath, nodeManifest); err != nil {
		return fmt.Errorf("write the node: %w", err)
	}
	if err := s.await(ctx, "kwok", func() error { return nodeReady(ctx, client) }); err != nil {
		return err
	}
	// Without a Lease that is renewed, the node and every pod on it would count as
	// dead after nodeGracePeriod.
	if err := s.await(ctx, "kwok", func() error { return client.Check(ctx, leasePath) }); err != nil {
		return err
	}
	return s.await(ctx, "kube-controller-manager", func() error { return client.Check(ctx, serviceAccountPath) })
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

// await polls until check succeeds. It fails as soon as any component has
// ended, and blames the named one when the time is up.
func (s *supervisor) await(ctx context.Context, component string, check func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		for _, process := range s.processes {
			if ended := process.err(); ended != nil {
				return ended
			}
		}
		select {
		case <-ctx.Done():
			reason := fmt.Sprintf("not ready: %v (%v)", context.Cause(ctx), err)
			return newComponentError(component, reason, s.log(component))
		case <-ticker.C:
		}
	}
}
