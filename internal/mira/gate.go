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

// admit lets an update wait for its turn whose plan already says that it concerns running
// pods: what the update reads after the wait is not out of date then.
func (o *operation) admit(ctx context.Context) error {
	if !needsGate(o.prior, o.options.Planned) {
		return nil
	}
	return o.enterGate(ctx)
}

// enterGate waits for the operation's turn.
func (o *operation) enterGate(ctx context.Context) error {
	pass, err := o.gate.Enter(ctx, o.spec.Name)
	var closed *rollout.GateClosedError
	if err != nil && !errors.As(err, &closed) {
		return &NotBegunError{Err: err}
	}
	o.pass = pass
	return err
}

// checkAdmitted refuses to write what concerns running pods without a pass.
func (o *operation) checkAdmitted(ctx context.Context) error {
	switch {
	case o.pass != nil:
		return nil
	case o.changes.disruptPods(o.prior != nil):
		return errNotAdmitted
	}
	logging.Debug(ctx, "Passed by the gate, as no running pods are concerned", "client", o.spec.Name)
	return nil
}

// reportRollout tells the gate how a rollout ended. The error is that of the wait for it.
func (o *operation) reportRollout(ctx context.Context, waited error) {
	reason, isFailed := rolloutFailure(waited)
	unknown := unknownOutcome(waited)
	switch {
	case isFailed && o.pass != nil:
		o.pass.Fail(ctx, reason)
	case isFailed:
		o.gate.Fail(ctx, o.spec.Name, reason)
	case unknown != "" && o.pass != nil:
		o.pass.Unknown(ctx, unknown)
	case unknown != "":
		o.gate.Unknown(ctx, o.spec.Name, unknown)
	default:
		o.pass.Succeed()
	}
}

// reportUnfinished tells the gate of writes that stopped half-way, if they may have begun a
// rollout.
func (o *operation) reportUnfinished(ctx context.Context, err error) {
	if o.progress.hasBegunRollout() {
		o.pass.Unknown(ctx, "its apply stopped half-way: "+oneLine(err))
	}
}

// reportPruning tells the gate that the new revision serves but what the template does
// not have any more is still there: the next client would most likely meet the same.
func (o *operation) reportPruning(ctx context.Context, err error) {
	o.pass.Fail(ctx, "what the template does not have any more could not be deleted: "+oneLine(err))
}

// needsGate reports whether the plan of an update says that it replaces, stops or removes
// pods: a pod template changes, a StatefulSet gets fewer replicas, is recreated, or comes
// beside those that are there, or an object goes. A rollout that was not seen through
// counts, too. What is planned may be nil: not known. What a plan does not show, the dry
// runs do, see [operation.checkAdmitted].
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
	case c.action == actionDelete, c.action == actionRecreate:
		return true
	case c.action == actionNone:
		return false
	case c.live == nil:
		// The pods of a StatefulSet that is created anew may be there, or those of its
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
