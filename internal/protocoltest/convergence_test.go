package protocoltest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const (
	grace    = "      terminationGracePeriodSeconds: 30\n"
	replicas = "  replicas: 0\n"
	service  = "apiVersion: v1\nkind: Service\n"
	worker   = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: mira-%CLIENT_NAME%-worker\nspec:\n  replicas: 0\n" +
		"  selector:\n    matchLabels:\n      app: worker\n      client: %CLIENT_NAME%\n  template:\n    metadata:\n      labels:\n" +
		"        app: worker\n        client: %CLIENT_NAME%\n    spec:\n      containers:\n      - name: worker\n        image: mira:3.0\n---\n"
)

// twoTemplates are two templates, as edits of the sample. Moving a client from one to the
// other meets what the server keeps, or has filled in.
type twoTemplates struct {
	name        string
	first, then []string
}

var movedTemplates = []twoTemplates{
	{"service account dropped", []string{grace, grace + "      serviceAccountName: controller\n"}, nil},
	{
		"service account emptied", []string{grace, grace + "      serviceAccountName: controller\n"},
		[]string{grace, grace + "      serviceAccountName: ''\n"},
	},
	{
		"service account dropped with another image", []string{grace, grace + "      serviceAccountName: controller\n"},
		[]string{"mira:3.0", "mira:3.1"},
	},
	{
		"service account by its old name", []string{grace, grace + "      serviceAccount: controller\n"},
		[]string{grace, grace + "      serviceAccount: other\n"},
	},
	{
		"service account by its old name with another serviceName", []string{grace, grace + "      serviceAccount: controller\n"},
		[]string{grace, grace + "      serviceAccount: other\n", "serviceName: mira\n", "serviceName: other\n"},
	},
	{
		"service account by both names", []string{grace, grace + "      serviceAccount: controller\n      serviceAccountName: controller\n"},
		[]string{grace, grace + "      serviceAccount: other\n"},
	},
	{"strategy OnDelete", nil, []string{replicas, replicas + "  updateStrategy:\n    type: OnDelete\n"}},
	{
		"strategy OnDelete after a partition",
		[]string{replicas, replicas + "  updateStrategy:\n    rollingUpdate:\n      partition: 1\n"},
		[]string{replicas, replicas + "  updateStrategy:\n    type: OnDelete\n"},
	},
	{
		"strategy OnDelete with another serviceName", nil,
		[]string{replicas, replicas + "  updateStrategy:\n    type: OnDelete\n", "serviceName: mira\n", "serviceName: other\n"},
	},
	{
		"service account dropped with another serviceName", []string{grace, grace + "      serviceAccountName: controller\n"},
		[]string{"serviceName: mira\n", "serviceName: other\n"},
	},
	{
		"source of a volume",
		[]string{"      volumes:\n", "      volumes:\n      - name: files\n        emptyDir:\n"},
		[]string{"      volumes:\n", "      volumes:\n      - name: files\n        configMap:\n          name: files\n"},
	},
	{"Service headless", []string{"  type: ClusterIP\n", "  clusterIP: None\n"}, nil},
	{
		"Service headless with another field", []string{"  type: ClusterIP\n", "  clusterIP: None\n  publishNotReadyAddresses: true\n"},
		[]string{"  type: ClusterIP\n", ""},
	},
	{
		"Service headless, then any address", []string{"  type: ClusterIP\n", "  clusterIP: None\n"},
		[]string{"  type: ClusterIP\n", "  clusterIP: ''\n"},
	},
	{
		"headless Service without selector", []string{"  type: ClusterIP\n", "  clusterIP: None\n"},
		[]string{"  type: ClusterIP\n", "  clusterIP: None\n", "  selector:\n    app: mira\n    client: %CLIENT_NAME%\n", ""},
	},
	{
		"map that loses its last field", []string{grace, grace + "      dnsConfig:\n        nameservers: [192.0.2.1]\n"},
		[]string{grace, grace + "      dnsConfig: {}\n"},
	},
	{
		"map within a map that loses its last field",
		[]string{grace, grace + "      affinity:\n        nodeAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution: []\n"},
		[]string{grace, grace + "      affinity:\n        nodeAffinity: {}\n"},
	},
	{"Service by nodes", []string{"  type: ClusterIP\n", "  type: NodePort\n  externalTrafficPolicy: Local\n"}, nil},
	{
		"Service by a load balancer", []string{"  type: ClusterIP\n", "  type: LoadBalancer\n"},
		[]string{"  type: ClusterIP\n", "  clusterIP: None\n"},
	},
	{
		"load balancer without ports of nodes", []string{"  type: ClusterIP\n", "  type: LoadBalancer\n"},
		[]string{"  type: ClusterIP\n", "  type: LoadBalancer\n  allocateLoadBalancerNodePorts: false\n"},
	},
	{
		"from ports of nodes to a load balancer without them", []string{"  type: ClusterIP\n", "  type: NodePort\n"},
		[]string{"  type: ClusterIP\n", "  type: LoadBalancer\n  allocateLoadBalancerNodePorts: false\n"},
	},
	{
		"Service by a name outside", []string{"  type: ClusterIP\n", "  type: ExternalName\n  externalName: mira.example.com\n"},
		nil,
	},
	{"session affinity", []string{"  type: ClusterIP\n", "  type: ClusterIP\n  sessionAffinity: ClientIP\n"}, nil},
	{"network of the host", []string{grace, grace + "      hostNetwork: true\n"}, nil},
	{
		"network of the host, spelt out", []string{grace, grace + "      hostNetwork: true\n"},
		[]string{grace, grace + "      hostNetwork: false\n"},
	},
	{
		"policy to pull by the tag", []string{"        imagePullPolicy: IfNotPresent\n", "", "mira:3.0", "mira:latest"},
		[]string{"        imagePullPolicy: IfNotPresent\n", ""},
	},
	{
		"values that fall back to defaults",
		[]string{grace, "      terminationGracePeriodSeconds: 60\n", replicas, replicas + "  revisionHistoryLimit: 3\n"},
		[]string{grace, ""},
	},
	{
		"handler of a probe", []string{"          tcpSocket:\n            port: https\n", "          httpGet:\n            port: https\n"},
		[]string{"          tcpSocket:\n            port: https\n", "          exec:\n            command: [\"true\"]\n"},
	},
	{
		"strategy of a Deployment", []string{service, worker + service},
		[]string{service, strings.Replace(worker, replicas, replicas+"  strategy:\n    type: Recreate\n", 1) + service},
	},
}

