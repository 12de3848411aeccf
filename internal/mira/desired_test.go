package mira

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// fleetWith is a fleet whose template is known already, so that it asks no
// server.
func fleetWith(t *testing.T, text string, kinds ...schema.GroupKind) *Fleet {
	t.Helper()
	parsed, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fleet{settings: Settings{ClusterDomain: "mira.example", AllowedKinds: append(DefaultAllowedKinds(), kinds...)}}
	never := func(*template.Template) bool { return false }
	if _, err := f.templates.get(TemplateSource{}, never, func() (*template.Template, error) { return parsed, nil }); err != nil {
		t.Fatal(err)
	}
	return f
}

const serviceOnly = "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%}\n"

func TestDesireRefusesObjectsThatPlansCannotTellApart(t *testing.T) {
	knative := schema.GroupKind{Group: "serving.knative.dev", Kind: "Service"}
	f := fleetWith(t, serviceOnly+"---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%}\n", knative)
	_, err := f.desire(t.Context(), Spec{Namespace: "default", Name: "acme"})
	var refused *TemplateError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("error %v, want a TemplateError about line 5", err)
	}
}

func TestDesireWarnsOfUnusedVariables(t *testing.T) {
	f := fleetWith(t, serviceOnly)
	d, err := f.desire(t.Context(), Spec{Namespace: "default", Name: "acme", Variables: map[string]string{"IMAGE_TAG": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{UnusedVariablesWarning{Client: "acme", Variables: []string{"IMAGE_TAG"}}}
	if diff := cmp.Diff(want, d.warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestStringDataBecomesData(t *testing.T) {
	secret := object(t, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new"}}`)
	foldStringData(secret)
	want := object(t, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "bmV3", "b": "b2xk"}}`)
	if diff := cmp.Diff(want.Object, secret.Object); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
}

func TestRenamedStatefulSetLeavesItsData(t *testing.T) {
	set := func(name string) *step {
		return &step{desired: object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "`+name+`", "namespace": "default"}}`)}
	}
	before := &State{Refs: []kube.Ref{kube.RefOf(set("mira-acme").desired)}, Claims: []string{"data-mira-acme-0"}}
	if got := dataWarnings(Spec{Name: "acme"}, before, trial{set("mira-acme")}); len(got) > 0 {
		t.Errorf("warnings for a StatefulSet that stays: %v", got)
	}
	want := []Warning{RenamedStatefulSetWarning{Client: "acme", StatefulSet: before.Refs[0], Claims: before.Claims}}
	if diff := cmp.Diff(want, dataWarnings(Spec{Name: "acme"}, before, trial{set("m-acme")})); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
