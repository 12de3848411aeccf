package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// diagnosticCase is an error, and the diagnostic that reports it. ERROR in the detail
// stands for the error's own text.
type diagnosticCase struct {
	name            string
	err             error
	summary, detail string
	at              path.Path
}

// Each entry of the table is met by a case. The cases here check the whole text, those
// of [adviceCases] what the table adds to the error's own words.
func TestDiagnostics(t *testing.T) {
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	service := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "default", "mira-acme")
	ingress := kube.NewRef(schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "default", "mira-acme")
	configMap := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "controller", "templates-yaml")
	statefulSet := kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "default", "mira-acme")
	refused := &kube.ForbiddenError{Ref: service, Verb: "apply", Err: &apierrors.StatusError{ErrStatus: metav1.Status{Message: "no"}}}
	cases := []diagnosticCase{
		{
			name:    "a template that is not there says how to create it",
			err:     &mira.TemplateUnavailableError{Source: source, Err: &kube.NotFoundError{Ref: configMap}},
			summary: "Client Template Not Found",
			detail: `Client "acme": reading the client template (ConfigMap controller/templates-yaml, key client_template.yaml): ` +
				`ConfigMap controller/templates-yaml does not exist.` +
				"\n\nThe template is looked for in ConfigMap controller/templates-yaml, key client_template.yaml: " +
				"check the provider's `template`, or create it with\n" +
				"  kubectl create configmap -n controller templates-yaml --from-file=client_template.yaml\n" +
				"If a mira_template of this configuration creates it, refer to that: `template = { revision = mira_template.NAME.revision }`.",
		},
		{
			name: "the errors of a template stand together, a line each",
			err: &mira.TemplateError{Source: source, Err: errors.Join(
				&template.Error{Line: 3, Reason: "placeholder %A% has no value"}, &template.Error{Line: 9, Path: "spec.x", Reason: "duplicate key"})},
			summary: "Invalid Client Template",
			detail: "Client \"acme\" cannot be rendered from ConfigMap controller/templates-yaml, key client_template.yaml:\n\nline 3: " +
				"placeholder %A% has no value\nline 9: spec.x: duplicate key",
		},
		{
			name: "a template without a workload would stop the client",
			err: &mira.NoWorkloadError{
				Source: source, Client: "acme", Had: []kube.Ref{{Kind: "StatefulSet", Namespace: "default", Name: "mira-acme"}},
			},
			summary: "Template Has No Workload",
			detail: `Client "acme": ConfigMap controller/templates-yaml, key client_template.yaml has no StatefulSet or other workload, ` +
				`and client "acme" runs in StatefulSet default/mira-acme. Applying it would stop the client. Nothing was changed. ` +
				"Put the workload back into the template; to take the client down, remove its resource from the configuration.",
		},
		{
			name:    "a missing right names the verb, the resource, the guide, and how to check",
			err:     &kube.MissingRightError{Ref: service, User: "x", Verb: "patch", Resource: "services", Namespace: "default", Err: refused},
			summary: "Permission Denied",
			detail: `Client "acme": Service default/mira-acme: user "x" may not patch services in namespace "default". ` +
				"Compare with the Roles in the guide \"Rights\", which have all rights that the provider needs. To check this one:\n" +
				"  kubectl auth can-i patch services/mira-acme -n default --as x",
		},
		{
			name:    "a quota names what is used and the limit",
			err:     &kube.QuotaError{Ref: service, Quota: "few", Requested: "services=1", Used: "services=3", Limited: "services=3", Err: refused},
			summary: "Resource Quota Exceeded",
			detail: `Client "acme": Service default/mira-acme exceeds quota "few": requested services=1, used services=3, limited to services=3. ` +
				"Make room in namespace \"default\", or raise the quota. To look at it:\n  kubectl describe resourcequota -n default few",
		},
		{
			name:    "another 403 gives the server's words",
			err:     refused,
			summary: "Server Refused Request",
			detail:  `Client "acme": Service default/mira-acme: the server refused to apply it: no.`,
		},
		{
			name:    "an admission policy is named",
			err:     &kube.DeniedError{Ref: service, By: `ValidatingAdmissionPolicy "tls" (binding "all")`, Reason: "no TLS"},
			summary: "Denied By Admission Policy",
			detail: `Client "acme": Service default/mira-acme: denied by ValidatingAdmissionPolicy "tls" (binding "all"): no TLS. ` +
				`Make the template comply, or ask whoever keeps the policy.`,
		},
		{
			name: "an unknown field is called so",
			err: &kube.RejectedError{Ref: service, Verb: "apply", Causes: []kube.Cause{
				{Field: "spec.ports[80,TCP].transport", Message: "field not declared in schema"},
			}},
			summary: "Unknown Field In Template",
			detail: "Client \"acme\": Service default/mira-acme: the server would not apply it: spec.ports[80,TCP].transport: " +
				"field not declared in schema. " +
				"Check the spelling and the indentation in the template, and whether this version of the server has the field.",
		},
		{
			name: "credentials that are not accepted are no matter of the network",
			err: &connection.UnreachableError{
				Address: "https://10.0.0.1:6443", Source: "kubeconfig", Err: apierrors.NewUnauthorized("Unauthorized"),
			},
			summary: "Credentials Not Accepted",
			detail: "Client \"acme\": the Kubernetes API server at https://10.0.0.1:6443 (from kubeconfig) does not accept the credentials: " +
				"Unauthorized; " +
				"check that the credentials belong to this cluster and have not expired.",
		},
		{
			name: "a refused object names field and reason, once",
			err: &kube.RejectedError{Ref: service, Verb: "apply", Causes: []kube.Cause{
				{Field: "spec.ports[0].port", Message: "Invalid value: 443000"}, {Field: "spec.ports[0].port", Message: "Invalid value: 443000"}}},
			summary: "Server Rejected Object",
			detail:  `Client "acme": Service default/mira-acme: the server would not apply it: spec.ports[0].port: Invalid value: 443000.`,
		},
		{
			name:    "a conflict names field and manager",
			err:     &kube.ConflictError{Ref: service, Fields: []managedfields.FieldOwner{{Field: "spec.type", Manager: "kubectl"}}},
			summary: "Field Owned By Another Manager",
			detail: `Client "acme": Service default/mira-acme: spec.type is owned by kubectl. Remove these fields from the template, or set ` +
				"`force_conflicts = true` in the provider's configuration to take them.",
		},
		{
			name: "a write that failed half-way says what is where",
			err: &mira.PartialWriteError{
				Undone: []kube.Ref{service}, Err: &kube.RejectedError{Ref: ingress, Verb: "apply", Causes: []kube.Cause{{Message: "no"}}},
			},
			summary: "Server Rejected Object",
			detail: "Client \"acme\": Ingress default/mira-acme: the server would not apply it: no.\n\n" +
				"Deleted again, as this apply had created it: Service default/mira-acme. The next apply starts from what is there.",
		},
		{
			name: "a write that may have been carried out is not denied",
			err: &mira.PartialWriteError{
				Uncertain: []kube.Ref{service}, Err: fmt.Errorf("apply %s: %w", service, errors.New("something")),
			},
			summary: "Client Operation Failed",
			detail: "Client \"acme\": apply Service default/mira-acme: something.\n\n" +
				"Whether this was written is not known, as the API server gave no answer and could not be asked afterwards: " +
				"Service default/mira-acme. The next apply starts from what is there.",
		},
		{
			name:    "time that ran out says how to give more",
			err:     fmt.Errorf("get %s: %w", service, context.DeadlineExceeded),
			summary: "Operation Timed Out",
			detail:  "Client \"acme\": get Service default/mira-acme: context deadline exceeded. The argument `timeouts` can give it more time.",
		},
		{
			name: "a field that cannot be changed says what to do",
			err: &kube.ImmutableFieldError{Ref: statefulSet, Err: &kube.RejectedError{
				Ref: statefulSet, Verb: "apply", Causes: []kube.Cause{{Field: "spec", Message: "Forbidden: no"}},
			}},
			summary: "Field Cannot Be Changed In Place",
			detail: "Client \"acme\": StatefulSet default/mira-acme: the server would not apply it: spec: Forbidden: no. " +
				"Take the change back, or destroy the client and apply again; its claims stay:\n" +
				"  terraform destroy -refresh=false -target=ADDRESS",
		},
		{
			name:    "anything else still names the client",
			err:     errors.New("something"),
			summary: "Client Operation Failed",
			detail:  `Client "acme": something.`,
		},
	}
	isMet := make([]bool, len(failures))
	subject := clientSubject("acme")
	for _, test := range slices.Concat(cases, adviceCases(), restartCases(), templateCases()) {
		t.Run(test.name, func(t *testing.T) {
			var diags diag.Diagnostics
			addErrors(&diags, subject, test.err)
			if len(diags) != 1 {
				t.Fatalf("%d diagnostics, want 1: %v", len(diags), diags)
			}
			if diags[0].Summary() != test.summary {
				t.Errorf("summary %q, want %q", diags[0].Summary(), test.summary)
			}
			if diff := cmp.Diff(strings.ReplaceAll(test.detail, "ERROR", test.err.Error()), diags[0].Detail()); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
			var at path.Path
			if located, ok := diags[0].(diag.DiagnosticWithPath); ok {
				at = located.Path()
			}
			if !at.Equal(test.at) {
				t.Errorf("reported at %q, want %q", at, test.at)
			}
			if i := slices.IndexFunc(failures, func(f failure) bool { return f.diagnostic(subject, test.err) != nil }); i >= 0 {
				isMet[i] = true
			}
		})
	}
	for i, entry := range failures {
		if !isMet[i] {
			t.Errorf("no case meets entry %d of the table, for %s", i, entry.errorType())
		}
	}
}

