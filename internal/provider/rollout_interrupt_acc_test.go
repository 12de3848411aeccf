package provider

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// Ctrl-C while an update is waited for ends the apply at once, says that the rollout
// goes on, and leaves a state that tells the truth: nothing is rolled back, and
// nothing is left to do.
func TestAccRollout_interrupt(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := commandLine(t, buildMirror(t, s.Kubeconfig), s.Provider(`rollout = { grace = "2s" }`)+client("acme", `name = "acme"`, `admin_email = "admin@acme.example"`))
	c.apply(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-unready:3.1"))

	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), c.path, "-chdir="+c.directory, "apply", "-auto-approve")
	command.Env = c.env
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = time.Minute
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.WaitFor(t, "Pod", "the pod of the new revision runs", func(pods []*unstructured.Unstructured) bool {
		for _, pod := range pods {
			phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
			if phase == "Running" && acctest.Image(t, pod) == "mira-unready:3.1" {
				return true
			}
		}
		return false
	})
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := command.Wait()
	wantOutput(t, output.String(), "Rollout Goes On", `Client "acme"`, "was interrupted after", "mira-acme-0")
	if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != "mira-unready:3.1" {
		t.Errorf("the StatefulSet has image %s; the apply ended with %v", got, err)
	}
	c.run(t, "plan", "-detailed-exitcode")

	// The pod never comes up, and the fix goes through.
	s.PutTemplate(t, sample)
	c.run(t, "apply", "-auto-approve")
	s.WantImages(t, "mira:3.0")
	c.destroy(t)
}
