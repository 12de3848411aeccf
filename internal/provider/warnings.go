package provider

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// warningText is how one kind of warning is told to the operator.
type warningText struct {
	kind   reflect.Type // of the warning
	title  func(mira.Warning) string
	detail func(mira.Warning) string
}

// warns makes the text of a kind of warning.
func warns[W mira.Warning](title string, detail func(W) string) warningText {
	return warningText{
		kind:   reflect.TypeFor[W](),
		title:  func(mira.Warning) string { return title },
		detail: typed(detail),
	}
}

// warnsEach is like warns, for a warning that must be read of each client: its title names
// the client. Of warnings with one title the CLI prints the first alone.
func warnsEach[W mira.Warning](title string, client, detail func(W) string) warningText {
	return warningText{
		kind:   reflect.TypeFor[W](),
		title:  typed(func(w W) string { return fmt.Sprintf("%s (Client %q)", title, client(w)) }),
		detail: typed(detail),
	}
}

// typed takes any warning for a W.
func typed[W mira.Warning](text func(W) string) func(mira.Warning) string {
	return func(warning mira.Warning) string {
		w, _ := warning.(W)
		return text(w)
	}
}

// warningTexts holds the text of every kind of warning: those of a plan, in the order in
// which a plan has them, then those of an apply, of a delete and of an import.
var warningTexts = []warningText{
	warns("Unused Template Variable", func(w mira.UnusedVariablesWarning) string {
		return fmt.Sprintf("Client %q sets %s, which the template does not use (%s).", w.Client, placeholders(w.Variables), w.Template)
	}),
	warnsEach("State Has Secrets In Clear", func(w mira.RecordedSecretsWarning) string { return w.Client },
		func(w mira.RecordedSecretsWarning) string {
			return fmt.Sprintf("The recorded variables of client %q have values of %s, which its configuration has in secret_variables. "+
				"The apply takes them out of the state. Earlier versions of the state, and files of earlier plans, keep them: change these secrets.",
				w.Client, joined(w.Variables, func(name string) string { return name }))
		}),
	warns("Template Not There Yet", templatePendingDetail),
	warns("Namespace Not There Yet", func(w mira.NamespacePendingWarning) string {
		return fmt.Sprintf("Namespace %q of client %q does not exist. Unless something creates it before the client is applied, the apply "+
			"will fail. "+
			"What the client's objects will be is known only then.", w.Namespace, w.Client)
	}),
	warnsEach("Rollout Is Pending", func(w mira.PendingRolloutWarning) string { return w.Client }, pendingRolloutDetail),
	warnsEach("Client Is Stopped", func(w mira.StoppedClientWarning) string { return w.Client },
		func(w mira.StoppedClientWarning) string {
			return fmt.Sprintf("Client %q of namespace %q was not restarted: its StatefulSet has 0 replicas, so that there are no pods to replace.",
				w.Client, w.Namespace)
		}),
	warnsEach("Not All Pods Restart", func(w mira.PartialRestartWarning) string { return w.Client },
		func(w mira.PartialRestartWarning) string {
			return fmt.Sprintf("Client %q: the first %d pods of %s stand below spec.updateStrategy.rollingUpdate.partition. "+
				"They run on, and are not replaced.", w.Client, w.Partition, w.StatefulSet)
		}),
	warnsEach("Objects Leave The Template", func(w mira.ObjectsLeaveWarning) string { return w.Client }, leavingDetail),
	warns("Containers Without Readiness Probe", func(w mira.NoReadinessProbeWarning) string {
		return fmt.Sprintf("The template has no readinessProbe for %s. Such a container counts as ready as soon as it runs, "+
			"so that an apply, and the gate, take it for serving whether the application answers or not.", joined(w.Containers, quoted))
	}),
	warns("Fields Taken From Other Managers", func(w mira.TakeoverWarning) string {
		return fmt.Sprintf("Client %q: these fields were set by others since the last apply, and go back to what the template says:", w.Client) +
			indented(w.Fields, func(f mira.OwnedField) string { return fmt.Sprintf("%s %s, set by %s", f.Object, f.Field, f.Manager) })
	}),
	warns("Fields Set By Hand Will Be Removed", func(w mira.ManualFieldsWarning) string {
		return fmt.Sprintf("Client %q: these fields were added by hand, and the server does not accept them together with those "+
			"of the template:", w.Client) +
			changeLines(w.Changes)
	}),
	warns("Client Must Be Deleted First", func(w mira.ReplaceRequiredWarning) string {
		return fmt.Sprintf("Client %q: %v. This plan can be applied only if it replaces the client, because its objects are deleted first then. "+
			"Otherwise the apply fails and changes nothing.", w.Client, w.Err)
	}),
	warns("StatefulSet Will Be Recreated", recreationDetail),
	warnsEach("Service Will Be Recreated", func(w mira.ServiceRecreationWarning) string { return w.Client }, serviceRecreationDetail),
	warns("Claims Will Grow", func(w mira.ClaimGrowthWarning) string {
		return fmt.Sprintf("Client %q: PersistentVolumeClaim %s. Storage cannot be taken back later.", w.Client, growths(w.Claims))
	}),
	warns("Claims Stay Too Small", func(w mira.ClaimsTooSmallWarning) string {
		return fmt.Sprintf("Client %q: the template asks for more storage, but a claim that is not bound to a volume yet cannot grow: "+
			"PersistentVolumeClaim %s. "+
			"If it holds no data, delete it by hand: the StatefulSet creates a new one.", w.Client, growths(w.Claims))
	}),
	warns("Admission Changes Fields", func(w mira.AdmissionWarning) string {
		return fmt.Sprintf("Client %q: the server changes these fields of the template. Most likely an admission policy or webhook of the "+
			"cluster does that:", w.Client) +
			indented(w.Fields, admittedField)
	}),
	warns("Dropped Fields Stay", func(w mira.SharedFieldsWarning) string {
		return fmt.Sprintf("Client %q: the template does not have these fields any more, but they stay on the objects because other field "+
			"managers own them, too:", w.Client) +
			indented(w.Fields, func(f mira.OwnedField) string {
				return fmt.Sprintf("%s %s, also set by %s", f.Object, f.Field, f.Manager)
			})
	}),
	warnsEach("Server Keeps Dropped Fields", func(w mira.KeptFieldsWarning) string { return w.Client }, keptFieldsDetail),
	warnsEach("Server Keeps Earlier Values", func(w mira.DifferingFieldsWarning) string { return w.Client }, differingFieldsDetail),
	warnsEach("Dropped Fields Get Default Values", func(w mira.FallbackWarning) string { return w.Client },
		func(w mira.FallbackWarning) string {
			return fmt.Sprintf("Client %q: the template says nothing of these fields any more, and no other field manager owns them. They get "+
				"the values that a new client has:", w.Client) + changeLines(w.Changes) +
				"\n\nTo keep a value, put the field back into the template, or give it to another field manager before the apply."
		}),
	warns("Renamed StatefulSet Starts Without Its Data", func(w mira.RenamedStatefulSetWarning) string {
		return fmt.Sprintf("Client %q: the template does not have %s any more: it will be deleted. Its PersistentVolumeClaims stay (%s), "+
			"but a StatefulSet of another name does not find them.",
			w.Client, w.StatefulSet, strings.Join(w.Claims, ", "))
	}),
	warns("Claims Will Be Kept", func(w mira.ClaimPolicyWarning) string {
		return fmt.Sprintf("Client %q: %s, which goes, shrinks or is recreated, has Kubernetes delete claims then (%s). Its "+
			"persistentVolumeClaimRetentionPolicy is set to Retain first, so that they stay.",
			w.Client, w.StatefulSet, joined(w.Policies, func(policy string) string { return policy + ": Delete" }))
	}),
	warnsEach("New Client Finds Earlier Data", func(w mira.ClaimsFoundWarning) string { return w.Client },
		func(w mira.ClaimsFoundWarning) string {
			return fmt.Sprintf("Client %q will use what is there already in namespace %q under the names of its claims: "+
				"PersistentVolumeClaim %s. That is the data of an earlier client of this name, or was put there by hand. "+
				"To begin empty, save what is needed and delete them first:\n  kubectl delete pvc -n %s %s",
				w.Client, w.Namespace, strings.Join(w.Claims, ", "), w.Namespace, strings.Join(w.Claims, " "))
		}),
	{
		kind:   reflect.TypeFor[mira.AdoptionWarning](),
		title:  typed(adoptionTitle),
		detail: typed(adoptionDetail),
	},
	warnsEach("Adoption Removes Fields", func(w mira.AdoptionRemovesWarning) string { return w.Client },
		func(w mira.AdoptionRemovesWarning) string {
			return fmt.Sprintf("Client %q: the template does not have these fields, which the Django controller, kubectl, helm or "+
				"another Terraform provider has set. They go when the client is adopted:", w.Client) + changeLines(w.Changes) +
				"\n\nTo keep a field, add it to the template, or give it to a field manager of its own before the apply: " +
				"the guide \"Move from the Django controller\" says how."
		}),

	warns("Template Namespace Not There Yet", func(w mira.TemplateNamespacePendingWarning) string {
		return fmt.Sprintf("Namespace %q does not exist. Unless something creates it before the template (%s) is applied, the apply will fail.",
			w.Template.Namespace, w.Template)
	}),
	warns("Existing Template Will Be Replaced", existingTemplateDetail),
	warns("Template Taken From Other Managers", func(w mira.TemplateTakenWarning) string {
		return fmt.Sprintf("%s was written by %s, and gets the content of the configuration, as force_conflicts is true. If that is managed "+
			"elsewhere, both will undo each other's changes.", w.Template, strings.Join(w.Managers, ", "))
	}),
	warns("Placeholders Without A Value", func(w mira.UndefinedPlaceholdersWarning) string {
		return fmt.Sprintf("%s uses %s, and neither the provider's variables nor those of `sample` have a value. Every client must set it "+
			"in its `variables`, or its plan fails.", w.Template, placeholders(w.Placeholders))
	}),

	warns("Server Changed Applied Fields", func(w mira.StoredValuesWarning) string {
		return "The server stored other values than its dry run had returned. An admission webhook can cause this:" + changeLines(w.Changes)
	}),
	warns("Claim Has Not Grown", func(w mira.ClaimNotGrownWarning) string {
		return fmt.Sprintf("Client %q serves, but %v.", w.Client, w.Err)
	}),
	warns("File System Grows Later", func(w mira.FileSystemPendingWarning) string {
		return fmt.Sprintf("Client %q: the volume of PersistentVolumeClaim %s has grown to %s; its file system grows when the pod that "+
			"uses it starts the next time.",
			w.Client, w.Claim.Claim.Name, w.Claim.To.String())
	}),

	warnsEach("Client Data Will Be Deleted", func(w mira.DataDeletedWarning) string { return w.Client },
		func(w mira.DataDeletedWarning) string {
			return fmt.Sprintf("Client %q of namespace %q is deleted with its data, as delete_data is true in the state: "+
				"PersistentVolumeClaim %s. That cannot be undone. To keep the data, apply `delete_data = false` first.",
				w.Client, w.Namespace, strings.Join(w.Claims, ", "))
		}),
	warns("Client Data Stays", func(w mira.DataKeptWarning) string {
		return fmt.Sprintf("Client %q is deleted; its data stays in namespace %q, in PersistentVolumeClaim %s. Creating the client again "+
			"finds it.", w.Client, w.Namespace, strings.Join(w.Claims, ", "))
	}),
	warnsEach("Client Starts Without Its Data", func(w mira.DataLeftWarning) string { return w.Client }, dataLeftDetail),
	warns("Object Not Deleted", func(w mira.ObjectKeptWarning) string {
		reason := fmt.Sprintf("it belongs to client %q now", w.Owner)
		if w.Owner == "" {
			reason = "it was deleted by hand, and another one created under its name, which does not have the client's label"
		}
		return fmt.Sprintf("%s was not deleted with client %q: %s.", w.Object, w.Client, reason)
	}),
	warns("Objects Belong To Another Address", func(w mira.AppliedElsewhereWarning) string {
		return fmt.Sprintf("Client %q was created, or adopted, under another address in this run. Its objects belong to that address now, "+
			"and nothing was deleted. "+
			"To rename a resource, use a `moved` block.", w.Client)
	}),
	warns("Claims Could Not Be Listed", func(w mira.ClaimsUnreadableWarning) string {
		return fmt.Sprintf("The claims of client %q stay, but the provider could not list them: %v", w.Client, w.Err)
	}),

	warns("Value Not Recovered", func(w mira.UnknownValuesWarning) string {
		return fmt.Sprintf("The live objects of client %q do not tell the value of %s. The next plan shows the value from the "+
			"configuration as a change.",
			w.Client, placeholders(w.Placeholders))
	}),
	warns("Value Not Recovered", func(w mira.ConflictingValuesWarning) string {
		return fmt.Sprintf("The live objects of client %q have different values for %%%s%%: %s. The next plan shows the value from the "+
			"configuration as a change.",
			w.Client, w.Conflict.Name, joined(w.Conflict.Found, finding))
	}),

	warns("Clients Not Compared With Template", func(w mira.NoTemplateWarning) string {
		return fmt.Sprintf("Namespace %q: only clients with the label %s are known, and none is compared, as there is no template that could "+
			"tell more: %v.", w.Namespace, mira.ClientLabel, w.Err)
	}),
	warns("Clients Not Compared With Template", func(w mira.NotComparedWarning) string {
		return fmt.Sprintf("The template gives nothing for client %s, so that it is not known what is missing, and what is up to date (%s): %v.",
			joined(w.Clients, quoted), w.Template, w.Err)
	}),
	warns("Objects Could Not Be Listed", unlistedDetail),
}

