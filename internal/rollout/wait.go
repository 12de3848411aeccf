package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// Target is the StatefulSet whose rollout is waited for.
type Target struct {
	Namespace, Name string
	// UID is that of the StatefulSet. If it is empty, the first StatefulSet of the name
	// that is seen is the target.
	UID types.UID
	// MinGeneration is the metadata.generation that the caller's own write returned. A
	// busy server may still return an older copy of the object, which is ignored.
	MinGeneration int64
}

// How long a failure has to last before it ends a rollout.
const (
	DefaultGrace              = 20 * time.Second
	DefaultUnschedulableGrace = 5 * time.Minute
)

const (
	// requestTime bounds a request of a waiter, as a server that hangs may never answer.
	requestTime = 10 * time.Second
	// catchUpTime is how long the watches get to bring what has happened during an outage.
	catchUpTime = 2 * time.Second
)

// Options say when a rollout has failed, and which pods may be deleted to help it.
type Options struct {
	// Grace is how long a failure of the newest revision has to last, and how long a pod
	// may be missing that cannot be created; [DefaultGrace] if zero.
	Grace time.Duration
	// UnschedulableGrace is the same for a pod without a node and for a claim without a
	// volume, which a cluster may solve by itself; [DefaultUnschedulableGrace] if zero.
	UnschedulableGrace time.Duration
	// Soak is how long all pods of the newest revision have to stay ready, with no
	// restart. It is waited for only if there are such pods, and not if they have been
	// ready for much longer; 0 for not at all.
	Soak time.Duration
	// DeleteStuckPods allows to delete pods of older revisions: those that fail, those
	// that have not been ready for UnschedulableGrace, and, if their revision never
	// served on all pods, those that have not been ready for Grace. The StatefulSet
	// controller waits for such pods for ever (kubernetes/kubernetes issue 67250).
	DeleteStuckPods bool
	// DeleteUnreadyPods allows to delete every pod of an older revision that is not
	// ready, at once. It implies DeleteStuckPods.
	DeleteUnreadyPods bool
	// OnProgress gets the status whenever it says something else than before; nil for
	// nobody. The wait goes on when it returns.
	OnProgress func(Status)
}

func (o Options) withDefaults() Options {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.UnschedulableGrace == 0 {
		o.UnschedulableGrace = DefaultUnschedulableGrace
	}
	return o
}

// Wait returns when the newest revision of a StatefulSet serves, and has done so for the
// time of the soak, or when it is clear that it will not. The status is the last known one
// in any case.
//
// The error is a [*FailedError] if pods of the newest revision fail for longer than their
// grace, a [*PendingError] if the context ends, and a [*DeletedError] if the StatefulSet
// is deleted. Other errors are answers of the API server.
//
// Without the right to watch pods, Wait uses only the numbers in the StatefulSet's status.
// It then does not notice failures and restarts, and deletes no pods.
func (w *Watcher) Wait(ctx context.Context, target Target, options Options) (Status, error) {
	v := newWaiter(w, target, options.withDefaults())
	v.log(ctx, "Waiting for a rollout", "minGeneration", target.MinGeneration)
	w.register(v)
	defer w.unregister(v)
	v.sets = w.acquireSets(ctx, w.labelScope(target.Namespace))
	defer func() {
		release(w, w.sets, v.sets)
		release(w, w.pods, v.pods)
	}()

	err := v.run(ctx)
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		err = v.pendingError(ctx)
	}
	v.status.DeletedPods = v.deleter.deleted
	v.log(ctx, "The wait for a rollout ended", "done", err == nil, "status", v.status.Message, "waited", time.Since(v.start))
	switch err := err.(type) { //nolint:errorlint // our own errors, not wrapped
	case nil:
		return v.status, nil
	case *FailedError:
		err.Status = v.status
		return v.status, err
	case *PendingError:
		err.Status = v.status
		return v.status, err
	case *DeletedError:
		return v.status, err
	}
	return v.status, fmt.Errorf("waiting for the rollout of StatefulSet %s/%s: %w", target.Namespace, target.Name, err)
}