// What is no client is named as what it is, and none of a client's attributes is said
// to be at fault.
func TestDiagnostics_object(t *testing.T) {
	ref := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "controller", "templates-yaml")
	for _, test := range []struct {
		name            string
		err             error
		summary, detail string
	}{
		{
			"an error with an entry", &mira.RevisionError{Pinned: "a", Found: "b"},
			"Template Has Another Revision",
			"ConfigMap controller/templates-yaml: ERROR. Nothing was changed. Set the revision to the one found, or restore the template.",
		},
		{"an error without one", errors.New("something"), "Object Operation Failed", "ConfigMap controller/templates-yaml: ERROR."},
	} {
		t.Run(test.name, func(t *testing.T) {
			var diags diag.Diagnostics
			addErrors(&diags, objectSubject(ref), test.err)
			want := diag.Diagnostics{diag.NewErrorDiagnostic(test.summary, strings.ReplaceAll(test.detail, "ERROR", test.err.Error()))}
			if diff := cmp.Diff(want, diags); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

// A title is one of a few words, so that it can be searched for.
func TestDiagnostics_titles(t *testing.T) {
	for _, entry := range failures {
		title := reflect.ValueOf(entry).FieldByName("title")
		if !title.IsValid() {
			continue // the title of another entry
		}
		if title.String() == "Permission Denied" {
			continue // the words that everybody searches for
		}
		if words := len(strings.Fields(title.String())); words < 3 || words > 6 {
			t.Errorf("the title %q has %d words, want 3 to 6", title, words)
		}
	}
}

func TestDiagnostics_joinedErrors(t *testing.T) {
	var diags diag.Diagnostics
	addErrors(&diags, clientSubject("acme"), errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three"))))
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
