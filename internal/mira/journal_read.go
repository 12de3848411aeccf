package mira

import (
	"context"
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// journalReader brings journals up to date with the cluster.
type journalReader struct{ *services }

// read brings a client's journal up to date with its live objects: what the cluster
// shows to be done goes, and a rollout counts as pending that our last write has begun and
// that has not ended. A pod that merely restarts changes nothing.
func (r journalReader) read(ctx context.Context, prior *State, live []*unstructured.Unstructured) *Journal {
	if prior.IgnoresRollouts {
		return nil
	}
	journal := &Journal{}
	for _, object := range live {
		if !isStatefulSet(object) {
			continue
		}
		if pending := r.pendingRollout(ctx, prior.Journal, object); pending != nil {
			journal.Rollouts = append(journal.Rollouts, *pending)
		}
	}
	for _, pending := range prior.Journal.pending() {
		if !slices.ContainsFunc(live, func(o *unstructured.Unstructured) bool { return isStatefulSet(o) && o.GetName() == pending.StatefulSet }) {
			journal.Rollouts = append(journal.Rollouts, pending) // it is not there to show that it serves
		}
	}
	if len(journal.Rollouts) == 0 {
		return nil
	}
	if prior.Journal != nil {
		journal.Former = prior.Journal.Former
	}
	return journal
}

// pendingRollout returns the rollout of a live StatefulSet that is pending; nil if none is.
func (r journalReader) pendingRollout(ctx context.Context, journal *Journal, object *unstructured.Unstructured) *PendingRollout {
	if r.fields.IsHalfRecreated(object) {
		return &PendingRollout{StatefulSet: object.GetName(), Reason: "it was recreated, and its fields are not owned as before yet"}
	}
	noted := journal.rollout(object.GetName())
	if noted == nil && !mayBeUnfinished(object) {
		return nil
	}
	statefulSet := &appsv1.StatefulSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, statefulSet); err != nil {
		return nil // another kind of that name
	}
	if noted != nil {
		if r.servesLastingly(ctx, statefulSet, object) {
			return nil
		}
		return noted
	}
	// A rollout that another field manager has begun does not count.
	if r.fields.WroteLast(object) && (rollout.IsUnfinished(statefulSet) || r.runsOlderRevision(ctx, statefulSet, object)) {
		// How far it is changes from one refresh to the next, and would be a change of the state.
		return &PendingRollout{StatefulSet: object.GetName(), Reason: "its rollout has begun and not ended"}
	}
	return nil
}

// servesLastingly reports whether the newest revision serves, and has done so for the time
// of the soak. Without the right to read pods, what the StatefulSet says must do.
func (r journalReader) servesLastingly(ctx context.Context, statefulSet *appsv1.StatefulSet, object *unstructured.Unstructured) bool {
	if rollout.IsUnfinished(statefulSet) || !rollout.StatusOf(statefulSet, nil, nil).Done {
		return false
	}
	for _, name := range podNames(object) {
		pod, err := r.pod(ctx, object.GetNamespace(), name)
		if _, ok := errors.AsType[*kube.ForbiddenError](err); ok {
			return true
		}
		if err != nil || pod == nil || !rollout.HasSoaked(pod, r.settings.Rollout.Soak, time.Now()) {
			return false
		}
	}
	return true
}

// runsOlderRevision reports whether a pod of another revision than the newest is left, and
// not about to go: a roll back may have been cut short before it freed the pod.
func (r journalReader) runsOlderRevision(ctx context.Context, statefulSet *appsv1.StatefulSet, object *unstructured.Unstructured) bool {
	if !rollout.MayRunOlderRevision(statefulSet) {
		return false
	}
	for _, name := range podNames(object) {
		pod, err := r.pod(ctx, object.GetNamespace(), name)
		if err == nil && pod != nil && pod.GetDeletionTimestamp() == nil && metav1.IsControlledBy(pod, object) &&
			pod.GetLabels()[appsv1.StatefulSetRevisionLabel] != statefulSet.Status.UpdateRevision {
			return true
		}
	}
	return false
}

// mayBeUnfinished reports whether a live StatefulSet needs a closer look: nearly none of a
// fleet does, and converting each of them costs time.
func mayBeUnfinished(object *unstructured.Unstructured) bool {
	text := func(field string) string {
		value, _, _ := unstructured.NestedString(object.Object, "status", field)
		return value
	}
	number := func(field string) int64 {
		value, _, _ := unstructured.NestedInt64(object.Object, "status", field)
		return value
	}
	return text("currentRevision") != text("updateRevision") || number("observedGeneration") < object.GetGeneration() ||
		number("replicas") > number("updatedReplicas")
}
