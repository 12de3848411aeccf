package mira

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

var statefulSetGVK = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: statefulSetKind}

// restartedAtField is the path of what a restart writes.
const restartedAtField = "spec.template.metadata.annotations[" + managedfields.RestartAnnotation + "]"

// RestartOptions say how a client is restarted.
type RestartOptions struct {
	// Wait until the restarted pods serve.
	Wait bool
	// Timeout bounds the restart from the moment when the gate admits it. Zero sets no bound.
	Timeout time.Duration
	// OnProgress gets what happens, one event after the other; nil for nobody.
	OnProgress func(RestartProgress)
}

// RestartStage is how far a restart is.
type RestartStage int

const (
	// RestartQueued waits until the gate admits it.
	RestartQueued RestartStage = iota + 1
	// RestartBegun has written that a StatefulSet is to replace its pods.
	RestartBegun
	// RestartPending is somewhere on its way: see the status.
	RestartPending
	// RestartDone has seen that all pods of a StatefulSet are new, and serve.
	RestartDone
)

// RestartProgress is an event of a restart.
type RestartProgress struct {
	Stage       RestartStage
	StatefulSet kube.Ref // not of a restart that is queued
	Replicas    int64
	Status      string // in words, of one that is pending
}

// Restart replaces the pods of a client's StatefulSets one after the other, without any other
// change, as `kubectl rollout restart` does. It passes the gate like an update that changes
// pods: it waits for its turn, and is refused once too many rollouts have failed. It follows
// the rollouts, StatefulSet by StatefulSet, so that a second one is not touched where the
// first one does not serve again.
//
// A client that cannot be restarted is a [*NotRestartableError], and nothing is written. A
// restart that fails is a [*RestartError]. It is not rolled back: the pods are made of the
// same template as before.
func (f *Fleet) Restart(ctx context.Context, namespace, name string, options RestartOptions) ([]Warning, error) {
	r := &restart{services: f.services, namespace: namespace, client: name, options: options}
	r.turn = turn{gate: f.gate, client: name, onWait: func() { r.tell(RestartProgress{Stage: RestartQueued}) }}
	return r.run(ctx)
}

// restart is one call of [Fleet.Restart].
type restart struct {
	*services
	namespace, client string
	options           RestartOptions
	turn              turn
}

func (r *restart) tell(event RestartProgress) {
	if r.options.OnProgress != nil {
		r.options.OnProgress(event)
	}
}

func (r *restart) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return ApplyOptions{Timeout: r.options.Timeout}.bound(ctx)
}

func (r *restart) run(ctx context.Context) ([]Warning, error) {
	// A client that cannot be restarted takes no turn.
	sets, err := r.statefulSets(ctx)
	if err != nil {
		return nil, err
	}
	if len(sets) > 0 {
		if err := r.turn.take(ctx); err != nil {
			return nil, notBegun(err)
		}
		defer func() { r.turn.leave(ctx) }()
		// What is read after the wait for the turn is not out of date.
		if sets, err = r.statefulSets(ctx); err != nil {
			return nil, err
		}
	}
	if len(sets) == 0 {
		return []Warning{StoppedClientWarning{Client: r.client, Namespace: r.namespace}}, nil
	}
	bounded, cancel := r.bound(ctx)
	defer cancel()
	var warnings []Warning
	for _, set := range sets {
		if partition := partitionOf(set); partition > 0 {
			warnings = append(warnings, PartialRestartWarning{Client: r.client, StatefulSet: kube.RefOf(set), Partition: partition})
		}
		if err := r.restartOne(bounded, set); err != nil {
			return warnings, err
		}
	}
	r.turn.report(ctx, nil)
	return warnings, nil
}

// notBegun is the error of a restart that the gate has not admitted.
func notBegun(err error) error {
	if _, isClosed := errors.AsType[*rollout.GateClosedError](err); isClosed {
		return &RestartError{Err: err}
	}
	return err
}

