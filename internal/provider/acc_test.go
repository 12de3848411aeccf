package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// factories serve the provider under test to the CLI, in this process.
var factories = map[string]func() (tfprotov6.ProviderServer, error){
	"mira": func() (tfprotov6.ProviderServer, error) { return NewServer("test")(), nil },
}

// providersOf serves a provider of its own, by its name, to each of the clients. (The
// CLI shares one process among the aliases of a provider that is served to it so,
// and with the process its configuration.)
func providersOf(clients []string) map[string]func() (tfprotov6.ProviderServer, error) {
	served := maps.Clone(factories)
	for _, name := range clients {
		served[name] = factories["mira"]
	}
	return served
}

// providerOf is the configuration of the provider that serves a client, with further
// lines in its block.
func providerOf(client string, s *acctest.Sandbox, lines ...string) string {
	return strings.Replace(s.Provider(lines...), `provider "mira"`, fmt.Sprintf("provider %q", client), 1)
}

// objectChanges is a plan check: of the resource's objects, exactly these fields
// change, a line each: `~ Kind/name path: old -> new`, `+ ...: new`, `- ...: old`.
// A whole object that comes or goes is one line of its own: `+ Kind/name`.
func objectChanges(address string, lines ...string) plancheck.PlanCheck {
	return changesCheck{address: address, want: lines}
}

type changesCheck struct {
	address string
	want    []string
}

func (c changesCheck) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, change := range req.Plan.ResourceChanges {
		if change.Address != c.address {
			continue
		}
		got := acctest.ObjectChanges(change.Change.Before, change.Change.After)
		want := slices.Sorted(slices.Values(c.want))
		if diff := cmp.Diff(want, got); diff != "" {
			resp.Error = fmt.Errorf("changes of %s (-want +got):\n%s", c.address, diff)
		}
		return
	}
	resp.Error = fmt.Errorf("the plan does not have %s", c.address)
}

// client returns a mira_client block with its attributes, for short tests.
func client(label string, lines ...string) string {
	return fmt.Sprintf("resource \"mira_client\" %q {\n  %s\n}\n", label, strings.Join(lines, "\n  "))
}

// acmeClient returns a block for the client acme, with further attributes.
func acmeClient(lines ...string) string {
	return client("acme", append([]string{`name = "acme"`, `admin_email = "admin@acme.example"`}, lines...)...)
}

// noneLeft checks, at the end of a test, that destroying left no object of a
// client in the sandbox.
func noneLeft(t *testing.T, s *acctest.Sandbox) resource.TestCheckFunc {
	return func(*terraform.State) error { return s.CheckNoClients(t) }
}

// onlyObjectsChange is a plan check: no attribute but `objects` changes.
func onlyObjectsChange(address string) plancheck.PlanCheck { return onlyObjects{address} }

type onlyObjects struct{ address string }

func (c onlyObjects) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, change := range req.Plan.ResourceChanges {
		if change.Address != c.address {
			continue
		}
		before, _ := change.Change.Before.(map[string]any)
		after, _ := change.Change.After.(map[string]any)
		for _, attributes := range []map[string]any{before, after} {
			delete(attributes, "objects")
		}
		if diff := cmp.Diff(before, after); diff != "" {
			resp.Error = fmt.Errorf("other attributes of %s change (-before +after):\n%s", c.address, diff)
		}
		return
	}
	resp.Error = fmt.Errorf("the plan does not have %s", c.address)
}

// inCluster is a state check that looks at the cluster, not at the state: unlike
// a step's Check, it can follow a configuration with for_each.
type inCluster func() error

func (c inCluster) CheckState(_ context.Context, _ statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse) {
	resp.Error = c()
}
