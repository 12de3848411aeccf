package provider

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// oddFleet makes a fleet as the Django controller leaves one: acme is as it should be, old has a
// former template, broken an image that cannot be pulled, half is an Ingress whose StatefulSet is
// gone, stopped is scaled to zero, and of gone only the claim is left.
func oddFleet(t *testing.T, s *acctest.Sandbox, sample string) {
	t.Helper()
	s.DjangoSave(t, sample, "acme", "admin@acme.example")
	s.DjangoSave(t, acctest.Edit(t, sample, "mira:3.0", "mira:2.9"), "old", "admin@old.example")
	s.DjangoSave(t, sample, "half", "admin@half.example")
	s.DjangoSave(t, sample, "gone", "admin@gone.example")
	s.DjangoSave(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 0"), "stopped", "admin@stopped.example")
	s.WaitReady(t)
	for _, kind := range []string{"Service", "StatefulSet"} {
		s.Delete(t, kind, "mira-half")
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		s.Delete(t, kind, "mira-gone")
	}
	s.DjangoSave(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.0"), "broken", `<b>&"|@broken.example`)
	s.WaitFor(t, "Pod", "the broken pod fails, and those of deleted clients are gone", func(pods []*unstructured.Unstructured) bool {
		isFailing := false
		for _, pod := range pods {
			switch pod.GetName() {
			case "mira-half-0", "mira-gone-0":
				return false
			case "mira-broken-0":
				statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
				for _, status := range statuses {
					reason, _, _ := unstructured.NestedString(status.(map[string]any), "state", "waiting", "reason")
					isFailing = isFailing || reason == "ImagePullBackOff" || reason == "ErrImagePull"
				}
			}
		}
		return isFailing
	})
}

// What an operator reads of a fleet with odd ones.
func TestAccClients(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	oddFleet(t, s, sample)
	const fleet = "data.mira_clients.fleet"
	of := func(client string, want map[string]knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(fleet, tfjsonpath.New("clients").AtMapKey(client), knownvalue.ObjectPartial(want))
	}
	text, yes, no, null := knownvalue.StringExact, knownvalue.Bool(true), knownvalue.Bool(false), knownvalue.Null()
	none := knownvalue.ListSizeExact(0)
	texts := func(all ...string) knownvalue.Check {
		checks := make([]knownvalue.Check, 0, len(all))
		for _, one := range all {
			checks = append(checks, text(one))
		}
		return knownvalue.ListExact(checks)
	}
	claim := func(client string, inUse bool) knownvalue.Check {
		return knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
			"name": text("mira-data-mira-" + client + "-0"), "client": text(client), "size": text("5Gi"), "phase": text("Bound"),
			"in_use": knownvalue.Bool(inUse),
		})})
	}
	one, zero := knownvalue.Int64Exact(1), knownvalue.Int64Exact(0)
	config := s.Provider() + client("globex", `name = "globex"`, `admin_email = "it@globex.example"`) +
		"data \"mira_clients\" \"fleet\" {\n  depends_on = [mira_client.globex]\n}\n" +
		"data \"mira_client\" \"acme\" {\n  name = \"acme\"\n}\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{
				Config: config,
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(fleet, tfjsonpath.New("clients"), knownvalue.MapSizeExact(6)),
					of("globex", map[string]knownvalue.Check{
						"state": text("ready"), "up_to_date": yes, "managed": yes, "missing": none, "differences": none,
						"admin_email": text("it@globex.example"), "template_revision": knownvalue.NotNull(),
						"objects":                  texts("Service/mira-globex", "Ingress/mira-globex", "StatefulSet/mira-globex"),
						"persistent_volume_claims": claim("globex", true),
					}),
					of("acme", map[string]knownvalue.Check{
						"name": text("acme"), "namespace": text(s.Namespace), "admin_email": text("admin@acme.example"),
						"url":    text("https://acme." + acctest.Domain),
						"images": knownvalue.MapExact(map[string]knownvalue.Check{"mira": text("mira:3.0"), "caddy": text("caddy:2.8")}),
						"state":  text("ready"), "reason": null, "replicas": one, "ready_replicas": one, "managed": no,
						"up_to_date": yes, "missing": none, "differences": none, "persistent_volume_claims": claim("acme", true),
					}),
					of("old", map[string]knownvalue.Check{
						"state": text("ready"), "up_to_date": no, "template_revision": null, "missing": none,
						"differences": texts("StatefulSet/mira-old spec.template.spec.containers[mira].image"),
					}),
					of("half", map[string]knownvalue.Check{
						"state": text("absent"), "replicas": null, "up_to_date": no, "objects": texts("Ingress/mira-half"), "admin_email": null,
						"missing": texts("Service/mira-half", "StatefulSet/mira-half"), "persistent_volume_claims": claim("half", false),
					}),
					of("stopped", map[string]knownvalue.Check{
						"state": text("stopped"), "replicas": zero, "up_to_date": no, "persistent_volume_claims": none,
						"differences": texts("StatefulSet/mira-stopped spec.replicas"),
					}),
					of("broken", map[string]knownvalue.Check{
						"state": text("failing"), "ready_replicas": zero, "admin_email": text(`<b>&"|@broken.example`),
						"reason": knownvalue.StringRegexp(regexp.MustCompile(
							`pod mira-broken-0, container mira \(image mira-badpull:3.0\): (ErrImagePull|ImagePullBackOff)`)),
					}),
					statecheck.ExpectKnownValue(fleet, tfjsonpath.New("orphaned_claims"), claim("gone", false)),
					statecheck.ExpectKnownValue("data.mira_client.acme", tfjsonpath.New("up_to_date"), yes),
					statecheck.CompareValuePairs(fleet, tfjsonpath.New("clients").AtMapKey("acme").AtMapKey("url"),
						"data.mira_client.acme", tfjsonpath.New("url"), compare.ValuesSame()),
				},
			},
			{
				// A newer revision that changes nothing for a client, another that does.
				PreConfig: func() {
					s.PutTemplate(t, acctest.Edit(t, sample, "memory: 256Mi", "memory: 268435456", "\n  type: ClusterIP\n", "\n",
						"ingressClassName: nginx", "ingressClassName: nginx # still"))
				},
				Config: config,
				ConfigStateChecks: []statecheck.StateCheck{
					of("globex", map[string]knownvalue.Check{"up_to_date": yes, "differences": none}),
					of("acme", map[string]knownvalue.Check{"up_to_date": yes, "differences": none}),
				},
			},
			{
				Config:      s.Provider() + "data \"mira_client\" \"typo\" {\n  name = \"acmee\"\n}\n",
				ExpectError: regexp.MustCompile(`(?s)Client Not Found.*Service/mira-acmee.*Check\s+the\s+name`),
			},
		},
	})
}

// Without rights, the data source says what it can see.
func TestAccClients_rights(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	s.DjangoSave(t, sample, "acme", "admin@acme.example")
	config := s.Provider() + "data \"mira_clients\" \"fleet\" {}\noutput \"acme\" {\n  value = data.mira_clients.fleet.clients[\"acme\"]\n}\n"
	c := acctest.NewCLI(t, s, config)
	s.Rights.Withdraw(t, "persistentvolumeclaims", "list")
	acctest.WantOutput(t, c.Run(t, "plan"), "Objects Could Not Be Listed", "the claims of clients, and those that are left of deleted ones",
		"persistentvolumeclaims", `up_to_date               = true`)
	s.Rights.Withdraw(t, "statefulsets", "list")
	acctest.WantOutput(t, c.Fail(t, "plan"), "Permission Denied", "statefulsets", "kubectl auth can-i list")
}
