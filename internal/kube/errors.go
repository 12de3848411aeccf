package kube

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// NotFoundError says that the object does not exist.
type NotFoundError struct {
	Ref Ref
}

// Error names the object.
func (e *NotFoundError) Error() string { return e.Ref.String() + " does not exist" }

// NamespaceNotFoundError says that the namespace of the object does not exist, which
// is not the same as the object being gone.
type NamespaceNotFoundError struct {
	Ref Ref
}

// Error names the object and its namespace.
func (e *NamespaceNotFoundError) Error() string {
	return fmt.Sprintf("%s: namespace %q does not exist", e.Ref, e.Ref.Namespace)
}

// MissingKeyError says that a ConfigMap lacks a key.
type MissingKeyError struct {
	Ref  Ref
	Key  string
	Keys []string // those that it has, sorted
}

// Error names the key that is missing, and the keys that are there.
func (e *MissingKeyError) Error() string {
	if len(e.Keys) == 0 {
		return fmt.Sprintf("%s has no key %q: it is empty", e.Ref, e.Key)
	}
	return fmt.Sprintf("%s has no key %q; it has %s", e.Ref, e.Key, strings.Join(e.Keys, ", "))
}

// BinaryKeyError says that a key of a ConfigMap holds bytes and no text: it stands under
// binaryData, where kubectl puts a file that is not UTF-8.
type BinaryKeyError struct {
	Ref Ref
	Key string
	// Encoding is what the bytes look like, as iconv calls it; empty where that is not known.
	Encoding string
}

// Error names the key, where it stands, and why.
func (e *BinaryKeyError) Error() string {
	looks := ""
	if e.Encoding != "" {
		looks = ": it looks like " + e.Encoding
	}
	return fmt.Sprintf("%s has the key %q under binaryData, as its file is not UTF-8 text%s", e.Ref, e.Key, looks)
}

// encodingOf names the encoding of a text that is not UTF-8, by its first bytes; empty where
// they do not tell.
func encodingOf(content []byte) string {
	const pair = 2
	if len(content) < pair {
		return ""
	}
	first, second := content[0], content[1]
	switch {
	case first == 0xff && second == 0xfe, first == 0xfe && second == 0xff, (first == 0) != (second == 0):
		return "UTF-16"
	case utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0:
		return ""
	}
	return "ISO-8859-1"
}

// KindError says that objects of a kind cannot be handled here.
type KindError struct {
	GVK    schema.GroupVersionKind
	Reason string
}

// Error names the kind and says why it is not possible.
func (e *KindError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.GVK.GroupVersion(), e.GVK.Kind, e.Reason)
}

// ForbiddenError is the server's 403. Where its text names a missing right or an
// exhausted quota, it comes wrapped in a [*MissingRightError] or a [*QuotaError].
type ForbiddenError struct {
	Ref  Ref
	Verb string
	Err  *apierrors.StatusError
}

// Error names the object and repeats what the server said.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("%s: the server refused to %s it: %s", e.Ref, e.Verb, e.Err.ErrStatus.Message)
}

// Unwrap returns the server's answer.
func (e *ForbiddenError) Unwrap() error { return e.Err }

// Cause is one reason for a refusal.
type Cause struct {
	Field   string // path of the field, as the server names it; may be empty
	Message string
	Type    metav1.CauseType
	// Line is where the client template has the field. Whoever rendered the object knows it;
	// 0 where it is not known.
	Line int
}

// RejectedError says that the server does not accept the object as it is: it has an
// invalid value, or an immutable or unknown field.
type RejectedError struct {
	Ref    Ref
	Verb   string
	Causes []Cause // at least one
	Err    *apierrors.StatusError
}

// Error names the object and the causes.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s: the server would not %s it: %s", e.Ref, e.Verb, joinCauses(e.Causes))
}

// Unwrap returns the server's answer.
func (e *RejectedError) Unwrap() error { return e.Err }

// IsInvalid reports whether the server has validated the object and refused it: it has a
// bad value, or the live object cannot become what it says. Only a [Probe] tells which,
// as the answers differ between versions of the server.
func (e *RejectedError) IsInvalid() bool { return apierrors.IsInvalid(e.Err) }

// adds reports whether an object was refused for more than another one.
func (e *RejectedError) adds(to *RejectedError) bool {
	return slices.ContainsFunc(e.Causes, func(cause Cause) bool { return !slices.Contains(to.Causes, cause) })
}

