package mira

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
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

// A client's own secrets have precedence over everything of their names that is the fleet's.
// Each object that holds one says so, and no other.
func TestRenderClientSecrets(t *testing.T) {
	r := rendererOf(serviceOnly + "spec: {externalName: '%HOST%.%FLEET%'}\n---\n" + strings.Replace(serviceOnly, "mira-", "other-", 1))
	r.settings.Secrets = map[string]string{"HOST": "secret of the fleet", "FLEET": "fleet"}
	r.settings.Variables = map[string]string{"HOST": "variable of the fleet"}
	m, err := r.render(t.Context(), Spec{
		Namespace: "default", Name: "acme", Variables: map[string]string{"A": "1"},
		Secrets: map[string]string{"HOST": "0644", "UNUSED": "unused"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if host, _, _ := unstructured.NestedString(m.objects[0].Object, "spec", "externalName"); host != "0644.fleet" {
		t.Errorf("the host is %q", host)
	}
	if got := m.objects[0].GetAnnotations()[secretsAnnotation]; got != "HOST" || !m.hasSecrets {
		t.Errorf("the object that holds a secret names %q", got)
	}
	if got := m.objects[1].GetAnnotations(); got != nil {
		t.Errorf("the object without secrets has annotations %v", got)
	}
	want := []Warning{UnusedVariablesWarning{Client: "acme", Variables: []string{"A", "UNUSED"}}}
	if diff := cmp.Diff(want, m.warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// The services of a client hide its secrets and the fleet's, those of the fleet only theirs,
// and what is told of one client has no secret of another.
func TestHiding(t *testing.T) {
	fleet := NewFleet((&kube.Client{}).WithManager(testManager), Settings{Secrets: map[string]string{"FLEET": "fleet-s3cr3t"}})
	if got := fleet.hiding(nil, map[string]string{"EMPTY": ""}); got != fleet.services {
		t.Error("a client without secrets has services of its own")
	}
	acme := fleet.hiding(map[string]string{"PASSWORD": "acme-s3cr3t"})
	other := fleet.hiding(map[string]string{"PASSWORD": "other-s3cr3t"})
	for _, test := range []struct {
		text string
		of   *services
		want bool
	}{
		{"acme-s3cr3t", acme, true},
		{"fleet-s3cr3t", acme, true},
		{"other-s3cr3t", acme, false},
		{"acme-s3cr3t", other, false},
	} {
		if got := test.of.fields.Secrets().In(test.text); got != test.want {
			t.Errorf("%s is hidden: %t, want %t", test.text, got, test.want)
		}
		if test.of.kube.Manager() != test.of.fields {
			t.Error("the requests of a client have another manager")
		}
	}
	if got := fleet.settings.Hidden.Redact("acme-s3cr3t, other-s3cr3t"); got != "(secret PASSWORD), (secret PASSWORD)" {
		t.Errorf("messages have %q", got)
	}
}

// A refresh does not have the configuration. Of an object that says that it holds secrets, it
// shows nothing that an apply has written and no state has recorded.
func TestRefreshHidesWhatIsNotRecorded(t *testing.T) {
	const ingress = `{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "mira-acme", "namespace": "default",
	  "annotations": {"mira-cluster.io/secret-variables": "PASSWORD"}, "managedFields": [{"manager": "terraform-provider-mira",
	  "operation": "Apply", "apiVersion": "networking.k8s.io/v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:annotations":
	  {"f:mira-cluster.io/secret-variables": {}}}, "f:spec": {"f:rules": {}, "f:ingressClassName": {}}}}]},
	  "spec": {"ingressClassName": "nginx", "rules": [{"host": "hunter2.example"}]}}`
	fleet := NewFleet((&kube.Client{}).WithManager(testManager), Settings{})
	live := object(t, ingress)
	got := fleet.refreshedFields(live, managedfields.Fields{"spec.ingressClassName": "nginx"})
	want := managedfields.Fields{"spec.ingressClassName": "nginx", "(not recorded)": "2 fields"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	prior := &State{URL: "https://acme.example"}
	url := refreshedURL(testManager, []*unstructured.Unstructured{live}, prior)
	if !managedfields.IsHash(url) {
		t.Errorf("the address shows as %q", url)
	}
	if again := refreshedURL(testManager, []*unstructured.Unstructured{live}, &State{URL: url}); again != url {
		t.Errorf("the next refresh shows %q, and the one before %q", again, url)
	}
	prior.URL = "https://hunter2.example"
	if url := refreshedURL(testManager, []*unstructured.Unstructured{live}, prior); url != prior.URL {
		t.Errorf("the recorded address shows as %q", url)
	}
	unstructured.RemoveNestedField(live.Object, "metadata", "annotations")
	if url := refreshedURL(testManager, []*unstructured.Unstructured{live}, &State{}); url != "https://hunter2.example" {
		t.Errorf("the address of a client without secrets shows as %q", url)
	}
}

// What is known to be secret is taken out of what an import records, also where the live
// objects contradict each other.
func TestImportTakesOutSecrets(t *testing.T) {
	recovered := &recoveredValues{Recovered: template.Recovered{
		Values:  map[string]string{"TAG": "3.0", "PASSWORD": "hunter2"},
		Missing: []string{"ZONE"},
		Conflicts: []template.Conflict{
			{Name: "PIN", Found: []template.Finding{{Value: "first"}, {Value: "second"}}},
			{Name: "COLOUR", Found: []template.Finding{{Value: "red"}}},
		},
	}}
	recovered.setSecret(map[string]bool{"PASSWORD": true, "PIN": true, "UNUSED": true})
	want := &recoveredValues{
		Recovered: template.Recovered{
			Values: map[string]string{"TAG": "3.0"}, Missing: []string{"PIN", "ZONE"},
			Conflicts: []template.Conflict{{Name: "COLOUR", Found: []template.Finding{{Value: "red"}}}},
		},
		secrets: map[string]string{"PASSWORD": "hunter2"},
		hidden:  []map[string]string{{"PIN": "first"}, {"PIN": "second"}},
	}
	if diff := cmp.Diff(want, recovered, cmp.AllowUnexported(recoveredValues{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Values that are not known yet are filled in as what they are: a secret is always text.
func TestFilledSecrets(t *testing.T) {
	spec := Spec{Variables: map[string]string{"A": "a"}, Secrets: map[string]string{"S": "s"}}
	placeholders := []string{"A", "B", "CLIENT_NAME", "S", "T"}
	for _, test := range []struct {
		name               string
		unknown            UnknownValues
		variables, secrets map[string]string
	}{
		{"nothing", UnknownValues{}, map[string]string{"A": "a"}, map[string]string{"S": "s"}},
		{"a secret", UnknownValues{Secrets: []string{"T"}}, map[string]string{"A": "a"}, map[string]string{"S": "s", "T": "7"}},
		{
			"which secrets there are", UnknownValues{AnySecret: true},
			map[string]string{"A": "a"}, map[string]string{"S": "7", "B": "7", "T": "7"},
		},
		{
			"which variables there are", UnknownValues{AnyVariable: true},
			map[string]string{"A": "7", "B": "7", "T": "7"}, map[string]string{"S": "s"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			filled := test.unknown.filled(spec, "7", slices.Clone(placeholders))
			if diff := cmp.Diff(test.variables, filled.Variables); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.secrets, filled.Secrets); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
		})
	}
}

// An error about a roll back may quote the secret of before, which the configuration does not
// have any more.
func TestFormerSecretsAreRedacted(t *testing.T) {
	live := object(t, `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mira-acme", "namespace": "default"},
	  "spec": {"externalName": "acme.former-s3cr3t.example"}}`)
	const text = serviceOnly + "spec: {externalName: '%ZONE%.%PASSWORD%.example'}\n"
	for _, test := range []struct {
		name    string
		secrets map[string]string
		action  action
		want    string
	}{
		{"a secret that changes", map[string]string{"PASSWORD": "new-s3cr3t"}, actionApply, "(secret PASSWORD)"},
		{"an object that stays", map[string]string{"PASSWORD": "new-s3cr3t"}, actionNone, "former-s3cr3t"},
		{"no secret", nil, actionApply, "former-s3cr3t"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := Spec{Namespace: "default", Name: "acme", Variables: map[string]string{"ZONE": "acme"}, Secrets: test.secrets}
			if test.secrets == nil {
				spec.Variables["PASSWORD"] = "new"
			}
			fleet := NewFleet((&kube.Client{}).WithManager(testManager), Settings{})
			m, err := rendererOf(text).render(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			c := newObjectChange(m.objects[0], objectState{})
			c.live, c.action = live, test.action
			fleet.settings.Hidden.Add(changeSet{c}.formerSecrets(m))
			if got := fleet.settings.Hidden.Redact("former-s3cr3t"); got != test.want {
				t.Errorf("the former secret shows as %q, want %q", got, test.want)
			}
		})
	}
}
