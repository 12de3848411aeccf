package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const (
	ofPods = "      terminationGracePeriodSeconds: 30\n"
	isKept = `Server Keeps Dropped Fields (Client "acme")`
	falls  = `Dropped Fields Get Default Values (Client "acme")`
)

// A service account that the template drops goes, with its twin that the server fills in,
// from the pods, too. The plan shows it, also where nothing else changes.
func TestAccClient_serviceAccountDropped(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	with := acctest.Edit(t, sample, ofPods, ofPods+"      serviceAccountName: controller\n")
	const gone = "- StatefulSet/mira-acme spec.template.spec.serviceAccountName: controller"
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	accountOf := func() string {
		account, _, _ := unstructured.NestedString(s.Get(t, "Pod", "mira-acme-0").Object, "spec", "serviceAccountName")
		return account
	}
	for _, test := range []struct {
		name, without string
		changes       []string
	}{
		{"alone", sample, []string{gone}},
		{
			"with another image", acctest.Edit(t, sample, "mira:3.0", "mira:3.1"),
			[]string{gone, "~ StatefulSet/mira-acme spec.template.spec.containers[mira].image: mira:3.0 -> mira:3.1"},
		},
	} {
		s.PutTemplate(t, with)
		c.Apply(t)
		if account := accountOf(); account != "controller" {
			t.Fatalf("%s: the pod runs as %q", test.name, account)
		}
		s.PutTemplate(t, test.without)
		plan := c.Plan(t)
		if diff := cmp.Diff(test.changes, plan.Changes); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", test.name, diff)
		}
		acctest.WantNoWarning(t, plan.Warnings, isKept, falls, "Dropped Fields Stay")
		c.ApplyPlan(t)
		if account := accountOf(); account != "default" {
			t.Errorf("%s: the pod still runs as %q", test.name, account)
		}
		if left := c.Plan(t); left.Action != "no-op" {
			t.Errorf("%s: the plan after the drop is not empty: %v", test.name, left.Changes)
		}
	}
	c.Destroy(t)
}

