package template

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func object(apiVersion, kind, name string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n", apiVersion, kind, name)
}

func TestPolicy(t *testing.T) {
	defaults := Policy{Namespace: "default", AllowedKinds: []schema.GroupKind{serviceKind, ingressKind, statefulSetKind}}
	tests := []struct {
		name, text string
		policy     Policy
		want       []string
	}{
		{"allowed kinds in any version", object("networking.k8s.io/v1beta1", "Ingress", "'%CLIENT_NAME%'"), defaults, nil},
		{
			"a kind that is not allowed",
			object("rbac.authorization.k8s.io/v1", "RoleBinding", "'%CLIENT_NAME%'"),
			defaults,
			[]string{
				`line 2: kind: a template may not hold objects of the kind rbac.authorization.k8s.io/RoleBinding ` +
					`(allowed: core/Service, networking.k8s.io/Ingress, apps/StatefulSet);` +
					` to allow it, add "rbac.authorization.k8s.io/RoleBinding" to allowed_kinds`,
			},
		},
		{
			"a kind of another group than the allowed one",
			object("extensions/v1beta1", "Ingress", "'%CLIENT_NAME%'"),
			defaults,
			[]string{
				`line 2: kind: a template may not hold objects of the kind extensions/Ingress ` +
					`(allowed: core/Service, networking.k8s.io/Ingress, apps/StatefulSet);` +
					` if networking.k8s.io/Ingress is meant, correct the apiVersion; to allow it, add "extensions/Ingress" to allowed_kinds`,
			},
		},
		{
			"a kind of a variable, which must be allowed like any other",
			object("v1", "'%KIND%'", "'%CLIENT_NAME%'"),
			defaults,
			[]string{
				`line 2: kind: a template may not hold objects of the kind core/Secret ` +
					`(allowed: core/Service, networking.k8s.io/Ingress, apps/StatefulSet); to allow it, add "core/Secret" to allowed_kinds`,
			},
		},
		{"a kind of a variable that is a number", object("v1", "%NUMBER%", "'%CLIENT_NAME%'"), defaults, []string{
			"line 2: kind: must be a string, and the value of %NUMBER% is none",
		}},
		{"an apiVersion that is none", object("a/b/c", "Service", "'%CLIENT_NAME%'"), defaults, []string{
			`line 1: apiVersion: "a/b/c" is not a version, nor a group and a version as apps/v1 is`,
		}},
		{"the client's namespace", object("v1", "Service", "'%CLIENT_NAME%'") + "  namespace: default\n", defaults, nil},
		{"the client's namespace by a variable", object("v1", "Service", "'%CLIENT_NAME%'") + "  namespace: def%REST%\n", defaults, nil},
		{"another namespace", object("v1", "Service", "'%CLIENT_NAME%'") + "  namespace: kube-system\n", defaults, []string{
			`line 5: metadata.namespace: the document is in namespace "kube-system", and the client's objects belong in "default": remove the field`,
		}},
		{
			"another namespace by a merge key",
			"x: &x {namespace: kube-system}\n" + object("v1", "Service", "'%CLIENT_NAME%'") + "  <<: *x\n",
			defaults,
			[]string{
				`line 1: metadata.namespace: the document is in namespace "kube-system",` +
					` and the client's objects belong in "default": remove the field`,
			},
		},
		{
			"two documents of one kind and name",
			object("networking.k8s.io/v1", "Ingress", "'%CLIENT_NAME%'") + "---\n" + object("v1", "Service", "'%CLIENT_NAME%'") + "---\n" +
				object("networking.k8s.io/v1beta1", "Ingress", "%SAME%%CLIENT_NAME%"),
			defaults, []string{`line 11: metadata.name: another Ingress "acme" begins in line 1 already`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Render(testValues("KIND", "Secret", "NUMBER", "1", "REST", "ault", "SAME", ""), test.policy)
			wantErrors(t, err, test.want...)
		})
	}
}

