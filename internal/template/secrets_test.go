package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// secretValues returns the values of client acme with secrets, which are pairs of name and value.
func secretValues(secrets ...string) Values {
	v := testValues()
	v.Secrets = testValues(secrets...).Variables
	return v
}

// A secret is always text, whatever YAML would make of it.
func TestSecretsAreText(t *testing.T) {
	for _, secret := range []string{"0644", "1234", "true", "null", "1e3", "", "~", "a: b", "12345678901234567890"} {
		got := data(t, configMap("a: %PIN%", "b: '%PIN%'", "c: x%PIN%", "d: !!str %PIN%", "name: %PIN%"), secretValues("PIN", secret))
		want := map[string]any{"a": secret, "b": secret, "c": "x" + secret, "d": secret, "name": secret}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", secret, diff)
		}
	}
	values := secretValues("PIN", "secret")
	values.Variables["PIN"] = "variable"
	if got := data(t, configMap("a: %PIN%"), values); !cmp.Equal(any(map[string]any{"a": "secret"}), got) {
		t.Errorf("with a variable of the same name: %v", got)
	}
}

// A secret may not stand where plans and errors would show it, and no error has its text.
func TestRenderRefusesSecrets(t *testing.T) {
	const secret = "hunter2-secret"
	tests := []struct {
		name, text string
		want       []string
	}{
		{
			"in a key", configMap("a%PIN%: b"),
			[]string{"line 3: data: the secret %PIN% may not stand here: plans and errors show keys"},
		},
		{
			"with another tag than that of text", configMap("a: !!int %PIN%"),
			[]string{"line 3: data.a: the value of the secret %PIN% is always text: remove the tag !!int"},
		},
		{
			"in an object's name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'mira-%CLIENT_NAME%-%PIN%'}\n",
			[]string{"line 3: metadata.name: the secret %PIN% may not stand here: plans and errors show names"},
		},
		{
			"in a kind, a version and a namespace",
			"apiVersion: %PIN%\nkind: %PIN%\nmetadata: {name: '%CLIENT_NAME%', namespace: '%PIN%'}\n",
			[]string{
				"line 1: apiVersion: the secret %PIN% may not stand here: plans and errors show names",
				"line 2: kind: the secret %PIN% may not stand here: plans and errors show names",
				"line 3: metadata.namespace: the secret %PIN% may not stand here: plans and errors show names",
			},
		},
		{
			"in a finalizer", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mira-%CLIENT_NAME%\n  finalizers: ['example.com/%PIN%']\n",
			[]string{"line 5: metadata.finalizers[0]: the secret %PIN% may not stand here: plans and errors show names"},
		},
		{
			"in a name in a list",
			"apiVersion: v1\nkind: Service\nmetadata: {name: 'mira-%CLIENT_NAME%'}\nspec:\n  ports:\n  - name: p-%PIN%\n    port: 1\n",
			[]string{"line 6: spec.ports[0].name: the secret %PIN% may not stand here: plans and errors show names"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Render(secretValues("PIN", secret), testPolicy)
			wantErrors(t, err, test.want...)
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error has the secret: %v", err)
			}
		})
	}
}

// What is wrong with a literal of a Secret is told without its text.
func TestParseHidesDataOfSecrets(t *testing.T) {
	for _, key := range []string{"data", "stringData"} {
		document := "apiVersion: v1\nkind: Secret\nmetadata: {name: '%CLIENT_NAME%'}\n" + key + ": {pin: 12345678901234567890}\n"
		_, err := Parse(document)
		wantErrors(t, err, "line 4: "+key+".pin: the value is an integer that does not fit into 64 bits; quote it if it is text")
		list := "kind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(document), "\n", "\n  ") + "\n"
		if _, err := Parse(list); err == nil || strings.Contains(err.Error(), "1234567") {
			t.Errorf("of a list: %v", err)
		}
	}
}

// Secrets are placeholders like others to whoever misspells one.
func TestSecretsAreNamed(t *testing.T) {
	policy := Policy{Namespace: "default", AllowedKinds: []schema.GroupKind{configMapKind}}
	_, err := mustParse(t, configMap("a: %PIM%")).Render(secretValues("PIN", "hunter2"), policy)
	if err == nil || !strings.Contains(err.Error(), "or write %PIN% if that is meant") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is: %v", err)
	}
}

// Each object names the secrets that it holds, wherever they stand.
func TestObjectSecrets(t *testing.T) {
	text := configMap("a: x%PIN%y%TOKEN%", "b: [{c: '%PIN%'}]", "d: %PLAIN%", "e: %CLIENT_NAME%") + "---\n" +
		strings.ReplaceAll(configMap("a: %OTHER%"), "mira-", "other-") + "---\n" + strings.ReplaceAll(configMap("a: b"), "mira-", "none-")
	values := secretValues("PIN", "1234", "TOKEN", "", "OTHER", "hunter2", "UNUSED", "unused", "CLIENT_NAME", "no secret")
	values.Variables["PLAIN"] = "plain"
	objects := mustRender(t, text, values)
	for i, want := range [][]string{{"PIN", "TOKEN"}, {"OTHER"}, nil} {
		if diff := cmp.Diff(want, objects[i].Secrets()); diff != "" {
			t.Errorf("object %d (-want +got):\n%s", i+1, diff)
		}
	}
}

func TestOnlyInSecretData(t *testing.T) {
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: 'mira-%CLIENT_NAME%', labels: {a: '%LABEL%'}}\n" +
		"data: {a: '%ENCODED%', b: '%LABEL%', c: '%CLIENT_NAME%'}\nstringData: {a: 'x%TEXT%', b: '%SHARED%'}\n---\n" +
		configMap("a: %SHARED%", "b: %PLAIN%")
	if diff := cmp.Diff([]string{"ENCODED", "TEXT"}, mustParse(t, text).OnlyInSecretData()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
