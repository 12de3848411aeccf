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
)

// freer deletes the pods of older revisions on which a rollout is stuck.
//
// With podManagementPolicy OrderedReady the StatefulSet controller goes through
// the pods by their ordinals, from the lowest on, and stops at the first that is
// not ready, whichever revision it has. So does this: the next pod goes when the
// former's successor is ready.
type freer struct {
	pods    dynamic.ResourceInterface
	options Options

	outdated map[types.UID]time.Time // since when a pod is known to be outdated and not ready
	tried    map[types.UID]string    // the version of a pod that was asked to be deleted
	former   *Pod                    // the last that was deleted; nil once its successor is ready
	names    []string                // of the pods that were deleted
	refusal  error                   // the right to delete pods is missing
	pauses   wait.Backoff
	notYet   time.Time // when a server that did not answer may be asked again
}

func newFreer(pods dynamic.ResourceInterface, options Options) *freer {
	return &freer{pods: pods, options: options, pauses: retryPauses(), outdated: make(map[types.UID]time.Time), tried: make(map[types.UID]string)}
}

// free deletes what may be deleted now, and says when to ask again if nothing
// happens.
func (f *freer) free(ctx context.Context, now time.Time, sts *appsv1.StatefulSet, pods []*corev1.Pod) (next time.Time) {
	if !f.options.Free && !f.options.FreeUnready || f.refusal != nil || !isObserved(sts) {
		return time.Time{}
	}
	if f.notYet.After(now) {
		return f.notYet
	}
	inOrder := sts.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
	if f.former != nil && slices.ContainsFunc(pods, func(pod *corev1.Pod) bool {
		// One that is outdated, too, has to go as well.
		return pod.Name == f.former.Name && pod.UID != f.former.UID && (isReady(pod) || revisionOf(pod) != sts.Status.UpdateRevision)
	}) {
		f.former = nil
	}
	for _, pod := range f.stuck(sts, pods) {
		if inOrder && f.former != nil {
			break
		}
		if _, ok := f.outdated[pod.UID]; !ok {
			f.outdated[pod.UID] = now
		}
		patience := f.options.UnschedulableGrace
		if revisionOf(pod) != sts.Status.CurrentRevision {
			// It never served as a whole, and is not wanted any more: what an
			// update left that did not get through.
			patience = f.options.Grace
		}
		due := f.outdated[pod.UID].Add(patience)
		if !f.options.FreeUnready && len(podFailures(pod, nil)) == 0 && due.After(now) {
			next = earlier(next, due)
			continue
		}
		if again := f.delete(ctx, pod); again > 0 {
			f.notYet = now.Add(again)
			return earlier(next, f.notYet)
		}
	}
	return next
}

// stuck are the pods that the rollout is to replace and that are not ready, in
// the order of their ordinals.
func (f *freer) stuck(sts *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	p := planOf(sts)
	var stuck []*corev1.Pod
	for _, pod := range pods {
		index, ok := p.index(pod.Name)
		if ok && p.willUpdate(index) && revisionOf(pod) != sts.Status.UpdateRevision && !isReady(pod) &&
			pod.DeletionTimestamp == nil && f.tried[pod.UID] != pod.ResourceVersion {
			stuck = append(stuck, pod)
		}
	}
	p.sort(stuck)
	return stuck
}

// delete deletes the very pod that was looked at, unless it has changed since:
// it may have become ready. A positive answer is when to try again.
func (f *freer) delete(ctx context.Context, pod *corev1.Pod) (again time.Duration) {
	err := f.pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion},
	})
	switch {
	case err == nil:
		f.former, f.pauses = &Pod{Name: pod.Name, UID: pod.UID}, retryPauses()
		f.tried[pod.UID] = pod.ResourceVersion
		f.names = append(f.names, pod.Name)
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		// The watch tells what has become of it.
		f.tried[pod.UID] = pod.ResourceVersion
	case isRefusal(err) && !apierrors.IsUnauthorized(err):
		f.refusal = err
	default:
		return f.pauses.Step()
	}
	return 0
}

// note says what was not done for want of a right.
func (f *freer) note() []string {
	if f.refusal == nil {
		return nil
	}
	return []string{fmt.Sprintf("pods of an older revision that are not ready were not deleted, so the rollout may be stuck on them: %v", f.refusal)}
}
