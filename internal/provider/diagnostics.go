package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// failures says of each kind of error what it is called and what to do about it. An
// error often holds several others: the first entry that finds its type among them
// answers, so the order matters.
//
//   - How a restart or a rollout ended comes first. It wraps why.
//   - A write that failed halfway comes next. It adds what was written to the answer
//     for the error that stopped it.
//   - Then come the refusals of package mira, before the answers of the server that
//     they may wrap.
//   - Of the server's answers the special ones come before the general ones.
//
// An error without an entry is reported in its own words, see [subject].
var failures = []failure{
	// How a restart ended, or why there was none.
	failureOf[*mira.RestartError]{
		ofFleet: true,
		briefly: "This client was not restarted.",
		title:   "Restart Not Begun",
		when:    (*mira.RestartError).IsRefused,
		detail: func(s subject, _ error, refused *mira.RestartError) string {
			return s.sentence(refused) + "\n\nThis client was not restarted, and serves as before. " +
				"Look at the client that is named first, and invoke the action again."
		},
	},
	failureOf[*mira.RestartError]{title: "Client Restart Failed", when: (*mira.RestartError).HasFailed, detail: restartDetail},
	failureOf[*mira.RestartError]{title: "Restart Outcome Unknown", detail: restartDetail},
	failureOf[*mira.NotRestartableError]{title: "Client Cannot Be Restarted", adviceFor: restartAdvice},

	// How a rollout ended.
	failureOf[*mira.RolledBackError]{
		title:  "Rollout Failed And Was Rolled Back",
		when:   (*mira.RolledBackError).IsComplete,
		detail: rolledBackDetail,
	},
	failureOf[*mira.RolledBackError]{
		title:  "Rollout And Roll Back Failed",
		detail: rolledBackDetail,
	},
	failureOf[*rollout.GateClosedError]{
		ofFleet: true,
		briefly: "This client is untouched.",
		title:   "Rollout Not Begun",
		detail: func(s subject, _ error, closed *rollout.GateClosedError) string {
			advice := "Correct the template and apply again."
			if len(closed.Failed) == 0 {
				advice = "Look at the client whose rollout has an unknown outcome, and apply again."
			}
			return s.sentence(closed) + "\n\nThis client is untouched, and serves what it served before. " + advice
		},
	},
	failureOf[*mira.NotBegunError]{
		title: "Rollout Not Begun",
		detail: func(s subject, _ error, notBegun *mira.NotBegunError) string {
			return s.sentence(notBegun) + " This client is untouched."
		},
	},
	failureOf[*rollout.FailedError]{
		title:  "Client Rollout Failed",
		detail: func(s subject, _ error, failed *rollout.FailedError) string { return rolloutDetail(s, failed) },
	},
	failureOf[*rollout.PendingError]{
		title: "Rollout Outcome Unknown",
		when:  func(e *rollout.PendingError) bool { return e.ContactLost || e.Soaking },
		detail: func(s subject, err error, _ *rollout.PendingError) string {
			return rolloutDetail(s, err) + "\n\nNothing was rolled back, as the new revision may serve."
		},
	},
	failureOf[*rollout.PendingError]{
		title:  "Rollout Did Not Complete",
		detail: func(s subject, err error, _ *rollout.PendingError) string { return rolloutDetail(s, err) },
	},
	failureOf[*rollout.DeletedError]{
		title:  "Rollout Did Not Complete",
		detail: func(s subject, err error, _ *rollout.DeletedError) string { return rolloutDetail(s, err) },
	},

	partialWrite{},

	// What a recreation of a StatefulSet may not do, and what became of one.
	failureOf[*mira.SelectorError]{
		title: "Selector Would Lose Pods",
		adviceFor: func(e *mira.SelectorError) string {
			return " Keep labels that they carry in the selector, or stop the client for the change and apply again:\n" +
				fmt.Sprintf("  kubectl scale statefulset -n %s %s --replicas=0", e.Ref.Namespace, e.Ref.Name)
		},
	},
	failureOf[*mira.ClaimLostError]{
		title: "Claim Would Be Lost",
		advice: " Keep the claim template under its name. To begin with other claims all the same, taint the client as below, and apply: " +
			"that stops it and creates it again. Its present claims stay, unless `delete_data` is true.\n  terraform taint ADDRESS",
	},
	failureOf[*mira.ClaimShrinksError]{
		title: "Claim Cannot Shrink",
		adviceFor: func(e *mira.ClaimShrinksError) string {
			least := e.Least()
			return fmt.Sprintf(" Kubernetes does not take storage back: ask for at least %s. Only a new claim can be smaller: "+
				"save the client's data, destroy it with `delete_data = true`, and apply again.", least.String())
		},
	},
	failureOf[*mira.ClaimGrowthError]{
		title: "Claim Cannot Grow",
		advice: " The claim's StorageClass must have allowVolumeExpansion: true, and the Role must allow to patch persistentvolumeclaims. " +
			"Otherwise take the new size back.",
	},
	failureOf[*mira.DataReplacedError]{
		title: "Replacement Would Delete Data",
		detail: func(_ subject, err error, _ *mira.DataReplacedError) string {
			return sentence(err.Error()) + " The CLI shows no warning of a plan with `-replace` or `replace_triggered_by`, so it is refused. " +
				"To keep the data, apply `delete_data = false` first. To delete it, taint the client as below, and apply: " +
				"that plan names the claims.\n  terraform taint ADDRESS"
		},
	},
	failureOf[*mira.ClaimsNotSafeError]{
		title: "Kubernetes Would Delete Claims",
		when:  func(e *mira.ClaimsNotSafeError) bool { return holds[*kube.ForbiddenError](e) },
		adviceFor: func(e *mira.ClaimsNotSafeError) string {
			return " The StatefulSet was left alone. The Role must allow to patch statefulsets, and to list and patch " +
				"persistentvolumeclaims. Or take the policy off by hand:\n" + retainByHand(e.Ref) +
				"\nApply again once no claim names the StatefulSet or one of its pods in metadata.ownerReferences."
		},
	},
	failureOf[*mira.ClaimsNotSafeError]{
		title: "Kubernetes Would Delete Claims",
		adviceFor: func(e *mira.ClaimsNotSafeError) string {
			return " The StatefulSet was left alone. Apply again, or take the policy off by hand first:\n" + retainByHand(e.Ref)
		},
	},
	failureOf[*kube.RecreationError]{title: "StatefulSet Not Recreated", adviceFor: recreationOutcome},
	failureOf[*kube.ChangedError]{
		title:  "StatefulSet Changes Too Often",
		advice: " Nothing was done to it. Wait until its rollout has settled, and apply again.",
	},
	failureOf[*kube.GrowthError]{
		title: "Claim Has Not Grown",
		adviceFor: func(e *kube.GrowthError) string {
			return " The StatefulSet is applied, and the growth goes on in the cluster as far as its storage back end can:\n" +
				fmt.Sprintf("  kubectl describe %s -n %s %s", strings.ToLower(e.Ref.Kind), e.Ref.Namespace, e.Ref.Name)
		},
	},
	failureOf[*rollout.ReplaceError]{
		title: "Pods Not Replaced",
		adviceFor: func(e *rollout.ReplaceError) string {
			names := make([]string, 0, len(e.Remaining))
			for _, pod := range e.Remaining {
				names = append(names, pod.Name)
			}
			return " The StatefulSet is applied, but these pods lack a claim that it has now, and Kubernetes does not replace them by itself. " +
				"Once the client serves, delete them one after the other:\n" +
				fmt.Sprintf("  kubectl delete pod -n %s %s", e.Namespace, strings.Join(names, " "))
		},
	},

	// A cluster that cannot be asked.
	failureOf[*connection.UnreachableError]{
		ofFleet: true,
		title:   "Credentials Not Accepted",
		when:    (*connection.UnreachableError).IsUnauthorized,
	},
	failureOf[*connection.UnreachableError]{
		ofFleet: true,
		title:   "No Credentials For Cluster",
		when:    (*connection.UnreachableError).HasNoCredentials,
	},
	failureOf[*connection.UnreachableError]{ofFleet: true, title: "Cluster Not Reachable"},

	// A template that Terraform manages.
	failureOf[*mira.TemplateContentError]{title: "Invalid Client Template", detail: contentDetail},
	failureOf[*mira.TemplateTwiceError]{
		title: "Template Declared Twice",
		detail: func(_ subject, err error, _ *mira.TemplateTwiceError) string {
			return sentence(err.Error()) + " Give one of them another key, or remove it."
		},
	},
	failureOf[*mira.LostWorkloadError]{title: "Template Has No Workload", detail: lostWorkloadDetail},
	failureOf[*mira.TemplateInUseError]{title: "Template Still In Use", detail: templateInUseDetail},
	failureOf[*mira.SampleRefusedError]{
		title:  "Server Rejects Template",
		advice: " Nothing was changed. Correct the template; if only the values of the sample client are at fault, set others in `sample`.",
	},
	failureOf[*mira.TemplateOwnedError]{
		title: "Template Owned By Another Manager",
		advice: " Nothing was changed. Leave the template to it, and read it with the data source mira_template; or set " +
			"`force_conflicts = true` in the provider's configuration to take it.",
	},
	failureOf[*mira.ImmutableConfigMapError]{
		title: "ConfigMap Is Immutable",
		advice: " Nothing was changed. Choose another `config_map`, or delete this one and create it again without `immutable`; " +
			"its other keys go with it.",
	},
	failureOf[*mira.TemplateWriteError]{title: "Permission Denied", when: isTemplateRightMissing, adviceFor: templateRightAdvice},

	// The template.
	failureOf[*mira.TemplateUnavailableError]{
		ofFleet:   true,
		title:     "Client Template Is Not Text",
		when:      func(e *mira.TemplateUnavailableError) bool { return holds[*kube.BinaryKeyError](e) },
		adviceFor: notTextAdvice,
	},
	failureOf[*mira.TemplateUnavailableError]{
		ofFleet: true,
		title:   "Client Template Not Found",
		when:    func(e *mira.TemplateUnavailableError) bool { return holds[*kube.MissingKeyError](e) },
		advice:  " Check the provider's `template`, or that of the client.",
	},
	failureOf[*mira.TemplateUnavailableError]{
		ofFleet: true,
		title:   "Client Template Not Found",
		when:    func(e *mira.TemplateUnavailableError) bool { return holds[*kube.NotFoundError](e) },
		adviceFor: func(e *mira.TemplateUnavailableError) string {
			return fmt.Sprintf("\n\nThe template is looked for in %s: check the provider's `template`, or create it with\n"+
				"  kubectl create configmap -n %s %s --from-file=%s\n"+
				"If a mira_template of this configuration creates it, refer to that: `template = { revision = mira_template.NAME.revision }`.",
				e.Source, e.Source.Namespace, e.Source.ConfigMap, e.Source.Key)
		},
	},
	failureOf[*mira.TemplateError]{
		ofFleet: true,
		title:   "Client Name Gives Illegal Names", when: isNameAtFault, detail: templateDetail, at: path.Root("name"),
	},
	failureOf[*mira.TemplateError]{ofFleet: true, title: "Invalid Client Template", detail: templateDetail},
	failureOf[*mira.RevisionError]{
		ofFleet: true,
		title:   "Template Has Another Revision",
		advice:  " Nothing was changed. Set the revision to the one found, or restore the template.",
		at:      path.Root("template").AtName("revision"),
	},

	// What package mira refuses.
	failureOf[*mira.NoWorkloadError]{
		ofFleet: true,
		title:   "Template Has No Workload",
		advice: " Applying it would stop the client. Nothing was changed. Put the workload back into the template; " +
			"to take the client down, remove its resource from the configuration.",
	},
	failureOf[*mira.ForeignObjectError]{
		title: "Object Belongs To Another Client",
		advice: " Two clients cannot share an object: check that the template makes the names of the objects differ. " +
			"If the other client no longer exists, remove the label mira-cluster.io/client from the object.",
	},
	failureOf[*mira.ExistingClientError]{
		title:     "Client Exists Already",
		adviceFor: existingClientAdvice,
		at:        path.Root("name"),
	},
	failureOf[*mira.DuplicateClientError]{title: "Client Declared Twice", detail: duplicateDetail, at: path.Root("name")},
	failureOf[*mira.RenamedClientError]{title: "Client Destroyed And Created", detail: renamedDetail},
	failureOf[*mira.SharedClientError]{title: "Client Destroyed And Kept", detail: sharedDetail},
	failureOf[*mira.AnotherClusterError]{title: "Another Cluster Than Recorded", detail: anotherClusterDetail},
	failureOf[*mira.ClaimPolicyError]{
		title:  "Kubernetes Would Delete Claims",
		advice: " That would delete the client's data. Remove the policy from the template, or set `delete_data = true`.",
		at:     path.Root("delete_data"),
	},
	failureOf[*mira.OutdatedPlanError]{
		title:  "Plan Is Out Of Date",
		advice: "\n\nThe template or the objects have changed since the plan was made. Nothing was changed. Plan again, and read the new plan.",
	},
	failureOf[*kube.StillThereError]{
		title: "Object Not Deleted Yet",
		adviceFor: func(e *kube.StillThereError) string {
			return " The client stays in the state; the next apply goes on with the deletion. " +
				"A finalizer or a pod that does not end can hold an object:\n" +
				fmt.Sprintf("  kubectl get %s -n %s %s -o yaml", strings.ToLower(e.Ref.Kind), e.Ref.Namespace, e.Ref.Name)
		},
	},

	// What the server answered.
	failureOf[*kube.NamespaceNotFoundError]{ofFleet: true, title: "Namespace Not Found"},
	failureOf[*mira.NoSuchClientError]{
		title: "Client Not Found",
		detail: func(_ subject, err error, _ *mira.NoSuchClientError) string {
			return sentence(err.Error()) + " Check the name and the namespace."
		},
	},
	failureOf[*kube.ConflictError]{
		title:  "Field Owned By Another Manager",
		advice: " Remove these fields from the template, or set `force_conflicts = true` in the provider's configuration to take them.",
	},
	failureOf[*kube.MissingRightError]{
		title: "Permission Denied",
		adviceFor: func(e *kube.MissingRightError) string {
			return fmt.Sprintf(" Compare with the Roles in the guide \"Rights\", which have all rights that the provider needs. "+
				"To check this one:\n"+
				"  kubectl auth can-i %s %s -n %s --as %s", e.Verb, rightOn(e), e.Namespace, e.User)
		},
	},
	failureOf[*kube.QuotaError]{
		title: "Resource Quota Exceeded",
		adviceFor: func(e *kube.QuotaError) string {
			return fmt.Sprintf(" Make room in namespace %q, or raise the quota. To look at it:\n  kubectl describe resourcequota -n %[1]s %s",
				e.Ref.Namespace, e.Quota)
		},
	},
	failureOf[*kube.DeniedError]{
		title:  "Denied By Admission Policy",
		advice: " Make the template comply, or ask whoever keeps the policy.",
	},
	failureOf[*kube.ForbiddenError]{title: "Server Refused Request"},
	failureOf[*kube.ImmutableFieldError]{
		title: "Field Cannot Be Changed In Place",
		advice: " Take the change back, or destroy the client and apply again; its claims stay:\n" +
			"  terraform destroy -refresh=false -target=ADDRESS",
	},
	failureOf[*kube.RejectedError]{
		title:  "Unknown Field In Template",
		when:   (*kube.RejectedError).IsUnknownField,
		advice: " Check the spelling and the indentation in the template, and whether this version of the server has the field.",
	},
	failureOf[error]{
		title:  "Operation Timed Out",
		when:   func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		advice: " The argument `timeouts` can give it more time.",
	},
	failureOf[*kube.RejectedError]{title: "Server Rejected Object"},
	failureOf[*kube.KindError]{title: "Kind Not Supported"},
}

// connectionDiagnostic reports connection settings that cannot be used, at the
// attribute that is at fault if one is.
func connectionDiagnostic(err error) diag.Diagnostic {
	var setting *connection.SettingsError
	if !errors.As(err, &setting) || setting.Attribute == "" {
		return diag.NewErrorDiagnostic("Invalid Cluster Connection", sentence(err.Error()))
	}
	at := path.Root("kubernetes")
	for name := range strings.SplitSeq(setting.Attribute, ".") {
		at = at.AtName(name)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Invalid Cluster Connection", sentence(err.Error()))
}

// addInterrupted reports an apply that the operator ended while it waited. It is
// a warning: an error would taint a new client.
func addInterrupted(diags *diag.Diagnostics, s subject, err error) {
	diags.AddWarning("Rollout Goes On", fmt.Sprintf("%s: its objects are written, and recorded in the state. %s", s, err))
}
