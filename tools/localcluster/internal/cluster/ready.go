package cluster

import (
	"context"
	_ "embed"
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
	storageClassPath   = "/apis/storage.k8s.io/v1/storageclasses/standard"
	serviceAccountPath = "/api/v1/namespaces/default/serviceaccounts/default"
)

// awaitHealthy waits until the component answers.
func (s *supervisor) awaitHealthy(ctx context.Context, p program) error {
	client, path, err := health{keys: s.folder.keys()}.client(p.name, p.address)
	if err != nil {
		return err
	}
	defer client.Close()
	return s.await(ctx, p.name, func() error { return client.Check(ctx, path) })
}

// setUp writes the objects that make pods run, and waits for what a namespace
// needs before the first pod can be created in it.
func (s *supervisor) setUp(ctx context.Context) error {
	client, err := kubeapi.New(s.state.Server, s.folder.keys().admin())
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
			return newComponentError(component, reason, s.folder.log(component))
		case <-ticker.C:
		}
	}
}
