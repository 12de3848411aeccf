package mira

import (
	"context"
	"errors"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// Only what was seen to fail is rolled back, and nobody follows what was not seen.
func TestRolloutOutcome(t *testing.T) {
	pending := func(change func(*rollout.PendingError)) error {
		err := &rollout.PendingError{Status: rollout.Status{Message: "0 of 1 pod ready"}, Err: context.DeadlineExceeded}
		change(err)
		return &RolloutError{Err: err}
	}
	tests := map[string]struct {
		err             error
		failed, unknown string
	}{
		"a success": {},
		"a pod that fails": {
			err:    &RolloutError{Err: &rollout.FailedError{Failures: []rollout.Failure{{Pod: "mira-acme-0", Reason: "ImagePullBackOff"}}}},
			failed: "pod mira-acme-0: ImagePullBackOff",
		},
		"a time-out": {
			err:    pending(func(*rollout.PendingError) {}),
			failed: "it did not complete within 0s: 0 of 1 pod ready",
		},
		"a time-out without contact": {
			err:     pending(func(err *rollout.PendingError) { err.ContactLost = true }),
			unknown: "contact with the API server was lost",
		},
		"a time-out while all pods are ready": {
			err:     pending(func(err *rollout.PendingError) { err.Soaking = true }),
			unknown: "it did not complete within 0s: 0 of 1 pod ready",
		},
		"an interrupt": {
			err:     pending(func(err *rollout.PendingError) { err.Err = context.Canceled }),
			unknown: "waiting for it was interrupted after 0s",
		},
		"an answer of the API server": {
			err:     &RolloutError{Err: errors.New("statefulsets is forbidden:\n  no")},
			unknown: "statefulsets is forbidden: no",
		},
		"a claim that does not grow": {err: &RolloutError{Err: &kube.GrowthError{}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			failed, isFailed := rolloutFailure(test.err)
			if failed != test.failed || isFailed != (test.failed != "") {
				t.Errorf("failed %t: %q, want %q", isFailed, failed, test.failed)
			}
			if unknown := unknownOutcome(test.err); unknown != test.unknown {
				t.Errorf("unknown: %q, want %q", unknown, test.unknown)
			}
		})
	}
}
