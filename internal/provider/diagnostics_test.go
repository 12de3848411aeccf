package provider

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

func TestDiagnostics(t *testing.T) {
	spec := mira.Spec{Namespace: "default", Name: "acme"}
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	service := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "default", "mira-acme")
	ingress := kube.NewRef(schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "default", "mira-acme")
	refused := &kube.ForbiddenError{Ref: service, Verb: "apply", Err: &apierrors.StatusError{ErrStatus: metav1.Status{Message: "no"}}}
	for _, test := range []struct {
		name            string
		err             error
		summary, detail string
	}{
		{
			"a template that is not there says how to create it",
			&mira.TemplateUnavailableError{Source: source, Err: &kube.NotFoundError{Ref: kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "controller", "templates-yaml")}},
			"Client Template Not Found",
			`Client "acme": reading the client template (ConfigMap controller/templates-yaml, key client_template.yaml): ConfigMap controller/templates-yaml does not exist.` +
				"\n\nThe template is looked for in ConfigMap controller/templates-yaml, key client_template.yaml: check the provider's `template`, or create it with\n" +
				"kubectl create configmap -n controller templates-yaml --from-file=client_template.yaml",
		},
		{
			"the errors of a template stand together, a line each",
			&mira.TemplateError{Source: source, Err: errors.Join(
				&template.Error{Line: 3, Reason: "placeholder %A% has no value"}, &template.Error{Line: 9, Path: "spec.x", Reason: "duplicate key"})},
			"Invalid Client Template",
			"Client \"acme\" cannot be rendered from ConfigMap controller/templates-yaml, key client_template.yaml:\n\nline 3: placeholder %A% has no value\nline 9: spec.x: duplicate key",
		},
		{
			"a missing right names the verb, the resource, the guide, and how to check",
			&kube.MissingRightError{Ref: service, User: "x", Verb: "patch", Resource: "services", Namespace: "default", Err: refused},
			"Right Missing",
			`Client "acme": Service default/mira-acme: user "x" may not patch services in namespace "default". ` +
				"Compare with the Role in the guide \"Getting started\", which has all rights that the provider needs. To check this one:\n" +
				"  kubectl auth can-i patch services/mira-acme -n default --as x",
		},
		{
			"a quota names what is used and the limit",
			&kube.QuotaError{Ref: service, Quota: "few", Requested: "services=1", Used: "services=3", Limited: "services=3", Err: refused},
			"Quota Exceeded",
			`Client "acme": Service default/mira-acme exceeds quota "few": requested services=1, used services=3, limited to services=3. ` +
				"Make room in namespace \"default\", or raise the quota. To look at it:\n  kubectl describe resourcequota -n default few",
		},
		{
			"another 403 gives the server's words",
			refused,
			"Server Refused Request",
			`Client "acme": Service default/mira-acme: the server refused to apply it: no.`,
		},
		{
			"an admission policy is named",
			&kube.DeniedError{Ref: service, By: `ValidatingAdmissionPolicy "tls" (binding "all")`, Reason: "no TLS"},
			"Denied By Admission Policy",
			`Client "acme": Service default/mira-acme: denied by ValidatingAdmissionPolicy "tls" (binding "all"): no TLS. Make the template comply, or ask whoever keeps the policy.`,
		},
		{
			"an unknown field is called so",
			&kube.RejectedError{Ref: service, Verb: "apply", Causes: []kube.Cause{{Field: "spec.ports[80,TCP].transport", Message: "field not declared in schema"}}},
			"Unknown Field",
			"Client \"acme\": Service default/mira-acme: the server would not apply it: spec.ports[80,TCP].transport: field not declared in schema. " +
				"Check the spelling and the indentation in the template, and whether this version of the server has the field.",
		},
		{
			"credentials that are not accepted are no matter of the network",
			&connection.UnreachableError{Address: "https://10.0.0.1:6443", Source: "kubeconfig", Err: apierrors.NewUnauthorized("Unauthorized")},
			"Credentials Not Accepted",
			"Client \"acme\": the Kubernetes API server at https://10.0.0.1:6443 (from kubeconfig) does not accept the credentials: Unauthorized; " +
				"check that the credentials belong to this cluster and have not expired.",
		},
		{
			"a refused object names field and reason, once",
			&kube.RejectedError{Ref: service, Verb: "apply", Causes: []kube.Cause{
				{Field: "spec.ports[0].port", Message: "Invalid value: 443000"}, {Field: "spec.ports[0].port", Message: "Invalid value: 443000"}}},
			"Server Rejected Object",
			`Client "acme": Service default/mira-acme: the server would not apply it: spec.ports[0].port: Invalid value: 443000.`,
		},
		{
			"a conflict names field and manager",
			&kube.ConflictError{Ref: service, Fields: []managedfields.FieldOwner{{Field: "spec.type", Manager: "kubectl"}}},
			"Field Owned By Another Manager",
			`Client "acme": Service default/mira-acme: spec.type is owned by kubectl. Remove these fields from the template, or set ` +
				"`force_conflicts = true` in the provider's configuration to take them.",
		},
		{
			"a write that failed half-way says what is where",
			&mira.PartialWriteError{Undone: []kube.Ref{service}, Err: &kube.RejectedError{Ref: ingress, Verb: "apply", Causes: []kube.Cause{{Message: "no"}}}},
			"Server Rejected Object",
			"Client \"acme\": Ingress default/mira-acme: the server would not apply it: no.\n\n" +
				"Deleted again, as this apply had created it: Service default/mira-acme. The next apply starts from what is there.",
		},
		{
			"time that ran out says how to give more",
			fmt.Errorf("get %s: %w", service, context.DeadlineExceeded),
			"Time Ran Out",
			"Client \"acme\": get Service default/mira-acme: context deadline exceeded. The argument `timeouts` can give it more time.",
		},
		{
			"a field that cannot be changed says what to do",
			&kube.RejectedError{Ref: kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "default", "mira-acme"), Verb: "apply",
				Causes: []kube.Cause{{Field: "spec", Message: "Forbidden: no", Type: metav1.CauseTypeForbidden}}},
			"Field Cannot Be Changed In Place",
			"Client \"acme\": StatefulSet default/mira-acme: the server would not apply it: spec: Forbidden: no. Take the change back, or destroy the client and apply again; its claims stay:\n" +
				"terraform destroy -refresh=false -target=ADDRESS",
		},
		{
			"anything else still names the client",
			errors.New("something"),
			"Client Not Processed",
			`Client "acme": something.`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var diags diag.Diagnostics
			addErrors(&diags, spec, test.err)
			if len(diags) != 1 {
				t.Fatalf("%d diagnostics, want 1: %v", len(diags), diags)
			}
			if diags[0].Summary() != test.summary {
				t.Errorf("summary %q, want %q", diags[0].Summary(), test.summary)
			}
			if diff := cmp.Diff(test.detail, diags[0].Detail()); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiagnosticsOfJoinedErrors(t *testing.T) {
	var diags diag.Diagnostics
	addErrors(&diags, mira.Spec{Name: "acme"}, errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three"))))
	if len(diags) != 3 {
		t.Errorf("%d diagnostics, want one for each of three errors: %v", len(diags), diags)
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"cannot reach it":       "Cannot reach it.",
		"Service a/b is there.": "Service a/b is there.",
		"a b":                   "A b.",
		"kubectl's":             "Kubectl's.",
		"":                      ".",
	} {
		if got := sentence(text); got != want {
			t.Errorf("sentence(%q) = %q, want %q", text, got, want)
		}
	}
}