// waiter is one call of [Watcher.Wait].
type waiter struct {
	Target
	watcher *Watcher
	start   time.Time
	woken   chan struct{} // receives when something has changed
	sets    *informer[*appsv1.StatefulSet]
	pods    *informer[*corev1.Pod] // nil until they are needed
	tracker *failureTracker
	missing *missingPods
	soak    *soak
	deleter *stuckPodDeleter
	details detailReader

	uid    types.UID           // of the target, once known
	last   *appsv1.StatefulSet // the newest copy seen
	status Status
	// next is when to look again if nothing changes; the zero time for never.
	next time.Time
	// lost is the last failure to reach the server by a request of the waiter's own.
	lost error
	// isLost reports whether a watch had lost contact at the last look.
	isLost bool
	// caughtUp is when the watches will have brought what they missed in an outage.
	caughtUp time.Time
	pauses   wait.Backoff
	notes    []string
	logged   string // what [waiter.logPending] has logged last
	// onProgress and told are [Options.OnProgress] and the message that it got last.
	onProgress func(Status)
	told       string
}

func newWaiter(w *Watcher, target Target, options Options) *waiter {
	now := time.Now()
	return &waiter{
		Target: target, watcher: w, start: now, uid: target.UID,
		woken:   make(chan struct{}, 1),
		pauses:  retryPauses(),
		tracker: newFailureTracker(now, options),
		missing: newMissingPods(now, options),
		soak:    &soak{required: options.Soak},
		deleter: newStuckPodDeleter(w.client.Resource(podResource).Namespace(target.Namespace), options),
		details: detailReader{
			events: w.client.Resource(eventResource).Namespace(target.Namespace), logs: w.logs, namespace: target.Namespace,
		},
		status:     Status{Message: "the StatefulSet has not been read yet"},
		onProgress: options.OnProgress,
	}
}

// wake makes the waiter look again.
func (v *waiter) wake() {
	select {
	case v.woken <- struct{}{}:
	default:
	}
}

// run looks at the StatefulSet whenever something has changed, until the rollout has
// ended.
func (v *waiter) run(ctx context.Context) error {
	for {
		done, err := v.look(ctx)
		if done || err != nil {
			return err
		}
		if err := v.pause(ctx); err != nil {
			return err
		}
	}
}

