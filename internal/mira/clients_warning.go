package mira

import "k8s.io/apimachinery/pkg/runtime/schema"

// NoTemplateWarning says that the template could not be read, or is not valid, so that clients
// are known by their label alone, and compared with nothing.
type NoTemplateWarning struct {
	Namespace string
	Err       error
}

// UnlistedWarning says that the objects of a kind may not be listed.
type UnlistedWarning struct {
	Namespace string
	Kind      schema.GroupKind
	Err       error
}

// NotComparedWarning says that the template gives nothing for some clients, all for the same
// reason, so that they could not be compared with it.
type NotComparedWarning struct {
	Clients  []string
	Template TemplateSource
	Err      error
}

func (NoTemplateWarning) isWarning()  {}
func (UnlistedWarning) isWarning()    {}
func (NotComparedWarning) isWarning() {}
