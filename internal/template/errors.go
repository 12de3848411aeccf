package template

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// maxErrors limits how many problems of one template are reported, so that some other YAML file, used as a template by
// mistake, does not fill the terminal.
const maxErrors = 20

// Error is one problem of a template, or of a value at the place where the template uses it.
type Error struct {
	// Line counts from 1 in the template's text. It is 0 where the error has no place in the text.
	Line int
	// Document counts the YAML documents of the text from 1. It is 0 where the error belongs to no document.
	Document int
	// Path is the field, such as spec.template.spec.containers[0].image, relative to the document. It may be empty.
	Path string
	// Placeholder is the name, without percent signs, of the placeholder that the error is about, if there is one.
	Placeholder string
	// InvalidClientName reports that the client's name is at fault, not the template: with another value for
	// %CLIENT_NAME% there would be no error.
	InvalidClientName bool
	// Reason describes the problem and, where it is not obvious, what to do.
	Reason string
}

// Error returns the line, the field path and the reason.
func (e *Error) Error() string {
	text := e.Reason
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	if e.Line > 0 {
		text = "line " + strconv.Itoa(e.Line) + ": " + text
	}
	return text
}

// Errors returns the single errors that make up an error of this package, in the order of their lines. Errors of other
// types are left out.
func Errors(err error) []*Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, Errors(e)...)
		}
		return all
	}
	if single, ok := errors.AsType[*Error](err); ok {
		return []*Error{single}
	}
	return nil
}

// errorList collects errors, so that one run reports every problem of a template.
type errorList struct {
	list []*Error
	more int
}

func (l *errorList) add(e *Error) {
	if len(l.list) == maxErrors {
		l.more++
		return
	}
	l.list = append(l.list, e)
}

// count returns the number of errors so far. A caller compares it with an earlier count to see whether errors were added.
func (l *errorList) count() int {
	return len(l.list) + l.more
}

// err returns nil, the one error, or all of them joined in the order of their lines.
func (l *errorList) err() error {
	switch len(l.list) {
	case 0:
		return nil
	case 1:
		return l.list[0]
	}
	slices.SortStableFunc(l.list, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	all := make([]error, 0, len(l.list)+1)
	for _, e := range l.list {
		all = append(all, e)
	}
	if l.more > 0 {
		all = append(all, &Error{Reason: fmt.Sprintf("and %d more errors", l.more)})
	}
	return errors.Join(all...)
}
