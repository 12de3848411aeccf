package managedfields

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// pod returns a StatefulSet with a pod template in JSON, and entries in its managedFields.
func pod(t testing.TB, spec string, entries ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	t.Helper()
	return owned(decodeObject(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme", "namespace": "default"},
	  "spec": {"template": {"spec": `+spec+`}}}`), entries...)
}

// podFields returns fields of a pod template as managedFields have them.
func podFields(spec string) string { return `{"f:spec": {"f:template": {"f:spec": ` + spec + `}}}` }

const (
	ownContainers = `"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, "f:image": {}},
	  "k:{\"name\":\"caddy\"}": {".": {}, "f:name": {}, "f:image": {}}}`
	ownEnv = `"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}},
	  "k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:value": {}}}`
)

func TestOrders(t *testing.T) {
	m := NewManager("", "")
	ours := applied(DefaultName, podFields(`{`+ownContainers+`, "f:initContainers": {"k:{\"name\":\"wait\"}": {".": {}, "f:name": {}}},
	  "f:volumes": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"b\"}": {".": {}, "f:name": {}}}}`))
	live := pod(t, `{"containers": [{"name": "mesh"}, {"name": "mira", "image": "m"}, {"name": "logs"}, {"name": "caddy", "image": "c"}],
	  "initContainers": [{"name": "mesh-init"}, {"name": "wait"}], "volumes": [{"name": "b"}, {"name": "a"}]}`, ours)
	want := Fields{
		// What others have put between them does not count, and one container alone has no order.
		"spec.template.spec.containers.order":          `["mira","caddy"]`,
		"spec.template.spec.containers[mira].image":    "m",
		"spec.template.spec.containers[caddy].image":   "c",
		"spec.template.spec.initContainers[wait].name": "wait",
		"spec.template.spec.volumes[a].name":           "a",
		"spec.template.spec.volumes[b].name":           "b",
	}
	if diff := cmp.Diff(want, m.Owned(live)); diff != "" {
		t.Errorf("owned (-want +got):\n%s", diff)
	}

	t.Run("a container called order is none", func(t *testing.T) {
		live := pod(t, `{"containers": [{"name": "order", "image": "o"}, {"name": "mira", "image": "m"}, {"name": "caddy", "image": "c"}]}`,
			applied(DefaultName, podFields(`{`+ownContainers+`}`)), updated("kubectl-edit", podFields(
				`{"f:containers": {"k:{\"name\":\"order\"}": {".": {}, "f:name": {}, "f:image": {}}}}`)))
		recorded := m.Owned(live)
		adoption := m.Adoption(live, live, recorded)
		if entries, err := adoption.Entries(); err != nil || len(entries) != len(live.GetManagedFields()) {
			t.Errorf("adoption gives %v, %v", entries, err)
		}
		if dropped := adoption.dropped(); !dropped.Empty() {
			t.Errorf("the apply drops %s", dropped)
		}
	})
}

// The order of a list is in no entry of managedFields.
func TestInSync_ofOrders(t *testing.T) {
	m := NewManager("", "")
	ours := applied(DefaultName, podFields(`{"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, `+ownEnv+`}}}`))
	env := func(items string) string { return `{"containers": [{"name": "mira", "env": [` + items + `]}]}` }
	const a, b = `{"name": "A", "value": "1"}`, `{"name": "B", "value": "2"}`
	object := pod(t, env(a+","+b))
	before := pod(t, env(a+","+b), ours)
	mark := m.FingerprintOf(object, before)
	for _, test := range []struct {
		name, items string
		inSync      bool
	}{
		{"as it was", a + "," + b, true},
		{"a variable of others between them", a + `,{"name": "MESH", "value": "x"},` + b, true},
		{"swapped by hand", b + "," + a, false},
		{"put in twice by hand", a + "," + b + `,{"name": "A", "value": "3"}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			live := pod(t, env(test.items), ours)
			if _, ok := m.InSync(mark, object, live, m.Owned(before)); ok != test.inSync {
				t.Errorf("in sync: %t, want %t", ok, test.inSync)
			}
		})
	}
	t.Run("another order in the template", func(t *testing.T) {
		if _, ok := m.InSync(mark, pod(t, env(b+","+a)), before, m.Owned(before)); ok {
			t.Error("in sync")
		}
	})
	t.Run("a fingerprint of a version that knew no orders", func(t *testing.T) {
		// It covers the same fields, so that an update of the provider asks the server nothing.
		former := m.readOwnership(before)
		delete(former.fields, "spec.template.spec.containers[mira].env.order")
		former.orders = nil
		if got := former.digest(); got != mark.Live {
			t.Errorf("digest %s, want %s", got, mark.Live)
		}
	})
}

// An update by hand that puts a second item in takes the item from its manager.
func TestCopies(t *testing.T) {
	m := NewManager("", "")
	const path = "spec.template.spec.containers[mira]."
	ours := applied(DefaultName, podFields(`{"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, `+ownEnv+`}}}`))
	before := pod(t, `{"containers": [{"name": "mira", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}`, ours)
	left := applied(DefaultName, podFields(`{"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {},
	  "f:env": {"k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}`))
	taken := updated("kubectl-patch", podFields(`{"f:containers": {"k:{\"name\":\"mira\"}": {"f:env": {"k:{\"name\":\"A\"}": {}}}}}`))
	live := pod(t, `{"containers": [{"name": "mira", "env": [
	  {"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "value": "evil"}]}]}`, left, taken)
	want := Fields{
		path + "env.order":    `["A","B"]`,
		path + "env[A].value": "evil", // what the container sees
		path + "env[A][1]":    `{"name":"A","value":"1"}`,
		path + "env[B].value": "2",
	}
	if diff := cmp.Diff(want, m.Observe(live, m.Owned(before))); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	// What was seen of it once is seen until it goes.
	if diff := cmp.Diff(want, m.Observe(live, m.Observe(live, m.Owned(before)))); diff != "" {
		t.Errorf("observed again (-want +got):\n%s", diff)
	}

	t.Run("it is as secret as the item", func(t *testing.T) {
		secret := m.WithSecrets(NewSecrets(map[string]string{"KEY": "swordfish"}))
		before := pod(t, `{"containers": [{"name": "mira", "env": [{"name": "A", "value": "swordfish"}]}]}`, ours)
		live := pod(t, `{"containers": [{"name": "mira", "env": [{"name": "A", "value": "other"}, {"name": "A", "value": "swordfish"}]}]}`, ours)
		for field, value := range secret.Observe(live, secret.Owned(before)) {
			if strings.Contains(value, "swordfish") || strings.Contains(value, "other") {
				t.Errorf("%s shows %s", field, value)
			}
		}
	})
	t.Run("no apply has it when it is taken back", func(t *testing.T) {
		object, err := m.Restoration(live, before).Object()
		if err != nil {
			t.Fatal(err)
		}
		containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		env := containers[0].(map[string]any)["env"]
		if diff := cmp.Diff([]any{map[string]any{"name": "B", "value": "2"}, map[string]any{"name": "A", "value": "evil"}}, env); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
	})
}

// A new item of a list comes where the template has it, not after the live ones.
func TestOverlay_hasTheOrderOfAnApply(t *testing.T) {
	m := NewManager("", "")
	mira := applied(DefaultName, podFields(`{"f:containers": {"k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, "f:image": {}}}}`))
	live := pod(t, `{"containers": [{"name": "mesh", "image": "x"}, {"name": "mira", "image": "m"}]}`, mira)
	fresh := pod(t, `{"containers": [{"name": "caddy", "image": "c"}, {"name": "mira", "image": "n"}]}`,
		applied(DefaultName, podFields(`{`+ownContainers+`}`)))
	body := m.Foreign(fresh, live, nil).Overlay(fresh, nil)
	got, _, _ := unstructured.NestedSlice(body.Object, "spec", "template", "spec", "containers")
	want := []any{
		map[string]any{"name": "mesh", "image": "x"}, map[string]any{"name": "caddy", "image": "c"}, map[string]any{"name": "mira", "image": "n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

// Terraform hands every text back in Unicode NFC, and the server hands it back as it came.
func TestFieldsAreNormalized(t *testing.T) {
	m := NewManager("", "")
	const (
		composed, decomposed = "caf\u00e9", "cafe\u0301"
		path                 = "spec.template.spec.containers[mira]."
	)
	ours := applied(DefaultName, podFields(`{"f:nodeSelector": {"f:`+decomposed+`": {}}, "f:containers": {"k:{\"name\":\"mira\"}": {
	  ".": {}, "f:name": {}, "f:args": {}, "f:image": {},
	  "f:volumeMounts": {"k:{\"mountPath\":\"/`+decomposed+`\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}}}}`))
	live := func(text string) *unstructured.Unstructured {
		return pod(t, `{"nodeSelector": {"`+decomposed+`": "`+text+`"}, "containers": [{"name": "mira", "image": "`+text+`", "args": ["`+text+`"],
		  "volumeMounts": [{"mountPath": "/`+decomposed+`", "name": "`+text+`"}]}]}`, ours)
	}
	want := Fields{
		"spec.template.spec.nodeSelector[" + composed + "]": composed,
		path + "image": composed,
		path + "args":  `["` + composed + `"]`,
		path + "volumeMounts[/" + composed + "].name": composed,
	}
	if diff := cmp.Diff(want, m.Owned(live(decomposed))); diff != "" {
		t.Errorf("owned (-want +got):\n%s", diff)
	}
	left := pod(t, `{"nodeSelector": {"`+decomposed+`": "x"}, "containers": [{"name": "mira", "image": "x", "args": ["x"],
	  "volumeMounts": [{"mountPath": "/`+decomposed+`", "name": "x"}]}]}`)
	for field, value := range m.Observe(left, want) {
		if want := strings.ReplaceAll(want[field], composed, "x"); value != want {
			t.Errorf("what others have taken: %s = %q, want %q", field, value, want)
		}
	}
	if got := len(m.Observe(left, want)); got != len(want) {
		t.Errorf("%d fields were found again, want %d", got, len(want))
	}
	if changes := m.AdmissionChanges(live(decomposed), live(composed)); len(changes) > 0 {
		t.Errorf("admission changes %v", changes)
	}
	others := owned(live(composed), updated("other", ours.FieldsV1.GetRawString()))
	if taken := m.Adoption(others, live(decomposed), nil).FieldsTaken(); len(taken) > 0 {
		t.Errorf("the apply takes %v", taken)
	}
}
