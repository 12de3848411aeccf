package mira

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// liveClient returns the objects of a client of the sample template, as a server had them after
// an apply of the provider: an Ingress, a Service and a StatefulSet.
func liveClient(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(acctest.Root(), "internal", "managedfields", "testdata", "acme", "*.json"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files of live objects, %v", len(files), err)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The recorded client had an edited template.
		text := acctest.Edit(t, strings.ReplaceAll(string(data), `"serviceName": "mira-acme"`, `"serviceName": "mira"`), "acme", name)
		objects = append(objects, object(t, strings.ReplaceAll(text, `"storage": "8Gi"`, `"storage": "5Gi"`)))
	}
	return objects
}

// djangoClient returns the same without labels, as written by the Django controller.
func djangoClient(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	objects := liveClient(t, name)
	for _, o := range objects {
		o.SetLabels(nil)
		writtenBy(o, djangoManager, metav1.ManagedFieldsOperationUpdate)
	}
	return objects
}

// writtenBy gives our fields of an object to another manager.
func writtenBy(o *unstructured.Unstructured, manager string, operation metav1.ManagedFieldsOperationType) {
	entries := o.GetManagedFields()
	for i := range entries {
		if entries[i].Manager == managedfields.DefaultName {
			entries[i].Manager, entries[i].Operation = manager, operation
		}
	}
	o.SetManagedFields(entries)
}

// bare returns an object of a kind and name that nobody is known to have written.
func bare(t *testing.T, apiVersion, kind, name, rest string) *unstructured.Unstructured {
	t.Helper()
	return object(t, `{"apiVersion": "`+apiVersion+`", "kind": "`+kind+`", "metadata": {"name": "`+name+`", "namespace": "default"}`+rest+`}`)
}

// surveyOf returns the survey of a namespace with some objects. Claims and pods are among them.
func surveyOf(t *testing.T, text string, variables map[string]string, objects ...*unstructured.Unstructured) *survey {
	t.Helper()
	s := &survey{
		services: &services{
			shared: &shared{settings: Settings{AllowedKinds: DefaultAllowedKinds(), Variables: variables, Hidden: &managedfields.Register{}}},
			fields: managedfields.NewManager("", ClientLabel),
		},
		namespace: "default",
	}
	if text != "" {
		parsed, err := template.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		domain := acctest.Domain
		s.template, s.fleet = parsed, template.Values{ClusterDomain: &domain, Variables: variables}
	}
	listed := make(map[string][]*unstructured.Unstructured)
	for _, o := range objects {
		listed[o.GetKind()] = append(listed[o.GetKind()], o)
	}
	s.objects = slices.Concat(listed["Service"], listed["Ingress"], listed["StatefulSet"])
	s.pods = append([]*unstructured.Unstructured{}, listed["Pod"]...)
	s.claimObjects = append([]*unstructured.Unstructured{}, listed["PersistentVolumeClaim"]...)
	s.index()
	return s
}

// clients describes all clients of a survey, by name.
func (s *survey) clients(t *testing.T) map[string]FoundClient {
	t.Helper()
	found := make(map[string]FoundClient)
	for name, objects := range s.groups() {
		client, notCompared, err := s.describe(name, objects)
		if err != nil || notCompared != nil {
			t.Fatalf("%s: %v, %v", name, err, notCompared)
		}
		found[name] = client
	}
	return found
}

func isUpToDate(c FoundClient) string {
	switch {
	case c.IsUpToDate == nil:
		return "unknown"
	case *c.IsUpToDate:
		return "yes"
	}
	return "no"
}

