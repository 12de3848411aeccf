package managedfields

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fieldsOfLeftovers returns the paths of leftovers, marked with what is known of them.
func fieldsOfLeftovers(leftovers Leftovers) []string {
	var fields []string
	for _, leftover := range leftovers {
		mark := "~ "
		if leftover.IsExtra {
			mark = "+ "
		}
		mark += leftover.Field
		if leftover.IsDropped {
			mark += " (dropped)"
		}
		if leftover.IsApplied {
			mark += " (applied)"
		}
		fields = append(fields, mark)
	}
	return fields
}

func set(t testing.TB, spec string, entries ...any) *unstructured.Unstructured {
	t.Helper()
	object := decodeObject(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme"}, "spec": `+spec+`}`)
	for i := 0; i+1 < len(entries); i += 2 {
		manager, fields := entries[i].(string), entries[i+1].(string)
		all := object.GetManagedFields()
		if manager == DefaultName {
			all = append(all, applied(manager, fields))
		} else {
			all = append(all, updated(manager, fields))
		}
		object.SetManagedFields(all)
	}
	return object
}

// What the server keeps beyond a new object is found, whoever filled it in, unless another
// manager owns it.
func TestLeftovers(t *testing.T) {
	const (
		ours               = `{"f:spec":{"f:updateStrategy":{"f:type":{}}}}`
		pods               = `{"f:spec":{"f:template":{"f:spec":{"f:serviceAccountName":{}}}}}`
		podsLeft           = `{"f:spec":{"f:template":{"f:spec":{"f:terminationGracePeriodSeconds":{}}}}}`
		port80             = `{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:protocol":{}}}}}`
		port80WithNodePort = `{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":` +
			`{".":{},"f:nodePort":{},"f:port":{},"f:protocol":{}}}}}`
		volumes = `{"f:spec":{"f:template":{"f:spec":{"f:volumes":{"k:{\"name\":\"tmp\"}":{".":{},"f:name":{},"f:configMap":{}}}}}}}`
	)
	for _, test := range []struct {
		name                string
		live, result, fresh *unstructured.Unstructured
		want                []string
	}{
		{
			"nothing",
			set(t, `{"replicas": 1}`, DefaultName, ours), set(t, `{"replicas": 1}`, DefaultName, ours), set(t, `{"replicas": 1}`), nil,
		},
		{
			"a struct that the server has filled in",
			set(t, `{"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}`),
			set(t, `{"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 0}}}`, DefaultName, ours),
			set(t, `{"updateStrategy": {"type": "OnDelete"}}`, DefaultName, ours),
			[]string{"+ spec.updateStrategy.rollingUpdate"},
		},
		{
			"a struct of which another manager has a part",
			set(t, `{"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}}`),
			set(t, `{"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}}`, DefaultName, ours,
				"canary", `{"f:spec":{"f:updateStrategy":{"f:rollingUpdate":{"f:partition":{}}}}}`),
			set(t, `{"updateStrategy": {"type": "OnDelete"}}`, DefaultName, ours),
			[]string{"+ spec.updateStrategy.rollingUpdate.maxUnavailable"},
		},
		{
			"a struct of another manager",
			set(t, `{"updateStrategy": {"rollingUpdate": {"partition": 0}}}`),
			set(t, `{"updateStrategy": {"rollingUpdate": {"partition": 0}}}`,
				"canary", `{"f:spec":{"f:updateStrategy":{"f:rollingUpdate":{".":{},"f:partition":{}}}}}`),
			set(t, `{"updateStrategy": {}}`),
			nil,
		},
		{
			"a dropped field and its twin",
			set(t, `{"template": {"spec": {"serviceAccount": "old", "serviceAccountName": "old"}}}`, DefaultName, pods),
			set(t, `{"template": {"spec": {"serviceAccount": "old", "serviceAccountName": "old"}}}`, DefaultName, podsLeft),
			set(t, `{"template": {"spec": {}}}`, DefaultName, podsLeft),
			[]string{"+ spec.template.spec.serviceAccount", "+ spec.template.spec.serviceAccountName (dropped)"},
		},
		{
			"an empty text that the server does not take",
			set(t, `{"template": {"spec": {"serviceAccount": "old", "serviceAccountName": "old"}}}`, DefaultName, pods),
			set(t, `{"template": {"spec": {"serviceAccount": "old", "serviceAccountName": "old"}}}`, DefaultName, pods),
			set(t, `{"template": {"spec": {}}}`, DefaultName, pods),
			[]string{"+ spec.template.spec.serviceAccount", "+ spec.template.spec.serviceAccountName (applied)"},
		},
		{
			"what never was ours, of pods that stay",
			set(t, `{"template": {"spec": {"hostPID": true}}}`), set(t, `{"template": {"spec": {"hostPID": true}}}`),
			set(t, `{"template": {"spec": {}}}`), nil,
		},
		{
			"what never was ours, of pods that are replaced",
			set(t, `{"template": {"spec": {"hostPID": true}}}`), set(t, `{"template": {"spec": {"hostPID": true, "hostIPC": true}}}`),
			set(t, `{"template": {"spec": {"hostIPC": true}}}`),
			[]string{"+ spec.template.spec.hostPID"},
		},
		{
			"the source of a volume",
			set(t, `{"template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}, "configMap": {"name": "a"}}]}}}`, DefaultName, volumes),
			set(t, `{"template": {"spec": {"volumes": [{"name": "other"}, {"name": "tmp", "configMap": {"name": "a"}}]}}}`, DefaultName, volumes),
			[]string{"+ spec.template.spec.volumes[tmp].emptyDir"},
		},
		{
			"an item of a list",
			set(t, `{"template": {"spec": {"volumes": [{"name": "old"}]}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "old"}, {"name": "tmp"}]}}}`, DefaultName, volumes),
			set(t, `{"template": {"spec": {"volumes": [{"name": "tmp"}]}}}`, DefaultName, volumes),
			[]string{"+ spec.template.spec.volumes[old]"},
		},
		{
			"an item of a list of which another manager has a field",
			set(t, `{"template": {"spec": {"volumes": [{"name": "old", "emptyDir": {}}]}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "old", "emptyDir": {}}, {"name": "tmp"}]}}}`, DefaultName, volumes,
				"dashboard", `{"f:spec":{"f:template":{"f:spec":{"f:volumes":{"k:{\"name\":\"old\"}":{"f:emptyDir":{}}}}}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "tmp"}]}}}`, DefaultName, volumes),
			[]string{"+ spec.template.spec.volumes[old]"},
		},
		{
			"an item of a list that another manager has put there",
			set(t, `{"template": {"spec": {"volumes": [{"name": "old", "emptyDir": {}}]}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "old", "emptyDir": {}}, {"name": "tmp"}]}}}`, DefaultName, volumes,
				"dashboard", `{"f:spec":{"f:template":{"f:spec":{"f:volumes":{"k:{\"name\":\"old\"}":{".":{},"f:emptyDir":{},"f:name":{}}}}}}}`),
			set(t, `{"template": {"spec": {"volumes": [{"name": "tmp"}]}}}`, DefaultName, volumes), nil,
		},
		{
			"a number of replicas that was scaled, and a default that is another by now",
			set(t, `{"replicas": 0, "minReadySeconds": 1}`), set(t, `{"replicas": 0, "minReadySeconds": 1}`),
			set(t, `{"replicas": 1, "minReadySeconds": 2}`),
			[]string{"~ spec.minReadySeconds"},
		},
		{
			"a number of replicas that we drop",
			set(t, `{"replicas": 0}`, DefaultName, `{"f:spec":{"f:replicas":{}}}`), set(t, `{"replicas": 0}`), set(t, `{"replicas": 1}`),
			[]string{"~ spec.replicas (dropped)"},
		},
		{
			"the address of a Service",
			service(t, `{"clusterIP": "10.0.0.1", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`, applied(DefaultName, port80)),
			service(t, `{"clusterIP": "10.0.0.1", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`, applied(DefaultName, port80)),
			service(t, `{"clusterIP": "10.0.0.2", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30081}]}`, applied(DefaultName, port80)),
			nil,
		},
		{
			"the address of a Service that we drop",
			service(t, `{"clusterIP": "None", "clusterIPs": ["None"]}`, applied(DefaultName, `{"f:spec":{"f:clusterIP":{}}}`)),
			service(t, `{"clusterIP": "None", "clusterIPs": ["None"]}`),
			service(t, `{"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}`),
			[]string{"~ spec.clusterIP (dropped)"},
		},
		{
			"a port of the nodes that we drop, and the server keeps",
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`, applied(DefaultName, port80WithNodePort)),
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`, applied(DefaultName, port80)),
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30081}]}`, applied(DefaultName, port80)),
			[]string{"~ spec.ports[80,TCP].nodePort (dropped)"},
		},
		{
			"a port of the nodes that we drop, and the server replaces",
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}`, applied(DefaultName, port80WithNodePort)),
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30082}]}`, applied(DefaultName, port80)),
			service(t, `{"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30081}]}`, applied(DefaultName, port80)),
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			adoption := NewManager("", ownerLabel).Adoption(test.live, test.result, nil)
			leftovers := adoption.Leftovers(test.fresh)
			if diff := cmp.Diff(test.want, fieldsOfLeftovers(leftovers)); diff != "" {
				t.Fatalf("leftovers (-want +got):\n%s", diff)
			}
			without := leftovers.Without(test.result, test.fresh)
			for _, leftover := range leftovers {
				if _, isThere := lookUp(without.Object, leftover.at); isThere {
					t.Errorf("%s is still there", leftover.Field)
				}
			}
		})
	}
}