// ImmutableFieldError says that the server would take the object as a new one, but does
// not let the live one become that.
type ImmutableFieldError struct {
	Ref Ref
	Err error // the server's refusal
}

// Error is the refusal.
func (e *ImmutableFieldError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *ImmutableFieldError) Unwrap() error { return e.Err }

func joinCauses(causes []Cause) string {
	lines := make([]string, 0, len(causes))
	for _, cause := range causes {
		line := cause.Message
		if cause.Field != "" && cause.Field != "<nil>" {
			line = cause.Field + ": " + line
		}
		if cause.Line > 0 {
			line += fmt.Sprintf(" (template line %d)", cause.Line)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// ConflictError says that other managers own fields with other values, and that we
// are not to take them: see [Options.Force].
type ConflictError struct {
	Ref    Ref
	Fields []managedfields.FieldOwner
	Err    *apierrors.StatusError
}

// Error names the fields and who owns them.
func (e *ConflictError) Error() string {
	lines := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		lines = append(lines, fmt.Sprintf("%s is owned by %s", f.Field, f.Manager))
	}
	return fmt.Sprintf("%s: %s", e.Ref, strings.Join(lines, "; "))
}

// Unwrap returns the server's answer.
func (e *ConflictError) Unwrap() error { return e.Err }

// managers returns who owns the fields.
func (e *ConflictError) managers() []string {
	managers := make([]string, 0, len(e.Fields))
	for _, field := range e.Fields {
		managers = append(managers, field.Manager)
	}
	return managers
}

// translator turns what the API server or the transport answered into the types of
// this package.
type translator struct {
	connection *connection.Connection
}

// translate keeps errors of contexts recognisable.
func (t translator) translate(verb string, ref Ref, err error) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return t.explain(verb, ref, err)
	}
	details := status.ErrStatus.Details
	switch {
	case apierrors.IsNotFound(err):
		if details != nil && details.Kind == "namespaces" {
			return &NamespaceNotFoundError{Ref: ref}
		}
		return &NotFoundError{Ref: ref}
	case denied(ref, status) != nil:
		return denied(ref, status)
	case apierrors.IsForbidden(err):
		return forbidden(verb, ref, status)
	case apierrors.IsConflict(err):
		if owners := conflictingOwners(status); len(owners) > 0 {
			return &ConflictError{Ref: ref, Fields: owners, Err: status}
		}
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return &RejectedError{Ref: ref, Verb: verb, Causes: causesOf(status), Err: status}
	case apierrors.IsInternalError(err) && verb == verbApply:
		// A field that the schema does not know is answered with 500, before
		// validation proper starts.
		return &RejectedError{Ref: ref, Verb: verb, Causes: causesOf(status), Err: status}
	}
	return t.explain(verb, ref, err)
}

// explain returns a type for a server that could not be reached. An answer that has no
// type here keeps its own.
func (t translator) explain(verb string, ref Ref, err error) error {
	var unreachable *connection.UnreachableError
	if explained := t.connection.Explain(err); errors.As(explained, &unreachable) {
		return explained
	}
	return fmt.Errorf("%s %s: %w", verb, ref, err)
}

func causesOf(status *apierrors.StatusError) []Cause {
	var causes []Cause
	if details := status.ErrStatus.Details; details != nil {
		for _, cause := range details.Causes {
			causes = append(causes, Cause{Field: cause.Field, Message: cause.Message, Type: cause.Type})
		}
	}
	if faults := patchCauses(status.ErrStatus.Message); faults != nil {
		return faults
	}
	// Internal errors repeat the whole message as their only cause.
	if len(causes) == 0 || status.ErrStatus.Reason == metav1.StatusReasonInternalError {
		causes = []Cause{{Message: status.ErrStatus.Message}}
	}
	return causes
}

// conflictingOwners reads the managers out of a conflict between managers. The
// manager has no field of its own in the answer: it stands quoted in a message
// of the form `conflict with "kubectl" using v1`.
func conflictingOwners(status *apierrors.StatusError) []managedfields.FieldOwner {
	details := status.ErrStatus.Details
	if details == nil {
		return nil
	}
	var owners []managedfields.FieldOwner
	for _, cause := range details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := cause.Message
		if parts := strings.SplitN(manager, `"`, 3); len(parts) == 3 {
			manager = parts[1]
		}
		owners = append(owners, managedfields.FieldOwner{Field: strings.TrimPrefix(cause.Field, "."), Manager: manager})
	}
	return owners
}