// addWarnings reports warnings in the order in which they come.
func addWarnings(diags *diag.Diagnostics, warnings []mira.Warning) {
	for _, warning := range warnings {
		title, detail := textOfWarning(warning)
		diags.AddWarning(title, detail)
	}
}

// textOfWarning returns the title and the detail of a warning. A kind without a text,
// which a test forbids, still shows its data.
func textOfWarning(warning mira.Warning) (title, detail string) {
	for _, text := range warningTexts {
		if text.kind == reflect.TypeOf(warning) {
			return text.title(warning), text.detail(warning)
		}
	}
	return "Warning Without Text", fmt.Sprintf("%T: %+[1]v", warning)
}

func templatePendingDetail(w mira.TemplatePendingWarning) string {
	what := "is not there yet"
	if w.Found != "" {
		what = fmt.Sprintf("still has revision %s, that of the previous pin", w.Found)
	}
	return fmt.Sprintf("Client %q is pinned to revision %s of its template (%s), which %s. "+
		"Unless this run writes it before the client is applied, the apply will fail and change nothing. What the client's objects will "+
		"be is known only then.",
		w.Client, w.Revision, w.Template, what)
}

func leavingDetail(w mira.ObjectsLeaveWarning) string {
	return fmt.Sprintf("The template does not have these objects of the client any more. The apply deletes them once the rest serves: %s.",
		joined(w.Objects, kube.Ref.String))
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }

func pendingRolloutDetail(w mira.PendingRolloutWarning) string {
	detail := "An apply could not see these rollouts through:" + indented(w.Pending, func(p mira.PendingRollout) string {
		return fmt.Sprintf("StatefulSet %s: %s", p.StatefulSet, p.Reason)
	}) + "\nThe next apply waits until the client serves."
	if w.CanRollBack {
		return detail + " If it does not, the client is rolled back to what it was before."
	}
	return detail
}

func recreationDetail(w mira.RecreationWarning) string {
	pods := "which go on running"
	switch {
	case len(w.WithoutClaim) > 0:
		pods = fmt.Sprintf("which are then replaced one after the other because they lack the new claim (%s)", strings.Join(w.WithoutClaim, ", "))
	case w.NewRevision:
		pods = "which are then replaced by its new revision one after the other"
	}
	return fmt.Sprintf("Client %q: Kubernetes does not let %s change on %s. It will be deleted and created again around its pods, %s. "+
		"The claims stay.",
		w.Client, strings.Join(w.Fields, ", "), w.StatefulSet, pods)
}

func adoptionTitle(w mira.AdoptionWarning) string {
	title := "Existing Objects Will Be Adopted"
	if w.ChangesObjects() {
		title = "Adoption Changes Objects"
	}
	return fmt.Sprintf("%s (Client %q)", title, w.Client)
}

