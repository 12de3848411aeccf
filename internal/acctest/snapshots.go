package acctest

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
)

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	snapshots   = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
)

// Snapshots are the VolumeSnapshots of a sandbox. The local control plane has no driver
// that takes any: the test plays it.
type Snapshots struct{ client dynamic.ResourceInterface }

// InstallSnapshots has the cluster know VolumeSnapshots for the time of the test, unless it
// does already. One test of a cluster may ask for them.
func (s *Sandbox) InstallSnapshots(t *testing.T) *Snapshots {
	t.Helper()
	if _, err := s.Admin.Resource(definitions).Get(t.Context(), "volumesnapshots.snapshot.storage.k8s.io", metav1.GetOptions{}); err != nil {
		anything := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
		createGlobal(t, s.Admin, definitions, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{
				"name": "volumesnapshots.snapshot.storage.k8s.io",
				// The group is of Kubernetes, whose API reviews this CRD has not been through.
				"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for tests"},
			},
			"spec": map[string]any{
				"group": snapshots.Group, "scope": "Namespaced",
				"names": map[string]any{
					"plural": snapshots.Resource, "singular": "volumesnapshot", "kind": "VolumeSnapshot", "listKind": "VolumeSnapshotList",
				},
				"versions": []any{map[string]any{
					"name": snapshots.Version, "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": anything},
				}},
			},
		}})
	}
	client := s.Admin.Resource(snapshots).Namespace(s.Namespace)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		_, err := client.List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Fatalf("waiting until VolumeSnapshots are served: %v", err)
	}
	return &Snapshots{client: client}
}

// UIDs returns the UIDs of the snapshots by their names.
func (s *Snapshots) UIDs(t *testing.T) map[string]types.UID {
	t.Helper()
	found, err := s.client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	uids := make(map[string]types.UID)
	for _, snapshot := range found.Items {
		uids[snapshot.GetName()] = snapshot.GetUID()
	}
	return uids
}

// SetReady says whether a snapshot can be used.
func (s *Snapshots) SetReady(t *testing.T, name string, ready bool) {
	t.Helper()
	status := map[string]any{"readyToUse": ready, "creationTime": "2026-01-02T03:04:05Z"}
	if err := s.setStatus(t.Context(), name, status); err != nil {
		t.Fatal(err)
	}
}

func (s *Snapshots) setStatus(ctx context.Context, name string, status map[string]any) error {
	patch, err := (&unstructured.Unstructured{Object: map[string]any{"status": status}}).MarshalJSON()
	if err != nil {
		return err
	}
	_, err = s.client.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// TakeAll takes every snapshot that is asked for, until the end of the test.
func (s *Snapshots) TakeAll(t *testing.T) {
	t.Helper()
	watcher, err := s.client.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			snapshot, ok := event.Object.(*unstructured.Unstructured)
			if !ok || snapshot.Object["status"] != nil {
				continue
			}
			status := map[string]any{"readyToUse": true, "creationTime": "2026-01-02T03:04:05Z"}
			if err := s.setStatus(t.Context(), snapshot.GetName(), status); err != nil && t.Context().Err() == nil {
				t.Errorf("taking snapshot %s: %v", snapshot.GetName(), err)
			}
		}
	}()
	t.Cleanup(func() { watcher.Stop(); <-done })
}
