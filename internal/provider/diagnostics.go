package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// addErrors reports what went wrong with a client, one diagnostic for each error
// that was joined: an operator mends them one by one.
func addErrors(diags *diag.Diagnostics, spec mira.Spec, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, single := range joined.Unwrap() {
			addErrors(diags, spec, single)
		}
		return
	}
	diags.Append(diagnostic(spec, err))
}

// diagnostic gives an error its title, and the advice that follows from it.
func diagnostic(spec mira.Spec, err error) diag.Diagnostic {
	client := fmt.Sprintf("Client %q: ", spec.Name)
	if rolled := rolloutDiagnostic(client, err); rolled != nil {
		return rolled
	}
	if recreation := recreationDiagnostic(client, err); recreation != nil && !errors.As(err, new(*mira.PartialWriteError)) {
		return recreation
	}
	var (
		unreachable  *connection.UnreachableError
		noTemplate   *mira.TemplateUnavailableError
		badTemplate  *mira.TemplateError
		revision     *mira.RevisionError
		foreign      *mira.ForeignObjectError
		claimPolicy  *mira.ClaimPolicyError
		outdated     *mira.OutdatedPlanError
		partial      *mira.PartialWriteError
		stillThere   *kube.StillThereError
		noNamespace  *kube.NamespaceNotFoundError
		noClient     *mira.NoSuchClientError
		duplicate    *mira.DuplicateClientError
		conflict     *kube.ConflictError
		noRight      *kube.MissingRightError
		quota        *kube.QuotaError
		denied       *kube.DeniedError
		forbidden    *kube.ForbiddenError
		rejected     *kube.RejectedError
		badKind      *kube.KindError
		noObject     *kube.NotFoundError
		noKey        *kube.MissingKeyError
		isUnreadable = errors.As(err, &noTemplate)
	)
	switch {
	case errors.As(err, &partial):
		inner := diagnostic(spec, partial.Err)
		return diag.NewErrorDiagnostic(inner.Summary(), inner.Detail()+"\n\n"+whatIsThere(partial))
	case errors.As(err, &unreachable) && unreachable.IsUnauthorized():
		return diag.NewErrorDiagnostic("Credentials Not Accepted", sentence(client+err.Error()))
	case errors.As(err, &unreachable) && unreachable.HasNoCredentials():
		return diag.NewErrorDiagnostic("No Credentials", sentence(client+err.Error()))
	case errors.As(err, &unreachable):
		return diag.NewErrorDiagnostic("Cluster Not Reachable", sentence(client+err.Error()))
	case isUnreadable && errors.As(err, &noKey):
		return diag.NewErrorDiagnostic("Client Template Not Found", sentence(client+err.Error())+" Check the provider's `template`, or that of the client.")
	case isUnreadable && errors.As(err, &noObject):
		return diag.NewErrorDiagnostic("Client Template Not Found", sentence(client+err.Error())+
			fmt.Sprintf("\n\nThe template is looked for in %s: check the provider's `template`, or create it with\n"+
				"kubectl create configmap -n %s %s --from-file=%s", noTemplate.Source, noTemplate.Source.Namespace, noTemplate.Source.ConfigMap, noTemplate.Source.Key))
	case errors.As(err, &badTemplate):
		return templateDiagnostic(spec, badTemplate)
	case errors.As(err, &revision):
		return diag.NewAttributeErrorDiagnostic(path.Root("template").AtName("revision"), "Template Has Another Revision",
			sentence(client+err.Error())+" Nothing was changed. Set the revision to the one found, or restore the template.")
	case errors.As(err, &foreign):
		return diag.NewErrorDiagnostic("Object Belongs To Another Client", sentence(client+err.Error())+
			" Two clients cannot share an object: check that the template makes the names of the objects differ. "+
			"If the other client is no more, remove the label mira-cluster.io/client from the object.")
	case errors.As(err, &claimPolicy) && claimPolicy.Live:
		return diag.NewErrorDiagnostic("Kubernetes Would Delete Claims", sentence(client+err.Error())+
			" They would go with the StatefulSet, and the client's data with them. Nothing was deleted. To keep them, take the policy off the live object, and destroy again:\n"+
			fmt.Sprintf("  kubectl patch statefulset -n %s %s -p '{\"spec\":{\"persistentVolumeClaimRetentionPolicy\":{\"%s\":\"Retain\"}}}'\n",
				claimPolicy.Ref.Namespace, claimPolicy.Ref.Name, claimPolicy.Policy)+
			"To delete them, too, apply `delete_data = true` first.")
	case errors.As(err, &claimPolicy):
		return diag.NewAttributeErrorDiagnostic(path.Root("delete_data"), "Kubernetes Would Delete Claims", sentence(client+err.Error())+
			" That would delete the client's data. Remove the policy from the template, or set `delete_data = true`.")
	case errors.As(err, &outdated):
		return diag.NewErrorDiagnostic("Plan Is Out Of Date", sentence(client+err.Error())+
			"\n\nThe template or the objects have changed since the plan was made. Nothing was changed. Plan again, and read the new plan.")
	case errors.As(err, &stillThere):
		return diag.NewErrorDiagnostic("Object Not Deleted Yet", sentence(client+err.Error())+
			" The client stays in the state; the next apply goes on with the deletion. A finalizer or a pod that does not end can hold an object: "+
			fmt.Sprintf("kubectl get %s -n %s %s -o yaml", strings.ToLower(stillThere.Ref.Kind), stillThere.Ref.Namespace, stillThere.Ref.Name))
	case errors.As(err, &noNamespace):
		return diag.NewErrorDiagnostic("Namespace Not Found", sentence(client+err.Error()))
	case errors.As(err, &noClient):
		return diag.NewErrorDiagnostic("Client Not Found", sentence(err.Error())+" Check the name and the namespace.")
	case errors.As(err, &conflict):
		return diag.NewErrorDiagnostic("Field Owned By Another Manager", sentence(client+err.Error())+
			" Remove these fields from the template, or set `force_conflicts = true` in the provider's configuration to take them.")
	case errors.As(err, &noRight):
		return diag.NewErrorDiagnostic("Right Missing", sentence(client+err.Error())+
			fmt.Sprintf(" Compare with the Role in the guide \"Getting started\", which has all rights that the provider needs. To check this one:\n"+
				"  kubectl auth can-i %s %s -n %s --as %s", noRight.Verb, rightOn(noRight), noRight.Namespace, noRight.User))
	case errors.As(err, &quota):
		return diag.NewErrorDiagnostic("Quota Exceeded", sentence(client+err.Error())+
			fmt.Sprintf(" Make room in namespace %q, or raise the quota. To look at it:\n  kubectl describe resourcequota -n %[1]s %s", quota.Ref.Namespace, quota.Quota))
	case errors.As(err, &denied):
		return diag.NewErrorDiagnostic("Denied By Admission Policy", sentence(client+err.Error())+
			" Make the template comply, or ask whoever keeps the policy.")
	case errors.As(err, &forbidden):
		return diag.NewErrorDiagnostic("Server Refused Request", sentence(client+err.Error()))
	case errors.As(err, &rejected) && rejected.IsImmutableField() && rejected.Ref.Kind == "StatefulSet":
		return diag.NewErrorDiagnostic("Field Cannot Be Changed In Place", sentence(client+err.Error())+
			" Take the change back, or destroy the client and apply again; its claims stay:\n"+
			"terraform destroy -refresh=false -target=ADDRESS")
	case errors.As(err, &rejected) && rejected.IsUnknownField():
		return diag.NewErrorDiagnostic("Unknown Field", sentence(client+err.Error())+
			" Check the spelling and the indentation in the template, and whether this version of the server has the field.")
	case errors.As(err, &duplicate):
		return diag.NewAttributeErrorDiagnostic(path.Root("name"), "Client Declared Twice", sentence(err.Error())+" A client can be declared once only.")
	case errors.Is(err, context.DeadlineExceeded):
		return diag.NewErrorDiagnostic("Time Ran Out", sentence(client+err.Error())+" The argument `timeouts` can give it more time.")
	case errors.As(err, &rejected):
		return diag.NewErrorDiagnostic("Server Rejected Object", sentence(client+err.Error()))
	case errors.As(err, &badKind):
		return diag.NewErrorDiagnostic("Kind Not Supported", sentence(client+err.Error()))
	}
	return diag.NewErrorDiagnostic("Client Not Processed", sentence(client+err.Error()))
}

