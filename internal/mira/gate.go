package mira

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// errNotAdmitted says that the dry runs show a change of running pods, for which the
// operation has no pass yet. Nothing was written.
var errNotAdmitted = errors.New("the gate has not admitted this change of pods")

// turn is a client's place at the gate, and the pass that it has got there, if any.
type turn struct {
	gate   *rollout.Gate
	client string
	pass   *rollout.Pass
	// onWait is called when the client has to wait; nil for nobody.
	onWait func()
}

// take waits for the client's turn.
func (t *turn) take(ctx context.Context) error {
	pass, err := t.gate.EnterTelling(ctx, t.client, t.onWait)
	var closed *rollout.GateClosedError
	if err != nil && !errors.As(err, &closed) {
		return &NotBegunError{Err: err}
	}
	t.pass = pass
	return err
}

// leave ends the turn.
func (t *turn) leave(ctx context.Context) { t.pass.Leave(ctx) }

// checkAdmitted refuses to write what concerns running pods without a pass.
func (t *turn) checkAdmitted(ctx context.Context, changes changeSet, isUpdate bool) error {
	switch {
	case t.pass != nil:
		return nil
	case changes.disruptPods(isUpdate):
		return errNotAdmitted
	}
	logging.Debug(ctx, "Passed by the gate, as no running pods are concerned", "client", t.client)
	return nil
}

// report tells the gate how a rollout ended. The error is that of the wait for it.
func (t *turn) report(ctx context.Context, waited error) {
	reason, isFailed := rolloutFailure(waited)
	unknown := unknownOutcome(waited)
	switch {
	case isFailed && t.pass != nil:
		t.pass.Fail(ctx, reason)
	case isFailed:
		t.gate.Fail(ctx, t.client, reason)
	case unknown != "" && t.pass != nil:
		t.pass.Unknown(ctx, unknown)
	case unknown != "":
		t.gate.Unknown(ctx, t.client, unknown)
	default:
		t.pass.Succeed()
	}
}

// reportWrites tells the gate of writes that stopped half-way, if they may have begun a
// rollout.
func (t *turn) reportWrites(ctx context.Context, done *progress, err error) {
	if done.hasBegunRollout() {
		t.pass.Unknown(ctx, "its apply stopped half-way: "+oneLine(err))
	}
}

// reportPruning tells the gate that the new revision serves but what the template does
// not have any more is still there: the next client would most likely meet the same.
func (t *turn) reportPruning(ctx context.Context, err error) {
	t.pass.Fail(ctx, "what the template does not have any more could not be deleted: "+oneLine(err))
}

// needsGate reports whether the plan of an update says that it replaces, stops or removes
// pods: a pod template changes, a StatefulSet gets fewer replicas, is recreated, or comes
// beside those that are there, or an object goes. A rollout that was not seen through
// counts, too. What is planned may be nil: not known. What a plan does not show, the dry
// runs do, see [turn.checkAdmitted].
func needsGate(prior *State, planned map[string]managedfields.Fields) bool {
	if planned == nil || prior.Journal.IsPending() {
		return true
	}
	for key := range prior.Objects {
		if _, isKept := planned[key]; !isKept {
			return true
		}
	}
	for key, gets := range planned {
		if !isStatefulSetKey(key) {
			continue
		}
		had, wasThere := prior.Objects[key]
		if !wasThere && len(prior.Objects) > 0 || wasThere && planDisruptsPods(had, gets) {
			return true
		}
	}
	return false
}

func isStatefulSetKey(key string) bool { return strings.HasPrefix(key, statefulSetKind+"/") }

// planDisruptsPods reports whether the planned change of a StatefulSet's fields concerns
// its running pods.
func planDisruptsPods(had, gets managedfields.Fields) bool {
	for _, change := range fieldChanges("", had, gets) {
		switch {
		case change.Field == "spec.replicas":
			if isFewer(change.Before, change.After) {
				return true
			}
		case change.Field == "spec" || strings.HasPrefix(change.Field, "spec.") && !isInPlaceField(change.Field):
			return true
		}
	}
	return false
}

// isFewer reports whether a number of replicas gets smaller, or may: without one the
// server has a default.
func isFewer(before, after string) bool {
	from, fromErr := strconv.ParseInt(before, 10, 32)
	to, toErr := strconv.ParseInt(after, 10, 32)
	return fromErr != nil || toErr != nil || to < from
}

// inPlaceFields are the fields of a StatefulSet's spec that change no running pod, see
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/stateful-set-v1/.
var inPlaceFields = []string{
	"spec.minReadySeconds", "spec.persistentVolumeClaimRetentionPolicy", "spec.revisionHistoryLimit", "spec.updateStrategy",
}

func isInPlaceField(path string) bool {
	for _, field := range inPlaceFields {
		if path == field || strings.HasPrefix(path, field+".") {
			return true
		}
	}
	return false
}

// disruptPods reports whether the changes replace, stop or remove pods, as far as the live
// objects and the dry runs tell.
func (s changeSet) disruptPods(isUpdate bool) bool {
	for _, c := range s {
		if c.disruptsPods(isUpdate) {
			return true
		}
	}
	return false
}

func (c *objectChange) disruptsPods(isUpdate bool) bool {
	switch {
	case c.action == actionDelete:
		return true
	case c.action == actionRecreate:
		return isStatefulSet(c.manifest) // no pod notices that a Service is recreated
	case c.action == actionNone:
		return false
	case c.live == nil:
		// The pods of a StatefulSet that is created again may be there, or those of its
		// predecessor of another name.
		return isUpdate && isStatefulSet(c.manifest)
	case !hasPodTemplate(c.live):
		return false
	}
	return !c.keepsPodTemplate() || replicasOf(c.dryRun) < replicasOf(c.live)
}

func hasPodTemplate(object *unstructured.Unstructured) bool {
	_, found, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec")
	return found
}

// replicasOf returns the number of replicas that a workload asks for.
func replicasOf(object *unstructured.Unstructured) int64 {
	replicas, found, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if !found {
		return 1
	}
	return replicas
}
