package template

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clientTemplate is the sample that the documentation shows and the demo applies.
func clientTemplate(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "client-template", "client_template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// defaultPolicy is the provider's policy if nothing is configured.
var defaultPolicy = Policy{Namespace: "default", AllowedKinds: []schema.GroupKind{serviceKind, ingressKind, statefulSetKind}}

const sampleEmail = "o'brien+mira@exa-mple.com"

func TestClientTemplate(t *testing.T) {
	parsed := mustParse(t, clientTemplate(t))
	if diff := cmp.Diff([]string{"CLIENT_NAME", "CLUSTER_DOMAIN", "EMAIL_ADMIN"}, parsed.Placeholders()); diff != "" {
		t.Errorf("placeholders (-want +got):\n%s", diff)
	}
	domain := "alsigo.net"
	pods := map[string]labels.Set{}
	selectors := map[string]labels.Set{}
	for _, client := range []string{"acme", "123", "true", "null"} {
		t.Run(client, func(t *testing.T) {
			objects, err := parsed.Render(Values{ClientName: client, ClusterDomain: &domain, AdminEmail: sampleEmail}, defaultPolicy)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, o := range objects {
				kinds = append(kinds, o.GetKind()+"/"+o.GetName())
				if o.GetNamespace() != "default" || o.Object["status"] != nil {
					t.Errorf("%s is in namespace %q with status %v", o.GetKind(), o.GetNamespace(), o.Object["status"])
				}
			}
			name := "mira-" + client
			if diff := cmp.Diff([]string{"Service/" + name, "Ingress/" + name, "StatefulSet/" + name}, kinds); diff != "" {
				t.Fatalf("objects (-want +got):\n%s", diff)
			}
			service, ingress, set := objects[0].Object, objects[1].Object, objects[2].Object

			selectors[client] = stringMap(t, service, "spec", "selector")
			if diff := cmp.Diff(labels.Set{"app": "mira", "client": client}, selectors[client]); diff != "" {
				t.Errorf("the Service's selector (-want +got):\n%s", diff)
			}
			pods[client] = stringMap(t, set, "spec", "template", "metadata", "labels")
			if selector := stringMap(t, set, "spec", "selector", "matchLabels"); !selector.AsSelector().Matches(pods[client]) {
				t.Errorf("the StatefulSet's selector %v does not match its pods' labels %v", selector, pods[client])
			}
			want := []any{map[string]any{
				"host": client + ".alsigo.net",
				"http": map[string]any{"paths": []any{map[string]any{
					"path": "/", "pathType": "Prefix",
					"backend": map[string]any{"service": map[string]any{"name": name, "port": map[string]any{"name": "https"}}},
				}}},
			}}
			if diff := cmp.Diff(any(want), value(ingress, "spec", "rules")); diff != "" {
				t.Errorf("the Ingress's rules (-want +got):\n%s", diff)
			}
			containers, _ := value(set, "spec", "template", "spec", "containers").([]any)
			if len(containers) != 2 {
				t.Fatalf("got %d containers, want 2", len(containers))
			}
			wantEnv := []any{
				map[string]any{"name": "CLIENT_NAME", "value": client},
				map[string]any{"name": "ADMIN_EMAIL", "value": sampleEmail},
				map[string]any{"name": "PUBLIC_URL", "value": "https://" + client + ".alsigo.net"},
				map[string]any{"name": "DATABASE_PATH", "value": "/var/lib/mira/mira.sqlite3"},
			}
			if diff := cmp.Diff(any(wantEnv), value(containers[0], "env")); diff != "" {
				t.Errorf("the environment (-want +got):\n%s", diff)
			}
		})
	}
	for client, selector := range selectors {
		for other, set := range pods {
			if selector.AsSelector().Matches(set) != (client == other) {
				t.Errorf("the Service of client %s and the pods of client %s: selector %v, labels %v", client, other, selector, set)
			}
		}
	}
}

// stringMap returns a mapping whose values must all be strings.
func stringMap(t *testing.T, content any, keys ...string) labels.Set {
	t.Helper()
	fields, _ := value(content, keys...).(map[string]any)
	set := labels.Set{}
	for key, v := range fields {
		text, ok := v.(string)
		if !ok {
			t.Errorf("%v: %s is %#v and no string", keys, key, v)
		}
		set[key] = text
	}
	return set
}

func TestRecoverFromTheClientTemplate(t *testing.T) {
	parsed := mustParse(t, clientTemplate(t))
	domain := "alsigo.net"
	for _, email := range []string{sampleEmail, "123", "true", "a@b.c"} {
		t.Run(email, func(t *testing.T) {
			objects, err := parsed.Render(Values{ClientName: "acme", ClusterDomain: &domain, AdminEmail: email}, defaultPolicy)
			if err != nil {
				t.Fatal(err)
			}
			var live cluster
			for _, o := range objects {
				// What the API server and others add makes no difference.
				content := o.DeepCopy()
				content.SetUID("1")
				content.SetManagedFields(nil)
				set := content.Object
				if containers, ok := value(set, "spec", "template", "spec", "containers").([]any); ok {
					env := value(containers[0], "env").([]any)
					containers[0].(map[string]any)["env"] = append([]any{map[string]any{"name": "HTTP_PROXY", "value": "x"}}, env...)
					value(set, "spec", "template", "spec").(map[string]any)["containers"] =
						append([]any{map[string]any{"name": "proxy", "env": []any{map[string]any{"name": "ADMIN_EMAIL", "value": "other"}}}}, containers...)
				}
				live = append(live, content)
			}
			got := parsed.Recover(map[string]string{"CLIENT_NAME": "acme"}, live.get)
			want := Recovered{Values: map[string]string{"CLUSTER_DOMAIN": domain, "EMAIL_ADMIN": email}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// unstructuredObjects returns rendered objects as live ones.
func unstructuredObjects(objects []*Object) cluster {
	live := make(cluster, 0, len(objects))
	for _, o := range objects {
		live = append(live, &unstructured.Unstructured{Object: o.DeepCopy().Object})
	}
	return live
}