func TestObjectsGetTheNamespaceOfThePolicy(t *testing.T) {
	for _, namespace := range []string{"default", "tenants"} {
		t.Run(namespace, func(t *testing.T) {
			policy := testPolicy
			policy.Namespace = namespace
			objects, err := mustParse(t, configMap("a: b")).Render(testValues(), policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := objects[0].GetNamespace(); got != namespace {
				t.Errorf("got namespace %q, want %q", got, namespace)
			}
		})
	}
}

func TestNames(t *testing.T) {
	policy := testPolicy
	policy.AllowedKinds = append([]schema.GroupKind{cronJobKind, {Group: "rbac.authorization.k8s.io", Kind: "Role"}}, policy.AllowedKinds...)
	const (
		label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an" +
			" alphanumeric character"
		label1035 = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and" +
			" end with an alphanumeric character"
		subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and" +
			" end with an alphanumeric character"
	)
	long := strings.Repeat("a", 40)
	claim := func(name string) string {
		return object("apps/v1", "StatefulSet", "'%CLIENT_NAME%'") +
			"spec: {replicas: 11, volumeClaimTemplates: [{metadata: {name: " + name + "}}]}\n"
	}
	tests := []struct {
		name, text, client string
		want               string
		wantClient         bool
	}{
		{"a Service may have 63 characters", object("v1", "Service", "x-%CLIENT_NAME%"+strings.Repeat("b", 21)), long, "", false},
		{
			"a Service may not have 64",
			object("v1", "Service", "x-%CLIENT_NAME%"+strings.Repeat("b", 22)),
			long,
			`line 4: metadata.name: the client name "` + long + `" makes the Service name "x-` + long + strings.Repeat("b", 22) +
				`", which is not legal: must be no more than 63 characters`,
			true,
		},
		{
			"a Service may not begin with a digit, which is the client's fault", object("v1", "Service", "'%CLIENT_NAME%'"), "123",
			`line 4: metadata.name: the client name "123" makes the Service name "123", which is not legal: ` + label1035, true,
		},
		{
			"a Service may not begin with a digit, which is the template's fault", object("v1", "Service", "1-%CLIENT_NAME%"), "acme",
			`line 4: metadata.name: the Service name "1-acme" is not legal: ` + label1035, false,
		},
		{"an Ingress may begin with a digit and hold dots", object("networking.k8s.io/v1", "Ingress", "1.%CLIENT_NAME%"), "123", "", false},
		{
			"an Ingress has no capitals", object("networking.k8s.io/v1", "Ingress", "'%CLIENT_NAME%'"), "Acme",
			`line 4: metadata.name: the client name "Acme" makes the Ingress name "Acme", which is not legal: ` + subdomain, true,
		},
		{
			"an empty client name", object("networking.k8s.io/v1", "Ingress", "mira-%CLIENT_NAME%"), "",
			`line 4: metadata.name: the client name "" makes the Ingress name "mira-", which is not legal: ` + subdomain, true,
		},
		{"a StatefulSet may have 52 characters", object("apps/v1", "StatefulSet", "x-%CLIENT_NAME%-"+strings.Repeat("b", 9)), long, "", false},
		{
			"a StatefulSet may not have 53", object("apps/v1", "StatefulSet", "x-%CLIENT_NAME%-"+strings.Repeat("b", 10)), long,
			`line 4: metadata.name: the client name "` + long + `" makes the StatefulSet name "x-` + long + `-bbbbbbbbbb", which is not legal:` +
				" it has 53 characters and may have 52, because its pods have a label of the name, a dash and a hash", true,
		},
		{
			"a StatefulSet has no dots", object("apps/v1", "StatefulSet", "mira.%CLIENT_NAME%"), "acme",
			`line 4: metadata.name: the StatefulSet name "mira.acme" is not legal: must not contain dots`, false,
		},
		{
			"a StatefulSet does not end with a dash", object("apps/v1", "StatefulSet", "mira-%CLIENT_NAME%-"), "acme",
			`line 4: metadata.name: the StatefulSet name "mira-acme-" is not legal: ` + label, false,
		},
		{"a claim may have 253 characters", claim(strings.Repeat("v", 209)), long, "", false},
		{
			"a claim may not have 254",
			claim(strings.Repeat("v", 210)),
			long,
			`line 4: metadata.name: the client name "` + long + `" makes the StatefulSet name "` + long + `", which is not legal: it makes` +
				` the PersistentVolumeClaim name "` +
				strings.Repeat("v", 210) + "-" + long + `-10", which has 254 characters and may have 253`,
			true,
		},
		{
			"a CronJob may not have 53 characters", object("batch/v1", "CronJob", "x-%CLIENT_NAME%-"+strings.Repeat("b", 10)), long,
			`line 4: metadata.name: the client name "` + long + `" makes the CronJob name "x-` + long + `-bbbbbbbbbb", which is not legal:` +
				" it has 53 characters and may have 52, because its Jobs have names that begin with it", true,
		},
		{"a Role may have what no other name has", object("rbac.authorization.k8s.io/v1", "Role", "mira:%CLIENT_NAME%"), "acme", "", false},
		{
			"a Role has no slashes", object("rbac.authorization.k8s.io/v1", "Role", "mira/%CLIENT_NAME%"), "acme",
			`line 4: metadata.name: the Role name "mira/acme" is not legal: may not contain '/'`, false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Render(Values{ClientName: test.client}, policy)
			if test.want == "" {
				wantErrors(t, err)
				return
			}
			wantErrors(t, err, test.want)
			for _, e := range Errors(err) {
				if e.InvalidClientName != test.wantClient {
					t.Errorf("InvalidClientName is %t, want %t", e.InvalidClientName, test.wantClient)
				}
			}
		})
	}
}

