package mira

import (
	"errors"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

const (
	templateBefore = "apiVersion: v1\nkind: Service\nmetadata: {name: before-%CLIENT_NAME%}\n"
	templateAfter  = "apiVersion: v1\nkind: Service\nmetadata: {name: after-%CLIENT_NAME%}\n"
)

// A client that is pinned to what a resource declares gets that, though the cluster does not
// have it yet. Every other one gets what the cluster had, whatever comes first.
func TestRendererDeclaredTemplate(t *testing.T) {
	parsed := func(text string) *template.Template {
		t.Helper()
		parsed, err := template.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	before, after := parsed(templateBefore), parsed(templateAfter)
	source := TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	r := rendererOf(templateBefore)
	for range 2 { // as the CLI plans a replacement
		if !r.declared.declare(source, templateAfter, after) {
			t.Fatal("a template cannot be planned, or not twice")
		}
	}
	if r.declared.declare(source, templateBefore, before) {
		t.Error("two resources may declare one template")
	}
	for _, test := range []struct {
		name      string
		spec      Spec
		want      string
		isWritten bool // the cluster has what is declared by now
	}{
		{"pinned to what is declared", Spec{Revision: after.Revision(), RereadTemplate: true}, after.Revision(), false},
		{"without a pin", Spec{}, before.Revision(), false},
		{"pinned to what was there", Spec{Revision: before.Revision(), RereadTemplate: true}, before.Revision(), true},
		{"with a source and without a pin", Spec{RereadTemplate: true}, before.Revision(), true},
	} {
		if test.isWritten {
			r.configMaps = configMaps(templateAfter)
		}
		test.spec.Template = source
		rendered, err := r.template(t.Context(), test.spec)
		if err != nil || rendered.Revision() != test.want {
			t.Errorf("%s: %v, error %v, want revision %s", test.name, rendered, err, test.want)
		}
	}
	other := Spec{Template: source, Revision: "0123456789ab"}
	if _, err := r.template(t.Context(), other); !isRevisionError(err) {
		t.Errorf("pinned to neither: error %v, want a RevisionError", err)
	}
	r.declared.forget(source)
	rendered, err := r.template(t.Context(), Spec{Template: source, RereadTemplate: true})
	if err != nil || rendered.Revision() != after.Revision() {
		t.Errorf("once it is deleted: %v, error %v, want what the cluster has", rendered, err)
	}
}

func isRevisionError(err error) bool {
	_, ok := errors.AsType[*RevisionError](err)
	return ok
}

// Faults that the values of a real client may mend are no faults of a template.
func TestTemplateSample(t *testing.T) {
	const port = "spec: {ports: [{port: %PORT%}]}\n"
	const inNamespace = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a-%CLIENT_NAME%\n  namespace: "
	for _, test := range []struct {
		name      string
		content   string
		variables map[string]string
		isFault   bool
		undefined int
	}{
		{"good", templateBefore, nil, false, 0},
		{"a placeholder without a value", templateBefore + port, nil, false, 1},
		{"a placeholder of the sample client", templateBefore + port, map[string]string{"PORT": "80"}, false, 0},
		{"a namespace without a value", inNamespace + "'%NS%'\n", nil, false, 1},
		{"a wrong namespace", inNamespace + "other\n", nil, true, 0},
		{"a kind that is not allowed", "apiVersion: v1\nkind: Secret\nmetadata: {name: 'a-%CLIENT_NAME%'}\ndata: {a: '%A%'}\n", nil, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			parsed, err := template.Parse(test.content)
			if err != nil {
				t.Fatal(err)
			}
			r := rendererOf(templateBefore)
			templates := Templates{&services{shared: &shared{renderer: r, settings: r.settings}}}
			s, err := templates.sampleOf(t.Context(), parsed,
				TemplateSpec{Content: test.content, Namespace: "default", Sample: SampleClient{Variables: test.variables}})
			if isFault := err != nil; isFault != test.isFault || !isFault && len(s.undefined) != test.undefined {
				t.Errorf("%+v, error %v; want a fault: %t, %d placeholders without a value", s, err, test.isFault, test.undefined)
			}
		})
	}
}