// Claimed fields are ours, whoever owned them, and so go with the next apply.
func TestAdoption_Claiming(t *testing.T) {
	const spec = `{"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 0}}, "replicas": 2}`
	ours, theirs := `{"f:spec":{"f:updateStrategy":{"f:type":{}}}}`, `{"f:spec":{"f:replicas":{},"f:minReadySeconds":{}}}`
	live := set(t, spec, DefaultName, ours, "dashboard", theirs)
	manager := NewManager("", "")
	find := func(path string) Leftover {
		at, ok := resolvePath(live.Object, path)
		if !ok {
			t.Fatalf("no %s", path)
		}
		return Leftover{Field: path, at: at}
	}
	claimed := Leftovers{find("spec.updateStrategy.rollingUpdate"), find("spec.replicas")}
	entries, err := manager.Adoption(live, live, nil).Claiming(claimed).Entries()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		DefaultName + " Apply": {"spec.replicas", "spec.updateStrategy.rollingUpdate.partition", "spec.updateStrategy.type"},
		"dashboard Update":     {"spec.minReadySeconds"},
	}
	if diff := cmp.Diff(want, ownersOf(entries)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	// Claiming again changes nothing: the answer to the first request may have been lost.
	again := owned(live, entries...)
	twice, err := manager.Adoption(again, again, nil).Claiming(claimed).Entries()
	if err != nil || !cmp.Equal(ownersOf(entries), ownersOf(twice)) {
		t.Errorf("claimed twice: %v, error %v", ownersOf(twice), err)
	}
}