func TestTextFields(t *testing.T) {
	text := `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: '%CLIENT_NAME%'
  labels: {a: %NUMBER%, b: '%NUMBER%', c: 1.5}
  annotations: {a: true}
spec:
  selector:
    matchLabels: {a: 1}
  template:
    metadata:
      labels: {a: %FLAG%}
      annotations: {a.b/c: 2}
    spec:
      initContainers:
      - env: [{name: A, value: 1}]
      containers:
      - name: a
        env:
        - {name: B, value: text}
        - name: C
          value: %NUMBER%
        - {name: D}
---
apiVersion: v1
kind: Service
metadata: {name: '%CLIENT_NAME%'}
spec:
  selector: {a: 1}
`
	_, err := mustParse(t, text).Render(testValues("NUMBER", "3", "FLAG", "on"), testPolicy)
	wantErrors(t, err,
		"line 5: metadata.labels.a: must be text, and the value of %NUMBER% is a number: put the placeholder in quotes",
		"line 5: metadata.labels.c: must be text, and 1.5 is a number: put it in quotes",
		"line 6: metadata.annotations.a: must be text, and true is a boolean: put it in quotes",
		"line 9: spec.selector.matchLabels.a: must be text, and 1 is a number: put it in quotes",
		"line 12: spec.template.metadata.labels.a: must be text, and the value of %FLAG% is a boolean: put the placeholder in quotes",
		"line 13: spec.template.metadata.annotations[a.b/c]: must be text, and 2 is a number: put it in quotes",
		"line 16: spec.template.spec.initContainers[0].env[0].value: must be text, and 1 is a number: put it in quotes",
		"line 22: spec.template.spec.containers[0].env[1].value:"+
			" must be text, and the value of %NUMBER% is a number: put the placeholder in quotes",
		"line 29: spec.selector.a: must be text, and 1 is a number: put it in quotes",
	)
	var placeholders []string
	for _, e := range Errors(err) {
		placeholders = append(placeholders, e.Placeholder)
	}
	if diff := cmp.Diff([]string{"NUMBER", "", "", "", "FLAG", "", "", "NUMBER", ""}, placeholders); diff != "" {
		t.Errorf("placeholders (-want +got):\n%s", diff)
	}
}
