package provider

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// subject is what a diagnostic is about. Its detail begins with the subject's name.
type subject struct {
	name string
	// key is what tells the subject from others of its kind, such as a client's name.
	key string
	// title is that of an error without an entry in the table.
	title string
	// isClient reports whether the entries' attribute paths, which are those of the
	// resource mira_client, are the subject's.
	isClient bool
	// told are the errors that were reported in this run; nil where all are reported in full.
	told *toldErrors
}

func clientSubject(name string) subject {
	return subject{name: fmt.Sprintf("Client %q", name), key: name, title: "Client Operation Failed", isClient: true}
}

func objectSubject(ref kube.Ref) subject {
	return subject{name: ref.String(), title: "Object Operation Failed"}
}

func (s subject) String() string { return s.name }

// sentence returns the subject's name with what the error says about it.
func (s subject) sentence(err error) string { return sentence(s.name + ": " + err.Error()) }

// failure is an entry of the table of errors.
type failure interface {
	// diagnostic returns nil for an error that is not of the entry's kind.
	diagnostic(s subject, err error) diag.Diagnostic
	// errorType is the type that an error must have or wrap.
	errorType() reflect.Type
	// inBrief is what follows the error's own words where it was told in full of another
	// subject before; "" for an error that is always told in full.
	inBrief(told string) string
}

// failureOf is the entry for errors that are or wrap an E. The detail of its
// diagnostic is the subject, the words of the whole error, and the advice.
type failureOf[E error] struct {
	// title has three to six words and no values.
	title string
	// when restricts the entry; nil: it is for every E.
	when func(E) bool
	// advice, or adviceFor where it depends on the error, begins with a blank or a
	// new line.
	advice    string
	adviceFor func(E) string
	// detail returns the whole detail instead; err wraps found, or is found itself.
	detail func(s subject, err error, found E) string
	// ofFleet: the cause is one that all clients have in common, such as the template. It is
	// told in full once in a run.
	ofFleet bool
	// briefly is said of the other clients in the place of where the details are.
	briefly string
	// at is the client's attribute that is at fault; empty if there is none.
	at path.Path
}

func (f failureOf[E]) errorType() reflect.Type { return reflect.TypeFor[E]() }

func (f failureOf[E]) inBrief(told string) string {
	switch {
	case !f.ofFleet:
		return ""
	case f.briefly != "":
		return f.briefly
	}
	return fmt.Sprintf("The error of %s has the details.", told)
}

func (f failureOf[E]) diagnostic(s subject, err error) diag.Diagnostic {
	var found E
	if !errors.As(err, &found) || f.when != nil && !f.when(found) {
		return nil
	}
	var detail string
	switch {
	case f.detail != nil:
		detail = f.detail(s, err, found)
	case f.adviceFor != nil:
		detail = s.sentence(err) + f.adviceFor(found)
	default:
		detail = s.sentence(err) + f.advice
	}
	if s.isClient && len(f.at.Steps()) > 0 {
		return diag.NewAttributeErrorDiagnostic(f.at, f.title, detail)
	}
	return diag.NewErrorDiagnostic(f.title, detail)
}

// partialWrite adds to the diagnostic of the error that stopped a write halfway what
// is there now.
type partialWrite struct{}

func (partialWrite) errorType() reflect.Type { return reflect.TypeFor[*mira.PartialWriteError]() }

func (partialWrite) inBrief(string) string { return "" }

func (partialWrite) diagnostic(s subject, err error) diag.Diagnostic {
	var partial *mira.PartialWriteError
	if !errors.As(err, &partial) {
		return nil
	}
	cause := diagnostic(s, partial.Err)
	return diag.NewErrorDiagnostic(cause.Summary(), cause.Detail()+"\n\n"+whatIsThere(partial))
}

// holds reports whether an error is or wraps an E.
func holds[E error](err error) bool {
	var found E
	return errors.As(err, &found)
}

// addErrors reports what went wrong, one diagnostic for each error that was joined:
// an operator corrects them one by one.
func addErrors(diags *diag.Diagnostics, s subject, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, single := range joined.Unwrap() {
			addErrors(diags, s, single)
		}
		return
	}
	found, inBrief := lookUp(s, err)
	if first := s.told.first(s, found); first != s.name {
		if text := inBrief(lowerFirst(first)); text != "" {
			found = diag.NewErrorDiagnostic(found.Summary(), s.sentence(errors.New(brief(err)))+" "+text)
		}
	}
	diags.Append(found)
}

// toldErrors remembers which errors were reported, and of whom first. One cause, such as a
// mistake in the template, concerns every client of a fleet: it is told in full once.
type toldErrors struct{ subjects sync.Map }

// first returns the name of the subject of which a diagnostic was first reported, this one
// perhaps. Diagnostics are the same if they differ in the subject's name alone.
func (e *toldErrors) first(s subject, d diag.Diagnostic) string {
	if e == nil || s.key == "" {
		return s.name
	}
	first, _ := e.subjects.LoadOrStore(d.Summary()+"\n"+strings.ReplaceAll(d.Detail(), s.key, "%"), s.name)
	name, _ := first.(string)
	return name
}

// briefLength is how many characters of an error stand in one line.
const briefLength = 300

// brief returns an error in one line.
func brief(err error) string {
	text := []rune(strings.Join(strings.Fields(err.Error()), " "))
	if len(text) > briefLength {
		return string(text[:briefLength]) + " ..."
	}
	return string(text)
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// diagnostic looks an error up in the table.
func diagnostic(s subject, err error) diag.Diagnostic {
	found, _ := lookUp(s, err)
	return found
}

// lookUp also returns what follows the error's own words where it is told in brief.
func lookUp(s subject, err error) (found diag.Diagnostic, inBrief func(told string) string) {
	for _, entry := range failures {
		if found := entry.diagnostic(s, err); found != nil {
			return found, entry.inBrief
		}
	}
	return diag.NewErrorDiagnostic(s.title, s.sentence(err)), func(string) string { return "" }
}

// sentence makes a sentence of an error's text: a capital at the beginning, unless it
// begins with a name, and a full stop at the end.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if second, _ := utf8.DecodeRuneInString(text[size:]); unicode.IsLower(first) && (unicode.IsLower(second) || second == ' ') {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "\n") {
		text += "."
	}
	return text
}
