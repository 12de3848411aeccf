package mira

import (
	"errors"
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// RestartObstacle is why a client cannot be restarted.
type RestartObstacle int

const (
	// ObstacleNoClient means that nothing in the namespace carries the client's label.
	ObstacleNoClient RestartObstacle = iota + 1
	// ObstacleNoStatefulSet means that the client has objects, but none with pods that a restart
	// could replace.
	ObstacleNoStatefulSet
	// ObstacleDeletion means that the StatefulSet is being deleted.
	ObstacleDeletion
	// ObstacleOnDelete is the strategy with which no pod is replaced until it is deleted by hand.
	ObstacleOnDelete
	// ObstaclePartition means that all pods stand below the partition, and keep their revision.
	ObstaclePartition
	// ObstacleTemplate means that the client template sets the annotation by which a restart
	// works, so that the next apply would set it back, and so restart the pods once more.
	ObstacleTemplate
)

// NotRestartableError says why a client cannot be restarted. Nothing was written.
type NotRestartableError struct {
	Namespace, Name string
	Object          kube.Ref // that stands in the way, or that the client has instead of a StatefulSet
	Obstacle        RestartObstacle
}

func (e *NotRestartableError) Error() string {
	switch e.Obstacle {
	case ObstacleNoClient:
		return fmt.Sprintf("namespace %q has no object with the label %s=%s", e.Namespace, ClientLabel, e.Name)
	case ObstacleNoStatefulSet:
		return fmt.Sprintf("it has no StatefulSet in namespace %q, only %s and the like", e.Namespace, e.Object.Key())
	case ObstacleDeletion:
		return fmt.Sprintf("%s is being deleted", e.Object)
	case ObstacleOnDelete:
		return fmt.Sprintf("%s has the update strategy OnDelete: its pods are replaced when they are deleted by hand, and not before", e.Object)
	case ObstaclePartition:
		return fmt.Sprintf("all pods of %s stand below spec.updateStrategy.rollingUpdate.partition, and are not replaced", e.Object)
	case ObstacleTemplate:
		return fmt.Sprintf("the client template sets the annotation %s of the pods of %s, by which a restart works",
			managedfields.RestartAnnotation, e.Object)
	}
	return fmt.Sprintf("%s cannot be restarted", e.Object)
}

// RestartError says that a restart was not seen to end well, or that the gate did not admit
// it. It wraps why: a [*RolloutError] or a [*rollout.GateClosedError].
type RestartError struct {
	// StatefulSet is the one whose pods do not come back; none where nothing was begun.
	StatefulSet kube.Ref
	// IsBegun reports whether the StatefulSet has begun to replace its pods.
	IsBegun bool
	Err     error
}

func (e *RestartError) Error() string { return e.Err.Error() }

func (e *RestartError) Unwrap() error { return e.Err }

// IsRefused reports whether the gate did not admit the restart.
func (e *RestartError) IsRefused() bool {
	_, isClosed := errors.AsType[*rollout.GateClosedError](e.Err)
	return isClosed && !e.IsBegun
}

// HasFailed reports whether the new pods fail, or were not ready in time. Otherwise it is
// not known what became of them.
func (e *RestartError) HasFailed() bool {
	_, isFailed := rolloutFailure(e.Err)
	return isFailed
}
