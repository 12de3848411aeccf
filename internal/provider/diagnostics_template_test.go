package provider

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// templateCases are the errors of templates that Terraform manages.
func templateCases() []diagnosticCase {
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	configMap := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "controller", "templates-yaml")
	const client = "Client \"acme\": "
	const key = "ConfigMap controller/templates-yaml, key client_template.yaml"
	return []diagnosticCase{
		{
			name: "the faults of a content stand together, a line each",
			err: &mira.TemplateContentError{Source: source, Err: errors.Join(
				&template.Error{Line: 3, Reason: "no"}, &template.Error{Line: 9, Path: "spec.x", Reason: "duplicate key"})},
			summary: "Invalid Client Template",
			detail:  client + "this content gives no clients.\n\nline 3: no\nline 9: spec.x: duplicate key",
		},
		{
			name:    "a template that is declared twice",
			err:     &mira.TemplateTwiceError{Source: source},
			summary: "Template Declared Twice",
			detail:  key + " is declared by more than one resource, with different content. Give one of them another key, or remove it.",
		},
		{
			name: "clients that would lose their workload are named",
			err: &mira.LostWorkloadError{
				Source: source, Namespace: "default", Clients: []string{"a", "b", "c", "d", "e", "f", "g"},
			},
			summary: "Template Has No Workload",
			detail: "The content for " + key + " has no StatefulSet or other workload, and namespace \"default\" has 7 clients that may " +
				"follow it and would lose theirs: a, b, c, d, e and 2 more. Applying it would stop them. Nothing was changed. Put the workload " +
				"back into the content; to take a client down, destroy its resource.",
		},
		{
			name:    "clients that follow a template keep it",
			err:     &mira.TemplateInUseError{Source: source, Namespace: "default", Clients: []string{"acme"}},
			summary: "Template Still In Use",
			detail: key + " cannot be deleted: namespace \"default\" has 1 client that may follow it: acme. Nothing was deleted: without it they " +
				"cannot be planned. Destroy them first, or point them to another template; if they have to change in the same run, let them " +
				"refer to this resource. To delete the template all the same, apply `force_destroy = true` first.",
		},
		{
			name:    "what the server refuses of the sample client",
			err:     &mira.SampleRefusedError{Source: source, Err: errors.New("no")},
			summary: "Server Rejects Template",
			detail: client + "ERROR. Nothing was changed. Correct the template; if only the values of the sample client are at fault, set others " +
				"in `sample`.",
		},
		{
			name:    "a template of another manager",
			err:     &mira.TemplateOwnedError{Source: source, Managers: []string{"argocd"}, Err: errors.New("no")},
			summary: "Template Owned By Another Manager",
			detail: client + key + " is owned by argocd. Nothing was changed. Leave the template to it, and read it with the data source " +
				"mira_template; or set `force_conflicts = true` in the provider's configuration to take it.",
		},
		{
			name:    "a ConfigMap that never changes",
			err:     &mira.ImmutableConfigMapError{Source: source, Ref: configMap},
			summary: "ConfigMap Is Immutable",
			detail: client + "ConfigMap controller/templates-yaml is immutable, so that key client_template.yaml cannot change. " +
				"Nothing was changed. Choose another `config_map`, or delete this one and create it again without `immutable`; its other keys " +
				"go with it.",
		},
		{
			name: "a missing right names the further Role",
			err: &mira.TemplateWriteError{Source: source, Err: &kube.MissingRightError{
				Ref: configMap, User: "x", Verb: "patch", Resource: "configmaps", Namespace: "controller",
				Err: &kube.ForbiddenError{Ref: configMap, Verb: "apply", Err: &apierrors.StatusError{}},
			}},
			summary: "Permission Denied",
			detail: client + "ERROR. To manage a template the account needs a Role of its own beside that for clients: " +
				"examples/rbac/template-writer.yaml, or the page of mira_template. To check:\n" +
				"  kubectl auth can-i patch configmaps/templates-yaml -n controller",
		},
	}
}
