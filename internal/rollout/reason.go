package rollout

import "fmt"

// Reason says in one line why the rollout failed: what is wrong with the first of
// the pods.
func (e *FailedError) Reason() string {
	if len(e.Failures) == 0 {
		return e.Status.Message
	}
	reason := e.Failures[0].brief()
	if code := e.Failures[0].ExitCode; code != nil {
		reason += fmt.Sprintf(", exit code %d", *code)
	}
	return reason
}

// Reason says in one line what the rollout was waiting for.
func (e *PendingError) Reason() string {
	reason := fmt.Sprintf("it did not complete within %s: %s", rounded(e.Waited), e.Status.Message)
	if len(e.Status.Pending) > 0 {
		reason += "; " + e.Status.Pending[0].String()
	}
	return reason
}