func serviceRecreationDetail(w mira.ServiceRecreationWarning) string {
	if w.GetsSelector {
		return fmt.Sprintf("Client %q: Kubernetes does not take the families of addresses that it has chosen for %s without a selector "+
			"for one with a selector. The Service will be deleted and created again: for a moment its name does not resolve. Endpoints that "+
			"were made by hand go. The pods run on.", w.Client, w.Service)
	}
	becomes := "gets an address"
	if w.IsHeadless {
		becomes = "loses its address"
	}
	return fmt.Sprintf("Client %q: Kubernetes does not let a Service become headless, or stop being so. %s will be deleted and created again "+
		"around its endpoints, and %s: for a moment its name does not resolve. The pods run on.", w.Client, w.Service, becomes)
}

// deleteCommands returns the commands that delete the objects of some fields without their pods.
func deleteCommands(fields []mira.KeptField) string {
	var commands []string
	for _, field := range fields {
		command := fmt.Sprintf("  kubectl delete %s -n %s %s", strings.ToLower(field.Object.Kind), field.Object.Namespace, field.Object.Name)
		if field.Object.Kind == "StatefulSet" || field.Object.Kind == "Deployment" {
			command += " --cascade=orphan"
		}
		if !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, "\n")
}

func differingFieldsDetail(w mira.DifferingFieldsWarning) string {
	kept := make([]mira.KeptField, 0, len(w.Fields))
	for _, field := range w.Fields {
		kept = append(kept, field.KeptField)
	}
	return fmt.Sprintf("Client %q: the server has filled in these fields for what the objects were before, and does not change them. "+
		"A new client would have other values:", w.Client) +
		indented(w.Fields, func(f mira.DifferingField) string {
			return fmt.Sprintf("%s/%s %s: %q, a new one has %q", f.Object.Kind, f.Object.Name, f.Field, f.Value, f.Wanted)
		}) +
		"\n\nTo choose a value, put the field into the template. To have that of a new client, delete the object; the next apply creates it " +
		"again:\n" +
		deleteCommands(kept)
}

