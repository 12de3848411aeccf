package provider

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// rolloutDetail is the text of a failed rollout, which may have several lines.
func rolloutDetail(s subject, err error) string {
	if text := s.name + ": " + err.Error(); strings.Contains(text, "\n") {
		return text
	}
	return s.sentence(err)
}

func rolledBackDetail(s subject, _ error, rolledBack *mira.RolledBackError) string {
	return s.name + ": " + reportOf(rolledBack.Err) + "\n\n" + rollbackOutcome(rolledBack)
}

// reportOf is the text of a failure whose pods the roll back has removed.
func reportOf(err error) string {
	if text, ok := reportText(err); ok {
		return text
	}
	return sentence(err.Error())
}

// reportText returns what an error says without a way to look at pods; false if it has no such
// text.
func reportText(err error) (string, bool) {
	var report interface{ Report() string }
	if !errors.As(err, &report) {
		return "", false
	}
	return report.Report(), true
}

// rollbackOutcome says what a roll back did, and what it could not do.
func rollbackOutcome(e *mira.RolledBackError) string {
	var parts []string
	if len(e.Restored) > 0 {
		parts = append(parts, "Rolled back to what it was before: "+list(e.Restored)+".")
	}
	if len(e.Deleted) > 0 {
		parts = append(parts, "Deleted again, as this apply had created it: "+list(e.Deleted)+". Claims stay.")
	}
	if len(e.Grown) > 0 {
		parts = append(parts, "Keeps its new size, as storage cannot be taken back: "+list(e.Grown)+".")
	}
	for _, left := range e.Left {
		was := "could not be put back, and is still as the failed rollout left it"
		switch {
		case left.Created:
			was = "was created by this apply and could not be deleted again"
		case holds[*kube.ConflictError](left.Err):
			was = "was changed by others in the meantime, and is left to them, as force_conflicts is false"
		}
		parts = append(parts, fmt.Sprintf("%s %s: %v.", left.Ref, was, left.Err))
	}
	switch {
	case e.Serving != nil:
		why, ok := reportText(e.Serving)
		if !ok {
			why = e.Serving.Error()
		}
		parts = append(parts, "The former revision does not serve: "+why)
	case len(e.Restored) > 0 && len(e.Left) == 0:
		parts = append(parts, "The former revision serves again. The next plan shows the change again.")
	}
	if !e.IsComplete() && !e.OfCreate {
		parts = append(parts, "The client's `rollout` is pending: the next apply, of the former template or of a corrected one, "+
			"frees pods that are stuck, and waits until the client serves.")
	}
	if advice := failedPodAdvice(e); advice != "" {
		parts = append(parts, advice)
	}
	return strings.Join(parts, "\n")
}

// failedPodAdvice says where to look at the pod that failed; "" if there was none.
func failedPodAdvice(e *mira.RolledBackError) string {
	var failed *rollout.FailedError
	if !errors.As(e.Err, &failed) || len(failed.Failures) == 0 || failed.Failures[0].Reason == rollout.ReasonFailedCreate {
		return ""
	}
	pod := failed.Failures[0].Pod
	if !e.IsComplete() {
		return fmt.Sprintf("To look at the pod that failed, if it is still there:\n  kubectl --namespace %s describe pod %s",
			failed.Namespace, pod)
	}
	return fmt.Sprintf("The pod that failed is gone, its events stay for a while:\n"+
		"  kubectl --namespace %s get events --field-selector involvedObject.name=%s\n"+
		"To have it kept for inspection, set `rollout = { on_failure = %q }` in the provider's configuration.",
		failed.Namespace, pod, onFailureKeep)
}

// recreationOutcome says what became of an object that was not recreated as it was
// meant to be.
func recreationOutcome(e *kube.RecreationError) string {
	switch {
	case e.Restored:
		return fmt.Sprintf(" %s was put back as it was before.", e.Ref)
	case e.Created:
		return fmt.Sprintf(" %s was recreated, but the ownership of fields set by other managers could not be restored; "+
			"the next apply removes those that are not in the template.", e.Ref)
	case e.Unknown:
		return fmt.Sprintf(" If %s is gone, its pods and claims are still there, and run on without it: "+
			"the next plan shows whether it is, and the next apply creates it around them.", e.Ref)
	}
	return fmt.Sprintf(" %s is gone. Its pods and claims are still there, and run on without it: "+
		"nothing restarts them until the next apply creates it around them.", e.Ref)
}

// retainByHand is the command that has Kubernetes keep the claims of a StatefulSet.
func retainByHand(ref kube.Ref) string {
	return fmt.Sprintf("  kubectl patch statefulset -n %s %s -p "+
		`'{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain","whenScaled":"Retain"}}}'`, ref.Namespace, ref.Name)
}

// isNameAtFault reports whether nothing is wrong with a template but what the
// client's name makes of it.
func isNameAtFault(err *mira.TemplateError) bool {
	faults := template.Errors(err.Err)
	for _, fault := range faults {
		if !fault.InvalidClientName {
			return false
		}
	}
	return len(faults) > 0
}

// templateDetail lists everything that is wrong with a template.
func templateDetail(s subject, _ error, invalid *mira.TemplateError) string {
	faults := template.Errors(invalid.Err)
	lines := make([]string, 0, len(faults))
	for _, fault := range faults {
		lines = append(lines, fault.Error())
	}
	return fmt.Sprintf("%s cannot be rendered from %s:\n\n%s", s, invalid.Source, strings.Join(lines, "\n"))
}

// notTextAdvice says how to make a text of a template that is none.
func notTextAdvice(e *mira.TemplateUnavailableError) string {
	encoding := "ENCODING"
	if binary, ok := errors.AsType[*kube.BinaryKeyError](e); ok && binary.Encoding != "" {
		encoding = binary.Encoding
	}
	return fmt.Sprintf(" Save the file as UTF-8, and create the ConfigMap again:\n"+
		"  iconv -f %s -t UTF-8 FILE > %s\n"+
		"  kubectl create configmap -n %s %s --from-file=%[2]s --dry-run=client -o yaml | kubectl replace -f -",
		encoding, e.Source.Key, e.Source.Namespace, e.Source.ConfigMap)
}

// whatIsThere says what a write that failed halfway left.
func whatIsThere(partial *mira.PartialWriteError) string {
	var parts []string
	if len(partial.Undone) > 0 {
		parts = append(parts, "Deleted again, as this apply had created it: "+list(partial.Undone)+".")
	}
	switch {
	case len(partial.Written) > 0:
		parts = append(parts, "Written before the error, and still there: "+list(partial.Written)+".")
	case len(partial.Undone) == 0 && len(partial.Uncertain) == 0:
		parts = append(parts, "Nothing was written.")
	}
	if len(partial.Uncertain) > 0 {
		parts = append(parts, "Whether this was written is not known, as the API server gave no answer and could not be asked afterwards: "+
			list(partial.Uncertain)+".")
	}
	return strings.Join(append(parts, "The next apply starts from what is there."), " ")
}

// rightOn names what a right is missing on, as `kubectl auth can-i` takes it: with
// the object's name where a Role may have it, as the documented one has for
// ConfigMaps.
func rightOn(right *kube.MissingRightError) string {
	switch right.Verb {
	case "get", "update", "patch", "delete":
		return right.Resource + "/" + right.Ref.Name
	}
	return right.Resource
}

func list(refs []kube.Ref) string {
	names := make([]string, 0, len(refs))
	for _, ref := range refs {
		names = append(names, ref.String())
	}
	return strings.Join(names, ", ")
}