// A field that is dropped and gets a default, or a leftover that does, is told with both values.
func TestAdoption_Fallbacks(t *testing.T) {
	ours := `{"f:spec":{"f:replicas":{},"f:minReadySeconds":{},"f:serviceName":{},"f:podManagementPolicy":{}}}`
	live := set(t, `{"replicas": 3, "minReadySeconds": 5, "serviceName": "a", "podManagementPolicy": "Parallel", "revisionHistoryLimit": 3}`,
		DefaultName, ours, "autoscaler", `{"f:spec":{"f:podManagementPolicy":{}}}`)
	result := set(t, `{"replicas": 1, "serviceName": "a", "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10}`,
		"autoscaler", `{"f:spec":{"f:podManagementPolicy":{}}}`)
	at, _ := resolvePath(live.Object, "spec.revisionHistoryLimit")
	before, after := NewManager("", "").Adoption(live, result, nil).Fallbacks(Leftovers{{Field: "spec.revisionHistoryLimit", at: at}})
	if diff := cmp.Diff(Fields{"spec.replicas": "3", "spec.revisionHistoryLimit": "3"}, before); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Fields{"spec.replicas": "1", "spec.revisionHistoryLimit": "10"}, after); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

// A roll back finds what the server has filled in for the write, and what it has lost by it.
func TestRestoration_Differences(t *testing.T) {
	ours := `{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:hostNetwork":{}}}}}`
	prior := set(t, `{"replicas": 1, "minReadySeconds": 5, "podManagementPolicy": "Parallel", "template": {"spec": {}}}`, DefaultName, ours)
	written := set(t, `{"replicas": 1, "minReadySeconds": 0, "revisionHistoryLimit": 3, "ordinals": {"start": 1},
		"template": {"spec": {"serviceAccount": "new", "hostNetwork": true}}}`,
		DefaultName, ours, "since", `{"f:spec":{"f:revisionHistoryLimit":{}}}`)
	differences := NewManager("", "").Restoration(prior, written).Differences(written)
	want := []string{"spec.minReadySeconds", "spec.ordinals", "spec.podManagementPolicy", "spec.template.spec.serviceAccount"}
	if diff := cmp.Diff(want, differences.Fields()); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if got := fieldsOfLeftovers(differences.Extra); !slices.Equal(got, []string{"+ spec.ordinals", "+ spec.template.spec.serviceAccount"}) {
		t.Errorf("extra: %v", got)
	}
	restoring := differences.Restoring(set(t, `{"replicas": 1}`))
	if got := specOf(t, restoring); got != `{"minReadySeconds":5,"podManagementPolicy":"Parallel","replicas":1}` {
		t.Errorf("what is applied: %s", got)
	}
}