func keptFieldsDetail(w mira.KeptFieldsWarning) string {
	return fmt.Sprintf("Client %q: the template does not have these fields any more, but the server keeps their values on the live objects. "+
		"A new client would not have them:", w.Client) +
		indented(w.Fields, func(f mira.KeptField) string {
			return fmt.Sprintf("%s/%s %s: %q", f.Object.Kind, f.Object.Name, f.Field, f.Value)
		}) +
		"\n\nTo keep them, put them back into the template. To be rid of them, delete the object; the next apply creates it again:\n" +
		deleteCommands(w.Fields)
}

func adoptionDetail(w mira.AdoptionWarning) string {
	detail := fmt.Sprintf("Client %q: these objects exist already and will be adopted: %s.", w.Client, joined(w.Objects, kube.Ref.String))
	switch w.Origin {
	case mira.AdoptedImported:
		detail = fmt.Sprintf("Client %q was imported. The apply makes its objects what the template says.", w.Client)
	case mira.AdoptedRecreated:
		detail = fmt.Sprintf("Client %q: these objects were created again by others since the last apply, and will be adopted: %s.",
			w.Client, joined(w.Objects, kube.Ref.String))
	case mira.AdoptedLabelled:
		detail += " They have the client's label already: another state or another resource manages them, or an interrupted create has " +
			"left them. They are adopted as `adopt` is \"any\". If another state has the client, take it out there: a destroy would stop it."
	case mira.AdoptedUnlabelled:
	}
	if len(w.Missing) > 0 {
		detail += fmt.Sprintf(" These do not exist, and will be created: %s.", joined(w.Missing, kube.Ref.String))
	}
	if len(w.Changes) > 0 {
		detail += " These fields will change:" + changeLines(w.Changes)
	}
	return detail
}

