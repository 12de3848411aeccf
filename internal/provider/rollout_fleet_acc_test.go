package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// fleetConfig declares 30 clients, and a variable for the settings of the gate.
const fleetConfig = `
variable "rollout" {
  type    = any
  default = null
}

locals {
  names = toset([for i in range(30) : format("client-%02d", i)])
}

resource "mira_client" "this" {
  for_each    = local.names
  name        = each.key
  admin_email = "admin@${each.key}.example"
}
`

// generations returns the metadata.generation of every StatefulSet, by name.
func generations(t *testing.T, s *acctest.Sandbox) map[string]int64 {
	t.Helper()
	found := make(map[string]int64)
	for _, name := range s.Names(t, "StatefulSet") {
		found[name] = s.Get(t, "StatefulSet", name).GetGeneration()
	}
	return found
}

// A release that does not come up reaches no more clients than may fail, whatever the
// CLI's parallelism is. These serve the former image again, the others are untouched, and
// a corrected template is rolled out to all of them.
func TestAccRollout_badReleaseReachesOneClient(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	c := acctest.NewCLI(t, s, s.Provider("rollout = var.rollout")+fleetConfig)
	c.Run(t, "apply", "-auto-approve", "-parallelism=15")
	s.WantImages(t, "mira:3.0")

	for _, test := range []struct {
		name      string
		image     string
		arguments []string
		touched   int
		says      []string
	}{
		{"by default", "mira-badpull:3.1", nil, 1, []string{"mira-badpull:3.1", "ImagePullBackOff"}},
		{"one after the other", "mira-crash:3.1", []string{"-parallelism=1", `-var=rollout={grace="1s"}`}, 1,
			[]string{"CrashLoopBackOff", "exit code 1", "mira-crash:3.1"}},
		{"fifty at once", "mira-badpull:3.2", []string{"-parallelism=50", `-var=rollout={grace="1s"}`}, 1, []string{"mira-badpull:3.2"}},
		{"three failures", "mira-badpull:3.3", []string{`-var=rollout={grace="1s", max_failures=3}`}, 3, []string{"mira-badpull:3.3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			generationsBefore, podsBefore, claimsBefore := generations(t, s), s.UIDs(t, "Pod"), s.UIDs(t, "PersistentVolumeClaim")
			s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", test.image))
			output := c.Fail(t, append([]string{"apply", "-auto-approve"}, test.arguments...)...)

			// The CLI prints errors in no particular order: each has to say the reason.
			_, rest, _ := strings.Cut(output, "\nError: ")
			first, _, _ := strings.Cut(rest, "\nError: ")
			acctest.WantOutput(t, first, test.says...)
			acctest.WantOutput(t, output, "Rollout Failed And Was Rolled Back", "The former revision serves again", "Rollout Not Begun",
				"This client is untouched")
			var touched []string
			for name, generation := range generations(t, s) {
				if generation != generationsBefore[name] {
					touched = append(touched, name)
				}
			}
			if len(touched) != test.touched {
				t.Errorf("the apply touched %v, want %d", touched, test.touched)
			}
			if refused := strings.Count(output, "Error: Rollout Not Begun"); refused != 30-test.touched {
				t.Errorf("%d clients were refused, want %d", refused, 30-test.touched)
			}
			s.WantImages(t, "mira:3.0")
			podsAfter := s.UIDs(t, "Pod")
			for _, name := range touched {
				delete(podsBefore, name+"-0")
				delete(podsAfter, name+"-0")
			}
			if !maps.Equal(podsBefore, podsAfter) {
				t.Error("pods of clients that were not touched have been replaced")
			}
			if !maps.Equal(claimsBefore, s.UIDs(t, "PersistentVolumeClaim")) {
				t.Error("claims have been replaced")
			}
			plan := c.Run(t, "plan")
			acctest.WantOutput(t, plan, "Plan: 0 to add, 30 to change, 0 to destroy.")
		})
	}

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.4"))
	c.Apply(t)
	s.WantImages(t, "mira:3.4")
	if names := slices.Sorted(maps.Keys(generations(t, s))); len(names) != 30 {
		t.Errorf("%d clients are left", len(names))
	}
}
