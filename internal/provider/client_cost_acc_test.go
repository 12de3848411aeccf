package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// fleet is many clients in one block.
func fleet(count int, lines ...string) string {
	return fmt.Sprintf(`
resource "mira_client" "fleet" {
  count            = %d
  name             = format("c%%03d", count.index)
  admin_email      = "admin@mira.example"
  wait_for_rollout = false
  %s
}
`, count, strings.Join(lines, "\n  "))
}

// The plan of an unchanged fleet needs a few requests and no dry run, and still finds a
// drift of any one object. Each client that changes needs a handful of requests.
//
// How many a few are depends on how closely the reads of the CLI come together. On a
// machine that has time for them there are five; here it is enough that they are
// fewer than the clients.
func TestAccClient_costOfFleet(t *testing.T) {
	const clients = 30
	s := acctest.NewSandbox(t)
	traffic := s.Count(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + fleet(clients)
	atMost := func(what string, most int, kinds ...string) error {
		if n := traffic.Requests(kinds...); n > most {
			return fmt.Errorf("%s took %d requests (%s), at most %d were expected:\n%v", what, n, strings.Join(kinds, ", "), most, traffic)
		}
		t.Logf("%s:\n%v", what, traffic)
		return nil
	}
	// planned runs between the plan of a step and its apply.
	planned := func(check func() error) plancheck.PlanCheck { return trafficCheck(check) }
	drifted := func(object, path, from, to string) resource.ConfigPlanChecks {
		return resource.ConfigPlanChecks{
			PreApply: []plancheck.PlanCheck{objectChanges("mira_client.fleet[17]",
				fmt.Sprintf("~ %s %s: %s -> %s", object, path, from, to))},
			PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: traffic.Reset,
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectEmptyPlan(),
					planned(func() error {
						return errors.Join(atMost("a plan without a change", clients-1), atMost("a plan without a change", 0, "dry-run"))
					}),
				}},
			},
			{
				PreConfig: func() { s.Scale(t, "mira-c017", 0) },
				Config:    config, ConfigPlanChecks: drifted("StatefulSet/mira-c017", "spec.replicas", "0", "1"),
			},
			{
				PreConfig: func() {
					s.Patch(t, "Service", "mira-c017", "kubectl-edit", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"me"}}}`)
				},
				Config: config, ConfigPlanChecks: drifted("Service/mira-c017", "metadata.labels[app.kubernetes.io/managed-by]", "me",
					"terraform-provider-mira"),
			},
			{
				PreConfig: func() {
					s.Patch(t, "Ingress", "mira-c017", "hand", `{"spec":{"ingressClassName":"other"}}`)
					traffic.Reset()
				},
				Config: config, ConfigPlanChecks: drifted("Ingress/mira-c017", "spec.ingressClassName", "other", "nginx"),
			},
			{
				PreConfig: func() {
					s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
					traffic.Reset()
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{planned(func() error {
					return errors.Join(atMost("the plan of a new image", clients, "dry-run"), atMost("the plan of a new image", 2*clients-1))
				})}},
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error {
					return atMost("a new image, plan and apply", 5*clients)
				})},
			},
		},
	})
}

// trafficCheck is a plan check of the requests that the plan has needed.
type trafficCheck func() error

func (c trafficCheck) CheckPlan(_ context.Context, _ plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	resp.Error = c()
}

// A few clients in a large cluster are read one by one, so that what a plan transfers
// does not grow with the cluster.
func TestAccClient_fewInLargeCluster(t *testing.T) {
	const others, mostBytes = 300, 200 << 10
	s := acctest.NewSandbox(t)
	traffic := s.Count(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + fleet(3)
	populate := func() {
		spec := s.Get(t, "StatefulSet", "mira-c000").Object["spec"]
		var objects []*unstructured.Unstructured
		for i := range others {
			name := fmt.Sprintf("b%03d", i) // they come first in a list
			object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet",
				"spec": runtime.DeepCopyJSONValue(spec)}}
			object.SetName("mira-" + name)
			object.SetLabels(map[string]string{mira.ClientLabel: name})
			if err := unstructured.SetNestedField(object.Object, int64(0), "spec", "replicas"); err != nil {
				t.Fatal(err)
			}
			objects = append(objects, object)
		}
		s.CreateAll(t, objects, "terraform-provider-mira")
		traffic.Reset()
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: populate,
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectEmptyPlan(),
					trafficCheck(func() error {
						t.Logf("a plan of three clients:\n%v", traffic)
						if bytes := traffic.Bytes(); bytes > mostBytes {
							return fmt.Errorf("a plan of three clients took %d bytes, at most %d were expected:\n%v", bytes, mostBytes, traffic)
						}
						return nil
					}),
				}},
			},
		},
	})
}
