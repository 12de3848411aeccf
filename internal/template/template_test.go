package template

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	configMapKind = schema.GroupKind{Kind: "ConfigMap"}
	ingressKind   = schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}

	// testPolicy allows the kinds that the provider allows by default, and ConfigMaps, which are the shortest to write.
	testPolicy = Policy{
		Namespace:    "default",
		AllowedKinds: []schema.GroupKind{serviceKind, ingressKind, statefulSetKind, configMapKind},
	}
)

// testValues returns the values of a client called acme. Variables are pairs of name and value.
func testValues(variables ...string) Values {
	domain := "alsigo.net"
	v := Values{ClientName: "acme", ClusterDomain: &domain, AdminEmail: "o'brien+mira@exa-mple.com", Variables: map[string]string{}}
	for i := 0; i+1 < len(variables); i += 2 {
		v.Variables[variables[i]] = variables[i+1]
	}
	return v
}

func mustParse(t testing.TB, text string) *Template {
	t.Helper()
	parsed, err := Parse(text)
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	return parsed
}

func mustRender(t testing.TB, text string, v Values) []*Object {
	t.Helper()
	objects, err := mustParse(t, text).Render(v, testPolicy)
	if err != nil {
		t.Fatalf("rendering: %v", err)
	}
	return objects
}

// configMap returns a ConfigMap whose data, from line 3 on, are entries: lines of YAML.
func configMap(entries ...string) string {
	return "apiVersion: v1\ndata:\n  " + strings.Join(entries, "\n  ") + "\nkind: ConfigMap\nmetadata: {name: mira-%CLIENT_NAME%}\n"
}

// data returns the data of the only object of a template.
func data(t testing.TB, text string, v Values) any {
	t.Helper()
	objects := mustRender(t, text, v)
	if len(objects) != 1 {
		t.Fatalf("got %d objects, want 1", len(objects))
	}
	return objects[0].Object["data"]
}

// wantErrors checks the messages of all errors.
func wantErrors(t testing.TB, err error, want ...string) {
	t.Helper()
	var got []string
	for _, e := range Errors(err) {
		got = append(got, e.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func quote(s string) string { return strconv.Quote(s) }
