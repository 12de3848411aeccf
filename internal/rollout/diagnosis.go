package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// How long a wait that has ended may go on reading why.
const (
	failureDetailTime   = 5 * time.Second
	interruptDetailTime = 3 * time.Second // the operator has pressed Ctrl-C and waits
)

// failedError returns the error for failures, with all details that can be read. It
// reads them even if the context has ended.
func (v *waiter) failedError(ctx context.Context, sts *appsv1.StatefulSet, pods []*corev1.Pod, failures []Failure) *FailedError {
	failed := &FailedError{
		Namespace: v.Namespace, Name: v.Name, Failures: failures,
		Waited: time.Since(v.start), Notes: append(v.notes, v.deleter.notes()...),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureDetailTime)
	defer cancel()
	failed.Details = v.details.read(ctx, failedSubjects(pods, failures))
	r := replicasOf(sts)
	slices.SortStableFunc(failed.Failures, func(a, b Failure) int { return r.compare(a.Pod, b.Pod) })
	return failed
}

// failedSubjects returns the pods that fail, as many as an error describes.
func failedSubjects(pods []*corev1.Pod, failures []Failure) []subject {
	var subjects []subject
	for _, f := range failures {
		if f.isUncreated() {
			continue // the failure says what the events do
		}
		i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == f.Pod })
		if i < 0 {
			if len(subjects) == maxPods {
				continue
			}
			i = len(subjects)
			subjects = append(subjects, subject{name: f.Pod, uid: f.UID})
		}
		s := &subjects[i]
		if f.Claim != "" {
			s.claims = append(s.claims, f.Claim)
		}
		if !f.isCrash() {
			continue
		}
		if status := containerStatusIn(pods, f); status != nil {
			isRestarting := status.State.Terminated == nil && status.LastTerminationState.Terminated != nil
			s.containers = append(s.containers, containerLog{container: f.Container, previous: isRestarting})
		}
	}
	return subjects
}

func containerStatusIn(pods []*corev1.Pod, f Failure) *corev1.ContainerStatus {
	for _, pod := range pods {
		if pod.UID == f.UID {
			return containerStatus(pod, f.Container)
		}
	}
	return nil
}

// errNoAnswer says that the server did not answer a request in time.
var errNoAnswer = errors.New("no answer in time")

