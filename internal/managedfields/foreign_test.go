package managedfields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// foreignService has a port and a type of ours, a port of kubectl, and a port and an
// affinity of a controller.
func foreignService(t *testing.T) (object, live *unstructured.Unstructured) {
	t.Helper()
	const ours = `{"f:spec":{"f:type":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:name":{}}}}}`
	const kubectl = `{"f:metadata":{"f:labels":{"f:team":{}}},"f:spec":{"f:externalName":{},` +
		`"f:ports":{"k:{\"port\":81,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:name":{}}}}}`
	const lb = `{"f:spec":{"f:sessionAffinity":{},"f:ports":{"k:{\"port\":82,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:name":{}}}}}`
	object = service(t, `{"type": "ClusterIP", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}`)
	live = service(t, `{"type": "ClusterIP", "externalName": "x", "sessionAffinity": "ClientIP", "ports": [
		{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "hand", "port": 81, "protocol": "TCP"},
		{"name": "lb", "port": 82, "protocol": "TCP"}]}`,
		applied(DefaultName, ours), updated("kubectl-edit", kubectl), updated("lb", lb),
		entry("lb", "Update", "status", `{"f:status":{"f:x":{}}}`))
	live.SetLabels(map[string]string{"team": "a"})
	return object, live
}

func TestForeign_whatCanBeRemoved(t *testing.T) {
	object, live := foreignService(t)
	foreign := NewManager("", "").Foreign(object, live, nil)
	owners := []FieldOwner{
		{"spec.externalName", "kubectl-edit"},
		{"spec.ports[81,TCP].name", "kubectl-edit"}, {"spec.ports[81,TCP].port", "kubectl-edit"},
		{"spec.ports[82,TCP].name", "lb"}, {"spec.ports[82,TCP].port", "lb"},
		{"spec.sessionAffinity", "lb"},
	}
	if diff := cmp.Diff(owners, foreign.Owners()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	const name, port = "spec.externalName", "spec.ports[81,TCP]"
	if diff := cmp.Diff([][]string{{name}, {port}, {name, port}}, foreign.Removals()); diff != "" {
		t.Errorf("removals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Fields{"spec.ports[81,TCP].name": "hand"}, foreign.Below([]string{port})); diff != "" {
		t.Errorf("fields below the port (-want +got):\n%s", diff)
	}
	if removals := NewManager("", "").Foreign(live, live, nil).Removals(); len(removals) > 0 {
		t.Errorf("%v can be removed from an object that is applied as it is", removals)
	}
}

// freshService is what the server makes of foreignService's object as a new one, with a
// type that has changed and without the name of the port.
func freshService(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	const ours = `{"f:spec":{"f:type":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}`
	return service(t, `{"type": "NodePort", "sessionAffinity": "None", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`,
		applied(DefaultName, ours))
}

func specOf(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	return text(object.Object["spec"])
}

func TestForeign_Overlay(t *testing.T) {
	object, live := foreignService(t)
	foreign := NewManager("", "").Foreign(object, live, nil)
	for _, test := range []struct {
		name  string
		roots []string
		want  string
	}{
		{"nothing removed", nil, `{"externalName":"x","ports":[{"port":80,"protocol":"TCP"},{"name":"hand","port":81,"protocol":"TCP"},` +
			`{"name":"lb","port":82,"protocol":"TCP"}],"sessionAffinity":"ClientIP","type":"NodePort"}`},
		{"a port removed", []string{"spec.ports[81,TCP]"}, `{"externalName":"x","ports":[{"port":80,"protocol":"TCP"},` +
			`{"name":"lb","port":82,"protocol":"TCP"}],"sessionAffinity":"ClientIP","type":"NodePort"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, specOf(t, foreign.Overlay(freshService(t), test.roots))); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForeign_Merge(t *testing.T) {
	object, live := foreignService(t)
	live.SetUID("uid")
	foreign := NewManager("", "").Foreign(object, live, nil)
	merged, err := foreign.Merge(freshService(t), []string{"spec.ports[81,TCP]"})
	if err != nil {
		t.Fatal(err)
	}
	const spec = `{"externalName":"x","ports":[{"nodePort":30080,"port":80,"protocol":"TCP"},{"name":"lb","port":82,"protocol":"TCP"}],` +
		`"sessionAffinity":"ClientIP","type":"NodePort"}`
	if diff := cmp.Diff(spec, specOf(t, merged)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	owners := map[string][]string{
		DefaultName + " Apply": {"spec.ports[80,TCP].port", "spec.type"},
		"kubectl-edit Update":  {"metadata.labels.team", "spec.externalName"},
		"lb Update":            {"spec.ports[82,TCP].name", "spec.ports[82,TCP].port", "spec.sessionAffinity"},
	}
	if diff := cmp.Diff(owners, ownersOf(merged.GetManagedFields())); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if merged.GetUID() != "uid" || merged.GetLabels()["team"] != "a" {
		t.Errorf("UID %q, labels %v", merged.GetUID(), merged.GetLabels())
	}
}

// A scale to zero leaves the replicas to no manager. They stay all the same.
func TestForeign_MergeKeepsReplicas(t *testing.T) {
	const fields = `{"f:spec":{"f:serviceName":{}}}`
	const liveText = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 0, "serviceName": "a"}}`
	const freshText = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 1, "serviceName": "b"}}`
	live := owned(decodeObject(t, liveText), applied(DefaultName, fields))
	fresh := owned(decodeObject(t, freshText), applied(DefaultName, fields))
	merged, err := NewManager("", "").Foreign(fresh, live, nil).Merge(fresh, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"replicas":0,"serviceName":"b"}`, specOf(t, merged)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}
