package kube

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// MissingRightError says which right the account lacks. It is also a
// [*ForbiddenError].
type MissingRightError struct {
	Ref       Ref
	User      string
	Verb      string
	Resource  string // with its group, as Roles and kubectl name it: ingresses.networking.k8s.io
	Namespace string
	Err       *ForbiddenError
}

// Error names the user and the right.
func (e *MissingRightError) Error() string {
	return fmt.Sprintf("%s: user %q may not %s %s in namespace %q", e.Ref, e.User, e.Verb, e.Resource, e.Namespace)
}

// Unwrap returns the general form of the refusal.
func (e *MissingRightError) Unwrap() error { return e.Err }

// QuotaError says which ResourceQuota leaves no room for an object. It is also a
// [*ForbiddenError].
type QuotaError struct {
	Ref   Ref
	Quota string
	// What the object asks for, what is in use, and the limit, as `services=1`.
	Requested, Used, Limited string
	Err                      *ForbiddenError
}

// Error names the quota and its numbers.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("%s exceeds quota %q: requested %s, used %s, limited to %s", e.Ref, e.Quota, e.Requested, e.Used, e.Limited)
}

// Unwrap returns the general form of the refusal.
func (e *QuotaError) Unwrap() error { return e.Err }

// DeniedError says that an admission policy or webhook refused the object. The
// author of such an answer chooses its status code.
type DeniedError struct {
	Ref    Ref
	By     string // `ValidatingAdmissionPolicy "a" (binding "b")` or `admission webhook "c"`
	Reason string // as its author wrote it
	Err    *apierrors.StatusError
}

// Error names who denied the object, and why.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("%s: denied by %s: %s", e.Ref, e.By, e.Reason)
}

// Unwrap returns the server's answer.
func (e *DeniedError) Unwrap() error { return e.Err }

// The server says these things in the text of its answer only. The forms are
// those of k8s.io/apiserver: endpoints/handlers/responsewriters/errors.go,
// admission/plugin/resourcequota/controller.go, admission/plugin/policy and
// admission/plugin/webhook/errors. An answer of another form keeps its general
// type and its whole text.
var (
	rightForm = regexp.MustCompile(
		`User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)" in the namespace "([^"]*)"`)
	quotaForm  = regexp.MustCompile(`exceeded quota: ([^,]*), requested: (.*), used: (.*), limited: (.*)$`)
	policyForm = regexp.MustCompile(
		`(?s)(ValidatingAdmissionPolicy|policy) ['"]([^'"]*)['"](?: with binding '([^']*)')? denied request: (.*)$`)
	webhookForm = regexp.MustCompile(`(?s)(admission webhook "[^"]*") denied the request: (.*)$`)
)

func forbidden(verb string, ref Ref, status *apierrors.StatusError) error {
	err := &ForbiddenError{Ref: ref, Verb: verb, Err: status}
	if m := rightForm.FindStringSubmatch(status.ErrStatus.Message); m != nil {
		resource := m[3]
		if m[4] != "" {
			resource = m[3] + "." + m[4]
		}
		return &MissingRightError{Ref: ref, User: m[1], Verb: m[2], Resource: resource, Namespace: m[5], Err: err}
	}
	if m := quotaForm.FindStringSubmatch(status.ErrStatus.Message); m != nil {
		return &QuotaError{Ref: ref, Quota: m[1], Requested: m[2], Used: m[3], Limited: m[4], Err: err}
	}
	return err
}

// denied returns nil for an answer that no policy or webhook has given.
func denied(ref Ref, status *apierrors.StatusError) *DeniedError {
	if m := policyForm.FindStringSubmatch(status.ErrStatus.Message); m != nil {
		by := fmt.Sprintf("%s %q", m[1], m[2])
		if m[3] != "" {
			by += fmt.Sprintf(" (binding %q)", m[3])
		}
		return &DeniedError{Ref: ref, By: by, Reason: m[4], Err: status}
	}
	if m := webhookForm.FindStringSubmatch(status.ErrStatus.Message); m != nil {
		return &DeniedError{Ref: ref, By: m[1], Reason: m[2], Err: status}
	}
	return nil
}

// unknownField is what the server says of a field that its schema does not have.
const unknownField = "field not declared in schema"

// IsUnknownField reports whether the only fault is fields that the server's schema
// does not have.
func (e *RejectedError) IsUnknownField() bool {
	for _, cause := range e.Causes {
		if cause.Message != unknownField {
			return false
		}
	}
	return true
}

var (
	// patchForm is how server-side apply refuses what does not fit the schema;
	// several faults stand in a line each.
	patchForm  = regexp.MustCompile(`(?s)^failed to create typed patch object \([^)]*\): (?:errors:\s*)?(.*)$`)
	patchFault = regexp.MustCompile(`^\.((?:[^\s:\["]|\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+): (.*)$`)
	listKey    = regexp.MustCompile(`([\[,])\w+=(?:"([^"]*)"|([^,\]"]*))`)
)

// patchCauses returns the faults of an object that does not fit the schema, with their
// fields as [managedfields.Fields] writes them; nil where the text has another form.
func patchCauses(message string) []Cause {
	m := patchForm.FindStringSubmatch(message)
	if m == nil {
		return nil
	}
	var causes []Cause
	for line := range strings.SplitSeq(m[1], "\n") {
		fault := patchFault.FindStringSubmatch(strings.TrimSpace(line))
		if fault == nil {
			return nil
		}
		causes = append(causes, Cause{Field: listKey.ReplaceAllString(fault[1], "$1$2$3"), Message: fault[2]})
	}
	return causes
}
