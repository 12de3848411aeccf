package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// dataConfig is client acme, whose name and data depend on variables of the CLI.
func dataConfig(s *acctest.Sandbox) string {
	return `
variable "name" { default = "acme" }
variable "delete_data" { default = false }
` + s.Provider() + client("acme", `name = var.name`, `admin_email = "admin@acme.example"`, `delete_data = var.delete_data`)
}

// wantNoDataWarning checks that a plan says nothing of claims.
func wantNoDataWarning(t *testing.T, warnings []string) {
	t.Helper()
	for _, title := range []string{
		"Client Data Will Be Deleted", "Client Data Stays", "Client Starts Without Its Data",
		"New Client Finds Earlier Data", "Claims Will Be Kept",
	} {
		if at := slices.IndexFunc(warnings, func(warning string) bool { return strings.HasPrefix(warning, title) }); at >= 0 {
			t.Errorf("unexpected warning:\n%s", warnings[at])
		}
	}
}

// Every plan that deletes claims, leaves them behind or finds them says so by their names,
// and no other plan does.
func TestAccClient_plansTellOfData(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	c := acctest.NewCLI(t, s, dataConfig(s))
	plan := func(arguments ...string) []string {
		t.Helper()
		return acctest.Warnings(t, c.Run(t, append([]string{"plan", "-json"}, arguments...)...))
	}
	const withData = "-var=delete_data=true"
	inNamespace := ` of namespace "` + s.Namespace + `"`

	wantNoDataWarning(t, plan())
	c.Apply(t)
	wantNoDataWarning(t, plan())
	acctest.WantWarning(t, plan("-destroy"), "Client Data Stays: ", `its data stays in namespace "`+s.Namespace+`"`, acctest.ClaimName)
	acctest.WantWarning(t, plan("-var=name=globex"), `Client Starts Without Its Data (Client "acme"): `,
		`Client "acme"`+inNamespace+` is replaced by client "globex"`+inNamespace, acctest.ClaimName)
	wantNoDataWarning(t, plan(withData))

	c.Apply(t, withData)
	goes := []string{`Client Data Will Be Deleted (Client "acme"): `, `Client "acme"` + inNamespace, acctest.ClaimName, "cannot be undone"}
	acctest.WantWarning(t, plan(withData, "-destroy"), goes...)
	acctest.WantWarning(t, plan(withData, "-destroy", "-refresh=false"), goes...)
	acctest.WantWarning(t, plan(withData, "-var=name=globex"), goes...)
	wantNoDataWarning(t, plan(withData))
	// The CLI shows no warning of this plan.
	acctest.WantOutput(t, c.Fail(t, "plan", withData, "-replace=mira_client.acme"), "Replacement Would Delete Data",
		`client "acme"`+inNamespace, acctest.ClaimName, "terraform taint ADDRESS")
	// The data goes by what the state says, not the configuration.
	acctest.WantOutput(t, c.Fail(t, "plan", "-replace=mira_client.acme"), "Replacement Would Delete Data")
	c.Run(t, "taint", "mira_client.acme")
	acctest.WantWarning(t, plan(withData), goes...)
	acctest.WantWarning(t, plan(withData, "-refresh=false"), goes...)
	claim := s.UIDs(t, "PersistentVolumeClaim")
	applied := acctest.Warnings(t, c.Run(t, "apply", "-auto-approve", "-json", withData))
	acctest.WantWarning(t, applied, goes...)
	if now := s.UIDs(t, "PersistentVolumeClaim"); now[acctest.ClaimName] == claim[acctest.ClaimName] {
		t.Error("the claim is the one before")
	}

	c.Apply(t)
	claim = s.UIDs(t, "PersistentVolumeClaim")
	c.Run(t, "taint", "mira_client.acme")
	wantNoDataWarning(t, plan())
	c.Apply(t)
	c.Run(t, "apply", "-auto-approve", "-replace=mira_client.acme")
	if now := s.UIDs(t, "PersistentVolumeClaim"); now[acctest.ClaimName] != claim[acctest.ClaimName] {
		t.Error("the claim is another one")
	}
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-patch", `{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete"}}}`)
	warnings := plan("-destroy")
	acctest.WantWarning(t, warnings, "Claims Will Be Kept: ", "StatefulSet "+s.Namespace+"/mira-acme", "whenDeleted: Delete")
	acctest.WantWarning(t, warnings, "Client Data Stays: ", acctest.ClaimName)
	c.Destroy(t)
	acctest.WantWarning(t, plan(), `New Client Finds Earlier Data (Client "acme"): `, acctest.ClaimName,
		"kubectl delete pvc -n "+s.Namespace+" "+acctest.ClaimName)
	c.Run(t, "apply", "-auto-approve", withData)
	found := acctest.Warnings(t, c.Run(t, "destroy", "-auto-approve", "-json"))
	acctest.WantWarning(t, found, goes...)
	acctest.WantWarning(t, found, `Client Data Deleted (Client "acme"): `, acctest.ClaimName)
	wantNoDataWarning(t, plan())
}

// Another namespace of the provider would have every client begin empty: the plan says
// for each where its data is left.
func TestAccClient_namespaceOfProviderChanges(t *testing.T) {
	t.Parallel()
	s, other := acctest.NewSandbox(t), acctest.NewSandbox(t)
	s.Rights.GrantIn(t, other.Namespace)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	names := []string{"acme", "globex", "initech"}
	config := "variable \"namespace\" { default = \"" + s.Namespace + "\" }\n" +
		strings.Replace(s.Provider(), `namespace      = "`+s.Namespace+`"`, "namespace = var.namespace", 1)
	for _, name := range names {
		config += client(name, `name = "`+name+`"`, `admin_email = "admin@mira.example"`)
	}
	c := acctest.NewCLI(t, s, config)
	c.Apply(t)
	warnings := acctest.Warnings(t, c.Run(t, "plan", "-json", "-var=namespace="+other.Namespace))
	for _, name := range names {
		acctest.WantWarning(t, warnings, `Client Starts Without Its Data (Client "`+name+`"): `, "mira-data-mira-"+name+"-0",
			`Client "`+name+`" of namespace "`+s.Namespace+`" is replaced by client "`+name+`" of namespace "`+other.Namespace+`"`)
	}
	c.Destroy(t)
}
