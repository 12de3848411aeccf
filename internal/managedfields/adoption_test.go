package managedfields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

func TestAdoption_Entries(t *testing.T) {
	const (
		typeOnly     = `{"f:spec":{"f:type":{}}}`
		typeAndNames = `{"f:spec":{"f:type":{},"f:externalName":{}}}`
		externalName = `{"f:spec":{"f:externalName":{}}}`
		affinity     = `{"f:spec":{"f:sessionAffinity":{}}}`
		spec         = `{"type": "ClusterIP", "externalName": "x", "sessionAffinity": "None"}`
	)
	for _, test := range []struct {
		name     string
		live     []metav1.ManagedFieldsEntry
		applied  string // our fields after the apply
		recorded Fields
		want     map[string][]string
	}{
		{
			name:    "what the Django controller set is ours, dropped or not",
			live:    []metav1.ManagedFieldsEntry{updated(django, typeAndNames)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.type"}},
		},
		{
			name:    "so is what kubectl has applied",
			live:    []metav1.ManagedFieldsEntry{applied("kubectl", typeAndNames)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.type"}},
		},
		{
			name: "other managers keep theirs, and so does whoever writes the status",
			live: []metav1.ManagedFieldsEntry{
				updated(django, typeOnly), updated("lb", externalName), entry("lb", "Update", "status", `{"f:status":{"f:x":{}}}`),
			},
			applied: typeOnly,
			want: map[string][]string{
				DefaultName + " Apply": {"spec.type"}, "lb Update": {"spec.externalName"}, "lb Update status": {"status.x"},
			},
		},
		{
			name:    "kubectl rollout restart keeps its annotation: losing it would restart the pods",
			live:    []metav1.ManagedFieldsEntry{updated(django, typeOnly), updated("kubectl-rollout", externalName)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.type"}, "kubectl-rollout Update": {"spec.externalName"}},
		},
		{
			name:    "a restart of ours keeps it, too",
			live:    []metav1.ManagedFieldsEntry{updated(django, typeOnly), updated(RestartName, externalName)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.type"}, RestartName + " Update": {"spec.externalName"}},
		},
		{
			name:    "what kubernetes_manifest has applied is ours",
			live:    []metav1.ManagedFieldsEntry{applied("Terraform", typeAndNames)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.type"}},
		},
		{
			name:    "and what kubectl_manifest has written, as kubectl or by its user agent",
			live:    []metav1.ManagedFieldsEntry{updated("HashiCorp", typeAndNames), applied("kubectl", affinity)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.sessionAffinity", "spec.type"}},
		},
		{
			name:    "and what helm_release has written, under the name of its plugin's file",
			live:    []metav1.ManagedFieldsEntry{updated("terraform-provider-helm_v2.17.0_x5", typeAndNames), updated("helm", affinity)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.sessionAffinity", "spec.type"}},
		},
		{
			name:    "once adopted, people with kubectl keep what they have added since",
			live:    []metav1.ManagedFieldsEntry{applied(DefaultName, typeOnly), updated("kubectl-edit", affinity)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.type"}, "kubectl-edit Update": {"spec.sessionAffinity"}},
		},
		{
			name:    "but not what the apply drops",
			live:    []metav1.ManagedFieldsEntry{applied(DefaultName, typeAndNames), updated("kubectl-edit", typeAndNames)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.type"}, "kubectl-edit Update": {"spec.type"}},
		},
		{
			name:     "nor what is recorded as ours and was taken by hand",
			live:     []metav1.ManagedFieldsEntry{applied(DefaultName, typeOnly), updated("kubectl-edit", externalName)},
			applied:  typeOnly,
			recorded: Fields{"spec.externalName": "y", "spec.type": "ClusterIP"},
			want:     map[string][]string{DefaultName + " Apply": {"spec.externalName", "spec.type"}},
		},
		{
			name:    "what the provider applied under another name is ours at any time",
			live:    []metav1.ManagedFieldsEntry{applied("other", `{"f:metadata":{"f:labels":{"f:`+ownerLabel+`":{}}},"f:spec":{"f:type":{}}}`)},
			applied: typeOnly,
			want:    map[string][]string{DefaultName + " Apply": {"metadata.labels[" + ownerLabel + "]", "spec.type"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			live, result := service(t, spec, test.live...), service(t, spec, applied(DefaultName, test.applied))
			entries, err := NewManager("", ownerLabel).Adoption(live, result, test.recorded).Entries()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ownersOf(entries)); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
		})
	}
}

// The sample client, written by the Django controller, is ours as if we had applied it.
func TestAdoption_sampleClient(t *testing.T) {
	for _, resource := range []string{"services", "ingresses", "statefulsets"} {
		t.Run(resource, func(t *testing.T) {
			manager := NewManager("", ownerLabel)
			live, result := formerObject(t, resource), liveObject(t, resource)
			if manager.Adopted(live) || !manager.Adopted(result) {
				t.Error("what is adopted is not told from what is not")
			}
			if !manager.AllEndWithAdoption(live, []string{django}) || manager.AllEndWithAdoption(live, []string{django, "lb"}) {
				t.Error("the conflicts that end with an adoption are not those with former managers")
			}
			adoption := manager.Adoption(live, result, nil)
			entries, err := adoption.Entries()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ownersOf(result.GetManagedFields()), ownersOf(entries)); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
			if going, err := adoption.Orphaned(); err != nil || len(going) > 0 {
				t.Errorf("fields %v go (error %v), want none", going, err)
			}
			if adoption.OnlyOwnershipDiffers() {
				t.Error("an adoption counts as no change")
			}
			again, err := manager.Adoption(result, result, nil).Entries()
			if diff := cmp.Diff(result.GetManagedFields(), again); diff != "" || err != nil {
				t.Errorf("an adopted object is adopted again (error %v):\n%s", err, diff)
			}
		})
	}
}

// Fields of a former manager that we do not apply go. What comes back by default with
// the same value is no loss.
func TestAdoption_lost(t *testing.T) {
	const fields = `{"f:metadata":{"f:annotations":{".":{},"f:former":{}}},"f:spec":{"f:type":{},"f:sessionAffinity":{},"f:externalName":{},` +
		`"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:protocol":{}},` +
		`"k:{\"port\":81,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:protocol":{},"f:name":{}}}}}`
	const ours = `{"f:spec":{"f:type":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:protocol":{}}}}}`
	live := service(t, `{"type": "ClusterIP", "sessionAffinity": "None", "externalName": "x", "ports": [
		{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP", "name": "old"}]}`, updated(django, fields))
	live.SetAnnotations(map[string]string{"former": "annotation"})
	result := owned(live, applied(DefaultName, ours), updated(django, fields))
	adoption := NewManager("", ownerLabel).Adoption(live, result, nil)

	going, err := adoption.Orphaned()
	if err != nil {
		t.Fatal(err)
	}
	body := result.DeepCopy()
	Remove(body, going)
	spec := decodeObject(t, `{"kind": "x", "spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}}`).Object["spec"]
	if diff := cmp.Diff(spec, body.Object["spec"]); diff != "" {
		t.Errorf("the spec without what goes (-want +got):\n%s", diff)
	}
	if err := unstructured.SetNestedField(body.Object, "None", "spec", "sessionAffinity"); err != nil { // the server's default
		t.Fatal(err)
	}
	want := Fields{"metadata.annotations.former": "annotation", "spec.externalName": "x", "spec.ports[81,TCP].name": "old"}
	if diff := cmp.Diff(want, adoption.Lost(body)); diff != "" {
		t.Errorf("lost fields (-want +got):\n%s", diff)
	}
}

func TestAdoption_FieldsShared(t *testing.T) {
	const both = `{"f:spec":{"f:type":{},"f:externalName":{}}}`
	live := service(t, `{"type": "ClusterIP", "externalName": "x"}`,
		applied(DefaultName, both), applied("lb", both), entry("lb", "Update", "status", both), updated("kubectl-edit", both))
	want := []FieldOwner{{"spec.externalName", "lb"}, {"spec.externalName", "lb (status)"}}
	got := NewManager("", "").Adoption(live, live, nil).FieldsShared([]string{"spec.externalName", "spec.none"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shared fields (-want +got):\n%s", diff)
	}
}

func TestAdoption_OnlyOwnershipDiffers(t *testing.T) {
	const (
		few  = `{"f:spec":{"f:type":{}}}`
		more = `{"f:spec":{"f:type":{},"f:sessionAffinity":{}}}`
		spec = `{"type": "ClusterIP", "sessionAffinity": "None"}`
	)
	deleted := service(t, spec, applied(DefaultName, few))
	now := metav1.Now()
	deleted.SetDeletionTimestamp(&now)
	for _, test := range []struct {
		name         string
		live, result *unstructured.Unstructured
		want         bool
	}{
		{"the same object", service(t, spec, applied(DefaultName, few)), service(t, spec, applied(DefaultName, few)), true},
		{"a default that becomes ours", service(t, spec, applied(DefaultName, few)), service(t, spec, applied(DefaultName, more)), true},
		{"a default that is ours no more", service(t, spec, applied(DefaultName, more)), service(t, spec, applied(DefaultName, few)), true},
		{
			"a field that stays with another manager",
			service(t, spec, applied(DefaultName, more), updated("lb", more)),
			service(t, spec, applied(DefaultName, few), updated("lb", more)), false,
		},
		{
			"another value", service(t, spec, applied(DefaultName, few)),
			service(t, `{"type": "NodePort", "sessionAffinity": "None"}`, applied(DefaultName, few)), false,
		},
		{"an object that was never applied", service(t, spec, updated("lb", few)), service(t, spec, applied(DefaultName, few)), false},
		{"an object that is being deleted", deleted, deleted, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := NewManager("", "").Adoption(test.live, test.result, nil).OnlyOwnershipDiffers(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// An object that is created again has our fields as at its first apply, and those of
// others as they are, but for what the apply drops.
func TestAdoption_EntriesOfRecreated(t *testing.T) {
	const (
		few   = `{"f:spec":{"f:type":{}}}`
		more  = `{"f:spec":{"f:type":{},"f:externalName":{}}}`
		other = `{"f:spec":{"f:sessionAffinity":{}}}`
		spec  = `{"type": "ClusterIP", "externalName": "x", "sessionAffinity": "None"}`
	)
	others := []metav1.ManagedFieldsEntry{updated("kubectl-edit", more), updated("lb", other), entry("lb", "Update", "status", other)}
	live := service(t, spec, append(others, applied(DefaultName, more))...)
	result := service(t, spec, append(others, applied(DefaultName, few))...)
	fresh := service(t, spec, applied(DefaultName, `{"f:spec":{"f:type":{},"f:ports":{}}}`))
	entries, err := NewManager("", "").Adoption(live, result, nil).EntriesOfRecreated(fresh)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		DefaultName + " Apply": {"spec.ports", "spec.type"},
		"kubectl-edit Update":  {"spec.type"},
		"lb Update":            {"spec.sessionAffinity"},
	}
	if diff := cmp.Diff(want, ownersOf(entries)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestWroteAlone(t *testing.T) {
	manager := NewManager("", "")
	const fields = `{"f:spec":{"f:type":{}}}`
	status := entry("lb", "Update", "status", fields)
	for _, test := range []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		{"our create", []metav1.ManagedFieldsEntry{updated(DefaultName, fields), status}, true},
		{"our apply", []metav1.ManagedFieldsEntry{applied(DefaultName, fields), status}, false},
		{"another manager's create", []metav1.ManagedFieldsEntry{updated("lb", fields)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := manager.WroteAlone(service(t, `{}`, test.entries...)); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// Paths are resolved by the keys that the API's schema declares, and by no others.
func TestMergeKeys(t *testing.T) {
	item := map[string]any{"host": "a", "topologyKey": "b", "whenUnsatisfiable": "c", "type": "d"}
	var declared []string
	for _, key := range MergeKeys {
		if element, ok := key.elementOf(item); ok && key.IsDeclared {
			declared = append(declared, FormatPath(fieldpath.Path{element}))
		}
	}
	if diff := cmp.Diff([]string{"[b,c]", "[d]"}, declared); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	if at, ok := resolvePath(map[string]any{"rules": []any{item}}, "rules[a]"); ok {
		t.Errorf("resolved %v by a key that is not declared", at)
	}
}
