package provider

import (
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// restartDetail says what became of a restart, and what is to be done: it cannot be rolled
// back, as the pods before it had the same template.
func restartDetail(s subject, _ error, failed *mira.RestartError) string {
	detail := rolloutDetail(s, failed.Err)
	if !failed.HasFailed() {
		return detail + "\n\nThe restart goes on in the cluster. Until its end was seen, a plan shows the client's `rollout` as pending, " +
			"and its apply waits for it."
	}
	return detail + "\n\nA restart is not rolled back, as the pods have the same template as before it: what fails was changed elsewhere, " +
		"or fails only at a start. Pods that were not replaced yet stay as they are. Correct the cause: Kubernetes then goes on by itself. " +
		"If the template is at fault, correct it and apply, which also frees the pod that is stuck. " +
		"Until all pods serve, a plan shows the client's `rollout` as pending."
}

// restartAdvice says what to do about a client that cannot be restarted.
func restartAdvice(e *mira.NotRestartableError) string {
	switch e.Obstacle {
	case mira.ObstacleNoClient:
		return " Check the name and the namespace. If the client is there, but no `mira_client` manages it yet, import and apply it first."
	case mira.ObstacleNoStatefulSet:
		return " Only pods of a StatefulSet are restarted."
	case mira.ObstacleDeletion:
		return " Restart the client once an apply has created it again."
	case mira.ObstacleOnDelete:
		return " Nothing was changed. Delete them one after the other:\n" + deletePod(e.Object)
	case mira.ObstaclePartition:
		return " Nothing was changed. Lower the partition in the template, or delete the pods one after the other:\n" + deletePod(e.Object)
	case mira.ObstacleTemplate:
		return " The next apply would set it back, and so restart the pods once more. Nothing was changed. " +
			"Take the annotation out of the template: it is left from a `kubectl rollout restart` before the template was exported."
	}
	return ""
}

// deletePod is the command that deletes the first pod of a StatefulSet.
func deletePod(statefulSet kube.Ref) string {
	return fmt.Sprintf("  kubectl delete pod -n %s %s-0", statefulSet.Namespace, statefulSet.Name)
}
