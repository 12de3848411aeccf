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

// Journal is what an apply has begun and not seen through. It is kept beside the state
// until the cluster shows that it is done: a refresh takes it out, and the next apply
// waits for what is pending, and rolls back or finishes.
type Journal struct {
	// Rollouts are those that were not seen to serve.
	Rollouts []PendingRollout
	// Former are the objects as they were when they were last seen to serve: what a roll
	// back returns to.
	Former []*unstructured.Unstructured `json:",omitempty"`
}

// PendingRollout is a rollout that was not seen to serve.
type PendingRollout struct {
	StatefulSet string // name
	Reason      string // in one line
}

// IsPending reports whether there is something to see through. A nil journal is empty.
func (j *Journal) IsPending() bool { return j != nil && len(j.Rollouts) > 0 }

// former returns an object as it was when it last served; nil if that is not recorded.
func (j *Journal) former(ref kube.Ref) *unstructured.Unstructured {
	if j == nil {
		return nil
	}
	for _, object := range j.Former {
		if ref.SameObject(kube.RefOf(object)) {
			return object
		}
	}
	return nil
}

// has reports whether the rollout of a StatefulSet is pending.
func (j *Journal) has(statefulSet string) bool {
	return slices.ContainsFunc(pendingOf(j), func(p PendingRollout) bool { return p.StatefulSet == statefulSet })
}

// journalOfWait is the journal after a wait for the rollouts: nil if all were seen through.
// A claim that has not grown leaves the rollouts as they are.
func (o *operation) journalOfWait(waited error) *Journal {
	reason, isFailed := rolloutFailure(waited)
	if !isFailed {
		if reason = unknownOutcome(waited); reason == "" {
			return nil
		}
	}
	return o.journalOf(o.changes.withManifest(), reason)
}

// journalOfWrites is the journal after writes that stopped half-way. What was pending
// before still is.
func (o *operation) journalOfWrites(err error) *Journal {
	journal := o.journalOf(o.progress.written, "the apply stopped half-way: "+oneLine(err))
	if o.prior == nil || !o.prior.Journal.IsPending() {
		return journal
	}
	kept := *o.prior.Journal
	if journal != nil {
		for _, pending := range journal.Rollouts {
			if !kept.has(pending.StatefulSet) {
				kept.Rollouts = append(slices.Clone(kept.Rollouts), pending)
			}
		}
		kept.Former = append(slices.Clone(kept.Former), journal.Former...)
	}
	return &kept
}

// journalOf notes the rollouts of changes that were not seen through.
func (o *operation) journalOf(changes []*objectChange, reason string) *Journal {
	journal := &Journal{}
	for _, c := range changes {
		if isStatefulSet(c.result()) && o.awaits(c) && !slices.Contains(o.progress.serving, c.ref.Name) {
			journal.Rollouts = append(journal.Rollouts, PendingRollout{StatefulSet: c.ref.Name, Reason: reason})
		}
	}
	if len(journal.Rollouts) == 0 {
		return nil
	}
	for _, c := range o.progress.written {
		if former := o.formerOf(c); former != nil {
			journal.Former = append(journal.Former, former)
		}
	}
	return journal
}

// formerOf returns an object as it was when it was last seen to serve; nil if that is not
// known, or if it was not there.
func (o *operation) formerOf(c *objectChange) *unstructured.Unstructured {
	if o.prior != nil && o.prior.Journal.IsPending() {
		return o.prior.Journal.former(c.ref)
	}
	if c.live == nil || c.live.GetKind() == "Secret" {
		return nil // no secret may get into the state
	}
	former := c.live.DeepCopy()
	unstructured.RemoveNestedField(former.Object, "status")
	return former
}

// journalOfRollBack is the journal after a roll back: nil if the former revision serves.
func (o *operation) journalOfRollBack(report *RolledBackError) *Journal {
	if report.IsComplete() {
		return nil
	}
	reason := "its roll back did not succeed"
	if report.Serving != nil {
		reason += ": " + oneLine(report.Serving)
	} else {
		reason += ": " + oneLine(&report.Left[0])
	}
	return o.journalOf(o.changes.withManifest(), reason)
}

// refreshJournal brings a client's journal up to date with its live objects: what the cluster
// shows to be done goes, and a rollout counts as pending that our last write has begun and
// that has not ended. A pod that merely restarts changes nothing.
func (s *services) refreshJournal(ctx context.Context, prior *State, live []*unstructured.Unstructured) *Journal {
	if prior.IgnoresRollouts {
		return nil
	}
	journal := &Journal{}
	for _, object := range live {
		if !isStatefulSet(object) {
			continue
		}
		if pending := s.pendingRollout(ctx, prior.Journal, object); pending != nil {
			journal.Rollouts = append(journal.Rollouts, *pending)
		}
	}
	for _, pending := range pendingOf(prior.Journal) {
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
func (s *services) pendingRollout(ctx context.Context, journal *Journal, object *unstructured.Unstructured) *PendingRollout {
	statefulSet := &appsv1.StatefulSet{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, statefulSet); err != nil {
		return nil // another kind of that name
	}
	for _, pending := range pendingOf(journal) {
		if pending.StatefulSet == object.GetName() {
			if s.servesLastingly(ctx, statefulSet, object) {
				return nil
			}
			return &pending
		}
	}
	// A rollout that somebody else has begun is theirs to see through.
	if s.fields.WroteLast(object) && (rollout.IsUnfinished(statefulSet) || s.runsOlderRevision(ctx, statefulSet, object)) {
		// How far it is changes from one refresh to the next, and would be a change of the state.
		return &PendingRollout{StatefulSet: object.GetName(), Reason: "its rollout has begun and not ended"}
	}
	return nil
}

// servesLastingly reports whether the newest revision serves, and has done so for the time
// of the soak. Without the right to read pods, what the StatefulSet says must do.
func (s *services) servesLastingly(ctx context.Context, statefulSet *appsv1.StatefulSet, object *unstructured.Unstructured) bool {
	if rollout.IsUnfinished(statefulSet) || !rollout.StatusOf(statefulSet, nil, nil).Done {
		return false
	}
	for _, name := range podNames(object) {
		pod, err := s.pod(ctx, object.GetNamespace(), name)
		if _, ok := errors.AsType[*kube.ForbiddenError](err); ok {
			return true
		}
		if err != nil || pod == nil || !rollout.HasSoaked(pod, s.settings.Rollout.Soak, time.Now()) {
			return false
		}
	}
	return true
}

// runsOlderRevision reports whether a pod of another revision than the newest is left, and
// not about to go: a roll back may have been cut short before it freed the pod.
func (s *services) runsOlderRevision(ctx context.Context, statefulSet *appsv1.StatefulSet, object *unstructured.Unstructured) bool {
	if !rollout.MayRunOlderRevision(statefulSet) {
		return false
	}
	for _, name := range podNames(object) {
		pod, err := s.pod(ctx, object.GetNamespace(), name)
		if err == nil && pod != nil && pod.GetDeletionTimestamp() == nil && metav1.IsControlledBy(pod, object) &&
			pod.GetLabels()[appsv1.StatefulSetRevisionLabel] != statefulSet.Status.UpdateRevision {
			return true
		}
	}
	return false
}

// pendingOf are the pending rollouts of a journal, which may be nil.
func pendingOf(journal *Journal) []PendingRollout {
	if journal == nil {
		return nil
	}
	return journal.Rollouts
}
