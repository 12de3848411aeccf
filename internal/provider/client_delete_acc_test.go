package provider

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// A delete goes in the reverse order of the template and waits for the pods. If it fails
// half-way, the client stays in the state, and the next apply deletes the rest.
func TestAccClient_deleteFailsHalfWay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t)) // Service, Ingress, StatefulSet
	var restore func()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + acmeClient()},
			{
				PreConfig:   func() { restore = s.Rights.Suspend(t, "", "services", "delete") },
				Config:      s.Provider(),
				ExpectError: acctest.Message(`may not delete services in namespace "` + s.Namespace + `"`),
			},
			{
				PreConfig: func() {
					for kind, want := range map[string]int{"Service": 1, "Ingress": 0, "StatefulSet": 0, "Pod": 0} {
						if names := s.Names(t, kind); len(names) != want {
							t.Errorf("of kind %s there is left: %v", kind, names)
						}
					}
					restore()
				},
				Config: s.Provider(),
				Check: func(*terraform.State) error {
					if !s.Exists(t, "PersistentVolumeClaim", acctest.ClaimName) {
						return fmt.Errorf("the claim is gone")
					}
					return noneLeft(t, s)(nil)
				},
			},
		},
	})
}

// Warnings name what a delete leaves: the claims, and an object that someone else has
// created in place of one of the client's.
func TestAccClient_deleteNamesClaims(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Run(t, "apply", "-auto-approve")
	s.DeleteAndCreate(t, "Ingress", "mira-acme", "kubectl-create", nil)
	found := acctest.Warnings(t, c.Run(t, "destroy", "-auto-approve", "-json"))
	acctest.WantWarning(t, found, "Client Data Kept: ",
		`Client "acme" is deleted; its data stays in namespace "`+s.Namespace+`", in PersistentVolumeClaim `+acctest.ClaimName)
	if !s.Exists(t, "PersistentVolumeClaim", acctest.ClaimName) {
		t.Error("the claim is gone")
	}
	acctest.WantWarning(t, found, "Object Not Deleted: ",
		"Ingress "+s.Namespace+`/mira-acme was not deleted with client "acme": it was deleted by hand, and another one created under its name`)
	if !s.Exists(t, "Ingress", "mira-acme") {
		t.Error("the Ingress that somebody made is gone")
	}
}

// A template that lets Kubernetes delete claims is refused at plan, unless the
// client says that its data may go.
func TestAccClient_claimPolicy(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "  replicas: 1\n",
		"  replicas: 1\n  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}\n"))
	config := func(lines ...string) string {
		return s.Provider() + client("acme", append(lines, `name = "acme"`, `admin_email = "admin@acme.example"`)...)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:   config(),
				PlanOnly: true,
				ExpectError: acctest.Message(`Client "acme": StatefulSet ` + s.Namespace +
					`/mira-acme asks Kubernetes to delete its claims (spec.persistentVolumeClaimRetentionPolicy.whenScaled is Delete). ` +
					`That would delete the client's data.`),
			},
			{Config: config(`delete_data = true`)},
		},
	})
}
