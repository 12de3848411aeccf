package provider

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const claimStored = `[{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"mira-data"},` +
	`"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":%q}},"volumeMode":"Filesystem"}}]`

// capacity of a claim, as it was asked for and as it is there.
func capacity(t *testing.T, s *acctest.Sandbox, name string) (requested, stored string) {
	t.Helper()
	claim := s.Get(t, "PersistentVolumeClaim", name)
	requested, _, _ = unstructured.NestedString(claim.Object, "spec", "resources", "requests", "storage")
	stored, _, _ = unstructured.NestedString(claim.Object, "status", "capacity", "storage")
	return requested, stored
}

// More storage in the template grows the existing claims while the pods run, including
// the claims of replicas that do not exist any more.
func TestAccClient_claimsGrow(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient(`timeouts = { create = "2m", update = "2m" }`)
	one := acctest.Edit(t, sample, "replicas: 2", "replicas: 1")
	var before acctest.Running
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{PreConfig: func() { s.PutTemplate(t, one) }, Config: config},
			{
				PreConfig: func() {
					s.WaitFor(t, "Pod", "one pod is left", func(pods []*unstructured.Unstructured) bool { return len(pods) == 1 })
					before = s.Running(t)
					s.PutTemplate(t, acctest.Edit(t, one, "storage: 5Gi", "storage: 8192Mi"))
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						objectChanges("mira_client.acme",
							"~ StatefulSet/mira-acme spec.volumeClaimTemplates: "+fmt.Sprintf(claimStored, "5Gi")+" -> "+fmt.Sprintf(claimStored, "8Gi")),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(*terraform.State) error {
					for _, name := range []string{acctest.ClaimName, "mira-data-mira-acme-1"} {
						if requested, stored := capacity(t, s, name); requested != "8Gi" || stored != "8Gi" {
							return fmt.Errorf("%s asks for %s and has %s", name, requested, stored)
						}
					}
					return before.CheckRecreated(t, s)
				},
			},
		},
	})
}

// What would lose data is refused at plan, and nothing is written: a claim that
// shrinks, one that goes or has another name, and a class that cannot expand.
func TestAccClient_claimsAreSacred(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient(`timeouts = { create = "2m", update = "2m" }`)
	steps := []resource.TestStep{{Config: config}}
	for _, refused := range []struct {
		name string
		edit []string
		says string
	}{
		{
			"a smaller claim",
			[]string{"storage: 5Gi", "storage: 4Gi"},
			`spec.volumeClaimTemplates asks for 4Gi, and PersistentVolumeClaim mira-data-mira-acme-0 has 5Gi, mira-data-mira-acme-1 has 5Gi. ` +
				`Kubernetes does not take storage back: ask for at least 5Gi.`,
		},
		{
			"a claim template of another name",
			[]string{"name: mira-data", "name: data"},
			`spec.volumeClaimTemplates has no "mira-data" any more, whose claims hold data of the client: mira-data-mira-acme-0, ` +
				`mira-data-mira-acme-1. Keep the claim template under its name.`,
		},
		{
			"a selector that does not match the pods",
			[]string{"matchLabels:\n      app: mira\n", "matchLabels:\n      tier: web\n", "labels:\n        app: mira\n",
				"labels:\n        app: mira\n        tier: web\n"},
			`the new spec.selector (tier=web) does not match the running pods mira-acme-0, mira-acme-1. Keep labels that they carry in the selector`,
		},
	} {
		steps = append(steps, resource.TestStep{
			PreConfig:   func() { t.Log(refused.name); s.PutTemplate(t, acctest.Edit(t, sample, refused.edit...)) },
			Config:      config,
			PlanOnly:    true,
			ExpectError: acctest.Message(`Client "acme": StatefulSet ` + s.Namespace + `/mira-acme: ` + refused.says),
		})
	}
	steps = append(steps, resource.TestStep{PreConfig: func() { s.PutTemplate(t, sample) }, Config: config, PlanOnly: true})
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}

// A second claim template is a new volume: the pods are replaced by ones that
// mount it, and the first claim stays.
func TestAccClient_claimAdded(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient(`timeouts = { create = "2m", update = "2m" }`)
	var claims acctest.Running
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					claims = s.Running(t)
					s.PutTemplate(t, acctest.Edit(t, sample,
						"          subPath: caddy\n", "          subPath: caddy\n        - name: backup\n          mountPath: /backup\n",
						"  volumeClaimTemplates:\n", "  volumeClaimTemplates:\n  - metadata:\n      name: backup\n    spec:\n"+
							"      accessModes: [ReadWriteOnce]\n      resources: {requests: {storage: 1Gi}}\n"))
				},
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check: func(*terraform.State) error {
					after := s.UIDs(t, "PersistentVolumeClaim")
					if after[acctest.ClaimName] != claims.Claims[acctest.ClaimName] || after["backup-mira-acme-0"] == "" {
						return fmt.Errorf("claims before: %v, after: %v", claims.Claims, after)
					}
					return s.CheckPodImage(t, "mira-acme-0", "mira:3.0")
				},
			},
		},
	})
}

