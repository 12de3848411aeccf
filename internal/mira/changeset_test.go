package mira

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

var testManager = managedfields.NewManager("", ClientLabel)

// statefulSet is a StatefulSet with a number of replicas and an image.
func statefulSet(t *testing.T, name string, replicas int, image string) *unstructured.Unstructured {
	t.Helper()
	return object(t, fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "StatefulSet",
	  "metadata": {"name": %q, "namespace": "default", "labels": {"mira-cluster.io/client": "acme"}},
	  "spec": {"replicas": %d, "template": {"spec": {"containers": [{"name": "mira", "image": %q}]}}}}`, name, replicas, image))
}

// stored is an object as the server has it: with a UID, a generation, and our manager as
// the owner of its fields.
func stored(t *testing.T, o *unstructured.Unstructured, uid types.UID, generation int64) *unstructured.Unstructured {
	t.Helper()
	o = o.DeepCopy()
	o.SetUID(uid)
	o.SetGeneration(generation)
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: testManager.Name(), Operation: metav1.ManagedFieldsOperationApply, APIVersion: "apps/v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata": {"f:labels": {"f:mira-cluster.io/client": {}}},
		  "f:spec": {"f:replicas": {},
		    "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}}`),
	}})
	return o
}

func fields(replicas, image string) managedfields.Fields {
	return managedfields.Fields{
		"metadata.labels[mira-cluster.io/client]": "acme",
		"spec.replicas": replicas,
		"spec.template.spec.containers[mira].image": image,
	}
}

func TestObjectChange_state(t *testing.T) {
	manifest := statefulSet(t, "mira-acme", 1, "mira:3.1")
	promised, live := stored(t, manifest, "a", 2), stored(t, statefulSet(t, "mira-acme", 1, "mira:3.0"), "a", 1)
	kept := objectState{fields: fields("1", "mira:3.0"), fingerprint: managedfields.Fingerprint{Applied: "a", Live: "b"}}
	for _, test := range []struct {
		name   string
		change func() *objectChange
		want   objectState
	}{
		{
			"an object that stays as it is",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live = live
				c.keep(kept)
				return c
			},
			kept,
		},
		{
			"an object that is planned has no fingerprint",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live, c.dryRun = live, promised
				return c
			},
			objectState{fields: fields("1", "mira:3.1")},
		},
		{
			"an object that is written has one",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live, c.dryRun, c.stored = live, promised, promised
				return c
			},
			objectState{fields: fields("1", "mira:3.1"), fingerprint: testManager.FingerprintOf(manifest, promised)},
		},
		{
			"an object that admission changed shows that, and has none",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live, c.dryRun, c.stored = live, promised, stored(t, statefulSet(t, "mira-acme", 3, "mira:3.1"), "a", 2)
				return c
			},
			objectState{fields: fields("3", "mira:3.1")},
		},
		{
			"an object that holds values on which admission insists has none",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live, c.dryRun, c.stored = live, promised, promised
				c.applied, c.isOverridden = manifest.DeepCopy(), true
				return c
			},
			objectState{fields: fields("1", "mira:3.1")},
		},
		{
			"an object with quantities in the live notation has one, of what the template has",
			func() *objectChange {
				c := newObjectChange(manifest, objectState{})
				c.live, c.dryRun, c.stored = live, promised, promised
				c.applied = manifest.DeepCopy()
				return c
			},
			objectState{fields: fields("1", "mira:3.1"), fingerprint: testManager.FingerprintOf(manifest, promised)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.change().state(testManager), cmp.AllowUnexported(objectState{})); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectChange_action(t *testing.T) {
	manifest := statefulSet(t, "mira-acme", 1, "mira:3.1")
	live := stored(t, statefulSet(t, "mira-acme", 1, "mira:3.0"), "a", 1)
	changed := func(generation int64) *objectChange {
		c := newObjectChange(manifest, objectState{})
		c.live, c.dryRun = live, stored(t, manifest, "a", generation)
		return c
	}
	created := newObjectChange(manifest, objectState{})
	created.dryRun = stored(t, manifest, "a", 1)
	kept := changed(2)
	kept.keep(objectState{})
	recreated := changed(1)
	recreated.recreate(&kube.Recreation{Result: stored(t, manifest, "b", 1)})
	refused := changed(1)
	refused.recreate(&kube.Recreation{Result: stored(t, manifest, "b", 1)})
	refused.recreation.refusal = errors.New("no")
	for _, test := range []struct {
		name                                          string
		change                                        *objectChange
		action                                        action
		writesToLive, startsRollout, isOwn, isRefused bool
	}{
		{"created", created, actionApply, false, true, false, false},
		{"changed", changed(2), actionApply, true, true, true, false},
		{"changed but for its spec", changed(1), actionApply, true, false, true, false},
		{"kept", kept, actionNone, false, false, true, false},
		{"recreated", recreated, actionRecreate, true, true, true, false},
		{"not to be recreated", refused, actionRecreate, true, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.change
			if c.action != test.action {
				t.Errorf("action %v, want %v", c.action, test.action)
			}
			if got := c.writesToLive(); got != test.writesToLive {
				t.Errorf("writesToLive = %t, want %t", got, test.writesToLive)
			}
			if got := c.startsRollout(); got != test.startsRollout {
				t.Errorf("startsRollout = %t, want %t", got, test.startsRollout)
			}
			if got := c.isOwn("acme"); got != test.isOwn {
				t.Errorf("isOwn = %t, want %t", got, test.isOwn)
			}
			if got := c.refusal() != nil; got != test.isRefused {
				t.Errorf("refusal %v", c.refusal())
			}
		})
	}
}

