package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Target is the StatefulSet whose rollout is waited for.
type Target struct {
	Namespace, Name string
	// UID is that of the very StatefulSet; empty takes the first that is seen.
	UID types.UID
	// MinGeneration is the metadata.generation that the caller's own write gave:
	// an older copy of the object, which a busy server may still hand out, is
	// not believed.
	MinGeneration int64
}

// How long a failure has to last before it ends a rollout.
const (
	DefaultGrace              = 20 * time.Second
	DefaultUnschedulableGrace = 5 * time.Minute
)

// Options say when a rollout has failed, and what may be done to help it.
type Options struct {
	// Grace is how long a failure of the newest revision has to last;
	// [DefaultGrace] if zero.
	Grace time.Duration
	// UnschedulableGrace is the same for a pod that no node takes, and for a
	// claim without a volume, which a cluster may well mend by itself;
	// [DefaultUnschedulableGrace] if zero.
	UnschedulableGrace time.Duration
	// Free lets pods of older revisions be deleted that are broken, or have not
	// been ready for UnschedulableGrace, those of a revision that never got
	// through for Grace: the StatefulSet controller waits for them for ever
	// (kubernetes/kubernetes issue 67250).
	Free bool
	// FreeUnready has every pod of an older revision that is not ready deleted at
	// once. It implies Free.
	FreeUnready bool
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

// Wait returns when the newest revision of a StatefulSet serves, or when it is
// clear that it will not.
//
// A failure of pods of the newest revision that outlasts its grace ends it with a
// [*FailedError], the end of the context with a [*PendingError], and the end of
// the StatefulSet with a [*DeletedError]; other errors are the API server's
// answers. The status is the last that was known in any case.
//
// Without the right to watch pods it makes do with the numbers in the status: it
// cannot fail early then, and frees no pods.
func (w *Watcher) Wait(ctx context.Context, target Target, options Options) (Status, error) {
	options = options.withDefaults()
	now := time.Now()
	v := &waiter{
		Target: target, watcher: w, options: options, start: now, uid: target.UID,
		roused:  make(chan struct{}, 1),
		pauses:  retryPauses(),
		tracker: newTracker(now, options.Grace, options.UnschedulableGrace),
		freer:   newFreer(w.client.Resource(podResource).Namespace(target.Namespace), options),
		status:  Status{Message: "the StatefulSet has not been read yet"},
	}
	w.register(v)
	defer w.unregister(v)
	v.sets = w.acquireSets(ctx, w.labelScope(target.Namespace))
	defer func() {
		release(w, w.sets, v.sets)
		release(w, w.pods, v.pods)
	}()

	err := v.follow(ctx)
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		err = v.interrupted(ctx)
	}
	v.status.Freed = v.freer.names
	switch err := err.(type) { //nolint:errorlint // its own, as they are
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
	options Options
	start   time.Time
	roused  chan struct{}
	sets    *informer[*appsv1.StatefulSet]
	pods    *informer[*corev1.Pod] // nil until they are needed
	tracker *tracker
	freer   *freer

	uid    types.UID           // of the StatefulSet that is waited for, once known
	last   *appsv1.StatefulSet // the newest copy seen
	status Status
	// next is when to look again if nothing happens; the zero time for never.
	next time.Time
	// lost is the last failure to reach the server by a request of the waiter's own.
	lost   error
	pauses wait.Backoff
	notes  []string
}

// rouse makes the waiter look again.
func (v *waiter) rouse() {
	select {
	case v.roused <- struct{}{}:
	default:
	}
}

// follow looks again whenever something has happened.
func (v *waiter) follow(ctx context.Context) error {
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

// pause lasts until something happens, or until it is time to look again.
func (v *waiter) pause(ctx context.Context) error {
	var alarm <-chan time.Time
	if !v.next.IsZero() {
		timer := time.NewTimer(time.Until(v.next))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-v.roused:
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
	v.status = v.judge(sts, nil, nil)
	if v.status.Done && !needPods(sts, v.status) {
		return true, nil
	}
	if v.pods == nil {
		v.pods = v.watcher.acquirePods(ctx, v.Namespace)
	}
	pods, fallen, view := v.pods.ownedBy(sts.UID)
	switch {
	case view.refused != nil: // the numbers have to do
		return v.status.Done, ctx.Err()
	case !view.synced:
		return false, nil
	}
	v.status = v.judge(sts, pods, nil)
	if v.status.Done || sts.Generation < v.MinGeneration {
		return v.status.Done, nil
	}
	now := time.Now()
	var fatal []Failure
	fatal, v.next = v.tracker.observe(now, sts, pods, fallen)
	if fatal = v.confirm(ctx, now, pods, fatal); len(fatal) > 0 {
		return false, v.failed(ctx, sts, pods, fatal)
	}
	v.next = earlier(v.next, v.freer.free(ctx, now, sts, pods))
	return false, ctx.Err()
}

// statefulSet gives the newest copy; nil without an error while there is none to
// be had.
func (v *waiter) statefulSet(ctx context.Context) (*appsv1.StatefulSet, error) {
	sts, view := v.sets.named(v.Name)
	switch {
	case view.refused != nil:
		return nil, view.refused
	case !view.synced:
		return nil, nil
	case sts == nil || v.uid != "" && sts.UID != v.uid:
		// The server may have listed from before the caller's write.
		var err error
		if sts, err = v.read(ctx); sts == nil {
			return nil, err
		}
	}
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

// read asks for a StatefulSet that the watch does not show.
func (v *waiter) read(ctx context.Context) (*appsv1.StatefulSet, error) {
	object, err := v.watcher.client.Resource(statefulSets).Namespace(v.Namespace).Get(ctx, v.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		v.lost, v.pauses = nil, retryPauses()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case apierrors.IsNotFound(err):
		return nil, &DeletedError{Namespace: v.Namespace, Name: v.Name}
	case isRefusal(err) && !apierrors.IsUnauthorized(err):
		return nil, err
	default:
		v.askAgainAfter(err)
		return nil, nil
	}
	sts, err := convert[appsv1.StatefulSet](object)
	if err != nil {
		return nil, err
	}
	if selector, err := labels.Parse(v.watcher.selector); err == nil && !selector.Matches(labels.Set(sts.Labels)) && v.sets.scope.fields == "" {
		// It lacks the label that the shared watch goes by.
		release(v.watcher, v.watcher.sets, v.sets)
		v.sets = v.watcher.acquireSets(ctx, nameScope(v.Namespace, v.Name))
	}
	return sts, nil
}

// askAgainAfter notes that the server could not be reached.
func (v *waiter) askAgainAfter(err error) {
	v.lost = err
	v.next = time.Now().Add(v.pauses.Step())
}

// judge is [Of] for copies that are new enough.
func (v *waiter) judge(sts *appsv1.StatefulSet, pods []*corev1.Pod, claims []corev1.PersistentVolumeClaim) Status {
	status := of(sts, pods, claims)
	if sts.Generation < v.MinGeneration {
		status.Done = false
		status.Message = fmt.Sprintf("the server still shows generation %d of the StatefulSet, not %d", sts.Generation, v.MinGeneration)
	}
	return status
}

// needPods says whether only the pods can tell if the rollout is done: where
// pods of older revisions stay, the numbers in the status do not say which pods
// are not ready, and which are updated.
func needPods(sts *appsv1.StatefulSet, s Status) bool {
	p := planOf(sts)
	switch {
	case s.Revision == "" || s.Replicas != p.desired || s.Updated == p.desired:
		return false
	case p.onDelete:
		return s.Updated > 0 && (s.Ready < p.desired || sts.Spec.MinReadySeconds > 0 && s.Available < p.desired)
	}
	return p.partition > 0 && s.Updated >= p.toUpdate() && s.Ready >= p.toUpdate()
}

// confirm looks at the claims of pods that no node has: they tell why, or that
// there is nothing wrong yet.
func (v *waiter) confirm(ctx context.Context, now time.Time, pods []*corev1.Pod, fatal []Failure) []Failure {
	var confirmed []Failure
	asked := make(map[types.UID]bool)
	for _, f := range fatal {
		if !f.Slow {
			confirmed = append(confirmed, f)
			continue
		}
		if asked[f.UID] {
			continue
		}
		asked[f.UID] = true
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
				v.next = earlier(v.next, v.tracker.again(now, f.UID))
			}
			confirmed = append(confirmed, found...)
		}
	}
	return confirmed
}

// claimsOf reads the claims of a pod that are there.
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