// pendingError returns the error for a context that has ended: what the rollout waits
// for, with all details that can be read. It returns nil if the rollout turns out to be
// complete.
func (v *waiter) pendingError(ctx context.Context) error {
	pending := &PendingError{Namespace: v.Namespace, Name: v.Name, Err: ctx.Err(), Waited: time.Since(v.start), Notes: v.deleter.notes()}
	if cause := context.Cause(ctx); !errors.Is(pending.Err, cause) {
		pending.Err = fmt.Errorf("%w: %w", pending.Err, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptDetailTime)
	defer cancel()
	lost, err := v.readLast(ctx)
	if err != nil {
		return err
	}
	if v.last != nil {
		isDone, lostPods := v.describePending(ctx, pending)
		if isDone {
			return nil
		}
		lost = cmp.Or(lost, lostPods)
	}
	lost = cmp.Or(lost, v.sets.view().lost)
	if lost != nil {
		pending.ContactLost = true
		pending.Notes = append(pending.Notes, fmt.Sprintf("the API server could not be reached: %v", lost))
	}
	return pending
}

// readLast reads the StatefulSet a last time. This shows whether the server answers: a
// watch may hang without an error. It returns why the server could not be reached, or a
// [*DeletedError].
func (v *waiter) readLast(ctx context.Context) (lost, err error) {
	sts, err := v.read(ctx)
	if _, isDeleted := errors.AsType[*DeletedError](err); isDeleted {
		return nil, err
	}
	if sts != nil {
		v.last = sts
		return nil, nil
	}
	if sts, _ := v.sets.named(v.Name); sts != nil && v.last != nil && sts.UID == v.last.UID {
		v.last = sts
	}
	switch {
	case err == nil:
		return v.lost, nil
	case ctx.Err() != nil:
		return errNoAnswer, nil
	}
	return nil, nil // the server has refused to answer
}

// describePending fills in the status, the notes and the details. It reports whether the
// rollout is complete, and returns why the server could not be asked for the pods.
func (v *waiter) describePending(ctx context.Context, pending *PendingError) (isDone bool, lost error) {
	pods, view := v.awaitPods(ctx)
	v.status = v.statusOf(v.last, pods, nil)
	if v.isDone(v.last, pods) {
		now := time.Now()
		over := v.soakEnd(now, v.last, pods)
		if over.IsZero() || !over.After(now) && v.lost == nil && view.lost == nil {
			return true, nil
		}
		pending.Soaking = !v.soak.isBroken
		v.status.Done, v.status.Message = false, v.soak.message(v.status.Message)
		return false, view.lost
	}
	switch {
	case view.refused != nil:
		pending.Notes = append(pending.Notes, fmt.Sprintf("the reason is not known, because the pods could not be listed: %v", view.refused))
	case pods == nil && view.lost == nil:
		pending.Notes = append(pending.Notes, "the reason is not known, because the server has not answered with the pods yet")
	}
	if pods != nil && isObserved(v.last) && v.last.Generation >= v.MinGeneration {
		claims, err := v.unscheduledClaims(ctx, pods)
		if err != nil {
			pending.Notes = append(pending.Notes, fmt.Sprintf("claims could not be read: %v", err))
		}
		v.status = v.statusOf(v.last, pods, claims)
		pending.Details = v.details.read(ctx, pendingSubjects(v.status, v.last, pods))
	}
	return false, view.lost
}

// awaitPods returns the pods as soon as the server has answered with them; nil if they
// are not known.
func (v *waiter) awaitPods(ctx context.Context) ([]*corev1.Pod, view) {
	v.acquirePods(ctx)
	for {
		pods, _, view := v.pods.ownedBy(v.last.UID)
		switch {
		case view.refused != nil, !view.synced && view.lost != nil, !view.synced && ctx.Err() != nil:
			return nil, view
		case view.synced:
			return pods, view
		}
		select {
		case <-v.woken:
		case <-ctx.Done():
		}
	}
}

// unscheduledClaims reads the claims of pending pods that have no node; nil if there are
// no such pods.
func (v *waiter) unscheduledClaims(ctx context.Context, pods []*corev1.Pod) ([]corev1.PersistentVolumeClaim, error) {
	var found []corev1.PersistentVolumeClaim
	read := 0
	for _, pending := range v.status.Pending {
		for _, pod := range pods {
			if pod.Name != pending.Name || !isUnscheduled(pod) || len(claimsOf(pod)) == 0 || read == maxPods {
				continue
			}
			read++
			claims, err := v.claimsOf(ctx, pod)
			if err != nil {
				return nil, err
			}
			if found == nil {
				found = claims // not nil, even if there are none
			} else {
				found = append(found, claims...)
			}
		}
	}
	return found, nil
}

// pendingSubjects returns the pods that are waited for, as many as an error describes,
// and the StatefulSet if its controller has not created one of them.
func pendingSubjects(status Status, sts *appsv1.StatefulSet, pods []*corev1.Pod) []subject {
	var subjects []subject
	for i, pending := range status.Pending {
		if i == maxPods {
			break
		}
		if pending.Missing {
			if !slices.ContainsFunc(subjects, func(s subject) bool { return s.uid == sts.UID }) {
				subjects = append(subjects, subject{name: sts.Name, uid: sts.UID})
			}
			continue
		}
		for _, pod := range pods {
			if pod.Name == pending.Name && !pending.Ready {
				subjects = append(subjects, subject{name: pod.Name, uid: pod.UID, claims: pending.UnboundClaims})
			}
		}
	}
	return subjects
}