// byHand is the sample template with a class whose volumes the test makes.
func byHand(t *testing.T, class, size string) string {
	t.Helper()
	return acctest.Edit(t, acctest.SampleTemplate(t), "      resources:\n        requests:\n          storage: 5Gi\n",
		"      storageClassName: "+class+"\n      resources:\n        requests:\n          storage: "+size+"\n")
}

// A claim whose class cannot expand is an error at plan, with what the server says.
func TestAccClient_claimCannotExpand(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	class := s.StorageClass(t, false)
	s.Volume(t, class, acctest.ClaimName, "5Gi")
	s.PutTemplate(t, byHand(t, class, "5Gi"))
	config := s.Provider() + acmeClient(`timeouts = { create = "2m", update = "2m" }`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { s.PutTemplate(t, byHand(t, class, "8Gi")) },
				Config:    config,
				PlanOnly:  true,
				ExpectError: acctest.Message(`Client "acme": PersistentVolumeClaim ` + s.Namespace + "/" + acctest.ClaimName +
					` cannot grow from 5Gi to 8Gi: ` +
					`PersistentVolumeClaim ` + s.Namespace + "/" + acctest.ClaimName + `: the server refused to grow it: persistentvolumeclaims "` +
					acctest.ClaimName + `" is forbidden: ` +
					`only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`),
			},
		},
	})
}

// resized plays the storage back end: it writes the claim's status as soon as the claim
// asks for more. The test does not end before it has.
func resized(t *testing.T, s *acctest.Sandbox, status string) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		s.WaitFor(t, "PersistentVolumeClaim", "the claim asks for more", func(claims []*unstructured.Unstructured) bool {
			requested, _, _ := unstructured.NestedString(claims[0].Object, "spec", "resources", "requests", "storage")
			return requested == "8Gi"
		})
		s.PatchSubresource(t, "PersistentVolumeClaim", acctest.ClaimName, "status", "controller", status)
	}()
}

// A storage back end that cannot grow a claim is an error. The StatefulSet is still what
// the template says.
func TestAccClient_claimGrowthFails(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	class := s.StorageClass(t, true)
	s.Volume(t, class, acctest.ClaimName, "5Gi")
	s.PutTemplate(t, byHand(t, class, "5Gi"))
	config := s.Provider() + acmeClient(`timeouts = { create = "2m", update = "2m" }`)
	var before acctest.Running
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					before = s.Running(t)
					s.PutTemplate(t, byHand(t, class, "8Gi"))
					resized(t, s, `{"status":{"allocatedResourceStatuses":{"storage":"ControllerResizeInfeasible"}}}`)
				},
				Config: config,
				ExpectError: acctest.Message(acctest.ClaimName +
					` has not grown to 8Gi: its capacity is 5Gi, and the storage back end says ControllerResizeInfeasible. The StatefulSet is applied`),
			},
			{
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check:            func(*terraform.State) error { return before.CheckRecreated(t, s) },
			},
		},
	})
}

// A file system that grows only at the next start of the pod counts as grown, with
// a warning.
func TestAccClient_claimGrowthDeferred(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	class := s.StorageClass(t, true)
	s.Volume(t, class, acctest.ClaimName, "5Gi")
	s.PutTemplate(t, byHand(t, class, "5Gi"))
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient(`timeouts = { create = "2m", update = "2m" }`))
	c.Run(t, "apply", "-auto-approve")
	before := s.Running(t)
	s.PutTemplate(t, byHand(t, class, "8Gi"))
	resized(t, s, `{"status":{"conditions":[{"type":"FileSystemResizePending","status":"True","message":"Waiting for user to (re-)start `+
		`a pod"}]}}`)
	acctest.WantWarning(t, acctest.Warnings(t, c.Run(t, "apply", "-auto-approve", "-json")), "File System Grows Later: ",
		acctest.ClaimName+" has grown to 8Gi")
	wantNothingToDo(t, c)
	if requested, _ := capacity(t, s, acctest.ClaimName); requested != "8Gi" {
		t.Errorf("the claim asks for %s", requested)
	}
	if err := before.CheckRecreated(t, s); err != nil {
		t.Error(err)
	}
	c.Destroy(t)
}

// A claim that was kept when the client was deleted grows to what the template asks for
// when the client is created again.
func TestAccClient_keptClaimGrows(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{Config: s.Provider()},
			{
				PreConfig:        func() { s.PutTemplate(t, acctest.Edit(t, sample, "storage: 5Gi", "storage: 6Gi")) },
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check: func(*terraform.State) error {
					if requested, stored := capacity(t, s, acctest.ClaimName); requested != "6Gi" || stored != "6Gi" {
						return fmt.Errorf("the claim asks for %s and has %s", requested, stored)
					}
					return nil
				},
			},
		},
	})
}