// restartOne restarts the pods of one StatefulSet, and sees that through. It tells the gate
// what became of it, unless that was a success.
func (r *restart) restartOne(ctx context.Context, set *unstructured.Unstructured) error {
	restarted, err := r.write(ctx, set)
	if err != nil {
		if kube.IsOutcomeUnknown(err) {
			r.turn.pass.Unknown(ctx, "whether its restart has begun is not known: "+oneLine(err))
		}
		return err
	}
	ref := kube.RefOf(restarted)
	r.tell(RestartProgress{Stage: RestartBegun, StatefulSet: ref, Replicas: replicasOf(restarted)})
	if !r.options.Wait {
		return nil
	}
	err = r.awaitRollout(ctx, restarted, rollout.Options{DeleteStuckPods: true, OnProgress: func(status rollout.Status) {
		if !status.Done {
			r.tell(RestartProgress{Stage: RestartPending, StatefulSet: ref, Status: status.Message})
		}
	}})
	if err != nil {
		r.turn.report(ctx, err)
		return &RestartError{StatefulSet: ref, IsBegun: true, Err: err}
	}
	r.tell(RestartProgress{Stage: RestartDone, StatefulSet: ref, Replicas: replicasOf(restarted)})
	return nil
}

// write writes the moment of the restart. No update of this run writes the client's objects
// meanwhile.
func (r *restart) write(ctx context.Context, set *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	lock := r.locks.of(r.namespace, r.client)
	lock.Lock()
	defer lock.Unlock()
	// With less than seconds, a second restart within one would be none.
	return r.kube.Restart(ctx, set, time.Now().UTC().Format(time.RFC3339Nano))
}

// statefulSets returns those of the client's that have pods to restart; none for a client
// that is stopped. Whose they are is said by their label: an action knows neither the
// client's configuration nor what the state has of it.
func (r *restart) statefulSets(ctx context.Context) ([]*unstructured.Unstructured, error) {
	ctx, cancel := r.bound(ctx)
	defer cancel()
	found, err := kube.ListOwned(ctx, r.kube, statefulSetGVK, r.namespace, r.client)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, r.explainMissing(ctx)
	}
	var running []*unstructured.Unstructured
	for _, set := range found {
		if obstacle := r.obstacleOf(set); obstacle != 0 {
			return nil, &NotRestartableError{Namespace: r.namespace, Name: r.client, Object: kube.RefOf(set), Obstacle: obstacle}
		}
		if replicasOf(set) > 0 {
			running = append(running, set)
		}
	}
	return running, nil
}

// obstacleOf returns why a StatefulSet cannot be restarted; zero if it can.
func (r *restart) obstacleOf(set *unstructured.Unstructured) RestartObstacle {
	strategy, _, _ := unstructured.NestedString(set.Object, "spec", "updateStrategy", "type")
	_, isApplied := r.fields.Owned(set)[restartedAtField]
	switch replicas := replicasOf(set); {
	case set.GetDeletionTimestamp() != nil:
		return ObstacleDeletion
	case replicas > 0 && strategy == "OnDelete":
		return ObstacleOnDelete
	case replicas > 0 && partitionOf(set) >= replicas:
		return ObstaclePartition
	case isApplied:
		return ObstacleTemplate
	}
	return 0
}

// explainMissing says what is missing of a client without a StatefulSet: the workload, or the
// whole client.
func (r *restart) explainMissing(ctx context.Context) error {
	missing := &NotRestartableError{Namespace: r.namespace, Name: r.client, Obstacle: ObstacleNoClient}
	for _, kind := range r.settings.AllowedKinds {
		if kind == statefulSetGVK.GroupKind() {
			continue
		}
		// What cannot be listed does not tell.
		if found, err := kube.ListOwned(ctx, r.kube, kind.WithVersion(""), r.namespace, r.client); err == nil && len(found) > 0 {
			missing.Obstacle, missing.Object = ObstacleNoStatefulSet, kube.RefOf(found[0])
			break
		}
	}
	return missing
}

// partitionOf returns the partition of a StatefulSet: pods below it keep their revision.
func partitionOf(set *unstructured.Unstructured) int64 {
	partition, _, _ := unstructured.NestedInt64(set.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
	return partition
}