// pause lasts until something changes, or until it is time to look again.
func (v *waiter) pause(ctx context.Context) error {
	var alarm <-chan time.Time
	if !v.next.IsZero() {
		timer := time.NewTimer(time.Until(v.next))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-v.woken:
	case <-alarm:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// look judges what the watches have brought.
func (v *waiter) look(ctx context.Context) (done bool, err error) {
	v.next, v.notes = time.Time{}, nil
	sts, err := v.statefulSet(ctx)
	if err != nil || sts == nil {
		return false, err
	}
	v.last = sts
	v.status = v.statusOf(sts, nil, nil)
	if v.status.Done && !needPods(sts, v.status) && !v.soak.isNeeded(v.status) {
		return true, nil
	}
	v.acquirePods(ctx)
	pods, terminated, view := v.pods.ownedBy(sts.UID)
	now := time.Now()
	v.noteContact(now)
	switch {
	case view.refused != nil: // the numbers must suffice
		return v.isServing(ctx, now, sts, nil)
	case !view.synced:
		return false, nil
	}
	v.status = v.statusOf(sts, pods, nil)
	if sts.Generation < v.MinGeneration {
		return false, nil
	}
	seen := v.tracker.observe(now, sts, pods, terminated)
	for _, f := range seen.fresh {
		v.log(ctx, "A pod of the newest revision fails",
			"pod", f.Pod, "container", f.Container, "reason", f.Reason, "grace", v.tracker.graceOf(f))
	}
	v.next = earlier(v.next, seen.next)
	if done, err := v.isServing(ctx, now, sts, pods); done || err != nil || !v.isPresent(now) {
		return done, err
	}
	if fatal := append(v.confirm(ctx, now, pods, seen.fatal), v.uncreated(ctx, now, sts)...); len(fatal) > 0 {
		// A watch may hang without an error.
		if present, err := v.read(ctx); present == nil || v.isDone(present, nil) {
			v.next = earlier(v.next, now.Add(catchUpTime))
			return false, err
		}
		return false, v.failedError(ctx, sts, pods, fatal)
	}
	v.next = earlier(v.next, v.deleter.deleteStuck(ctx, now, sts, pods))
	return false, ctx.Err()
}

// noteContact notes whether the watches have contact with the server.
func (v *waiter) noteContact(now time.Time) {
	wasLost := v.isLost
	v.isLost = v.sets.view().lost != nil || v.pods.view().lost != nil
	if v.isLost || wasLost {
		v.caughtUp = now.Add(catchUpTime)
		v.next = earlier(v.next, v.caughtUp)
	}
}

// isPresent reports whether what the watches show can be taken for the present. They show
// the past while contact with the server is lost, and for a moment after that.
func (v *waiter) isPresent(now time.Time) bool {
	if !v.caughtUp.After(now) {
		return true
	}
	v.next = earlier(v.next, v.caughtUp)
	return false
}

// isDone reports whether a rollout is done. Nil pods mean that they are not known.
func (v *waiter) isDone(sts *appsv1.StatefulSet, pods []*corev1.Pod) bool {
	status := v.statusOf(sts, pods, nil)
	return status.Done && (pods != nil || !needPods(sts, status))
}

// logPending logs which pods the rollout waits for, whenever that has changed, and tells
// whoever wants to know.
func (v *waiter) logPending(ctx context.Context) {
	var pods []string
	for _, pod := range v.status.Pending[:min(len(v.status.Pending), maxPods)] {
		pods = append(pods, pod.state())
	}
	if text := v.status.Message + strings.Join(pods, ";"); text != v.logged {
		v.logged = text
		v.log(ctx, "A rollout is pending", "status", v.status.Message, "pods", pods)
	}
	if v.onProgress != nil && v.status.Message != v.told {
		v.told = v.status.Message
		v.onProgress(v.status)
	}
}

// log logs a message about the target.
func (v *waiter) log(ctx context.Context, message string, keysAndValues ...any) {
	logging.Debug(ctx, message, append([]any{"namespace", v.Namespace, "statefulSet", v.Name}, keysAndValues...)...)
}

func (v *waiter) acquirePods(ctx context.Context) {
	if v.pods == nil {
		v.pods = v.watcher.acquirePods(ctx, v.Namespace)
	}
}

// statefulSet returns the newest copy; nil without an error if there is none yet.
func (v *waiter) statefulSet(ctx context.Context) (*appsv1.StatefulSet, error) {
	sts, view := v.sets.named(v.Name)
	switch {
	case view.refused != nil:
		return nil, view.refused
	case !view.synced:
		return nil, nil
	case sts == nil || v.uid != "" && sts.UID != v.uid:
		// The list may be older than the caller's write.
		return v.read(ctx)
	}
	return v.identified(sts)
}

// identified returns the StatefulSet if it is the one that is waited for, and not being
// deleted.
func (v *waiter) identified(sts *appsv1.StatefulSet) (*appsv1.StatefulSet, error) {
	if v.uid == "" {
		v.uid = sts.UID
	}
	switch {
	case sts.UID != v.uid:
		return nil, &DeletedError{Namespace: v.Namespace, Name: v.Name, Replaced: true}
	case sts.DeletionTimestamp != nil:
		return nil, &DeletedError{Namespace: v.Namespace, Name: v.Name}
	}
	return sts, nil
}

// read reads the StatefulSet from the server. It returns nil without an error if the
// server cannot be reached.
func (v *waiter) read(ctx context.Context) (*appsv1.StatefulSet, error) {
	bounded, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	object, err := v.watcher.client.Resource(statefulSets).Namespace(v.Namespace).Get(bounded, v.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		if v.lost != nil {
			v.log(ctx, "Regained contact with the API server")
		}
		v.lost, v.pauses = nil, retryPauses()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case apierrors.IsNotFound(err):
		return nil, &DeletedError{Namespace: v.Namespace, Name: v.Name}
	case isRefusal(err) && !apierrors.IsUnauthorized(err):
		return nil, err
	default:
		if v.lost == nil {
			v.log(ctx, "Lost contact with the API server", "error", err)
		}
		v.lost, v.next = err, time.Now().Add(v.pauses.Step())
		return nil, nil
	}
	sts, err := convert[appsv1.StatefulSet](object)
	if err != nil {
		return nil, err
	}
	v.watchByName(ctx, sts)
	return v.identified(sts)
}

// watchByName changes to a watch of this StatefulSet alone if it lacks the label that the
// shared watch selects.
func (v *waiter) watchByName(ctx context.Context, sts *appsv1.StatefulSet) {
	selector, err := labels.Parse(v.watcher.selector)
	if err != nil || selector.Matches(labels.Set(sts.Labels)) || v.sets.scope.fields != "" {
		return
	}
	release(v.watcher, v.watcher.sets, v.sets)
	v.sets = v.watcher.acquireSets(ctx, nameScope(v.Namespace, v.Name))
}

// statusOf is like [StatusOf], but does not believe a copy that is too old.
func (t Target) statusOf(sts *appsv1.StatefulSet, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	status := statusOf(sts, pods, claims)
	if sts.Generation < t.MinGeneration {
		status.Done = false
		status.Message = fmt.Sprintf("the server still shows generation %d of the StatefulSet, not %d", sts.Generation, t.MinGeneration)
	}
	return status
}

// needPods reports whether the numbers in the status do not suffice to tell if the
// rollout is done. Where pods of older revisions stay, the numbers do not say which pods
// are updated, and which are not ready.
func needPods(sts *appsv1.StatefulSet, s Status) bool {
	r := replicasOf(sts)
	switch {
	case s.Revision == "" || s.Replicas != r.desired || s.Updated == r.desired:
		return false
	case r.onDelete:
		return s.Updated > 0 && (s.Ready < r.desired || sts.Spec.MinReadySeconds > 0 && s.Available < r.desired)
	}
	return r.partition > 0 && s.Updated >= r.toUpdate() && s.Ready >= r.toUpdate()
}

// confirm reads the claims of pods that have no node. The claims may be the cause, or
// show that the pod does not fail yet. It returns the failures that remain.
func (v *waiter) confirm(ctx context.Context, now time.Time, pods []*corev1.Pod, fatal []Failure) []Failure {
	var confirmed []Failure
	read := make(map[types.UID]bool)
	for _, f := range fatal {
		if !f.Unschedulable {
			confirmed = append(confirmed, f)
			continue
		}
		if read[f.UID] {
			continue
		}
		read[f.UID] = true
		for _, pod := range pods {
			if pod.UID != f.UID {
				continue
			}
			claims, err := v.claimsOf(ctx, pod)
			if err != nil {
				v.notes = append(v.notes, fmt.Sprintf("claims could not be read: %v", err))
			}
			found := podFailures(pod, claims)
			if len(found) == 0 {
				v.next = earlier(v.next, v.tracker.postpone(now, f.UID))
			}
			confirmed = append(confirmed, found...)
		}
	}
	return confirmed
}

// claimsOf reads the claims of a pod that exist.
func (v *waiter) claimsOf(ctx context.Context, pod *corev1.Pod) ([]corev1.PersistentVolumeClaim, error) {
	found := []corev1.PersistentVolumeClaim{}
	for _, name := range claimsOf(pod) {
		object, err := v.watcher.client.Resource(claimResource).Namespace(v.Namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		claim, err := convert[corev1.PersistentVolumeClaim](object)
		if err != nil {
			return nil, err
		}
		found = append(found, *claim)
	}
	return found, nil
}
