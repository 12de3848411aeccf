package mira

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// ClusterID returns the identity of the cluster, see [kube.Client.ClusterID]; empty where
// it could not be found out. The server is asked once per run.
func (f *Fleet) ClusterID(ctx context.Context) string {
	id, err := f.clusterID(ctx)
	if err != nil {
		logging.Debug(ctx, "The identity of the cluster is not known", "error", err)
	}
	return id
}

func (s *services) clusterID(ctx context.Context) (string, error) {
	return s.cluster.get("", func(string) bool { return false }, func() (string, error) { return s.kube.ClusterID(ctx) })
}

// checkCluster returns an [*AnotherClusterError] if what is recorded of a client is not
// there because this is another cluster. Of a client whose cluster is not recorded, or on
// a cluster without an identity, nothing is known.
func (s *services) checkCluster(ctx context.Context, namespace, name string, prior *State) error {
	if prior.Cluster == "" {
		return nil
	}
	id, err := s.clusterID(ctx)
	if err != nil || id == "" || id == prior.Cluster {
		return err
	}
	return &AnotherClusterError{Namespace: namespace, Name: name, Recorded: prior.Cluster, Found: id}
}

// checkCluster refuses to take for deleted what is on another cluster.
func (d *deletion) checkCluster(ctx context.Context, live map[string]*unstructured.Unstructured) error {
	objects := make([]*unstructured.Unstructured, 0, len(d.recorded.Refs))
	for _, ref := range d.recorded.Refs {
		objects = append(objects, live[ref.Key()])
	}
	if hasRecorded(d.recorded.Refs, objects) {
		return nil
	}
	return d.services.checkCluster(ctx, d.namespace, d.client, d.recorded)
}

// hasRecorded reports whether one of the recorded objects, by its UID, is among the live
// ones. A reference without a UID means any object of its name.
func hasRecorded(recorded []kube.Ref, live []*unstructured.Unstructured) bool {
	for i, ref := range recorded {
		if object := live[i]; object != nil && (ref.UID == "" || ref.UID == object.GetUID()) {
			return true
		}
	}
	return false
}
