package provider

import (
	"errors"
	"net/url"

	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// adviceCases are errors with what the table adds to their own words.
func adviceCases() []diagnosticCase {
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	service := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "default", "mira-acme")
	statefulSet := kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "default", "mira-acme")
	claim := kube.NewRef(kube.ClaimKind, "default", "data-mira-acme-0")
	failed := &rollout.FailedError{
		Namespace: "default", Name: "mira-acme", Failures: []rollout.Failure{{Pod: "mira-acme-0", Reason: "ImagePullBackOff"}},
	}
	reason := errors.New("no")
	const client = "Client \"acme\": "
	return []diagnosticCase{
		{
			name: "a rollout that was rolled back says what was done",
			err: &mira.RolledBackError{
				Err: &mira.RolloutError{Err: failed}, Restored: []kube.Ref{statefulSet}, Deleted: []kube.Ref{service}, Grown: []kube.Ref{claim},
			},
			summary: "Rollout Failed And Was Rolled Back",
			detail: client + failed.Report() + "\n\n" +
				"Rolled back to what it was before: StatefulSet default/mira-acme.\n" +
				"Deleted again, as this apply had created it: Service default/mira-acme. Claims stay.\n" +
				"Keeps its new size, as storage cannot be taken back: PersistentVolumeClaim default/data-mira-acme-0.\n" +
				"The former revision serves again. The next plan shows the change again.\n" +
				"The pod that failed is gone, its events stay for a while:\n" +
				"  kubectl --namespace default get events --field-selector involvedObject.name=mira-acme-0\n" +
				"To have it kept for inspection, set `rollout = { on_failure = \"keep\" }` in the provider's configuration.",
		},
		{
			name: "a pod that could not be created has no events of its own",
			err: &mira.RolledBackError{
				Err: &mira.RolloutError{Err: &rollout.FailedError{
					Namespace: "default", Name: "mira-acme", Failures: []rollout.Failure{{Pod: "mira-acme-0", Reason: rollout.ReasonFailedCreate}},
				}},
				Restored: []kube.Ref{statefulSet},
			},
			summary: "Rollout Failed And Was Rolled Back",
			detail: client + "StatefulSet default/mira-acme: its rollout failed after 0s: \n  pod mira-acme-0: FailedCreate\n\n" +
				"Rolled back to what it was before: StatefulSet default/mira-acme.\n" +
				"The former revision serves again. The next plan shows the change again.",
		},
		{
			name: "a roll back that failed says what is left",
			err: &mira.RolledBackError{
				Err: reason, Left: []mira.LeftError{{Ref: statefulSet, Err: reason}, {Ref: service, Created: true, Err: reason}}, Serving: reason,
			},
			summary: "Rollout And Roll Back Failed",
			detail: client + "No.\n\n" +
				"StatefulSet default/mira-acme could not be put back, and is still as the failed rollout left it: no.\n" +
				"Service default/mira-acme was created by this apply and could not be deleted again: no.\n" +
				"The former revision does not serve: no\n" +
				"The client's `rollout` is pending: the next apply, of the former template or of a corrected one, frees pods that are stuck, " +
				"and waits until the client serves.",
		},
		{
			name:    "a closed gate leaves the client alone",
			err:     &mira.RolloutError{Err: &rollout.GateClosedError{Failed: []rollout.FailedClient{{Name: "other", Reason: "it crashes"}}}},
			summary: "Rollout Not Begun",
			detail:  client + "ERROR.\n\nThis client is untouched, and serves what it served before. Correct the template and apply again.",
		},
		{
			name:    "a gate that an unknown outcome has closed asks to look",
			err:     &mira.RolloutError{Err: &rollout.GateClosedError{Unknown: []rollout.FailedClient{{Name: "other", Reason: "contact was lost"}}}},
			summary: "Rollout Not Begun",
			detail: client + "ERROR.\n\nThis client is untouched, and serves what it served before. " +
				"Look at the client whose rollout has an unknown outcome, and apply again.",
		},
		{
			name:    "an update that was interrupted before its turn leaves the client alone",
			err:     &mira.NotBegunError{Err: reason},
			summary: "Rollout Not Begun",
			detail:  client + "ERROR. This client is untouched.",
		},
		{name: "a failed rollout has lines of its own", err: failed, summary: "Client Rollout Failed", detail: client + "ERROR"},
		{
			name:    "so has one that is not complete",
			err:     &rollout.PendingError{Namespace: "default", Name: "mira-acme", Err: reason},
			summary: "Rollout Did Not Complete",
			detail:  client + "ERROR",
		},
		{
			name:    "a rollout that could not be seen through was not rolled back",
			err:     &rollout.PendingError{Namespace: "default", Name: "mira-acme", Err: reason, ContactLost: true},
			summary: "Rollout Outcome Unknown",
			detail:  client + "ERROR\n\nNothing was rolled back, as the new revision may serve.",
		},
		{
			name:    "a rollout whose StatefulSet was deleted is a sentence",
			err:     &rollout.DeletedError{Namespace: "default", Name: "mira-acme"},
			summary: "Rollout Did Not Complete",
			detail:  client + "ERROR.",
		},
		{
			name:    "a selector says how to stop the client",
			err:     &mira.SelectorError{Ref: statefulSet, Selector: "app=other", Pods: []string{"mira-acme-0"}},
			summary: "Selector Would Lose Pods",
			detail: client + "ERROR. Keep labels that they carry in the selector, or stop the client for the change and apply again:\n" +
				"  kubectl scale statefulset -n default mira-acme --replicas=0",
		},
		{
			name:    "a claim template that goes says how to begin with other claims",
			err:     &mira.ClaimLostError{Ref: statefulSet, Template: "data", Claims: []string{"data-mira-acme-0"}},
			summary: "Claim Would Be Lost",
			detail: client + "ERROR. Keep the claim template under its name. To begin with other claims all the same, taint the client as below, " +
				"and apply: " +
				"that stops it and creates it again. Its present claims stay, unless `delete_data` is true.\n  terraform taint ADDRESS",
		},
		{
			name: "a claim that would shrink says the least size",
			err: &mira.ClaimShrinksError{
				Ref: statefulSet, To: resource.MustParse("1Gi"), Claims: []*kube.Claim{{Ref: claim, Requested: resource.MustParse("5Gi")}},
			},
			summary: "Claim Cannot Shrink",
			detail: client + "ERROR. Kubernetes does not take storage back: ask for at least 5Gi. Only a new claim can be smaller: " +
				"save the client's data, destroy it with `delete_data = true`, and apply again.",
		},
		{
			name: "a claim that cannot grow says what is needed",
			err: &mira.ClaimGrowthError{
				ClaimGrowth: mira.ClaimGrowth{Claim: claim, From: resource.MustParse("1Gi"), To: resource.MustParse("5Gi")}, Err: reason,
			},
			summary: "Claim Cannot Grow",
			detail: client + "ERROR. The claim's StorageClass must have allowVolumeExpansion: " +
				"true, and the Role must allow to patch persistentvolumeclaims. " +
				"Otherwise take the new size back.",
		},
		{
			name:    "a recreation that was taken back says so",
			err:     &kube.RecreationError{Ref: statefulSet, Restored: true, Err: reason},
			summary: "StatefulSet Not Recreated",
			detail:  client + "ERROR. StatefulSet default/mira-acme was put back as it was before.",
		},
		{
			name:    "a recreation without the former owners says what that means",
			err:     &kube.RecreationError{Ref: statefulSet, Created: true, Err: reason},
			summary: "StatefulSet Not Recreated",
			detail: client + "ERROR. StatefulSet default/mira-acme was recreated, but the ownership of fields set by other managers could not be " +
				"restored; " +
				"the next apply removes those that are not in the template.",
		},
		{
			name:    "a recreation that failed says what still runs",
			err:     &kube.RecreationError{Ref: statefulSet, Err: reason},
			summary: "StatefulSet Not Recreated",
			detail: client + "ERROR. StatefulSet default/mira-acme is gone. Its pods and claims are still there, and run on without it: " +
				"nothing restarts them until the next apply creates it around them.",
		},
		{
			name:    "a recreation of which the delete is not known says what may be",
			err:     &kube.RecreationError{Ref: statefulSet, Unknown: true, Err: reason},
			summary: "StatefulSet Not Recreated",
			detail: client + "ERROR. If StatefulSet default/mira-acme is gone, its pods and claims are still there, and run on without it: " +
				"the next plan shows whether it is, and the next apply creates it around them.",
		},
		{
			name:    "a StatefulSet that changes too often is left alone",
			err:     &kube.ChangedError{Ref: statefulSet, Err: reason},
			summary: "StatefulSet Changes Too Often",
			detail:  client + "ERROR. Nothing was done to it. Wait until its rollout has settled, and apply again.",
		},
		{
			name:    "a claim that has not grown says where to look",
			err:     &kube.GrowthError{Ref: claim, Size: resource.MustParse("5Gi"), Reason: "no"},
			summary: "Claim Has Not Grown",
			detail: client + "ERROR. The StatefulSet is applied, and the growth goes on in the cluster as far as its storage back end can:\n" +
				"  kubectl describe persistentvolumeclaim -n default data-mira-acme-0",
		},
		{
			name: "pods that were not replaced can be replaced by hand",
			err: &rollout.ReplaceError{
				Namespace: "default", Remaining: []rollout.Pod{{Name: "mira-acme-1"}, {Name: "mira-acme-0"}}, Err: reason,
			},
			summary: "Pods Not Replaced",
			detail: client + "ERROR. The StatefulSet is applied, but these pods lack a claim that it has now, and Kubernetes does not replace " +
				"them by itself. " +
				"Once the client serves, delete them one after the other:\n  kubectl delete pod -n default mira-acme-1 mira-acme-0",
		},
		{
			name:    "a credential plugin that failed is no matter of the network",
			err:     unreachableByPlugin(reason),
			summary: "No Credentials For Cluster",
			detail:  client + "ERROR.",
		},
		{
			name:    "a server that does not answer is named",
			err:     &connection.UnreachableError{Address: "https://10.0.0.1:6443", Source: "kubeconfig", Err: reason},
			summary: "Cluster Not Reachable",
			detail:  client + "ERROR.",
		},
		{
			name:    "a template without the key says where to look",
			err:     &mira.TemplateUnavailableError{Source: source, Err: &kube.MissingKeyError{Ref: service, Key: "client_template.yaml"}},
			summary: "Client Template Not Found",
			detail:  "Client \"acme\": ERROR. Check the provider's `template`, or that of the client.",
		},
		{
			name: "a template that is no text says how to make one of it",
			err: &mira.TemplateUnavailableError{
				Source: source, Err: &kube.BinaryKeyError{Ref: service, Key: "client_template.yaml", Encoding: "UTF-16"},
			},
			summary: "Client Template Is Not Text",
			detail: client + "ERROR. Save the file as UTF-8, and create the ConfigMap again:\n" +
				"  iconv -f UTF-16 -t UTF-8 FILE > client_template.yaml\n" +
				"  kubectl create configmap -n controller templates-yaml --from-file=client_template.yaml " +
				"--dry-run=client -o yaml | kubectl replace -f -",
		},
		{
			name:    "a name that gives illegal names is at fault itself",
			err:     &mira.TemplateError{Source: source, Err: &template.Error{Line: 3, Reason: "too long", InvalidClientName: true}},
			summary: "Client Name Gives Illegal Names",
			detail:  "Client \"acme\" cannot be rendered from ConfigMap controller/templates-yaml, key client_template.yaml:\n\nline 3: too long",
			at:      path.Root("name"),
		},
		{
			name:    "another revision says that nothing was changed",
			err:     &mira.RevisionError{Source: source, Pinned: "a", Found: "b"},
			summary: "Template Has Another Revision",
			detail:  client + "ERROR. Nothing was changed. Set the revision to the one found, or restore the template.",
			at:      path.Root("template").AtName("revision"),
		},
		{
			name:    "an object of another client says how to get it",
			err:     &mira.ForeignObjectError{Ref: service, Owner: "other"},
			summary: "Object Belongs To Another Client",
			detail: client + "ERROR. Two clients cannot share an object: check that the template makes the names of the objects differ. " +
				"If the other client no longer exists, remove the label mira-cluster.io/client from the object.",
		},
		{
			name:    "a replacement that deletes data says how to see it in a plan",
			err:     &mira.DataReplacedError{Namespace: "default", Name: "acme", Claims: []string{"data-mira-acme-0"}},
			summary: "Replacement Would Delete Data",
			detail: `Replacing client "acme" of namespace "default" deletes its data, as delete_data is true in the state: ` +
				"PersistentVolumeClaim data-mira-acme-0. The CLI shows no warning of a plan with `-replace` or `replace_triggered_by`, so it is " +
				"refused. To keep the data, apply `delete_data = false` first. To delete it, taint the client as below, and apply: that plan " +
				"names the claims.\n  terraform taint ADDRESS",
		},
		{
			name: "a live object that deletes claims says which right is missing",
			err: &mira.ClaimsNotSafeError{
				Ref: statefulSet, Policies: []string{kube.WhenDeleted},
				Err: &kube.ForbiddenError{Ref: claim, Verb: "patch", Err: apierrors.NewForbidden(schema.GroupResource{}, "", nil)},
			},
			summary: "Kubernetes Would Delete Claims",
			detail: client + "ERROR. The StatefulSet was left alone. The Role must allow to patch statefulsets, and to list and patch " +
				"persistentvolumeclaims. Or take the policy off by hand:\n" +
				`  kubectl patch statefulset -n default mira-acme -p ` +
				`'{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain","whenScaled":"Retain"}}}'` +
				"\nApply again once no claim names the StatefulSet or one of its pods in metadata.ownerReferences.",
		},
		{
			name:    "a live object that deletes claims says how to keep them",
			err:     &mira.ClaimsNotSafeError{Ref: statefulSet, Policies: []string{kube.WhenDeleted}, Err: reason},
			summary: "Kubernetes Would Delete Claims",
			detail: client + "ERROR. The StatefulSet was left alone. Apply again, or take the policy off by hand first:\n" +
				`  kubectl patch statefulset -n default mira-acme -p ` +
				`'{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain","whenScaled":"Retain"}}}'`,
		},
		{
			name:    "a template that deletes claims says how to allow it",
			err:     &mira.ClaimPolicyError{Ref: statefulSet, Policy: "whenDeleted"},
			summary: "Kubernetes Would Delete Claims",
			detail:  client + "ERROR. That would delete the client's data. Remove the policy from the template, or set `delete_data = true`.",
			at:      path.Root("delete_data"),
		},
		{
			name:    "a plan that is out of date changes nothing",
			err:     &mira.OutdatedPlanError{},
			summary: "Plan Is Out Of Date",
			detail: client + "ERROR.\n\n" +
				"The template or the objects have changed since the plan was made. Nothing was changed. Plan again, and read the new plan.",
		},
		{
			name:    "an object that does not go says what may hold it",
			err:     &kube.StillThereError{Ref: statefulSet, Err: reason},
			summary: "Object Not Deleted Yet",
			detail: client + "ERROR. The client stays in the state; the next apply goes on with the deletion. " +
				"A finalizer or a pod that does not end can hold an object:\n" +
				"  kubectl get statefulset -n default mira-acme -o yaml",
		},
		{
			name:    "a namespace is named",
			err:     &kube.NamespaceNotFoundError{Ref: service},
			summary: "Namespace Not Found",
			detail:  client + "ERROR.",
		},
		{
			name:    "a client that is not there is named by the error",
			err:     &mira.NoSuchClientError{Namespace: "default", Name: "acme", Missing: []kube.Ref{service}},
			summary: "Client Not Found",
			detail:  `Namespace "default" holds none of the objects of client "acme": Service/mira-acme. Check the name and the namespace.`,
		},
		{
			name:    "a client that is declared twice is named by the error",
			err:     &mira.DuplicateClientError{Namespace: "default", Name: "acme"},
			summary: "Client Declared Twice",
			detail: `Client "acme" of namespace "default" is declared by more than one resource. ` +
				"A client can be declared once only: give one of them another name or namespace, or remove it.",
			at: path.Root("name"),
		},
		{
			name:    "a client that is destroyed and created gets the block that renames its resource",
			err:     &mira.RenamedClientError{Namespace: "default", Name: "acme"},
			summary: "Client Destroyed And Created",
			detail: `Client "acme" of namespace "default" is destroyed by one resource and created by another. ` +
				"Both have the same objects. If the resource was renamed or moved in the configuration, say so, and nothing is destroyed:\n" +
				"moved {\n  from = mira_client.OLD\n  to   = mira_client.NEW\n}\n" +
				"If a replacement with `create_before_destroy` has failed before, the state has a deposed object that is the client. " +
				"Take it out of the state, and import the client:\n  terraform state rm ADDRESS\n  terraform import ADDRESS default/acme\n" +
				"To start over, destroy the client first, and create it in a second run.",
		},
		{
			name:    "a client that is destroyed and kept gets the way out of the state",
			err:     &mira.SharedClientError{Namespace: "default", Name: "acme"},
			summary: "Client Destroyed And Kept",
			detail: `Client "acme" of namespace "default" is destroyed by one resource and kept by another. ` +
				"Both have the same objects, so that destroying the one would stop the other. Take the one that goes out of the state without " +
				"destroying anything, by a `removed` block with `destroy = false` or by\n  terraform state rm ADDRESS",
		},
		{
			name:    "a client of another cluster",
			err:     &mira.AnotherClusterError{Namespace: "default", Name: "acme"},
			summary: "Another Cluster Than Recorded",
			detail: `None of the objects of client "acme" that the state has is in namespace "default" of this cluster, which is another ` +
				"cluster than the one in which they were written. Nothing was changed. " +
				"Check `kubernetes` in the provider's configuration, the KUBE_* variables, and the kubeconfig with its context.\n\n" +
				"If the former cluster is gone for good and the client is to be created on this one, plan and apply with `-refresh=false`. " +
				"If its objects were restored here from a backup, take the client out of the state and import it again:\n" +
				"  terraform state rm ADDRESS\n  terraform import ADDRESS default/acme",
		},
		{
			name:    "a client that exists and may not be adopted is to be imported",
			err:     &mira.ExistingClientError{Namespace: "default", Name: "acme", Object: service},
			summary: "Client Exists Already",
			detail: client + "ERROR. Nothing was changed: the provider's `adopt` is \"never\", so that a create takes over nothing. " +
				"To bring the client under this state, import it:\n  terraform import ADDRESS default/acme",
			at: path.Root("name"),
		},
		{
			name:    "a client that is managed elsewhere has three ways out",
			err:     &mira.ExistingClientError{Namespace: "default", Name: "acme", Object: service, IsLabelled: true},
			summary: "Client Exists Already",
			detail: client + "ERROR. Another state or another resource manages it, or an interrupted create has left it. Nothing was changed." +
				"\n\nIf another state manages the client, leave it there: two states would undo each other's changes, and a destroy of one takes " +
				"down the client of the other.\n" +
				"If no state has it, import it:\n  terraform import ADDRESS default/acme\n" +
				"If the resource was renamed or moved in this configuration, say so:\n" +
				"moved {\n  from = mira_client.OLD\n  to   = mira_client.NEW\n}\n" +
				"If this is the apply of a replacement with `create_before_destroy`, whose create finds the objects of the client that it " +
				"replaces, take the client out of the state before the import:\n  terraform state rm ADDRESS\n" +
				"To take over such clients without an import, and to allow such replacements, set `adopt = \"any\"` in the provider's " +
				"configuration.",
			at: path.Root("name"),
		},
		{
			name:    "a kind that cannot be handled is named",
			err:     &kube.KindError{GVK: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Reason: "no"},
			summary: "Kind Not Supported",
			detail:  client + "ERROR.",
		},
	}
}

// unreachableByPlugin is the error of a request for which a credential plugin gave
// nothing.
func unreachableByPlugin(err error) error {
	return &connection.UnreachableError{
		Address: "https://10.0.0.1:6443", Source: "kubeconfig", Plugin: "aws", Err: &url.Error{Op: "Get", URL: "https://10.0.0.1:6443", Err: err},
	}
}
