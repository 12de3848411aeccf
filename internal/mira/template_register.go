package mira

import (
	"sync"

	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// templateRegister knows which templates the resources of this run declare, and which
// template each client follows, as far as the run has shown it. The CLI plans a template
// before the clients that refer to it, in the same process.
type templateRegister struct {
	declared  sync.Map // of declaredTemplate by TemplateSource
	followers sync.Map // of TemplateSource by namespace/name of a client
}

// declaredTemplate is what a resource makes of a template.
type declaredTemplate struct {
	content string
	parsed  *template.Template
}

// declare notes what a resource makes of a template. It reports whether no other resource of
// this run makes something else of it.
func (r *templateRegister) declare(source TemplateSource, content string, parsed *template.Template) bool {
	found, _ := r.declared.LoadOrStore(source, declaredTemplate{content: content, parsed: parsed})
	declared, _ := found.(declaredTemplate)
	return declared.content == content
}

// forget removes a template that is deleted.
func (r *templateRegister) forget(source TemplateSource) { r.declared.Delete(source) }

// of returns the template that a resource of this run declares, if there is one.
func (r *templateRegister) of(source TemplateSource) (*template.Template, bool) {
	found, isDeclared := r.declared.Load(source)
	declared, _ := found.(declaredTemplate)
	return declared.parsed, isDeclared
}

// follow notes which template a client follows.
func (r *templateRegister) follow(namespace, client string, source TemplateSource) {
	r.followers.Store(namespace+"/"+client, source)
}

// followsOther reports whether a client is known to follow another template.
func (r *templateRegister) followsOther(namespace, client string, source TemplateSource) bool {
	found, isKnown := r.followers.Load(namespace + "/" + client)
	return isKnown && found != source
}
