package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// stuckPodDeleter deletes the pods of older revisions on which a rollout is stuck.
//
// With podManagementPolicy OrderedReady the StatefulSet controller goes through the
// pods by their ordinals, from the lowest on. It stops at the first pod that is not
// ready, whatever its revision. So does the deleter: it deletes the next pod when the
// former one's successor is ready.
type stuckPodDeleter struct {
	pods    dynamic.ResourceInterface
	options Options

	outdatedSince map[types.UID]time.Time // when a pod was first seen that is outdated and not ready
	tried         map[types.UID]string    // the resource version of a pod whose deletion was requested
	last          *Pod                    // the pod deleted last; nil once its successor is ready
	deleted       []string                // the names of the deleted pods
	refusal       error                   // set if the right to delete pods is missing
	pauses        wait.Backoff
	retryAt       time.Time // not before then, since the server did not answer
}

func newStuckPodDeleter(pods dynamic.ResourceInterface, options Options) *stuckPodDeleter {
	return &stuckPodDeleter{
		pods: pods, options: options, pauses: retryPauses(),
		outdatedSince: make(map[types.UID]time.Time), tried: make(map[types.UID]string),
	}
}

// deleteStuck deletes the pods that may be deleted now. It returns when to call it
// again if nothing happens; the zero time for never.
func (d *stuckPodDeleter) deleteStuck(ctx context.Context, now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod) (next time.Time) {
	if !d.options.DeleteStuckPods && !d.options.DeleteUnreadyPods || d.refusal != nil || !isObserved(sts) {
		return time.Time{}
	}
	if d.retryAt.After(now) {
		return d.retryAt
	}
	if d.last != nil && d.hasSuccessor(sts, pods) {
		d.last = nil
	}
	inOrder := sts.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
	for _, pod := range d.candidates(sts, pods) {
		if inOrder && d.last != nil {
			break
		}
		if due := d.due(now, sts, pod); due.After(now) {
			next = earlier(next, due)
			continue
		}
		if pause := d.delete(ctx, pod); pause > 0 {
			d.retryAt = now.Add(pause)
			return earlier(next, d.retryAt)
		}
	}
	return next
}

// hasSuccessor reports whether the pod that was deleted last has a successor that holds
// up nothing: it is ready, or it is outdated as well and has to be deleted, too.
func (d *stuckPodDeleter) hasSuccessor(sts *appsv1.StatefulSet, pods []*corev1.Pod) bool {
	return slices.ContainsFunc(pods, func(pod *corev1.Pod) bool {
		return pod.Name == d.last.Name && pod.UID != d.last.UID && (isReady(pod) || revisionOf(pod) != sts.Status.UpdateRevision)
	})
}

// candidates returns the pods that the rollout is to replace and that are not ready, in
// the order of their ordinals.
func (d *stuckPodDeleter) candidates(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	r := replicasOf(sts)
	var found []*corev1.Pod
	for _, pod := range pods {
		index, ok := r.index(pod.Name)
		if ok && r.updates(index) && revisionOf(pod) != sts.Status.UpdateRevision && !isReady(pod) &&
			pod.DeletionTimestamp == nil && d.tried[pod.UID] != pod.ResourceVersion {
			found = append(found, pod)
		}
	}
	slices.SortFunc(found, func(a, b *corev1.Pod) int { return r.compare(a.Name, b.Name) })
	return found
}

// due returns when a pod may be deleted. One that fails, and any if the options say so,
// may be deleted at once. Others get time to become ready.
func (d *stuckPodDeleter) due(now time.Time, sts *appsv1.StatefulSet, pod *corev1.Pod) time.Time {
	since, ok := d.outdatedSince[pod.UID]
	if !ok {
		since = now
		d.outdatedSince[pod.UID] = now
	}
	switch {
	case d.options.DeleteUnreadyPods, len(podFailures(pod, nil)) > 0:
		return now
	case revisionOf(pod) != sts.Status.CurrentRevision:
		// The pod is left over from an update that did not complete: its revision
		// never served on all pods, and is not wanted any more.
		return since.Add(d.options.Grace)
	}
	return since.Add(d.options.UnschedulableGrace)
}

// delete deletes the pod that was examined, unless it has changed since then: it may
// have become ready. A positive result is how long to wait before the next attempt.
func (d *stuckPodDeleter) delete(ctx context.Context, pod *corev1.Pod) (pause time.Duration) {
	err := d.pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion},
	})
	about := []any{"namespace", pod.Namespace, "pod", pod.Name, "revision", revisionOf(pod)}
	switch {
	case err == nil:
		logging.Debug(ctx, "Deleted a stuck pod", about...)
		d.last, d.pauses = &Pod{Name: pod.Name, UID: pod.UID}, retryPauses()
		d.tried[pod.UID] = pod.ResourceVersion
		d.deleted = append(d.deleted, pod.Name)
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		logging.Debug(ctx, "Did not delete a stuck pod that has changed", about...)
		// The watch will show the pod as it is now.
		d.tried[pod.UID] = pod.ResourceVersion
	case isRefusal(err) && !apierrors.IsUnauthorized(err):
		logging.Debug(ctx, "May not delete a stuck pod", append(about, "error", err)...)
		d.refusal = err
	default:
		logging.Debug(ctx, "Could not delete a stuck pod", append(about, "error", err)...)
		return d.pauses.Step()
	}
	return 0
}

// notes says what was not done because a right is missing.
func (d *stuckPodDeleter) notes() []string {
	if d.refusal == nil {
		return nil
	}
	return []string{fmt.Sprintf("pods of an older revision that are not ready were not deleted, so the rollout may be stuck on them: %v",
		d.refusal)}
}
