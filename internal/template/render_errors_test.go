package template

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenderRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		values     Values
		want       []string
	}{
		{
			"a placeholder without a value",
			configMap("a: %IMAGE_TAGS%", "b: x%IMAGE_TAGS%", "c: ['%IMAGE_TAGS%']"),
			testValues("IMAGE_TAG", "1", "ZONE", "a"),
			[]string{
				"line 3: placeholder %IMAGE_TAGS% (also in line 4, 5) has no value: set variables.IMAGE_TAGS, or write %IMAGE_TAG% if that is meant;" +
					" defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%, %IMAGE_TAG%, %ZONE%; if it is meant as text, set" +
					" variables.IMAGE_TAGS to \"%IMAGE_TAGS%\"",
			},
		},
		{
			"a placeholder without a value, in the line of a block that it stands in",
			configMap("a: |", "  echo", "  # it is in a script, so this is no comment of YAML", "  echo %PATH%"), testValues(),
			[]string{"line 6: placeholder %PATH% has no value: set variables.PATH; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%;" +
				" if it is meant as text, set variables.PATH to \"%PATH%\""},
		},
		{
			"a cluster domain that is not configured",
			configMap("a: %CLUSTER_DOMAIN%"),
			Values{ClientName: "acme"},
			[]string{
				"line 3: placeholder %CLUSTER_DOMAIN% has no value: set the provider's argument cluster_domain, the environment variable" +
					" CLUSTER_DOMAIN," +
					" or the key CLUSTER_DOMAIN of ConfigMap controller/mira-cluster-controller-config",
			},
		},
		{
			"all that is wrong, in the order of lines",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: '%CLIENT_NAME%', namespace: other}\ndata: {a: %FOO%}\n---\n" + configMap(
				"a: [%NULL%]",
				"b: %FOO%",
			),
			testValues("NULL", ""),
			[]string{
				`line 2: kind: a template may not hold objects of the kind core/Secret (allowed: core/Service, networking.k8s.io/Ingress,` +
					` apps/StatefulSet, core/ConfigMap); to allow it, add "core/Secret" to allowed_kinds`,
				`line 3: metadata.namespace: the document is in namespace "other", and the client's objects belong in "default": remove the field`,
				"line 4: placeholder %FOO% (also in line 9) has no value: set variables.FOO; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%," +
					" %EMAIL_ADMIN%, %NULL%;" +
					" if it is meant as text, set variables.FOO to \"%FOO%\"",
				"line 8: data.a[0]: the value of %NULL% makes the list item null",
			},
		},
		{
			"a placeholder without a value in what an object is called, without further errors",
			"apiVersion: '%GROUP%/v1'\nkind: '%KIND%'\nmetadata: {name: '%CLIENT_NAME%-%ZONE%', namespace: '%NAMESPACE%'}\n",
			testValues("GROUP", "apps"),
			[]string{
				"line 2: placeholder %KIND% has no value: set variables.KIND; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%, %GROUP%;" +
					" if it is meant as text, set variables.KIND to \"%KIND%\"",
				"line 3: placeholder %NAMESPACE% has no value: set variables.NAMESPACE; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%," +
					" %EMAIL_ADMIN%, %GROUP%;" +
					" if it is meant as text, set variables.NAMESPACE to \"%NAMESPACE%\"",
				"line 3: placeholder %ZONE% has no value: set variables.ZONE; defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%, %GROUP%;" +
					" if it is meant as text, set variables.ZONE to \"%ZONE%\"",
			},
		},
		{
			"a placeholder without a value in many lines",
			configMap("a: %AA%", "b: %AA%", "c: %AA%", "d: %AA%", "e: %AA%", "f: %AA%", "g: %AA%", "h: {%AA%: x}"), testValues(),
			[]string{"line 3: placeholder %AA% (also in line 4, 5, 6, 7, 8, ...) has no value: set variables.AA;" +
				" defined are %CLIENT_NAME%, %CLUSTER_DOMAIN%, %EMAIL_ADMIN%; if it is meant as text, set variables.AA to \"%AA%\""},
		},
		{
			"keys that values make the same", configMap("%AA%: 1", "x: 2", "a: {%AA%: 1, %BB%: 2}", "b: {%AA%: ~, c: {%BB%: %NULL%, %AA%: 1}}"),
			testValues("AA", "x", "BB", "x", "NULL", ""),
			[]string{
				"line 4: data.x: duplicate key: the value of a placeholder makes two keys of the mapping the same",
				"line 5: data.a.x: duplicate key: the value of a placeholder makes two keys of the mapping the same",
				"line 6: data.b.c.x: duplicate key: the value of a placeholder makes two keys of the mapping the same",
			},
		},
		{
			"a variable that does not fit its tag, without its value",
			configMap("a: !!int %AA%", "b: !!bool 'x%AA%'"),
			testValues("AA", "secret"),
			[]string{
				"line 3: data.a: the value of %AA% does not fit its tag !!int",
				"line 4: data.b: the value of x%AA% does not fit its tag !!bool",
			},
		},
		{
			"a variable that JSON has no number for",
			configMap("a: %AA%", "b: %BB%"),
			testValues("AA", ".nan", "BB", "123456789012345678901234567890"),
			[]string{
				"line 3: data.a: the value of %AA% is not a finite number, which a Kubernetes object cannot hold; quote it if it is text",
				"line 4: data.b: the value of %BB% is an integer that does not fit into 64 bits; quote it if it is text",
			},
		},
		{
			"a value that is no UTF-8", configMap("a: %AA%"), testValues("AA", "\xff"),
			[]string{"line 3: the value of %AA% is not valid UTF-8 text"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, err := mustParse(t, test.text).Render(test.values, testPolicy)
			wantErrors(t, err, test.want...)
			if objects != nil {
				t.Error("an error must come without objects")
			}
		})
	}
}

func TestErrorsNameThePlaceholder(t *testing.T) {
	_, err := mustParse(t, configMap("a: %AA%", "b: %BB%", "c: [%NULL%]")).Render(testValues("BB", ".inf", "NULL", ""), testPolicy)
	var got []string
	for _, e := range Errors(err) {
		got = append(got, e.Placeholder)
	}
	if diff := cmp.Diff([]string{"AA", "BB", "NULL"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
