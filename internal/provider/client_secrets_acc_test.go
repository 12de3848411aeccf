package provider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// passwordTemplate has a secret in the environment of a container.
func passwordTemplate(t *testing.T) string {
	return acctest.Edit(t, acctest.SampleTemplate(t), "        - name: DATABASE_PATH",
		"        - name: DATABASE_URL\n          value: 'postgres://mira:%PASSWORD%@db/mira'\n"+
			"        - name: DATABASE_NAME\n          value: '%NAME%'\n        - name: DATABASE_PATH")
}

// newClientSecrets returns a CLI for a client whose own configuration has the password of
// [passwordTemplate].
func newClientSecrets(t *testing.T, s *acctest.Sandbox, password, more string, provider ...string) *planted {
	t.Helper()
	p := &planted{cli: acctest.NewCLI(t, s, "variable \"password\" { ephemeral = true }\n"+s.Provider(provider...)+acmeClient(
		`variables = { NAME = "acme" }`, `secret_variables = { PASSWORD = var.password }`)+more), isEphemeral: true}
	if !p.cli.IsAtLeast(t, "1.11.0") {
		t.Skip("this CLI has no write-only attributes")
	}
	p.set(password)
	p.cli.Setenv("TF_LOG", "TRACE")
	p.cli.Setenv("TF_LOG_PATH", filepath.Join(p.cli.Directory(), "trace.log"))
	return p
}

// The objects of a client say which of its variables are secret, so that an import in another
// state takes no value of one over, not even one that the configuration does not have any more.
func TestAccClientSecrets_importAgain(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, passwordTemplate(t))
	p := newClientSecrets(t, s, "first-s3cr3t-aaaa", "")
	p.run(t, "apply", "-auto-approve")
	p.run(t, "state", "rm", "mira_client.acme")
	p.run(t, "import", "mira_client.acme", s.Namespace+"/acme")
	p.check(t)
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.run(t, "state", "rm", "mira_client.acme")
	p.set("second-s3cr3t-bbbb")
	p.run(t, "import", "mira_client.acme", s.Namespace+"/acme")
	acctest.WantOutput(t, p.run(t, "plan"), `.env[DATABASE_URL].value" = "sha256:`, "Plan: 0 to add, 1 to change")
	p.check(t)
	p.run(t, "apply", "-auto-approve")
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.run(t, "destroy", "-auto-approve")
	p.check(t)
}

// A client of the Django controller does not say what is secret. The names of the provider's
// secret variables do, also without a value.
func TestAccClientSecrets_importDjango(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	text := passwordTemplate(t)
	s.PutTemplate(t, text)
	live := strings.NewReplacer("%PASSWORD%", "former-s3cr3t-aaaa", "%NAME%", "acme").Replace(text)
	s.DjangoSave(t, live, "acme", "admin@acme.example")
	p := newClientSecrets(t, s, "former-s3cr3t-aaaa", "import {\n  to = mira_client.acme\n  id = \"acme\"\n}\n",
		`secret_variables = { PASSWORD = "" }`)
	planned := p.run(t, "plan", "-out=plan1")
	acctest.WantOutput(t, planned, "Plan: 1 to import, 0 to add, 1 to change",
		`"metadata.annotations[mira-cluster.io/secret-variables]" = "PASSWORD"`)
	if strings.Contains(planned, "State Has Secrets") || strings.Contains(planned, `-> "sha256:`) {
		t.Errorf("the plan changes the password, or says that it is in the state:\n%s", planned)
	}
	p.run(t, "apply", "plan1")
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.check(t)
	p.run(t, "destroy", "-auto-approve")
	p.check(t)
}

// Where nothing says that a variable is secret, an import takes it over. The plan that has the
// configuration says so, and the apply takes it out.
func TestAccClientSecrets_importInClear(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	text := passwordTemplate(t)
	s.PutTemplate(t, text)
	const password = "former-s3cr3t-aaaa"
	s.DjangoSave(t, strings.NewReplacer("%PASSWORD%", password, "%NAME%", "acme").Replace(text), "acme", "admin@acme.example")
	p := newClientSecrets(t, s, password, "")
	p.run(t, "import", "mira_client.acme", "acme")
	acctest.WantOutput(t, p.run(t, "apply", "-auto-approve"), `State Has Secrets In Clear (Client "acme")`)
	state, err := os.ReadFile(filepath.Join(p.cli.Directory(), "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state), password) || !strings.Contains(string(state), "sha256:") {
		t.Errorf("the state has the secret, or no hash of it:\n%s", state)
	}
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.cli.Destroy(t)
}

// What is wrong with the secrets of a client is told without them, by a validation that knows
// nothing of a cluster. Removing the last secret takes its traces out of the state.
func TestAccClientSecrets_refusedAndRemoved(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, passwordTemplate(t))
	p := newClientSecrets(t, s, "abc", "")
	acctest.WantOutput(t, p.fail(t, "plan"), "Secret Value Too Short", "PASSWORD has 3 bytes")
	p.secrets = nil // three letters are everywhere
	p.set("first-s3cr3t-aaaa")
	p.run(t, "apply", "-auto-approve")
	config := filepath.Join(p.cli.Directory(), "main.tf")
	edit := func(old, changed string) {
		t.Helper()
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(config, []byte(acctest.Edit(t, string(text), old, changed)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit(`NAME = "acme" }`, `NAME = "acme", PASSWORD = "plain" }`)
	acctest.WantOutput(t, p.fail(t, "plan"), "Variable Set Twice", "PASSWORD")
	edit("  secret_variables = { PASSWORD = var.password }\n", "")
	acctest.WantOutput(t, p.run(t, "apply", "-auto-approve"),
		`- "metadata.annotations[mira-cluster.io/secret-variables]" = "PASSWORD"`, `-> "postgres://mira:plain@db/mira"`)
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.check(t)
	p.run(t, "destroy", "-auto-approve")
}
