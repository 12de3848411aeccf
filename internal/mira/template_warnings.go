package mira

// ExistingTemplateWarning says that a template that is there already, with another content,
// is taken over.
type ExistingTemplateWarning struct {
	Template TemplateSource
	From, To string // revisions; From is empty where what is there is no template
}

// TemplateTakenWarning says that a template is taken from other field managers.
type TemplateTakenWarning struct {
	Template TemplateSource
	Managers []string
}

// UndefinedPlaceholdersWarning says that a template uses placeholders that have no value but
// what a client gives them.
type UndefinedPlaceholdersWarning struct {
	Template     TemplateSource
	Placeholders []string
}

// TemplateNamespacePendingWarning says that the namespace of a template does not exist, but
// may be created in the same run.
type TemplateNamespacePendingWarning struct {
	Template TemplateSource
}

func (ExistingTemplateWarning) isWarning()         {}
func (TemplateTakenWarning) isWarning()            {}
func (UndefinedPlaceholdersWarning) isWarning()    {}
func (TemplateNamespacePendingWarning) isWarning() {}
