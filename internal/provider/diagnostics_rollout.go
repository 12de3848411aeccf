package provider

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// rolloutDiagnostic reports a rollout that failed, was taken back, or was not begun;
// nil for any other error.
func rolloutDiagnostic(client string, err error) diag.Diagnostic {
	var (
		rolledBack *mira.RolledBackError
		closed     *rollout.GateClosedError
		notBegun   *mira.NotBegunError
		failed     *rollout.FailedError
		pending    *rollout.PendingError
		vanished   *rollout.DeletedError
	)
	switch {
	case errors.As(err, &rolledBack):
		title := "Rollout Failed And Was Rolled Back"
		if !rolledBack.IsComplete() {
			title = "Rollout And Roll Back Failed"
		}
		return diag.NewErrorDiagnostic(title, client+reportOf(rolledBack.Err)+"\n\n"+whatBecameOf(rolledBack))
	case errors.As(err, &closed):
		return diag.NewErrorDiagnostic("Rollout Not Begun", sentence(client+closed.Error())+
			"\n\nThis client is untouched, and serves what it served before. Correct the template and apply again.")
	case errors.As(err, &notBegun):
		return diag.NewErrorDiagnostic("Rollout Not Begun", sentence(client+notBegun.Error())+" This client is untouched.")
	case errors.As(err, &failed):
		return diag.NewErrorDiagnostic("Rollout Failed", rolloutDetail(client, failed))
	case errors.As(err, &pending), errors.As(err, &vanished):
		return diag.NewErrorDiagnostic("Rollout Did Not Complete", rolloutDetail(client, err))
	}
	return nil
}

// rolloutDetail is the text of a failed rollout, which has lines of its own.
func rolloutDetail(client string, err error) string {
	text := client + err.Error()
	if strings.Contains(text, "\n") {
		return text
	}
	return sentence(text)
}

// reportOf is the text of a failure whose pods a roll back has taken away.
func reportOf(err error) string {
	var report interface{ Report() string }
	if errors.As(err, &report) {
		return report.Report()
	}
	return sentence(err.Error())
}

// whatBecameOf tells what a roll back did, and what it could not do.
func whatBecameOf(e *mira.RolledBackError) string {
	var parts []string
	if len(e.PutBack) > 0 {
		parts = append(parts, "Rolled back to what it was before: "+list(e.PutBack)+".")
	}
	if len(e.Deleted) > 0 {
		parts = append(parts, "Deleted again, as this apply had created it: "+list(e.Deleted)+". Claims stay.")
	}
	if len(e.Grown) > 0 {
		parts = append(parts, "Keeps its new size, as storage cannot be taken back: "+list(e.Grown)+".")
	}
	for _, left := range e.Left {
		was := "could not be put back, and is still as the failed rollout left it"
		if left.Created {
			was = "was created by this apply and could not be deleted again"
		}
		parts = append(parts, fmt.Sprintf("%s %s: %v.", left.Ref, was, left.Err))
	}
	switch {
	case e.Serving != nil:
		parts = append(parts, fmt.Sprintf("The former revision does not serve: %v", e.Serving))
	case len(e.PutBack) > 0 && len(e.Left) == 0:
		parts = append(parts, "The former revision serves again. The next plan shows the change again.")
	}
	var failed *rollout.FailedError
	if errors.As(e.Err, &failed) && len(failed.Failures) > 0 {
		parts = append(parts, fmt.Sprintf("The pod that failed is gone, its events stay for a while: kubectl --namespace %s get events --field-selector involvedObject.name=%s\n"+
			"To have it kept for inspection, set `rollout = { on_failure = %q }` in the provider's configuration.", failed.Namespace, failed.Failures[0].Pod, onFailureKeep))
	}
	return strings.Join(parts, "\n")
}