func dataLeftDetail(w mira.DataLeftWarning) string {
	next := "a client of another namespace or name"
	if w.Next.Namespace != "" && w.Next.Name != "" {
		next = fmt.Sprintf("client %q of namespace %q", w.Next.Name, w.Next.Namespace)
	}
	return fmt.Sprintf("Client %q of namespace %q is replaced by %s. Its data does not go along: it stays in namespace %[2]q, in "+
		"PersistentVolumeClaim %[4]s. If that is not meant, take back the change of `name` or `namespace`, also that of the provider.",
		w.Client, w.Namespace, next, strings.Join(w.Claims, ", "))
}

func unlistedDetail(w mira.UnlistedWarning) string {
	unknown := fmt.Sprintf("what clients have and lack of kind %s is not known, and no client that has such an object counts as up to date",
		w.Kind.Kind)
	switch w.Kind {
	case kube.ClaimKind.GroupKind():
		unknown = "the claims of clients, and those that are left of deleted ones, are not known"
	case schema.GroupKind{Kind: "Pod"}:
		unknown = "it is not known why a client is not ready, and whether a pod mounts a claim"
	case schema.GroupKind{Kind: "Event"}:
		unknown = "it is not known why pods that are missing are not created"
	}
	return fmt.Sprintf("Namespace %q: %s. %s", w.Namespace, unknown, sentence(w.Err.Error()))
}

func admittedField(f mira.AdmittedField) string {
	if f.Removed {
		return fmt.Sprintf("%s %s: %q is removed", f.Object, f.Field, f.Wanted)
	}
	return fmt.Sprintf("%s %s: %q becomes %q", f.Object, f.Field, f.Wanted, f.Got)
}

func finding(f template.Finding) string { return fmt.Sprintf("%q in %s %s", f.Value, f.Object, f.Path) }

// placeholders lists names as a template has them.
func placeholders(names []string) string {
	return joined(names, func(name string) string { return "%" + name + "%" })
}

func growths(claims []mira.ClaimGrowth) string {
	return joined(claims, func(g mira.ClaimGrowth) string {
		return fmt.Sprintf("%s from %s to %s", g.Claim.Name, g.From.String(), g.To.String())
	})
}

func changeLines(changes []mira.FieldChange) string {
	return lines(changes, mira.FieldChange.String)
}

// joined lists things in one line.
func joined[T any](things []T, text func(T) string) string {
	texts := make([]string, 0, len(things))
	for _, thing := range things {
		texts = append(texts, text(thing))
	}
	return strings.Join(texts, ", ")
}

// lines lists things, each on a new line.
func lines[T any](things []T, text func(T) string) string {
	var all strings.Builder
	for _, thing := range things {
		all.WriteString("\n" + text(thing))
	}
	return all.String()
}

// indented lists things, each on a new line of its own that is indented.
func indented[T any](things []T, text func(T) string) string {
	return lines(things, func(thing T) string { return "  " + text(thing) })
}