// A Service that becomes headless, or stops being so, is recreated: the plan says so, no
// pod is touched, and its endpoints are there again.
func TestAccClient_serviceHeadless(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	headless := acctest.Edit(t, sample, "  type: ClusterIP\n", "  clusterIP: None\n  publishNotReadyAddresses: true\n")
	s.PutTemplate(t, sample)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Apply(t)
	s.Patch(t, "Service", "mira-acme", "cost-controller", `{"metadata":{"labels":{"cost-centre":"42"}}}`)
	pods := s.UIDs(t, "Pod")
	for _, test := range []struct {
		template, becomes string
		isHeadless        bool
		changes           []string
	}{
		{headless, "loses its address", true, []string{
			"+ Service/mira-acme spec.clusterIP: None", "+ Service/mira-acme spec.publishNotReadyAddresses: true",
			"- Service/mira-acme spec.type: ClusterIP",
		}},
		{sample, "gets an address", false, []string{
			"+ Service/mira-acme spec.type: ClusterIP",
			"- Service/mira-acme spec.clusterIP: None", "- Service/mira-acme spec.publishNotReadyAddresses: true",
		}},
	} {
		s.PutTemplate(t, test.template)
		plan := c.Plan(t)
		acctest.WantWarning(t, plan.Warnings, `Service Will Be Recreated (Client "acme"): `, "Service "+s.Namespace+"/mira-acme", test.becomes)
		acctest.WantNoWarning(t, plan.Warnings, isKept, falls)
		if diff := cmp.Diff(test.changes, plan.Changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		c.ApplyPlan(t)
		service := s.Get(t, "Service", "mira-acme")
		address, _, _ := unstructured.NestedString(service.Object, "spec", "clusterIP")
		if (address == "None") != test.isHeadless || service.GetLabels()["cost-centre"] != "42" {
			t.Errorf("address %q, labels %v", address, service.GetLabels())
		}
		if left := c.Plan(t); left.Action != "no-op" || len(left.Warnings) > 0 {
			t.Errorf("the plan afterwards is not empty: %v %v", left.Changes, left.Warnings)
		}
		s.WaitFor(t, "EndpointSlice", "the endpoints of the new Service", func(slices []*unstructured.Unstructured) bool {
			for _, slice := range slices {
				endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
				owners := slice.GetOwnerReferences()
				if len(endpoints) > 0 && len(owners) > 0 && owners[0].UID == service.GetUID() {
					return true
				}
			}
			return false
		})
		if diff := cmp.Diff(pods, s.UIDs(t, "Pod")); diff != "" {
			t.Errorf("pods were replaced (-before +after):\n%s", diff)
		}
	}
	c.Destroy(t)
}

// What the server does not let go of is no removal in the plan: a warning of each plan
// names it, with the way to be rid of it.
func TestAccClient_serverKeepsNodePort(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "  type: ClusterIP\n", "  type: NodePort\n")
	s.PutTemplate(t, sample)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Apply(t)
	ports, _, _ := unstructured.NestedSlice(s.Get(t, "Service", "mira-acme").Object, "spec", "ports")
	number := fmt.Sprint(ports[0].(map[string]any)["nodePort"])

	s.PutTemplate(t, acctest.Edit(t, sample, "  type: NodePort\n", "  type: NodePort\n  sessionAffinity: ClientIP\n",
		"    port: 80\n", "    port: 80\n    nodePort: "+number+"\n"))
	c.Apply(t)
	s.PutTemplate(t, sample)
	dropping := c.Plan(t)
	acctest.WantWarning(t, dropping.Warnings, isKept+": ", `Service/mira-acme spec.ports[80,TCP].nodePort: "`+number+`"`,
		"kubectl delete service -n "+s.Namespace+" mira-acme")
	acctest.WantWarning(t, dropping.Warnings, falls+": ", `~ Service/mira-acme spec.sessionAffinity: "ClientIP" -> "None"`)
	if diff := cmp.Diff([]string{"- Service/mira-acme spec.sessionAffinity: ClientIP"}, dropping.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	c.ApplyPlan(t)
	for range 2 {
		left := c.Plan(t)
		acctest.WantWarning(t, left.Warnings, isKept+": ", "spec.ports[80,TCP].nodePort")
		if left.Action != "no-op" {
			t.Errorf("the plan shows what does not happen: %v", left.Changes)
		}
	}

	s.Delete(t, "Service", "mira-acme")
	acctest.WantNoWarning(t, c.Plan(t).Warnings, isKept)
	c.ApplyPlan(t)
	if left := c.Plan(t); left.Action != "no-op" || len(left.Warnings) > 0 {
		t.Errorf("after the Service was deleted: %v %v", left.Changes, left.Warnings)
	}
	c.Destroy(t)
}

// A field that the template drops, and that falls back to a default, is told with both
// values: the plan shows only that it goes.
func TestAccClient_replicasDropped(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 3"))
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Apply(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "  replicas: 1\n", ""))
	plan := c.Plan(t)
	acctest.WantWarning(t, plan.Warnings, falls+": ", `~ StatefulSet/mira-acme spec.replicas: "3" -> "1"`)
	if diff := cmp.Diff([]string{"- StatefulSet/mira-acme spec.replicas: 3"}, plan.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	// An autoscaler that has taken the field keeps it.
	s.Scale(t, "mira-acme", 2)
	acctest.WantNoWarning(t, c.Plan(t).Warnings, falls)
	c.ApplyPlan(t)
	if left := c.Plan(t); left.Action != "no-op" {
		t.Errorf("the plan after the drop is not empty: %v", left.Changes)
	}
	c.Destroy(t)
}

// A field that was ours and that another manager has taken gives way if the server does not
// accept it beside the template's new one, and only where conflicts are forced.
func TestAccClient_takenFieldStandsInTheWay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	const name = "        - name: ADMIN_EMAIL\n"
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, name, "        - name: TOKEN\n          value: plain\n"+name))
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Apply(t)
	s.Patch(t, "StatefulSet", "mira-acme", "dashboard",
		`{"spec":{"template":{"spec":{"containers":[{"name":"mira","env":[{"name":"TOKEN","value":"by-hand"}]}]}}}}`)
	s.PutTemplate(t, acctest.Edit(t, sample, name, "        - name: TOKEN\n          valueFrom:\n            secretKeyRef:\n"+
		"              name: tokens\n"+
		"              key: token\n              optional: true\n"+name))
	plan := c.Plan(t)
	const token = "StatefulSet/mira-acme spec.template.spec.containers[mira].env[TOKEN]."
	acctest.WantWarning(t, plan.Warnings, "Fields Set By Hand Will Be Removed", `- `+token+`value: "by-hand"`)
	if len(plan.Changes) == 0 || !strings.HasPrefix(plan.Changes[len(plan.Changes)-1], "- "+token+"value: by-hand") {
		t.Errorf("changes: %v", plan.Changes)
	}
	c.ApplyPlan(t)
	if left := c.Plan(t); left.Action != "no-op" {
		t.Errorf("the plan afterwards is not empty: %v", left.Changes)
	}
	c.Destroy(t)
}
