package mira

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

var dataKinds = []schema.GroupKind{{Kind: "Secret"}, {Kind: "ConfigMap"}}

// What YAML reads as something else than text is an error with its line, and without the
// value.
func TestRenderRefusesDataThatAreNoText(t *testing.T) {
	for _, test := range []struct{ name, kind, data, want string }{
		{"a number in a Secret", "Secret", "stringData: {pin: 4711}", "line 4: stringData.pin: must be text, and YAML reads it as a number"},
		{"a fraction in a Secret", "Secret", "data: {pin: 47.11}", "line 4: data.pin: must be text, and YAML reads it as a number"},
		{"a boolean in a ConfigMap", "ConfigMap", "data: {flag: yes}", "line 4: data.flag: must be text, and YAML reads it as a boolean"},
		{
			"a variable that is a number", "Secret", "stringData:\n  pin: %PIN%",
			"line 5: stringData.pin: must be text, and YAML reads it as a number",
		},
		{"a list", "ConfigMap", "data: {list: [4711]}", "line 4: data.list: must be text, and YAML reads it as a list"},
		{"a mapping", "Secret", "stringData: {map: {pin: 4711}}", "line 4: stringData.map: must be text, and YAML reads it as a mapping"},
		{"plain text for base64", "Secret", "data: {pin: 'plain-4711'}", "line 4: data.pin: must be base64 text, and is not"},
		{"text", "Secret", "stringData: {pin: '4711', other: %TEXT%}", ""},
		{"base64", "Secret", "data: {pin: NDcxMQ==}", ""},
		{"text in a ConfigMap", "ConfigMap", "data: {pin: '4711'}\nbinaryData: {pin: NDcxMQ==}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := "apiVersion: v1\nkind: " + test.kind + "\nmetadata: {name: 'mira-%CLIENT_NAME%'}\n" + test.data + "\n"
			r := rendererOf(text, dataKinds...)
			spec := Spec{Namespace: "default", Name: "acme", Variables: map[string]string{"PIN": "4711", "TEXT": "text"}}
			_, err := r.render(t.Context(), spec)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var refused *TemplateError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "4711") {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

// A client's own variable has precedence over a secret of the fleet.
func TestRenderSecrets(t *testing.T) {
	r := rendererOf(serviceOnly + "spec: {externalName: %HOST%}\n")
	r.settings.Secrets = map[string]string{"HOST": "0644"}
	host := func(variables map[string]string) any {
		m, err := r.render(t.Context(), Spec{Namespace: "default", Name: "acme", Variables: variables})
		if err != nil {
			t.Fatal(err)
		}
		if m.hasSecrets != (variables == nil) {
			t.Errorf("hasSecrets is %t with variables %v", m.hasSecrets, variables)
		}
		found, _, _ := unstructured.NestedFieldNoCopy(m.objects[0].Object, "spec", "externalName")
		return found
	}
	if got := host(nil); got != "0644" {
		t.Errorf("the secret becomes %v", got)
	}
	if got := host(map[string]string{"HOST": "x.example"}); got != "x.example" {
		t.Errorf("with a variable of the client, it becomes %v", got)
	}
}

// Nothing of a secret gets into the private state: not the object as it was, nor a message
// that quotes it.
func TestJournalHasNoSecrets(t *testing.T) {
	const secret = "hunter2-secret"
	known := managedfields.NewSecrets(map[string]string{"PASSWORD": secret})
	live := func(value string) *unstructured.Unstructured {
		return object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme",
		  "annotations": {"a": "`+value+`"}}, "spec": {"replicas": 1}}`)
	}
	for _, test := range []struct {
		name  string
		guard secretGuard
		live  *unstructured.Unstructured
		prior managedfields.Fields
		want  bool
	}{
		{"no secret", secretGuard{}, live("x"), managedfields.Fields{"spec.replicas": "1"}, false},
		{"a template that uses one", secretGuard{isUsed: true}, live("x"), nil, true},
		{"a secret in the live object", secretGuard{known: known}, live(secret), nil, true},
		{"a former secret", secretGuard{}, live("x"), managedfields.Fields{"metadata.annotations.a": "sha256:0123456789abcdef"}, true},
		{"a Secret", secretGuard{}, object(t, `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}`), nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newObjectChange(live("new"), objectState{fields: test.prior})
			c.live = test.live
			if got := test.guard.mayHold(c); got != test.want {
				t.Errorf("mayHold returned %t, want %t", got, test.want)
			}
			if former := (journaling{secrets: test.guard}).formerOf(c); (former == nil) != test.want {
				t.Errorf("the journal has %v", former)
			}
		})
	}
	c := newObjectChange(live("new"), objectState{})
	c.live, c.stored = live(secret), live("new")
	journal := journaling{secrets: secretGuard{known: known}, progress: &progress{written: []*objectChange{c}}}.of(
		[]*objectChange{c}, "the log says "+secret)
	if len(journal.Rollouts) != 1 || journal.Rollouts[0].Reason != "the log says (secret PASSWORD)" || len(journal.Former) != 0 {
		t.Errorf("the journal is %+v", journal)
	}
}
