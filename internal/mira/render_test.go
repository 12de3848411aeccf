package mira

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// configMaps are ConfigMaps that hold one text, whatever is asked for.
type configMaps string

func (c configMaps) Key(context.Context, string, string, string) (string, error) {
	return string(c), nil
}

// rendererOf is a renderer whose template is a text.
func rendererOf(text string, kinds ...schema.GroupKind) *renderer {
	return &renderer{
		configMaps: configMaps(text),
		settings:   Settings{ClusterDomain: "mira.example", AllowedKinds: append(DefaultAllowedKinds(), kinds...)},
	}
}

const serviceOnly = "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%}\n"

func TestRenderRefusesObjectsThatPlansCannotTellApart(t *testing.T) {
	knative := schema.GroupKind{Group: "serving.knative.dev", Kind: "Service"}
	r := rendererOf(serviceOnly+"---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%}\n", knative)
	_, err := r.render(t.Context(), Spec{Namespace: "default", Name: "acme"})
	var refused *TemplateError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("error %v, want a TemplateError about line 5", err)
	}
}

// The server knows fields, and no lines.
func TestRefusalsNameLinesOfTheTemplate(t *testing.T) {
	r := rendererOf(serviceOnly + "spec:\n  ports:\n  - port: 443000\n    name: https\n")
	m, err := r.render(t.Context(), Spec{Namespace: "default", Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	refusal := func() *kube.RejectedError {
		return &kube.RejectedError{Ref: kube.RefOf(m.objects[0]), Verb: "apply", Causes: []kube.Cause{
			{Field: "spec.ports[0].port", Message: "Invalid value"}, {Field: "spec", Message: "Forbidden"}, {Message: "no"},
		}}
	}
	lines := func(refused *kube.RejectedError) (lines []int) {
		for _, cause := range refused.Causes {
			lines = append(lines, cause.Line)
		}
		return lines
	}
	wrapped, other := refusal(), refusal()
	m.locate(fmt.Errorf("wrapped: %w", wrapped), 0, nil)
	if diff := cmp.Diff([]int{6, 0, 0}, lines(wrapped)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if text := wrapped.Error(); !strings.Contains(text, "spec.ports[0].port: Invalid value (template line 6); spec: Forbidden; no") {
		t.Errorf("the error reads %q", text)
	}
	// A refusal of another object, such as of a claim, is about no line of this one.
	other.Ref.Name = "other"
	m.locate(other, 0, nil)
	if diff := cmp.Diff([]int{0, 0, 0}, lines(other)); diff != "" {
		t.Errorf("lines of another object (-want +got):\n%s", diff)
	}
}

func TestRenderWarnsOfUnusedVariables(t *testing.T) {
	r := rendererOf(serviceOnly)
	m, err := r.render(t.Context(), Spec{Namespace: "default", Name: "acme", Variables: map[string]string{"IMAGE_TAG": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{UnusedVariablesWarning{Client: "acme", Variables: []string{"IMAGE_TAG"}}}
	if diff := cmp.Diff(want, m.warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestStringDataBecomesData(t *testing.T) {
	secret := object(t, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
	  "data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new"}}`)
	foldStringData(secret)
	want := object(t, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "bmV3", "b": "b2xk"}}`)
	if diff := cmp.Diff(want.Object, secret.Object); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
}

// The log names the template and its revision, and holds no value.
func TestRenderLogsNoValues(t *testing.T) {
	recorded := &acctest.Log{}
	text := serviceOnly + "  annotations: {mail: '%EMAIL_ADMIN%', domain: '%CLUSTER_DOMAIN%', fixed: written-in-the-template}\n"
	text = strings.Replace(text, "metadata: {name: mira-%CLIENT_NAME%}", "metadata:\n  name: mira-%CLIENT_NAME%", 1)
	r := rendererOf(text)
	r.settings.ClusterDomain = "" // it is looked up, and is the text of the template here
	m, err := r.render(recorded.Context(t.Context()), Spec{Namespace: "default", Name: "acme", AdminEmail: "admin@acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	log := strings.Join(recorded.Lines(), "\n")
	if !strings.Contains(log, m.revision) || !strings.Contains(log, ClusterDomainKey) {
		t.Errorf("the log names neither revision %s nor the value that was looked up:\n%s", m.revision, log)
	}
	for _, secret := range []string{"admin@acme.example", "written-in-the-template"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