// rightOn names what a right is missing on, as `kubectl auth can-i` takes it: with
// the object's name where a Role may have it, as the documented one has for
// ConfigMaps.
func rightOn(right *kube.MissingRightError) string {
	switch right.Verb {
	case "get", "update", "patch", "delete":
		return right.Resource + "/" + right.Ref.Name
	}
	return right.Resource
}

// connectionDiagnostic reports connection settings that cannot be used, at the
// attribute that is at fault if one is.
func connectionDiagnostic(err error) diag.Diagnostic {
	var setting *connection.SettingsError
	if !errors.As(err, &setting) || setting.Attribute == "" {
		return diag.NewErrorDiagnostic("Invalid Cluster Connection", sentence(err.Error()))
	}
	at := path.Root("kubernetes")
	for _, name := range strings.Split(setting.Attribute, ".") {
		at = at.AtName(name)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Invalid Cluster Connection", sentence(err.Error()))
}

// templateDiagnostic lists everything that is wrong with a template. Where the
// client's name is at fault, so says the diagnostic.
func templateDiagnostic(spec mira.Spec, err *mira.TemplateError) diag.Diagnostic {
	faults := template.Errors(err.Err)
	lines := make([]string, 0, len(faults))
	isName := len(faults) > 0
	for _, fault := range faults {
		isName = isName && fault.InvalidClientName
		lines = append(lines, fault.Error())
	}
	detail := fmt.Sprintf("Client %q cannot be rendered from %s:\n\n%s", spec.Name, err.Source, strings.Join(lines, "\n"))
	if isName {
		return diag.NewAttributeErrorDiagnostic(path.Root("name"), "Client Name Gives Illegal Names", detail)
	}
	return diag.NewErrorDiagnostic("Invalid Client Template", detail)
}

// whatIsThere tells what a write that failed half-way left.
func whatIsThere(partial *mira.PartialWriteError) string {
	var parts []string
	if len(partial.Undone) > 0 {
		parts = append(parts, "Deleted again, as this apply had created it: "+list(partial.Undone)+".")
	}
	switch {
	case len(partial.Written) > 0:
		parts = append(parts, "Written before the error, and still there: "+list(partial.Written)+".")
	case len(partial.Undone) == 0:
		parts = append(parts, "Nothing was written.")
	}
	return strings.Join(append(parts, "The next apply starts from what is there."), " ")
}

func list(refs []kube.Ref) string {
	names := make([]string, 0, len(refs))
	for _, ref := range refs {
		names = append(names, ref.String())
	}
	return strings.Join(names, ", ")
}

// addInterrupted reports an apply that the operator ended while it waited. It is
// a warning: an error would taint a new client.
func addInterrupted(diags *diag.Diagnostics, spec mira.Spec, err error) {
	diags.AddWarning("Rollout Goes On", fmt.Sprintf("Client %q: its objects are written, and recorded in the state. %s", spec.Name, err))
}

// sentence makes an error's text one: a capital at the beginning, unless it
// begins with a name, and a full stop at the end.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if second, _ := utf8.DecodeRuneInString(text[size:]); unicode.IsLower(first) && (unicode.IsLower(second) || second == ' ') {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "\n") {
		text += "."
	}
	return text
}