// A client that moves from one template to another is what a new client of the other one
// is, but for its addresses; and the same on the way back. The plan is empty afterwards.
func TestCore_movedIsLikeNew(t *testing.T) {
	t.Parallel()
	s := newPairSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "  replicas: 1\n", replicas)
	for i, test := range movedTemplates {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			prefix := fmt.Sprintf("t%d", i)
			moved := clientOf{Core: newPairCore(s, prefix), name: prefix + "-moved", waits: true}
			for step, edits := range [][]string{test.first, test.then, test.first} {
				putPairTemplate(t, s, prefix, acctest.Edit(t, sample, edits...))
				model := clientOf{Core: newPairCore(s, prefix), name: prefix + "-model", waits: true}
				if err := model.become(t, s, nil); err != nil {
					t.Fatal(err)
				}
				if err := moved.become(t, s, model.last); err != nil {
					t.Errorf("step %d: %v", step, err)
				}
				if _, err := model.Apply(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A client that the Django controller made from another template is what a new one is, once it is
// adopted.
func TestCore_adoptedIsLikeNew(t *testing.T) {
	t.Parallel()
	s := newPairSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "  replicas: 1\n", replicas)
	putPairTemplate(t, s, "adopted", sample)
	for i, test := range []struct {
		name  string
		edits []string
	}{
		{"a Service without an address", []string{"  type: ClusterIP\n", "  clusterIP: None\n"}},
		{"a Service by nodes", []string{"  type: ClusterIP\n", "  type: NodePort\n  externalTrafficPolicy: Local\n"}},
		{"a service account", []string{grace, grace + "      serviceAccountName: controller\n"}},
		{"a default spelled out", []string{replicas, replicas + "  revisionHistoryLimit: 3\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			prefix := fmt.Sprintf("t%d", i)
			model := clientOf{Core: newPairCore(s, "adopted"), name: prefix + "-model", waits: true}
			if err := model.become(t, s, nil); err != nil {
				t.Fatal(err)
			}
			adopted := clientOf{Core: newPairCore(s, "adopted"), name: prefix + "-adopted", waits: true}
			s.DjangoSave(t, acctest.Edit(t, sample, test.edits...), adopted.name, "admin@acme.example")
			if err := adopted.become(t, s, model.last); err != nil {
				t.Error(err)
			}
			for _, client := range []clientOf{model, adopted} {
				if _, err := client.Apply(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A roll back takes away what the server has filled in for the failed release, and brings
// back what it had filled in before: the objects are what they were in every field, and the
// former revision serves, not a third one.
func TestCore_rollout_rollsBackWhatTheServerFilledIn(t *testing.T) {
	t.Parallel()
	files := []string{"      volumes:\n", "      volumes:\n      - name: files\n        emptyDir:\n"}
	for _, test := range []twoTemplates{
		{"a service account that comes", nil, []string{grace, grace + "      serviceAccountName: controller\n"}},
		{"a service account that goes", []string{grace, grace + "      serviceAccountName: controller\n"}, nil},
		{
			"the source of a volume", files,
			[]string{"      volumes:\n", "      volumes:\n      - name: files\n        configMap:\n          name: files\n" +
				"          optional: true\n"},
		},
		{"a policy to pull by the tag", []string{"        imagePullPolicy: IfNotPresent\n", ""}, []string{
			"        imagePullPolicy: IfNotPresent\n", "", grace, "", "caddy:2.8", "caddy:latest",
		}},
		{"a Service that becomes headless", nil, []string{"  type: ClusterIP\n", "  clusterIP: None\n"}},
		{"a Service that gets an address", []string{"  type: ClusterIP\n", "  clusterIP: None\n"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sample := acctest.SampleTemplate(t)
			r := newRollout(t, acctest.Edit(t, sample, test.first...), nil)
			r.succeed()
			before, revision := ownership(t, r.s), serving(t, r.s)
			r.s.PutTemplate(t, acctest.Edit(t, acctest.Edit(t, sample, test.then...), "mira:3.0", "mira-badpull:3.1"))
			r.fail("ImagePullBackOff", "The former revision serves again")
			if diff := cmp.Diff(before, ownership(t, r.s)); diff != "" {
				t.Errorf("the objects are not what they were (-before +after):\n%s", diff)
			}
			if got := serving(t, r.s); got != revision {
				t.Errorf("revision %s serves, not %s", got, revision)
			}
			r.s.PutTemplate(t, acctest.Edit(t, sample, test.first...))
			r.succeed()
			r.destroy()
		})
	}
}
