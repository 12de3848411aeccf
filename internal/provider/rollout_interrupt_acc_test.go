package provider

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Ctrl-C while an update is waited for ends the apply at once. The warning says that the
// rollout goes on, and the state is what is in the cluster: nothing is rolled back. The
// next plan says that the rollout is to be seen through.
func TestAccRollout_interrupt(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := acctest.NewCLI(t, s, s.Provider(`rollout = { grace = "2s" }`)+acmeClient())
	c.Apply(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-unready:3.1"))

	apply := c.Start(t, "apply", "-auto-approve")
	s.WaitFor(t, "Pod", "the pod of the new revision runs", func(pods []*unstructured.Unstructured) bool {
		for _, pod := range pods {
			phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
			if phase == "Running" && acctest.Image(t, pod) == "mira-unready:3.1" {
				return true
			}
		}
		return false
	})
	// That the pod runs does not mean that the provider has seen it.
	apply.WaitForLog(t, "A rollout is pending", "mira-acme-0: Running, not ready")
	apply.Interrupt(t)
	output, err := apply.Wait()
	acctest.WantOutput(t, output, "Rollout Goes On", `Client "acme"`, "was interrupted after", "mira-acme-0")
	if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != "mira-unready:3.1" {
		t.Errorf("the StatefulSet has image %s; the apply ended with %v", got, err)
	}
	plan := c.Run(t, "plan")
	acctest.WantOutput(t, plan, `"pending" -> "complete"`, "Plan: 0 to add, 1 to change, 0 to destroy.",
		`Rollout Is Pending (Client "acme")`, "StatefulSet mira-acme: waiting for it was interrupted", "rolled back to what it was before")

	// The pod never comes up, and the fix goes through.
	s.PutTemplate(t, sample)
	c.Run(t, "apply", "-auto-approve")
	s.WantImages(t, "mira:3.0")
	c.Destroy(t)
}