func TestClients_groups(t *testing.T) {
	sample := acctest.SampleTemplate(t)
	serviceOf := func(name string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: \"" + name + "\"}\nspec: {selector: {client: \"%CLIENT_NAME%\"}}\n"
	}
	everythingMatches := serviceOf("%CLIENT_NAME%")
	twoServices := serviceOf("mira-%CLIENT_NAME%") + "---\n" + serviceOf("mira-%CLIENT_NAME%-2")
	service := func(name, client string) *unstructured.Unstructured {
		return bare(t, "v1", "Service", name, `, "spec": {"selector": {"client": "`+client+`"}}`)
	}
	labelled := func(name, client string) *unstructured.Unstructured {
		o := bare(t, "v1", "Service", name, ``)
		o.SetLabels(map[string]string{ClientLabel: client})
		return o
	}
	byDjango := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{
			Manager: djangoManager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`),
		}})
		return o
	}
	for _, test := range []struct {
		name, template string
		objects        []*unstructured.Unstructured
		want           map[string][]string
	}{
		{
			name: "two names, one the beginning of the other", template: sample,
			objects: slices.Concat(djangoClient(t, "acme"), djangoClient(t, "acme-2")),
			want: map[string][]string{
				"acme":   {"Service/mira-acme", "Ingress/mira-acme", "StatefulSet/mira-acme"},
				"acme-2": {"Service/mira-acme-2", "Ingress/mira-acme-2", "StatefulSet/mira-acme-2"},
			},
		},
		{
			name: "half a client", template: sample, objects: djangoClient(t, "acme")[:1],
			want: map[string][]string{"acme": {"Ingress/mira-acme"}},
		},
		{
			name: "the label counts, whatever the name is", template: sample,
			objects: []*unstructured.Unstructured{labelled("mira-acme", "globex"), labelled("other", "acme")},
			want:    map[string][]string{"globex": {"Service/mira-acme"}, "acme": {"Service/other"}},
		},
		{
			name: "a name by chance is no client", template: sample,
			objects: []*unstructured.Unstructured{service("mira-cluster-controller", "other"), bare(t, "v1", "Service", "mira-x", "")},
			want:    map[string][]string{},
		},
		{
			name: "another kind is no client", template: serviceOnly,
			objects: []*unstructured.Unstructured{djangoClient(t, "acme")[0]},
			want:    map[string][]string{},
		},
		{
			name: "what the Django controller has written is", template: sample,
			objects: []*unstructured.Unstructured{byDjango(bare(t, "v1", "Service", "mira-acme", ""))},
			want:    map[string][]string{"acme": {"Service/mira-acme"}},
		},
		{
			name: "an object of a client that is there is its own", template: sample,
			objects: append(liveClient(t, "acme")[:1], bare(t, "v1", "Service", "mira-acme", "")),
			want:    map[string][]string{"acme": {"Ingress/mira-acme", "Service/mira-acme"}},
		},
		{
			name: "names that are no names of clients", template: sample,
			objects: []*unstructured.Unstructured{byDjango(bare(t, "v1", "Service", "mira-a.b", "")),
				byDjango(bare(t, "v1", "Service", "mira-"+strings.Repeat("a", 41), ""))},
			want: map[string][]string{},
		},
		{
			name: "everything matches by name", template: everythingMatches,
			objects: []*unstructured.Unstructured{service("acme", "acme"), bare(t, "v1", "Service", "kubernetes", ""), service("web", "front")},
			want:    map[string][]string{"acme": {"Service/acme"}},
		},
		{
			name: "the name at another place decides between two clients", template: twoServices,
			objects: []*unstructured.Unstructured{service("mira-acme", "acme"), service("mira-acme-2", "acme"),
				service("mira-globex-2", "globex-2"), service("mira-globex-2-2", "globex-2")},
			want: map[string][]string{
				"acme": {"Service/mira-acme", "Service/mira-acme-2"}, "globex-2": {"Service/mira-globex-2", "Service/mira-globex-2-2"},
			},
		},
		{
			name: "without a template the label is all", objects: append(djangoClient(t, "acme"), labelled("x", "globex")),
			want: map[string][]string{"globex": {"Service/x"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make(map[string][]string)
			for name, objects := range surveyOf(t, test.template, nil, test.objects...).groups() {
				for _, o := range objects {
					got[name] = append(got[name], o.GetKind()+"/"+o.GetName())
				}
				slices.Sort(got[name])
			}
			for _, keys := range test.want {
				slices.Sort(keys)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("clients (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClients_describe(t *testing.T) {
	s := surveyOf(t, acctest.SampleTemplate(t), nil, slices.Concat(liveClient(t, "acme"), djangoClient(t, "globex")[:1])...)
	clients := s.clients(t)
	acme, globex := clients["acme"], clients["globex"]
	if acme.AdminEmail != "admin@acme.example" || acme.URL != "https://acme.mira.example" || !acme.IsManaged {
		t.Errorf("acme: %+v", acme)
	}
	if diff := cmp.Diff(map[string]string{"mira": "mira:3.0", "caddy": "caddy:2.8"}, acme.Images); diff != "" {
		t.Errorf("images of acme (-want +got):\n%s", diff)
	}
	if got := isUpToDate(acme); got != "yes" || acme.Revision != s.template.Revision() || len(acme.Missing)+len(acme.Differences) > 0 {
		t.Errorf("acme is up to date: %s, want yes; %q, missing %v, differing %q", got, acme.Revision, acme.Missing, acme.Differences)
	}
	if diff := cmp.Diff([]string{"Service/mira-globex", "StatefulSet/mira-globex"}, globex.Missing); diff != "" {
		t.Errorf("missing of globex (-want +got):\n%s", diff)
	}
	if got := isUpToDate(globex); got != "no" || globex.Revision != "" || globex.IsManaged || globex.AdminEmail != "" {
		t.Errorf("globex, an Ingress: up to date %s, %+v", got, globex)
	}
	if globex.Rollout.State != ClientAbsent || globex.Rollout.Desired != nil || globex.URL != "https://globex.mira.example" {
		t.Errorf("globex, an Ingress: %+v", globex)
	}
}

// Which edits of the template make a client outdated.
func TestClients_isUpToDate(t *testing.T) {
	sample := acctest.SampleTemplate(t)
	const env = "        - name: CLIENT_NAME\n"
	for _, test := range []struct {
		name      string
		edit      []string // pairs of old and new
		variables map[string]string
		change    func(set *unstructured.Unstructured) // of the live StatefulSet
		want      string
		differing []string
	}{
		{name: "nothing", want: "yes"},
		{name: "a comment", edit: []string{"# What one MIRA", "# Whatever one MIRA"}, want: "yes"},
		{
			name: "notation", want: "yes",
			edit: []string{"memory: 256Mi", "memory: 268435456", "cpu: 100m", "cpu: 0.1", "storage: 5Gi", "storage: 5120Mi",
				"app: mira", `app: "mira"`},
		},
		{
			name: "defaults that are not spelled out any more", want: "yes",
			edit: []string{"\n  type: ClusterIP\n", "\n", "\n    protocol: TCP\n", "\n", "\n          protocol: TCP\n", "\n",
				"\n  replicas: 1\n", "\n",
				"\n      terminationGracePeriodSeconds: 30\n", "\n", "\n        imagePullPolicy: IfNotPresent\n", "\n",
				"\n          periodSeconds: 10\n", "\n"},
		},
		{
			name: "defaults that are spelled out", want: "yes",
			edit: []string{"  type: ClusterIP\n", "  type: ClusterIP\n  sessionAffinity: None\n", "  serviceName: mira\n",
				"  serviceName: mira\n  podManagementPolicy: OrderedReady\n  minReadySeconds: 0\n", "          storage: 5Gi\n",
				"          storage: 5Gi\n      volumeMode: Filesystem\n",
				"            port: app\n", "            port: app\n            scheme: HTTP\n"},
		},
		{
			name: "another image", edit: []string{"mira:3.0", "mira:3.1"}, want: "no",
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].image"},
		},
		{
			name: "a new variable of the environment", edit: []string{env, "        - name: EXTRA\n          value: x\n" + env}, want: "no",
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].env[EXTRA]"},
		},
		{
			name: "one less", edit: []string{"        - name: DATABASE_PATH\n          value: /var/lib/mira/mira.sqlite3\n", ""}, want: "no",
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].env[DATABASE_PATH]"},
		},
		{
			name: "another order", want: "no",
			edit: []string{"        - name: DATABASE_PATH\n          value: /var/lib/mira/mira.sqlite3\n", "",
				env, "        - name: DATABASE_PATH\n          value: /var/lib/mira/mira.sqlite3\n" + env},
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].env.order"},
		},
		{
			name: "a field that has no default goes", want: "no",
			edit:      []string{"  ingressClassName: nginx\n", ""},
			differing: []string{"Ingress/mira-acme spec.ingressClassName"},
		},
		{
			name: "an annotation goes", want: "no",
			edit: []string{"  annotations:\n    # The certificate is Caddy's, so connections are passed on to it as they come.\n" +
				"    nginx.ingress.kubernetes.io/ssl-passthrough: \"true\"\n", ""},
			differing: []string{"Ingress/mira-acme metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]"},
		},
		{
			name: "a value without default", want: "no",
			edit:      []string{"\n          periodSeconds: 30\n", "\n"},
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].livenessProbe.periodSeconds"},
		},
		{
			name: "a smaller claim template", edit: []string{"storage: 5Gi", "storage: 6Gi"}, want: "no",
			differing: []string{"StatefulSet/mira-acme spec.volumeClaimTemplates[0].spec.resources.requests.storage"},
		},
		{name: "false where nothing means true", want: "no",
			edit: []string{"      terminationGracePeriodSeconds: 30\n", "      terminationGracePeriodSeconds: 30\n" +
				"      automountServiceAccountToken: false\n"},
			differing: []string{"StatefulSet/mira-acme spec.template.spec.automountServiceAccountToken"},
		},
		{
			name: "an object goes from the template", want: "no",
			edit:      []string{sample[strings.Index(sample, "apiVersion: networking"):strings.Index(sample, "apiVersion: apps/v1")], ""},
			differing: []string{"Ingress/mira-acme"},
		},
		{
			name: "a variable whose value the client has", edit: []string{"image: mira:3.0", "image: mira:%TAG%"}, want: "yes",
			variables: map[string]string{"TAG": "3.1"},
		},
		{
			name: "a variable that stands in a new field", want: "no",
			edit:      []string{env, "        - name: EXTRA\n          value: \"%EXTRA%\"\n" + env},
			differing: []string{"StatefulSet/mira-acme spec.template.spec.containers[mira].env[EXTRA]"},
		},
		{name: "two variables in one value", edit: []string{"image: mira:3.0", "image: mira:%MAJOR%.%MINOR%"}, want: "unknown"},
		{
			name: "scaled by hand", want: "no",
			change: func(set *unstructured.Unstructured) {
				_ = unstructured.SetNestedField(set.Object, int64(0), "spec", "replicas")
			},
			differing: []string{"StatefulSet/mira-acme spec.replicas"},
		},
		{
			name: "what others have added does not count", want: "yes",
			change: func(set *unstructured.Unstructured) {
				set.SetAnnotations(map[string]string{"backup.example/last": "today"})
				set.SetManagedFields(append(set.GetManagedFields(), metav1.ManagedFieldsEntry{
					Manager: "backup", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "apps/v1", FieldsType: "FieldsV1",
					FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:backup.example/last":{}}}}`),
				}))
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for kind, objects := range map[string][]*unstructured.Unstructured{"managed": liveClient(t, "acme"), "django": djangoClient(t, "acme")} {
				if kind == "django" && test.name == "an object goes from the template" {
					continue // nothing tells that it was the client's
				}
				if test.change != nil {
					test.change(objects[2])
				}
				acme := surveyOf(t, acctest.Edit(t, sample, test.edit...), test.variables, objects...).clients(t)["acme"]
				if got := isUpToDate(acme); got != test.want {
					t.Errorf("%s: up to date: %s, want %s; it differs in %q", kind, got, test.want, acme.Differences)
				}
				if diff := cmp.Diff(test.differing, acme.Differences); diff != "" {
					t.Errorf("%s: differences (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

func TestClients_claims(t *testing.T) {
	claim := func(name, labels, phase, capacity string) *unstructured.Unstructured {
		return object(t, `{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "`+name+`", "labels": `+labels+`},
		  "spec": {"resources": {"requests": {"storage": "5Gi"}}}, "status": {"phase": "`+phase+`", "capacity": `+capacity+`}}`)
	}
	pod := object(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "backup"},
	  "spec": {"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "mira-data-mira-mounted-0"}}]}}`)
	stopped := liveClient(t, "stopped")
	_ = unstructured.SetNestedField(stopped[2].Object, int64(0), "spec", "replicas")
	clients := slices.Concat(liveClient(t, "acme"), liveClient(t, "acme-2"), stopped, djangoClient(t, "ingress")[:1])
	objects := slices.Concat(clients, []*unstructured.Unstructured{
		pod,
		bare(t, "apps/v1", "StatefulSet", "postgres", `, "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`),
		claim("mira-data-mira-acme-0", `{"app": "mira"}`, "Bound", `{"storage": "6Gi"}`),
		claim("mira-data-mira-acme-1", `{"app": "mira"}`, "Bound", `{"storage": "5Gi"}`), // of a replica that is no more
		claim("mira-data-mira-acme-2-0", `{"app": "mira"}`, "Pending", `null`),
		claim("mira-data-mira-stopped-0", `{"app": "mira"}`, "Bound", `{"storage": "5Gi"}`),
		claim("mira-data-mira-ingress-0", `{"app": "mira"}`, "Bound", `{"storage": "5Gi"}`),
		claim("mira-data-mira-gone-0", `{}`, "Bound", `{"storage": "5Gi"}`),
		claim("mira-data-mira-mounted-0", `{"app": "mira"}`, "Bound", `{"storage": "5Gi"}`),
		claim("former-0", `{"app": "mira"}`, "Bound", `{"storage": "5Gi"}`), // of a former claim template
		claim("data-postgres-0", `{}`, "Bound", `{"storage": "5Gi"}`),
		claim("scratch", `{}`, "Bound", `{"storage": "5Gi"}`),
	})
	s := surveyOf(t, acctest.SampleTemplate(t), nil, objects...)
	claims := s.claims(s.groups())
	describe := func(claims []FoundClaim) (texts []string) {
		for _, c := range claims {
			use := "unused"
			if c.InUse {
				use = "used"
			}
			texts = append(texts, strings.Join([]string{c.Name, c.Client, c.Size.String(), c.Phase, use}, " "))
		}
		return texts
	}
	got := map[string][]string{"": describe(claims.orphaned)}
	for _, client := range []string{"acme", "acme-2", "stopped", "ingress"} {
		got[client] = describe(claims.of(client))
	}
	want := map[string][]string{
		"": {
			"mira-data-mira-gone-0 gone 5Gi Bound unused", "mira-data-mira-mounted-0 mounted 5Gi Bound used", "former-0  5Gi Bound unused",
		},
		"acme":    {"mira-data-mira-acme-0 acme 6Gi Bound used", "mira-data-mira-acme-1 acme 5Gi Bound used"},
		"acme-2":  {"mira-data-mira-acme-2-0 acme-2 5Gi Pending used"},
		"stopped": {"mira-data-mira-stopped-0 stopped 5Gi Bound used"},
		"ingress": {"mira-data-mira-ingress-0 ingress 5Gi Bound unused"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}
