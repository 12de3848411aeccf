package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// fewClients declares four clients.
const fewClients = `
locals {
  names = toset(["one", "two", "three", "four"])
}

resource "mira_client" "this" {
  for_each    = local.names
  name        = each.key
  admin_email = "admin@${each.key}.example"
}
`

// runningImages counts the StatefulSets by the image of their first container.
func runningImages(t *testing.T, s *acctest.Sandbox) map[string]int {
	t.Helper()
	images := make(map[string]int)
	for _, set := range s.List(t, "StatefulSet") {
		images[acctest.Image(t, set)]++
	}
	return images
}

// A bad release stops at one client by whatever path it replaces, stops or removes pods.
func TestAccRollout_everyPathPassesTheGate(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	provider := func(s *acctest.Sandbox) string { return s.Provider(`rollout = { grace = "1s" }`) + fewClients }
	renamed := acctest.Edit(t, sample, "kind: StatefulSet\nmetadata:\n  name: mira-%CLIENT_NAME%\n",
		"kind: StatefulSet\nmetadata:\n  name: mira-%CLIENT_NAME%-new\n")
	for _, test := range []struct {
		name, template string
		says           []string
		want           map[string]int // StatefulSets by image
	}{
		{
			"a renamed StatefulSet", acctest.Edit(t, renamed, "mira:3.0", "mira-badpull:3.1"),
			[]string{"Rollout Failed And Was Rolled Back", "Rollout Not Begun"},
			map[string]int{"mira:3.0": 4},
		},
		{
			"a StatefulSet that goes", withoutStatefulSet(sample),
			[]string{"Template Has No Workload", "Applying it would stop the client. Nothing was changed."},
			map[string]int{"mira:3.0": 4},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			s.PutTemplate(t, sample)
			c := acctest.NewCLI(t, s, provider(s))
			c.Run(t, "apply", "-auto-approve")
			s.PutTemplate(t, test.template)
			acctest.WantOutput(t, c.Fail(t, "apply", "-auto-approve", "-parallelism=10"), test.says...)
			if got := fmt.Sprint(runningImages(t, s)); got != fmt.Sprint(test.want) {
				t.Errorf("StatefulSets by image: %s, want %v", got, test.want)
			}
			s.WantImages(t, "mira:3.0")
			s.PutTemplate(t, sample)
			c.Apply(t)
		})
	}
	t.Run("an adoption", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		for _, client := range []string{"one", "two", "three", "four"} {
			s.DjangoSave(t, sample, client, "admin@"+client+".example")
		}
		s.WaitReady(t)
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
		c := acctest.NewCLI(t, s, provider(s))
		output := c.Fail(t, "apply", "-auto-approve", "-parallelism=10")
		acctest.WantOutput(t, output, "Rollout Failed And Was Rolled Back", "Rollout Not Begun")
		if refused := strings.Count(output, "Error: Rollout Not Begun"); refused != 3 {
			t.Errorf("%d adoptions were refused, want 3", refused)
		}
		s.WantImages(t, "mira:3.0")
		s.PutTemplate(t, sample)
		c.Apply(t)
	})
}

// withoutStatefulSet returns a template without its last document.
func withoutStatefulSet(text string) string {
	documents := strings.Split(text, "\n---\n")
	return strings.Join(documents[:len(documents)-1], "\n---\n")
}
