package mira

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// maxPods bounds how many pods of a StatefulSet are read: a typing error in the number of
// replicas must not cost a request for each.
const maxPods = 1000

var podKind = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

// pod reads a pod; nil without an error if there is none.
func (s *services) pod(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	return s.kube.Get(ctx, kube.NewRef(podKind, namespace, name))
}

// podNames returns the names that a StatefulSet's pods have, or had before it was scaled
// down.
func podNames(statefulSet *unstructured.Unstructured) []string {
	running, _, _ := unstructured.NestedInt64(statefulSet.Object, "status", "replicas")
	start, _, _ := unstructured.NestedInt64(statefulSet.Object, "spec", "ordinals", "start")
	var names []string
	for ordinal := start; ordinal < start+max(replicasOf(statefulSet), running) && len(names) < maxPods; ordinal++ {
		names = append(names, fmt.Sprintf("%s-%d", statefulSet.GetName(), ordinal))
	}
	return names
}

// podsWithoutClaim finds the pods that lack a claim which the StatefulSet will have.
func (p claimPlanner) podsWithoutClaim(ctx context.Context, c *objectChange) ([]rollout.Pod, error) {
	had := kube.ClaimTemplates(c.live)
	added := slices.DeleteFunc(kube.ClaimTemplates(c.dryRun), func(name string) bool { return slices.Contains(had, name) })
	if len(added) == 0 {
		return nil, nil
	}
	var without []rollout.Pod
	for _, name := range podNames(c.live) {
		pod, err := p.pod(ctx, c.live.GetNamespace(), name)
		if err != nil {
			return nil, err
		}
		if pod != nil && metav1.IsControlledBy(pod, c.live) {
			without = append(without, rollout.Pod{Name: name, UID: pod.GetUID()})
		}
	}
	return without, nil
}

// replacePods deletes the pods of a StatefulSet that lack a claim which it has, one after
// the other: its controller cannot change them, and would try for ever. They are left of a
// StatefulSet that did not have the claim yet. The error is a [*RolloutError].
func (s *services) replacePods(ctx context.Context, statefulSet *unstructured.Unstructured) error {
	without, err := s.podsToReplace(ctx, statefulSet)
	if err == nil && len(without) > 0 {
		err = s.watcher.Replace(ctx, targetOf(statefulSet), without, s.settings.Rollout.options())
	}
	if err != nil {
		return &RolloutError{Err: s.kube.Explain(err)}
	}
	return nil
}

func (s *services) podsToReplace(ctx context.Context, statefulSet *unstructured.Unstructured) ([]rollout.Pod, error) {
	templates := kube.ClaimTemplates(statefulSet)
	if len(templates) == 0 {
		return nil, nil
	}
	var without []rollout.Pod
	for _, name := range podNames(statefulSet) {
		pod, err := s.pod(ctx, statefulSet.GetNamespace(), name)
		var forbidden *kube.ForbiddenError
		switch {
		case errors.As(err, &forbidden):
			return nil, nil // the wait tells what is missing
		case err != nil:
			return nil, err
		case pod == nil || pod.GetDeletionTimestamp() != nil || hasClaims(pod, templates):
		case metav1.GetControllerOf(pod) == nil || metav1.IsControlledBy(pod, statefulSet):
			without = append(without, rollout.Pod{Name: name, UID: pod.GetUID()})
		}
	}
	return without, nil
}

// hasClaims reports whether a pod mounts the claims of all templates.
func hasClaims(pod *unstructured.Unstructured, templates []string) bool {
	volumes, _, _ := unstructured.NestedSlice(pod.Object, "spec", "volumes")
	mounted := make(map[string]bool)
	for _, volume := range volumes {
		if fields, ok := volume.(map[string]any); ok {
			name, _, _ := unstructured.NestedString(fields, "persistentVolumeClaim", "claimName")
			mounted[name] = true
		}
	}
	return !slices.ContainsFunc(templates, func(template string) bool { return !mounted[template+"-"+pod.GetName()] })
}
