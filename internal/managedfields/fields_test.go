package managedfields

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

const liveStatefulSet = `{
  "apiVersion": "apps/v1", "kind": "StatefulSet",
  "metadata": {
    "name": "mira-acme", "namespace": "default",
    "labels": {"app.kubernetes.io/managed-by": "terraform-provider-mira", "team": "a"},
    "managedFields": [
      {"manager": "terraform-provider-mira", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {
        "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}},
        "f:spec": {
          "f:replicas": {},
          "f:selector": {},
          "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"mira\"}": {".": {}, "f:name": {}, "f:image": {},
              "f:command": {},
              "f:ports": {"k:{\"containerPort\":443,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}}},
              "f:env": {"k:{\"name\":\"EMPTY\"}": {".": {}, "f:name": {}, "f:value": {}}, "k:{\"name\":\"FLAG\"}": {".": {}, "f:name": {}}}}
          }, "f:initContainers": {"k:{\"name\":\"wait\"}": {".": {}, "f:name": {},
              "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}
          }, "f:volumes": {"k:{\"name\":\"tmp\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}}}}
        }}},
      {"manager": "kubectl-label", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}},
      {"manager": "kubectl", "operation": "Update", "subresource": "scale", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:podManagementPolicy": {}}}},
      {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:replicas": {}}}}
    ]
  },
  "spec": {
    "replicas": 3, "podManagementPolicy": "OrderedReady",
    "selector": {"matchLabels": {"app": "mira"}},
    "template": {"spec": {
      "containers": [
        {"name": "other", "image": "other:1"},
        {"name": "mira", "image": "mira:3.0", "command": ["a", "<b>"],
          "ports": [{"containerPort": 443, "protocol": "TCP", "name": "https"}], "env": [{"name": "EMPTY", "value": ""}, {"name": "FLAG"}]}
      ],
      "initContainers": [{"name": "wait", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
      "volumes": [{"name": "tmp", "emptyDir": {}}]
    }}
  },
  "status": {"replicas": 3}
}`

func TestOwned(t *testing.T) {
	manager := NewManager("", "")
	got := manager.Owned(decodeObject(t, liveStatefulSet))
	want := Fields{
		"metadata.labels[app.kubernetes.io/managed-by]": "terraform-provider-mira",
		"spec.replicas": "3",
		"spec.selector": `{"matchLabels":{"app":"mira"}}`,
		"spec.template.spec.containers[mira].image":                           "mira:3.0",
		"spec.template.spec.containers[mira].command":                         `["a","<b>"]`,
		"spec.template.spec.containers[mira].ports[443,TCP].name":             "https",
		"spec.template.spec.containers[mira].env.order":                       `["EMPTY","FLAG"]`,
		"spec.template.spec.containers[mira].env[EMPTY].value":                "",
		"spec.template.spec.containers[mira].env[FLAG].name":                  "FLAG", // there is nothing else
		"spec.template.spec.initContainers[wait].ports[80,TCP].containerPort": "80",
		"spec.template.spec.volumes[tmp].emptyDir":                            "{}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owned fields (-want +got):\n%s", diff)
	}
}

func TestObserve(t *testing.T) {
	manager := NewManager("", "")
	live := decodeObject(t, liveStatefulSet)
	for _, test := range []struct {
		name   string
		before Fields
		path   string
		want   string // "" for a path that must not be there
	}{
		{
			"a field that another manager took since is shown with its live value",
			Fields{"metadata.labels.team": "b"}, "metadata.labels.team", "a",
		},
		{
			"so is one that was set through a subresource",
			Fields{"spec.podManagementPolicy": "Parallel"}, "spec.podManagementPolicy", "OrderedReady",
		},
		{"a field of another manager that was never ours is not", nil, "metadata.labels.team", ""},
		{"a field that is gone is left out", Fields{"spec.minReadySeconds": "5"}, "spec.minReadySeconds", ""},
		{
			"a field that nobody owns any more is shown, too",
			Fields{"spec.minReadySeconds": "5", "spec.template.spec.containers[other].image": "x"},
			"spec.template.spec.containers[other].image", "other:1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := manager.Observe(live, test.before)[test.path]; got != test.want {
				t.Errorf("%s = %q, want %q", test.path, got, test.want)
			}
		})
	}
}

// Every path that is written can be found again.
func TestResolvePath(t *testing.T) {
	manager := NewManager("", "")
	live := decodeObject(t, liveStatefulSet)
	for path := range manager.Owned(live) {
		if strings.HasSuffix(path, ".order") {
			continue // it is of a list, and no field
		}
		at, ok := resolvePath(live.Object, path)
		if !ok || FormatPath(at) != path {
			t.Errorf("resolvePath(%q) = %v, %v", path, at, ok)
		}
	}
	for _, path := range []string{"", "spec.none", "spec.template.spec.containers[none].image", "spec.replicas.x", "[",
		"spec.template.spec.containers.mira", "spec.template.spec.containers.order",
	} {
		if at, ok := resolvePath(live.Object, path); ok {
			t.Errorf("resolvePath(%q) = %v, want nothing", path, at)
		}
	}
}