func TestChangeSet_state(t *testing.T) {
	set := statefulSet(t, "mira-acme", 1, "mira:3.1")
	unstructured.RemoveNestedField(set.Object, "spec", "replicas") // defaults to 1
	claims := []any{map[string]any{"metadata": map[string]any{"name": "data"}}}
	if err := unstructured.SetNestedSlice(set.Object, claims, "spec", "volumeClaimTemplates"); err != nil {
		t.Fatal(err)
	}
	ingress := object(t, `{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "mira-acme", "namespace": "default"},
	  "spec": {"rules": [{"host": "acme.mira.example"}]}}`)
	m := &manifest{objects: []*unstructured.Unstructured{ingress, set}, revision: "r2"}
	former := kube.NewRef(set.GroupVersionKind(), "default", "former")
	former.UID = "f"
	prior := &State{Refs: []kube.Ref{kube.RefOf(set), former}, Claims: []string{"data-former-0", "data-mira-acme-0"}}

	kept := newObjectChange(ingress, objectState{})
	kept.live = ingress
	fingerprint := managedfields.Fingerprint{Applied: "a", Live: "b"}
	kept.keep(objectState{fields: managedfields.Fields{"spec.rules": "[]"}, fingerprint: fingerprint})
	changed := newObjectChange(set, objectState{})
	changed.live, changed.dryRun = stored(t, set, "a", 1), stored(t, set, "a", 2)
	changes := changeSet{kept, changed}.withDeletions(prior)

	if got := changes.deletions(); len(got) != 1 || got[0].action != actionDelete || got[0].ref != former {
		t.Errorf("deletions %v, want one of %v", got, former)
	}
	updated := managedfields.Fields{
		"metadata.labels[mira-cluster.io/client]":   "acme",
		"spec.template.spec.containers[mira].image": "mira:3.1",
	}
	stateRef := kube.RefOf(set)
	stateRef.UID = "a"
	want := State{
		Objects:      map[string]managedfields.Fields{"Ingress/mira-acme": {"spec.rules": "[]"}, "StatefulSet/mira-acme": updated},
		Refs:         []kube.Ref{kube.RefOf(ingress), stateRef},
		Images:       map[string]string{"mira": "mira:3.1"},
		Claims:       []string{"data-former-0", "data-mira-acme-0"},
		URL:          "https://acme.mira.example",
		Revision:     "r2",
		Fingerprints: map[string]managedfields.Fingerprint{"Ingress/mira-acme": fingerprint},
	}
	if diff := cmp.Diff(want, changes.state(testManager, m, prior)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Objects, changes.fields(testManager)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestChangeSet_withoutPriorStateDeletesNothing(t *testing.T) {
	changes := changeSet{newObjectChange(statefulSet(t, "mira-acme", 1, "mira:3.1"), objectState{})}.withDeletions(nil)
	if len(changes.deletions()) > 0 || len(changes.withManifest()) != 1 {
		t.Errorf("change set %v", changes)
	}
}

func TestChangeSet_warnings(t *testing.T) {
	manifest := statefulSet(t, "mira-acme", 1, "mira:3.1")
	live := stored(t, statefulSet(t, "mira-acme", 1, "mira:3.0"), "a", 1)
	ref := kube.RefOf(live)
	recreated := func(refusal error) *objectChange {
		c := newObjectChange(manifest, objectState{})
		c.live = live
		c.recreate(&kube.Recreation{Fields: []string{"spec.serviceName"}, Result: stored(t, manifest, "b", 1)})
		c.recreation.refusal = refusal
		c.recreation.withoutClaim = []rollout.Pod{{Name: "mira-acme-0"}}
		return c
	}
	errRefused := errors.New("no")
	growth := []ClaimGrowth{{Claim: kube.NewRef(kube.ClaimKind, "default", "data-mira-acme-0")}}
	growing := newObjectChange(manifest, objectState{})
	growing.claims = claimChanges{growing: growth, tooSmall: growth}
	byHand := newObjectChange(manifest, objectState{})
	byHand.removal = managedfields.Fields{"spec.x": "1"}
	admitted := newObjectChange(manifest, objectState{})
	admitted.live, admitted.dryRun = live, stored(t, statefulSet(t, "mira-acme", 3, "mira:3.1"), "a", 2)
	known := newObjectChange(manifest, objectState{fields: fields("3", "mira:3.0")})
	known.live, known.dryRun = admitted.live, admitted.dryRun
	recreation := RecreationWarning{
		Client: "acme", StatefulSet: ref, Fields: []string{"spec.serviceName"}, NewRevision: true, WithoutClaim: []string{"mira-acme-0"},
	}
	for _, test := range []struct {
		name string
		got  []Warning
		want []Warning
	}{
		{"a recreation", changeSet{recreated(nil)}.recreations("acme", false), []Warning{recreation}},
		{"a recreation of what is left of a tainted client", changeSet{recreated(nil)}.recreations("acme", true), nil},
		{"a recreation of an adopted object", changeSet{recreated(nil)}.recreations("globex", true), []Warning{func() Warning {
			other := recreation
			other.Client = "globex"
			return other
		}()}},
		{
			"a recreation that cannot be", changeSet{recreated(errRefused)}.recreations("acme", true),
			[]Warning{ReplaceRequiredWarning{Client: "acme", Err: errRefused}},
		},
		{
			"claims", changeSet{growing}.recreations("acme", false),
			[]Warning{ClaimGrowthWarning{Client: "acme", Claims: growth}, ClaimsTooSmallWarning{Client: "acme", Claims: growth}},
		},
		{
			"fields set by hand", changeSet{byHand}.removals("acme"),
			[]Warning{ManualFieldsWarning{Client: "acme", Changes: []FieldChange{
				{Kind: FieldRemoved, Object: "StatefulSet/mira-acme", Field: "spec.x", Before: "1"},
			}}},
		},
		{
			"fields that admission changes", changeSet{admitted}.admissionChanges(testManager, "acme"),
			[]Warning{AdmissionWarning{Client: "acme", Fields: []AdmittedField{{
				Object: "StatefulSet/mira-acme", AdmissionChange: managedfields.AdmissionChange{Field: "spec.replicas", Wanted: "1", Got: "3"},
			}}}},
		},
		{"fields that admission changed before", changeSet{known}.admissionChanges(testManager, "acme"), nil},
		{
			"a StatefulSet that goes", changeSet{newDeletion(ref)}.renamedStatefulSets("acme", &State{Claims: []string{"data-mira-acme-0"}}),
			[]Warning{RenamedStatefulSetWarning{Client: "acme", StatefulSet: ref, Claims: []string{"data-mira-acme-0"}}},
		},
		{"a StatefulSet that stays", changeSet{growing}.renamedStatefulSets("acme", &State{}), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got, cmp.Comparer(errors.Is)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	set := statefulSet(t, "mira-acme", 1, "mira:3.1")
	created, changed := newObjectChange(set, objectState{}), newObjectChange(set, objectState{})
	created.stored = stored(t, statefulSet(t, "created", 1, "mira:3.1"), "a", 1)
	changed.live, changed.stored = stored(t, set, "b", 1), stored(t, set, "b", 2)
	claim := kube.NewRef(kube.ClaimKind, "default", "data-mira-acme-0")
	p := progress{written: []*objectChange{created, changed}, grown: []kube.Ref{claim}}
	if diff := cmp.Diff([]kube.Ref{claim, kube.RefOf(created.stored), kube.RefOf(changed.stored)}, p.all()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]kube.Ref{kube.RefOf(created.stored)}, p.created()); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
}
