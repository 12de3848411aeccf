package provider

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// Every kind of warning has a text, and only one.
func TestWarnings_everyKindHasAText(t *testing.T) {
	texts := make(map[string]int)
	for _, text := range warningTexts {
		texts[text.kind.Name()]++
	}
	for _, kind := range warningKinds(t) {
		if texts[kind] != 1 {
			t.Errorf("mira.%s has %d texts in warningTexts, want 1", kind, texts[kind])
		}
		delete(texts, kind)
	}
	for kind := range texts {
		t.Errorf("warningTexts has a text for %s, which is no warning of package mira", kind)
	}
}

// warningKinds reads the names of the types that are warnings out of the source of
// package mira: those with the method isWarning.
func warningKinds(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../mira/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "isWarning" {
				continue
			}
			receiver, ok := method.Recv.List[0].Type.(*ast.Ident)
			if !ok {
				t.Fatalf("%s: isWarning has a pointer as its receiver, which textOfWarning does not know", name)
			}
			kinds = append(kinds, receiver.Name)
		}
	}
	if len(kinds) == 0 {
		t.Fatal("package mira has no warnings: has the method isWarning another name?")
	}
	return kinds
}

func TestWarnings(t *testing.T) {
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	set := kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "default", "mira-acme")
	service := kube.NewRef(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "default", "mira-acme")
	claim := mira.ClaimGrowth{
		Claim: kube.NewRef(kube.ClaimKind, "default", "data-mira-acme-0"), From: resource.MustParse("5Gi"), To: resource.MustParse("6Gi"),
	}
	changes := []mira.FieldChange{
		{Kind: mira.FieldAdded, Object: "Service/mira-acme", Field: "spec.a", After: "1"},
		{Kind: mira.FieldChanged, Object: "Service/mira-acme", Field: "spec.b", Before: "1", After: "2"},
		{Kind: mira.FieldRemoved, Object: "Service/mira-acme", Field: "spec.c", Before: "2"},
	}
	kubectl := managedfields.FieldOwner{Field: "spec.replicas", Manager: "kubectl"}
	owned := []mira.OwnedField{{Object: "StatefulSet/mira-acme", FieldOwner: kubectl}}
	for _, test := range []struct {
		name          string
		warning       mira.Warning
		title, detail string
	}{
		{
			"unused variables", mira.UnusedVariablesWarning{Client: "acme", Variables: []string{"A", "B"}, Template: source},
			"Unused Template Variable",
			`Client "acme" sets %A%, %B%, which the template does not use (ConfigMap controller/templates-yaml, key client_template.yaml).`,
		},
		{
			"a template that is not there", mira.TemplatePendingWarning{Client: "acme", Template: source, Revision: "r2"},
			"Template Not There Yet",
			`Client "acme" is pinned to revision r2 of its template (ConfigMap controller/templates-yaml, key client_template.yaml), which ` +
				`is not there yet. ` +
				"Unless this run writes it before the client is applied, the apply will fail and change nothing. What the client's objects will " +
				"be is known only then.",
		},
		{
			"a template of the former pin", mira.TemplatePendingWarning{Client: "acme", Template: source, Revision: "r2", Found: "r1"},
			"Template Not There Yet",
			`Client "acme" is pinned to revision r2 of its template (ConfigMap controller/templates-yaml, key client_template.yaml), which ` +
				`still has revision r1, that of the previous pin. ` +
				"Unless this run writes it before the client is applied, the apply will fail and change nothing. What the client's objects will " +
				"be is known only then.",
		},
		{
			"a restart of a stopped client", mira.StoppedClientWarning{Client: "acme", Namespace: "default"},
			`Client Is Stopped (Client "acme")`,
			`Client "acme" of namespace "default" was not restarted: its StatefulSet has 0 replicas, so that there are no pods to replace.`,
		},
		{
			"a restart above a partition", mira.PartialRestartWarning{Client: "acme", StatefulSet: set, Partition: 2},
			`Not All Pods Restart (Client "acme")`,
			`Client "acme": the first 2 pods of StatefulSet default/mira-acme stand below spec.updateStrategy.rollingUpdate.partition. ` +
				`They run on, and are not replaced.`,
		},
		{
			"a template in a namespace that is not there", mira.TemplateNamespacePendingWarning{Template: source},
			"Template Namespace Not There Yet",
			`Namespace "controller" does not exist. Unless something creates it before the template (ConfigMap controller/templates-yaml, ` +
				"key client_template.yaml) is applied, the apply will fail.",
		},
		{
			"a template that is there already", mira.ExistingTemplateWarning{Template: source, From: "r1", To: "r2"},
			"Existing Template Will Be Replaced",
			"ConfigMap controller/templates-yaml, key client_template.yaml has a content already, of revision r1. The apply replaces it by the " +
				"content of the configuration, of revision r2. " +
				"To compare the two:\n" + `  kubectl get configmap -n controller templates-yaml -o jsonpath='{.data.client_template\.yaml}'`,
		},
		{
			"a template that is there already and means the same", mira.ExistingTemplateWarning{Template: source, From: "r1", To: "r1"},
			"Existing Template Will Be Replaced",
			"ConfigMap controller/templates-yaml, key client_template.yaml has a content already, of the same revision r1, so that it means the " +
				"same. The apply replaces it by the content of the configuration, of revision r1. " +
				"To compare the two:\n" + `  kubectl get configmap -n controller templates-yaml -o jsonpath='{.data.client_template\.yaml}'`,
		},
		{
			"a template in the place of something else", mira.ExistingTemplateWarning{Template: source, To: "r1"},
			"Existing Template Will Be Replaced",
			"ConfigMap controller/templates-yaml, key client_template.yaml has a content already, that is no client template. The apply replaces " +
				"it by the content of the configuration, of revision r1. " +
				"To compare the two:\n" + `  kubectl get configmap -n controller templates-yaml -o jsonpath='{.data.client_template\.yaml}'`,
		},
		{
			"a template of another manager", mira.TemplateTakenWarning{Template: source, Managers: []string{"argocd", "flux"}},
			"Template Taken From Other Managers",
			"ConfigMap controller/templates-yaml, key client_template.yaml was written by argocd, flux, and gets the content of the " +
				"configuration, as force_conflicts is true. If that is managed elsewhere, both will undo each other's changes.",
		},
		{
			"placeholders without a value", mira.UndefinedPlaceholdersWarning{Template: source, Placeholders: []string{"A", "B"}},
			"Placeholders Without A Value",
			"ConfigMap controller/templates-yaml, key client_template.yaml uses %A%, %B%, and neither the provider's variables nor those of " +
				"`sample` have a value. Every client must set it in its `variables`, or its plan fails.",
		},
		{
			"fields of other managers", mira.TakeoverWarning{Client: "acme", Fields: owned},
			"Fields Taken From Other Managers",
			`Client "acme": these fields were set by others since the last apply, and go back to what the template says:` +
				"\n  StatefulSet/mira-acme spec.replicas, set by kubectl",
		},
		{
			"fields added by hand", mira.ManualFieldsWarning{Client: "acme", Changes: changes[2:]},
			"Fields Set By Hand Will Be Removed",
			`Client "acme": these fields were added by hand, and the server does not accept them together with those of the template:` +
				"\n  - Service/mira-acme spec.c: \"2\"",
		},
		{
			"a change that needs a new client", mira.ReplaceRequiredWarning{Client: "acme", Err: errors.New("no")},
			"Client Must Be Deleted First",
			`Client "acme": no. This plan can be applied only if it replaces the client, because its objects are deleted first then. ` +
				`Otherwise the apply fails and changes nothing.`,
		},
		{
			"a recreation around pods that run on", mira.RecreationWarning{Client: "acme", StatefulSet: set, Fields: []string{"spec.serviceName"}},
			"StatefulSet Will Be Recreated",
			`Client "acme": Kubernetes does not let spec.serviceName change on StatefulSet default/mira-acme. ` +
				"It will be deleted and created again around its pods, which go on running. The claims stay.",
		},
		{
			"a recreation with other pods",
			mira.RecreationWarning{Client: "acme", StatefulSet: set, Fields: []string{"spec.serviceName"}, NewRevision: true},
			"StatefulSet Will Be Recreated",
			`Client "acme": Kubernetes does not let spec.serviceName change on StatefulSet default/mira-acme. ` +
				"It will be deleted and created again around its pods, which are then replaced by its new revision one after the other. The " +
				"claims stay.",
		},
		{
			"a recreation with a new claim",
			mira.RecreationWarning{
				Client: "acme", StatefulSet: set, Fields: []string{"spec.a", "spec.b"}, NewRevision: true, WithoutClaim: []string{"mira-acme-0"},
			},
			"StatefulSet Will Be Recreated",
			`Client "acme": Kubernetes does not let spec.a, spec.b change on StatefulSet default/mira-acme. ` +
				"It will be deleted and created again around its pods, which are then replaced one after the other because they lack the new " +
				"claim (mira-acme-0). The claims stay.",
		},
		{
			"a Service that becomes headless", mira.ServiceRecreationWarning{Client: "acme", Service: service, IsHeadless: true},
			`Service Will Be Recreated (Client "acme")`,
			`Client "acme": Kubernetes does not let a Service become headless, or stop being so. Service default/mira-acme will be deleted ` +
				`and created again around its endpoints, and loses its address: for a moment its name does not resolve. The pods run on.`,
		},
		{
			"a Service that is headless no more", mira.ServiceRecreationWarning{Client: "acme", Service: service},
			`Service Will Be Recreated (Client "acme")`,
			`Client "acme": Kubernetes does not let a Service become headless, or stop being so. Service default/mira-acme will be deleted ` +
				`and created again around its endpoints, and gets an address: for a moment its name does not resolve. The pods run on.`,
		},
		{
			"a Service that gets a selector",
			mira.ServiceRecreationWarning{Client: "acme", Service: service, IsHeadless: true, GetsSelector: true},
			`Service Will Be Recreated (Client "acme")`,
			`Client "acme": Kubernetes does not take the families of addresses that it has chosen for Service default/mira-acme without a ` +
				`selector for one with a selector. The Service will be deleted and created again: for a moment its name does not resolve. ` +
				`Endpoints that were made by hand go. The pods run on.`,
		},
		{
			"claims that grow", mira.ClaimGrowthWarning{Client: "acme", Claims: []mira.ClaimGrowth{claim, claim}},
			"Claims Will Grow",
			`Client "acme": PersistentVolumeClaim data-mira-acme-0 from 5Gi to 6Gi, data-mira-acme-0 from 5Gi to 6Gi. Storage cannot be ` +
				`taken back later.`,
		},
		{
			"fields that admission changes",
			mira.AdmissionWarning{Client: "acme", Fields: []mira.AdmittedField{
				{Object: "Service/mira-acme", AdmissionChange: managedfields.AdmissionChange{Field: "spec.a", Wanted: "1", Got: "2"}},
				{Object: "Service/mira-acme", AdmissionChange: managedfields.AdmissionChange{Field: "spec.b", Wanted: "1", Removed: true}},
			}},
			"Admission Changes Fields",
			`Client "acme": the server changes these fields of the template. Most likely an admission policy or webhook of the cluster does that:` +
				"\n  Service/mira-acme spec.a: \"1\" becomes \"2\"\n  Service/mira-acme spec.b: \"1\" is removed",
		},
		{
			"fields that stay", mira.SharedFieldsWarning{Client: "acme", Fields: owned},
			"Dropped Fields Stay",
			`Client "acme": the template does not have these fields any more, but they stay on the objects because other field managers own ` +
				`them, too:` +
				"\n  StatefulSet/mira-acme spec.replicas, also set by kubectl",
		},
		{
			"fields that the server keeps",
			mira.KeptFieldsWarning{Client: "acme", Fields: []mira.KeptField{
				{Object: service, Field: "spec.ports[80,TCP].nodePort", Value: "30080"}, {Object: set, Field: "spec.a", Value: "1"},
				{Object: set, Field: "spec.b", Value: "2"},
			}},
			`Server Keeps Dropped Fields (Client "acme")`,
			`Client "acme": the template does not have these fields any more, but the server keeps their values on the live objects. ` +
				"A new client would not have them:\n" +
				"  Service/mira-acme spec.ports[80,TCP].nodePort: \"30080\"\n" +
				"  StatefulSet/mira-acme spec.a: \"1\"\n" +
				"  StatefulSet/mira-acme spec.b: \"2\"\n\n" +
				"To keep them, put them back into the template. To be rid of them, delete the object; the next apply creates it again:\n" +
				"  kubectl delete service -n default mira-acme\n" +
				"  kubectl delete statefulset -n default mira-acme --cascade=orphan",
		},
		{
			"fields that differ",
			mira.DifferingFieldsWarning{Client: "acme", Fields: []mira.DifferingField{
				{KeptField: mira.KeptField{Object: service, Field: "spec.ipFamilyPolicy", Value: "SingleStack"}, Wanted: "RequireDualStack"},
			}},
			`Server Keeps Earlier Values (Client "acme")`,
			`Client "acme": the server has filled in these fields for what the objects were before, and does not change them. ` +
				"A new client would have other values:\n" +
				"  Service/mira-acme spec.ipFamilyPolicy: \"SingleStack\", a new one has \"RequireDualStack\"\n\n" +
				"To choose a value, put the field into the template. To have that of a new client, delete the object; the next apply creates it " +
				"again:\n" +
				"  kubectl delete service -n default mira-acme",
		},
		{
			"fields that fall back to defaults", mira.FallbackWarning{Client: "acme", Changes: changes[:1]},
			`Dropped Fields Get Default Values (Client "acme")`,
			`Client "acme": the template says nothing of these fields any more, and no other field manager owns them. They get the values ` +
				"that a new client has:\n" + changes[0].String() +
				"\n\nTo keep a value, put the field back into the template, or give it to another field manager before the apply.",
		},
		{
			"objects adopted with changes",
			mira.AdoptionWarning{Client: "acme", Objects: []kube.Ref{set}, Missing: []kube.Ref{service}, Changes: changes},
			`Adoption Changes Objects (Client "acme")`,
			`Client "acme": these objects exist already and will be adopted: StatefulSet default/mira-acme. ` +
				"These do not exist, and will be created: Service default/mira-acme. These fields will change:" +
				"\n  + Service/mira-acme spec.a: \"1\"\n  ~ Service/mira-acme spec.b: \"1\" -> \"2\"\n  - Service/mira-acme spec.c: \"2\"",
		},
		{
			"objects imported that are not as the template says",
			mira.AdoptionWarning{Client: "acme", Origin: mira.AdoptedImported, Objects: []kube.Ref{set}, Missing: []kube.Ref{service}},
			`Adoption Changes Objects (Client "acme")`,
			`Client "acme" was imported. The apply makes its objects what the template says. ` +
				"These do not exist, and will be created: Service default/mira-acme.",
		},
		{
			"objects adopted that are the client's", mira.AdoptionWarning{Client: "acme", Origin: mira.AdoptedLabelled, Objects: []kube.Ref{set}},
			`Existing Objects Will Be Adopted (Client "acme")`,
			`Client "acme": these objects exist already and will be adopted: StatefulSet default/mira-acme. ` +
				"They have the client's label already: another state or another resource manages them, or an interrupted create has left " +
				"them. They are adopted as `adopt` is \"any\". If another state has the client, take it out there: a destroy would stop it.",
		},
		{
			"fields that go with an adoption", mira.AdoptionRemovesWarning{Client: "acme", Changes: changes},
			`Adoption Removes Fields (Client "acme")`,
			`Client "acme": the template does not have these fields, which the Django controller, kubectl, helm or another ` +
				"Terraform provider has set. They go when the client is adopted:" +
				"\n  + Service/mira-acme spec.a: \"1\"\n  ~ Service/mira-acme spec.b: \"1\" -> \"2\"\n  - Service/mira-acme spec.c: \"2\"" +
				"\n\nTo keep a field, add it to the template, or give it to a field manager of its own before the apply: " +
				"the guide \"Move from the Django controller\" says how.",
		},
		{
			"a StatefulSet that gets another name",
			mira.RenamedStatefulSetWarning{Client: "acme", StatefulSet: set, Claims: []string{"data-mira-acme-0"}},
			"Renamed StatefulSet Starts Without Its Data",
			`Client "acme": the template does not have StatefulSet default/mira-acme any more: it will be deleted. ` +
				"Its PersistentVolumeClaims stay (data-mira-acme-0), but a StatefulSet of another name does not find them.",
		},
		{
			"claims that are made safe",
			mira.ClaimPolicyWarning{Client: "acme", StatefulSet: set, Policies: []string{kube.WhenDeleted, kube.WhenScaled}},
			"Claims Will Be Kept",
			`Client "acme": StatefulSet default/mira-acme, which goes, shrinks or is recreated, has Kubernetes delete claims then ` +
				`(whenDeleted: Delete, whenScaled: Delete). Its persistentVolumeClaimRetentionPolicy is set to Retain first, so that they stay.`,
		},
		{
			"claims that are found",
			mira.ClaimsFoundWarning{Client: "acme", Namespace: "default", Claims: []string{"data-mira-acme-0", "data-mira-acme-1"}},
			`New Client Finds Earlier Data (Client "acme")`,
			`Client "acme" will use what is there already in namespace "default" under the names of its claims: ` +
				`PersistentVolumeClaim data-mira-acme-0, data-mira-acme-1. That is the data of an earlier client of this name, or was put ` +
				"there by hand. To begin empty, save what is needed and delete them first:\n" +
				`  kubectl delete pvc -n default data-mira-acme-0 data-mira-acme-1`,
		},
		{
			"data that goes",
			mira.DataDeletedWarning{Client: "acme", Namespace: "default", Claims: []string{"data-mira-acme-0"}},
			`Client Data Will Be Deleted (Client "acme")`,
			`Client "acme" of namespace "default" is deleted with its data, as delete_data is true in the state: PersistentVolumeClaim ` +
				"data-mira-acme-0. That cannot be undone. To keep the data, apply `delete_data = false` first.",
		},
		{
			"secrets in the state",
			mira.RecordedSecretsWarning{Client: "acme", Variables: []string{"PASSWORD", "TOKEN"}},
			`State Has Secrets In Clear (Client "acme")`,
			`The recorded variables of client "acme" have values of PASSWORD, TOKEN, which its configuration has in secret_variables. ` +
				"The apply takes them out of the state. Earlier versions of the state, and files of earlier plans, keep them: change these secrets.",
		},
		{
			"data that stays",
			mira.DataKeptWarning{Client: "acme", Namespace: "default", Claims: []string{"data-mira-acme-0"}},
			"Client Data Stays",
			`Client "acme" is deleted; its data stays in namespace "default", in PersistentVolumeClaim data-mira-acme-0. Creating the client ` +
				`again finds it.`,
		},
		{
			"data that is left",
			mira.DataLeftWarning{
				Client: "acme", Namespace: "default", Claims: []string{"data-mira-acme-0"},
				Next: mira.ClientName{Namespace: "mira", Name: "acme"},
			},
			`Client Starts Without Its Data (Client "acme")`,
			`Client "acme" of namespace "default" is replaced by client "acme" of namespace "mira". Its data does not go along: it stays in ` +
				`namespace "default", in PersistentVolumeClaim data-mira-acme-0. If that is not meant, take back the change of ` +
				"`name` or `namespace`, also that of the provider.",
		},
		{
			"data that is left for a client that is not known yet",
			mira.DataLeftWarning{Client: "acme", Namespace: "default", Claims: []string{"data-mira-acme-0"}},
			`Client Starts Without Its Data (Client "acme")`,
			`Client "acme" of namespace "default" is replaced by a client of another namespace or name. Its data does not go along: it ` +
				`stays in namespace "default", in PersistentVolumeClaim data-mira-acme-0. If that is not meant, take back the change of ` +
				"`name` or `namespace`, also that of the provider.",
		},
		{
			"values that differ",
			mira.ConflictingValuesWarning{Client: "acme", Conflict: template.Conflict{Name: "EMAIL_ADMIN", Found: []template.Finding{
				{Value: "a@x", Object: "Service/a", Path: "spec.a"}, {Value: "b@x", Object: "Service/a", Path: "spec.b"},
			}}},
			"Value Not Recovered",
			`The live objects of client "acme" have different values for %EMAIL_ADMIN%: "a@x" in Service/a spec.a, "b@x" in Service/a spec.b. ` +
				"The next plan shows the value from the configuration as a change.",
		},
		{
			"clients without a template",
			mira.NoTemplateWarning{Namespace: "default", Err: errors.New("there is no template")},
			"Clients Not Compared With Template",
			`Namespace "default": only clients with the label mira-cluster.io/client are known, and none is compared, as there is no ` +
				"template that could tell more: there is no template.",
		},
		{
			"clients that the template does not render",
			mira.NotComparedWarning{Clients: []string{"acme", "globex"}, Template: source, Err: errors.New("line 1: no")},
			"Clients Not Compared With Template",
			`The template gives nothing for client "acme", "globex", so that it is not known what is missing, and what is up to date ` +
				"(ConfigMap controller/templates-yaml, key client_template.yaml): line 1: no.",
		},
		{
			"objects that may not be listed",
			mira.UnlistedWarning{Namespace: "default", Kind: schema.GroupKind{Kind: "Service"}, Err: errors.New("no right")},
			"Objects Could Not Be Listed",
			`Namespace "default": what clients have and lack of kind Service is not known, and no client that has such an object counts as ` +
				"up to date. No right.",
		},
		{
			"claims that may not be listed",
			mira.UnlistedWarning{Namespace: "default", Kind: schema.GroupKind{Kind: "PersistentVolumeClaim"}, Err: errors.New("no right")},
			"Objects Could Not Be Listed",
			`Namespace "default": the claims of clients, and those that are left of deleted ones, are not known. No right.`,
		},
		{
			"pods that may not be listed",
			mira.UnlistedWarning{Namespace: "default", Kind: schema.GroupKind{Kind: "Pod"}, Err: errors.New("no right")},
			"Objects Could Not Be Listed",
			`Namespace "default": it is not known why a client is not ready, and whether a pod mounts a claim. No right.`,
		},
		{
			"events that may not be listed",
			mira.UnlistedWarning{Namespace: "default", Kind: schema.GroupKind{Kind: "Event"}, Err: errors.New("no right")},
			"Objects Could Not Be Listed",
			`Namespace "default": it is not known why pods that are missing are not created. No right.`,
		},
		{
			"an object that belongs to another client", mira.ObjectKeptWarning{Client: "acme", Object: service, Owner: "globex"},
			"Object Not Deleted", `Service default/mira-acme was not deleted with client "acme": it belongs to client "globex" now.`,
		},
		{
			"an object that somebody has created again", mira.ObjectKeptWarning{Client: "acme", Object: service},
			"Object Not Deleted", `Service default/mira-acme was not deleted with client "acme": ` +
				"it was deleted by hand, and another one created under its name, which does not have the client's label.",
		},
		{
			"a file system that follows", mira.FileSystemPendingWarning{Client: "acme", Claim: claim},
			"File System Grows Later", `Client "acme": the volume of PersistentVolumeClaim data-mira-acme-0 has grown to 6Gi; ` +
				"its file system grows when the pod that uses it starts the next time.",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var diags diag.Diagnostics
			addWarnings(&diags, []mira.Warning{test.warning})
			want := diag.Diagnostics{diag.NewWarningDiagnostic(test.title, test.detail)}
			if diff := cmp.Diff(want, diags); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}
