package template

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestIdentify(t *testing.T) {
	parsed := mustParse(t, `apiVersion: v1
kind: Service
metadata: {name: "%ENV%-mira-%CLIENT_NAME%"}
spec: {selector: {client: "%CLIENT_NAME%", env: "%ENV%"}, externalName: "%CLIENT_NAME%.%CLUSTER_DOMAIN%"}
---
apiVersion: v1
kind: Service
metadata: {name: "prod-mira-%CLIENT_NAME%-headless"}
---
apiVersion: v1
kind: Service
metadata: {name: "of-%UNKNOWN%-%CLIENT_NAME%"}
`)
	known := map[string]string{"ENV": "prod", "CLIENT_NAME": "is not known"}
	for _, test := range []struct {
		name, apiVersion, object, selector, external string
		want                                         []Candidate
	}{
		{
			name: "all agrees", object: "prod-mira-acme", selector: "acme", external: "acme.x.example",
			want: []Candidate{{Client: "acme", Agreeing: 2}},
		},
		{name: "the name alone", object: "prod-mira-acme", selector: "globex", external: "y", want: []Candidate{{Client: "acme"}}},
		{
			name: "two candidates", object: "prod-mira-acme-headless", selector: "other",
			want: []Candidate{{Client: "acme-headless"}, {Client: "acme"}},
		},
		{name: "another environment", object: "test-mira-acme", selector: "acme"},
		{name: "a name that is not known", object: "of-a-b", selector: "b"},
		{name: "no name", object: "prod-mira-"},
		{name: "another group", apiVersion: "serving.knative.dev/v1", object: "prod-mira-acme", selector: "acme"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": test.object},
				"spec": map[string]any{"selector": map[string]any{"client": test.selector}, "externalName": test.external},
			}}
			if test.apiVersion != "" {
				object.SetAPIVersion(test.apiVersion)
			}
			if diff := cmp.Diff(test.want, parsed.Identify(object, known)); diff != "" {
				t.Errorf("clients (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimClient(t *testing.T) {
	const form = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: %s}\nspec:\n" +
		"  selector: {matchLabels: {app: mira, client: \"%%CLIENT_NAME%%\"}}\n" +
		"  volumeClaimTemplates: [{metadata: {name: data}}, {metadata: {name: \"logs-%%CLIENT_NAME%%\"}}]\n"
	named := mustParse(t, fmt.Sprintf(form, `"mira-%CLIENT_NAME%"`))
	bare := mustParse(t, fmt.Sprintf(form, `"%CLIENT_NAME%"`))
	ofAcme := map[string]string{"app": "mira", "client": "acme"}
	for _, test := range []struct {
		name, claim  string
		template     *Template
		labels       map[string]string
		client       string
		isOfTemplate bool
	}{
		{name: "by name and labels", template: named, claim: "data-mira-acme-0", labels: ofAcme, client: "acme", isOfTemplate: true},
		{name: "by name alone", template: named, claim: "data-mira-acme-0", client: "acme", isOfTemplate: true},
		{name: "the name twice", template: named, claim: "logs-acme-mira-acme-12", client: "acme", isOfTemplate: true},
		{name: "two names", template: named, claim: "logs-acme-mira-globex-0"},
		{name: "by labels alone", template: named, claim: "old-mira-acme-0", labels: ofAcme, isOfTemplate: true},
		{name: "no ordinal", template: named, claim: "data-mira-acme"},
		{name: "an ordinal that is none", template: named, claim: "data-mira-acme-01"},
		{name: "anything matches by name", template: bare, claim: "data-postgres-0"},
		{name: "anything matches by name, other labels", template: bare, claim: "data-postgres-0", labels: map[string]string{"app": "postgres"}},
		{
			name: "anything matches by name, and the labels", template: bare, claim: "data-acme-0", labels: ofAcme,
			client: "acme", isOfTemplate: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, isOfTemplate := test.template.ClaimClient(test.claim, test.labels, nil)
			if client != test.client || isOfTemplate != test.isOfTemplate {
				t.Errorf("client %q, of the template: %t; want %q, %t", client, isOfTemplate, test.client, test.isOfTemplate)
			}
		})
	}
}
