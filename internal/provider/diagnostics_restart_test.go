package provider

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// restartCases are the errors of a restart, with what the table adds to their own words.
func restartCases() []diagnosticCase {
	const client = "Client \"acme\": "
	statefulSet := kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "default", "mira-acme")
	service := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "default", "mira-acme")
	begun := func(err error) error {
		return &mira.RestartError{StatefulSet: statefulSet, IsBegun: true, Err: &mira.RolloutError{Err: err}}
	}
	refused := func(obstacle mira.RestartObstacle, object kube.Ref) error {
		return &mira.NotRestartableError{Namespace: "default", Name: "acme", Object: object, Obstacle: obstacle}
	}
	const notRolledBack = "\n\nA restart is not rolled back, as the pods have the same template as before it: what fails was " +
		"changed elsewhere, or fails only at a start. Pods that were not replaced yet stay as they are. Correct the cause: " +
		"Kubernetes then goes on by itself. " +
		"If the template is at fault, correct it and apply, which also frees the pod that is stuck. " +
		"Until all pods serve, a plan shows the client's `rollout` as pending."
	cases := []diagnosticCase{
		{
			name: "a restart whose pods fail says what is to be done",
			err: begun(&rollout.FailedError{
				Namespace: "default", Name: "mira-acme", Failures: []rollout.Failure{{Pod: "mira-acme-0", Reason: "ImagePullBackOff"}},
			}),
			summary: "Client Restart Failed", detail: client + "ERROR" + notRolledBack,
		},
		{
			name: "so does one that takes too long",
			err: begun(&rollout.PendingError{
				Namespace: "default", Name: "mira-acme", Waited: time.Minute, Err: context.DeadlineExceeded,
			}),
			summary: "Client Restart Failed", detail: client + "ERROR" + notRolledBack,
		},
		{
			name:    "a restart that was not seen through goes on",
			err:     begun(&rollout.PendingError{Namespace: "default", Name: "mira-acme", Err: context.Canceled}),
			summary: "Restart Outcome Unknown",
			detail: client + "ERROR\n\nThe restart goes on in the cluster. Until its end was seen, a plan shows the client's `rollout` " +
				"as pending, and its apply waits for it.",
		},
		{
			name:    "a closed gate leaves the client as it is",
			err:     &mira.RestartError{Err: &rollout.GateClosedError{Failed: []rollout.FailedClient{{Name: "other", Reason: "it crashes"}}}},
			summary: "Restart Not Begun",
			detail: client + "ERROR.\n\nThis client was not restarted, and serves as before. " +
				"Look at the client that is named first, and invoke the action again.",
		},
	}
	for _, refusal := range []struct {
		err          error
		name, detail string
	}{
		{
			refused(mira.ObstacleNoClient, kube.Ref{}), "a client that is not there",
			`namespace "default" has no object with the label mira-cluster.io/client=acme. Check the name and the namespace. ` +
				"If the client is there, but no `mira_client` manages it yet, import and apply it first.",
		},
		{
			refused(mira.ObstacleNoStatefulSet, service), "a client without a StatefulSet",
			`it has no StatefulSet in namespace "default", only Service/mira-acme and the like. Only pods of a StatefulSet are restarted.`,
		},
		{
			refused(mira.ObstacleDeletion, statefulSet), "a StatefulSet that goes",
			"StatefulSet default/mira-acme is being deleted. Restart the client once an apply has created it again.",
		},
		{
			refused(mira.ObstacleOnDelete, statefulSet), "a StatefulSet that replaces no pods",
			"StatefulSet default/mira-acme has the update strategy OnDelete: its pods are replaced when they are deleted by hand, and not before. " +
				"Nothing was changed. Delete them one after the other:\n  kubectl delete pod -n default mira-acme-0",
		},
		{
			refused(mira.ObstaclePartition, statefulSet), "a StatefulSet whose partition leaves no pods",
			"all pods of StatefulSet default/mira-acme stand below spec.updateStrategy.rollingUpdate.partition, and are not replaced. " +
				"Nothing was changed. Lower the partition in the template, or delete the pods one after the other:\n" +
				"  kubectl delete pod -n default mira-acme-0",
		},
		{
			refused(mira.ObstacleTemplate, statefulSet), "a template with the annotation",
			"the client template sets the annotation kubectl.kubernetes.io/restartedAt of the pods of StatefulSet default/mira-acme, " +
				"by which a restart works. The next apply would set it back, and so restart the pods once more. Nothing was changed. " +
				"Take the annotation out of the template: it is left from a `kubectl rollout restart` before the template was exported.",
		},
	} {
		cases = append(cases, diagnosticCase{
			name: refusal.name + " cannot be restarted", err: refusal.err, summary: "Client Cannot Be Restarted", detail: client + refusal.detail,
		})
	}
	return cases
}