func TestWithout(t *testing.T) {
	port := fieldpath.KeyByFields("port", 80, "protocol", "TCP")
	for _, test := range []struct {
		name string
		path fieldpath.Path
		want string
	}{
		{
			"a field", fieldpath.MakePathOrDie("spec", "type"),
			`{"spec":{"ports":[{"name":"http","port":80,"protocol":"TCP"},{"port":443,"protocol":"TCP"}]}}`,
		},
		{"a list item", fieldpath.MakePathOrDie("spec", "ports", port), `{"spec":{"ports":[{"port":443,"protocol":"TCP"}],"type":"ClusterIP"}}`},
		{
			"a field of a list item", fieldpath.MakePathOrDie("spec", "ports", port, "name"),
			`{"spec":{"ports":[{"port":80,"protocol":"TCP"},{"port":443,"protocol":"TCP"}],"type":"ClusterIP"}}`,
		},
		{
			"a field that is not there", fieldpath.MakePathOrDie("status", "x"),
			`{"spec":{"ports":[{"name":"http","port":80,"protocol":"TCP"},{"port":443,"protocol":"TCP"}],"type":"ClusterIP"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := decodeObject(t, `{"kind":"Service","spec":{"type":"ClusterIP",`+
				`"ports":[{"name":"http","port":80,"protocol":"TCP"},{"port":443,"protocol":"TCP"}]}}`)
			delete(object.Object, "kind")
			if got := text(without(object.Object, test.path)); got != test.want {
				t.Errorf("without %v: %s, want %s", test.path, got, test.want)
			}
		})
	}
}

func TestAdoption_FieldsTaken(t *testing.T) {
	const others = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s", "managedFields": [%s
	  {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
	  {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:serviceName": {}, "f:minReadySeconds": {}}}},
	  {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}}]},
	  "spec": {"replicas": %d, "serviceName": "mira", "minReadySeconds": %d}}`
	const ours = `{"manager": "terraform-provider-mira", "operation": "Apply",
	  "fieldsV1": {"f:spec": {"f:replicas": {}, "f:serviceName": {}, "f:minReadySeconds": {}}}},`
	manager := NewManager("", "")
	result := decodeObject(t, fmt.Sprintf(others, ours, 1, 0))
	for _, test := range []struct {
		name string
		live string
		want []FieldOwner
	}{
		{"fields whose values change, with those who set them", fmt.Sprintf(others, ours, 3, 5),
			[]FieldOwner{{"spec.minReadySeconds", "kubectl-edit"}, {"spec.replicas", "kubectl"}}},
		{"nothing where the values are equal", fmt.Sprintf(others, ours, 1, 0), nil},
		{"nothing of former managers before the adoption", fmt.Sprintf(others, "", 3, 5), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, manager.Adoption(decodeObject(t, test.live), result, nil).FieldsTaken()); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreHashed(t *testing.T) {
	const secret = `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "managedFields": [
	  {"manager": "terraform-provider-mira", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
	    "fieldsV1": {"f:data": {"f:password": {}}, "f:type": {}}}]},
	  "data": {"password": "aHVudGVyMg=="}, "type": "Opaque"}`
	manager := NewManager("", "")
	fields := manager.Owned(decodeObject(t, secret))
	if strings.Contains(fields["data.password"], "aHVudGVyMg") || !strings.HasPrefix(fields["data.password"], "sha256:") {
		t.Errorf("data.password = %q, want a hash", fields["data.password"])
	}
	if fields["type"] != "Opaque" {
		t.Errorf("type = %q, want Opaque", fields["type"])
	}
}

func TestClaimTemplatesAreShownWithoutTheirStatus(t *testing.T) {
	const set = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s", "managedFields": [
	  {"manager": "terraform-provider-mira", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
	    "fieldsV1": {"f:spec": {"f:volumeClaimTemplates": {}}}}]},
	  "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "status": {"phase": "Pending"}}]}}`
	manager := NewManager("", "")
	want := Fields{"spec.volumeClaimTemplates": `[{"metadata":{"name":"data"}}]`}
	if diff := cmp.Diff(want, manager.Owned(decodeObject(t, set))); diff != "" {
		t.Errorf("owned fields (-want +got):\n%s", diff)
	}
}

func TestFormatPath(t *testing.T) {
	for _, test := range []struct {
		path fieldpath.Path
		want string
	}{
		{fieldpath.MakePathOrDie("spec", "replicas"), "spec.replicas"},
		{fieldpath.MakePathOrDie("metadata", "annotations", "example.com/a.b"), "metadata.annotations[example.com/a.b]"},
		{fieldpath.MakePathOrDie("spec", "ports", fieldpath.KeyByFields("port", 443, "protocol", "TCP"), "name"), "spec.ports[443,TCP].name"},
		{fieldpath.MakePathOrDie("metadata", "finalizers", fieldpath.ValueElement(value.NewValueInterface("a/b"))), "metadata.finalizers[a/b]"},
		{fieldpath.MakePathOrDie("spec", "list", 2), "spec.list[2]"},
	} {
		if got := FormatPath(test.path); got != test.want {
			t.Errorf("FormatPath(%v) = %q, want %q", test.path, got, test.want)
		}
	}
}
