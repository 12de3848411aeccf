package mira_test

import (
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// process is one process of the provider: the CLI starts one for each of its walks.
type process struct{ *mira.Fleet }

// newProcess starts one in a sandbox, with the documented rights.
func newProcess(t *testing.T, s *acctest.Sandbox) process {
	t.Helper()
	return processAs(t, s.Kubeconfig, true)
}

// processAs starts one with the rights of a kubeconfig. Without force it takes nothing from
// other field managers.
func processAs(t *testing.T, kubeconfig string, force bool) process {
	t.Helper()
	conn, err := connection.Connect(connection.Settings{ConfigPath: kubeconfig}, connection.SystemEnvironment(), "test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(conn, kube.Options{Force: force, Manager: managedfields.NewManager("", mira.ClientLabel)})
	if err != nil {
		t.Fatal(err)
	}
	return process{mira.NewFleet(client, mira.Settings{ClusterDomain: acctest.Domain, AllowedKinds: mira.DefaultAllowedKinds()})}
}

// specOf is a client of the sandbox's template.
func specOf(s *acctest.Sandbox, name string) mira.Spec {
	return mira.Spec{
		Namespace: s.Namespace, Name: name, AdminEmail: "admin@mira.example",
		Template: mira.TemplateSource{Namespace: s.Namespace, ConfigMap: mira.DefaultTemplateConfigMap, Key: mira.DefaultTemplateKey},
	}
}

// plan plans a client as the CLI has it done; prior is nil for a new one.
func (p process) plan(t *testing.T, spec mira.Spec, prior *mira.State) *mira.Plan {
	t.Helper()
	planned, err := p.Plan(t.Context(), spec, prior)
	if err != nil {
		t.Fatal(err)
	}
	return planned
}

// refresh reads a client as it is before a plan.
func (p process) refresh(t *testing.T, spec mira.Spec, prior *mira.State) *mira.State {
	t.Helper()
	p.ReadTemplateAhead(t.Context(), spec.Template)
	state, err := p.Read(t.Context(), spec.Namespace, spec.Name, prior)
	if err != nil {
		t.Fatal(err)
	}
	state.Fingerprints, state.Cluster = prior.Fingerprints, prior.Cluster
	return state
}
