package mira

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
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
func (j *Journal) IsPending() bool { return len(j.pending()) > 0 }

// pending are the rollouts of a journal, which may be nil.
func (j *Journal) pending() []PendingRollout {
	if j == nil {
		return nil
	}
	return j.Rollouts
}

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

// rollout returns the pending rollout of a StatefulSet; nil if none is.
func (j *Journal) rollout(statefulSet string) *PendingRollout {
	for _, pending := range j.pending() {
		if pending.StatefulSet == statefulSet {
			return &pending
		}
	}
	return nil
}

// journaling makes the journal of an operation.
type journaling struct {
	prior    *State
	changes  changeSet
	progress *progress
	secrets  secretGuard
}

func (o *operation) journal() journaling {
	secrets := secretGuard{known: o.fields.Secrets(), isUsed: o.manifest != nil && o.manifest.hasSecrets}
	return journaling{prior: o.prior, changes: o.changes, progress: &o.progress, secrets: secrets}
}

// ofWait is the journal after a wait for the rollouts: nil if all were seen through.
// A claim that has not grown leaves the rollouts as they are.
func (j journaling) ofWait(waited error) *Journal {
	reason, isFailed := rolloutFailure(waited)
	if !isFailed {
		if reason = unknownOutcome(waited); reason == "" {
			return nil
		}
	}
	return j.of(j.changes.withManifest(), reason)
}

// ofWrites is the journal after writes that stopped half-way. What was pending
// before still is.
func (j journaling) ofWrites(err error) *Journal {
	journal := j.of(j.progress.written, "the apply stopped half-way: "+oneLine(err))
	if j.prior == nil || !j.prior.Journal.IsPending() {
		return journal
	}
	kept := *j.prior.Journal
	if journal != nil {
		for _, pending := range journal.Rollouts {
			if kept.rollout(pending.StatefulSet) == nil {
				kept.Rollouts = append(slices.Clone(kept.Rollouts), pending)
			}
		}
	}
	return &kept
}

// of notes the rollouts of changes that were not seen through.
func (j journaling) of(changes []*objectChange, reason string) *Journal {
	journal := &Journal{}
	reason = j.secrets.known.Redact(reason)
	for _, c := range changes {
		if isStatefulSet(c.result()) && awaits(c, j.prior) && !slices.Contains(j.progress.serving, c.ref.Name) {
			journal.Rollouts = append(journal.Rollouts, PendingRollout{StatefulSet: c.ref.Name, Reason: reason})
		}
	}
	if len(journal.Rollouts) == 0 {
		return nil
	}
	if j.prior != nil && j.prior.Journal.IsPending() {
		journal.Former = j.prior.Journal.Former // what this apply found did not serve either
		return journal
	}
	for _, c := range j.progress.written {
		if former := j.formerOf(c); former != nil {
			journal.Former = append(journal.Former, former)
		}
	}
	return journal
}

// formerOf returns an object as it was when it was last seen to serve; nil if that is not
// known, or if it was not there.
func (j journaling) formerOf(c *objectChange) *unstructured.Unstructured {
	if j.prior != nil && j.prior.Journal.IsPending() {
		return j.prior.Journal.former(c.ref)
	}
	if c.live == nil || j.secrets.mayHold(c) {
		return nil // no secret may get into the state
	}
	former := c.live.DeepCopy()
	unstructured.RemoveNestedField(former.Object, "status")
	return former
}

// ofRollBack is the journal after a roll back: nil if the former revision serves.
func (j journaling) ofRollBack(report *RolledBackError) *Journal {
	if report.IsComplete() {
		return nil
	}
	reason := "its roll back did not succeed"
	if report.Serving != nil {
		reason += ": " + oneLine(report.Serving)
	} else {
		reason += ": " + oneLine(&report.Left[0])
	}
	return j.of(j.changes.withManifest(), reason)
}
