package provider

import (
	"archive/zip"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// secretTemplate has a secret in each kind of place: the value of a variable, a part of an
// annotation, of a host and of an argument in an atomic list, the tag of an image, and a
// Secret.
func secretTemplate(t *testing.T) string {
	return acctest.Edit(t, acctest.SampleTemplate(t),
		"image: mira:3.0", "image: 'mira:3.0-%PASSWORD%'\n        args: ['--key=x-%PASSWORD%-y']",
		"- host: %CLIENT_NAME%.%CLUSTER_DOMAIN%", "- host: '%PASSWORD%.%CLUSTER_DOMAIN%'",
		"        - name: DATABASE_PATH", "        - name: DATABASE_URL\n          value: 'postgres://mira:%PASSWORD%@db/mira'\n"+
			"        - name: PIN\n          value: %PIN%\n        - name: DATABASE_PATH",
		`nginx.ingress.kubernetes.io/ssl-passthrough: "true"`, `nginx.ingress.kubernetes.io/ssl-passthrough: "true"`+
			"\n    example.com/token: 'token %PASSWORD%'",
	) + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: 'mira-%CLIENT_NAME%'}\nstringData: {password: '%PASSWORD%', pin: %PIN%}\n"
}

// planted is what must be found nowhere.
type planted struct {
	cli     *acctest.CLI
	secrets []string
	outputs strings.Builder
	// isEphemeral: the CLI itself keeps the secrets out of plan files.
	isEphemeral bool
}

// check fails the test for each secret in what the commands printed, in their log, and in
// each file of the CLI's directory: states, their backups, plan files.
func (p *planted) check(t *testing.T) {
	t.Helper()
	texts := map[string]string{"the output": p.outputs.String()}
	err := filepath.WalkDir(p.cli.Directory(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".terraform" {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path) //nolint:gosec // the test's own folder
		if err != nil {
			return err
		}
		texts[filepath.Base(path)] = string(data)
		if strings.HasPrefix(entry.Name(), "plan") {
			return p.unzip(path, texts)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"terraform.tfstate", "trace.log"} {
		if texts[name] == "" {
			t.Errorf("there is no %s to look into", name)
		}
	}
	for name, text := range texts {
		for _, secret := range p.secrets {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s has %q: ...%s...", name, form, text[max(0, at-300):min(len(text), at+100)])
				}
			}
		}
	}
}

// unzip adds the files of a plan file. An older CLI writes the values of variables there.
func (p *planted) unzip(path string, texts map[string]string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	for _, file := range archive.File {
		if !p.isEphemeral && file.Name == "tfplan" {
			continue
		}
		reader, err := file.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		texts[filepath.Base(path)+"/"+file.Name] = string(data)
	}
	return nil
}

func (p *planted) run(t *testing.T, arguments ...string) string {
	t.Helper()
	output := p.cli.Run(t, arguments...)
	p.outputs.WriteString(output)
	return output
}

func (p *planted) fail(t *testing.T, arguments ...string) string {
	t.Helper()
	output := p.cli.Fail(t, arguments...)
	p.outputs.WriteString(output)
	return output
}

// set changes the password.
func (p *planted) set(password string) {
	p.cli.Setenv("TF_VAR_password", password)
	p.secrets = append(p.secrets, password)
}

// Whatever happens to a client, its secrets are in no plan, no state, no plan file, no
// error and no log: at a create, an update, a drift, a failing update that is rolled back,
// refused templates, a destroy. Wherever they are configured.
func TestAccSecrets(t *testing.T) {
	t.Parallel()
	const secrets = `secret_variables = { PASSWORD = var.password, PIN = var.pin, DATABASE = "database:5432" }`
	t.Run("of the provider", func(t *testing.T) {
		t.Parallel()
		testSecrets(t, secrets, "")
	})
	t.Run("of the client", func(t *testing.T) {
		t.Parallel()
		// A value that the client's own has precedence over.
		testSecrets(t, `secret_variables = { PASSWORD = "", PIN = "of the fleet" }`, secrets)
	})
}

func testSecrets(t *testing.T, ofProvider, ofClient string) {
	t.Helper()
	s := acctest.NewSandbox(t)
	s.Rights.GrantOn(t, "", "secrets")
	template := secretTemplate(t)
	s.PutTemplate(t, template)
	kind := "sensitive = true"
	config := func(kind string) string {
		return "variable \"password\" {\n  " + kind + "\n}\nvariable \"pin\" {\n  " + kind + "\n}\n" + s.Provider(
			ofProvider, `allowed_kinds = ["Service", "Ingress", "StatefulSet", "core/Secret"]`,
			`rollout = { grace = "2s" }`) + acmeClient(ofClient)
	}
	probe := acctest.NewCLI(t, s, "")
	isEphemeral := probe.IsAtLeast(t, "1.11.0")
	if isEphemeral {
		kind = "ephemeral = true"
	} else if ofClient != "" {
		t.Skip("this CLI has no write-only attributes")
	}
	p := &planted{cli: acctest.NewCLI(t, s, config(kind)), secrets: []string{"474747", "database:5432 "}, isEphemeral: isEphemeral}
	p.cli.Setenv("TF_VAR_pin", "474747")
	p.cli.Setenv("TF_LOG", "TRACE")
	p.cli.Setenv("TF_LOG_PATH", filepath.Join(p.cli.Directory(), "trace.log"))

	// A create, by a plan file.
	p.set("first-s3cr3t-aaaa")
	acctest.WantOutput(t, p.run(t, "plan", "-out=plan1"), "sha256:", "Plan: 1 to add")
	p.run(t, "apply", "plan1")
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	p.check(t)

	// A drift, which shows no former secret either.
	const byHand = "by-hand-s3cr3t"
	p.secrets = append(p.secrets, byHand)
	s.Patch(t, "Ingress", "mira-acme", "kubectl-edit", `{"metadata": {"annotations": {"example.com/token": "`+byHand+`"}}}`)
	acctest.WantOutput(t, p.run(t, "plan"), `"metadata.annotations[example.com/token]" = "sha256:`, "Plan: 0 to add, 1 to change")
	p.run(t, "apply", "-auto-approve")
	p.check(t)

	// A new secret.
	p.set("second-s3cr3t-bbbb")
	acctest.WantOutput(t, p.run(t, "plan", "-out=plan2"), `"data.password" = "sha256:`, `.env[DATABASE_URL].value" = "sha256:`,
		`.containers[mira].args" = "sha256:`, `~ url = "sha256:`, "Plan: 0 to add, 1 to change")
	p.run(t, "apply", "plan2")
	acctest.WantOutput(t, p.run(t, "plan"), "No changes.")
	s.WantImages(t, "mira:3.0-second-s3cr3t-bbbb")
	p.check(t)

	// A failing update, which is rolled back: the error has the image and the container's log.
	s.PutTemplate(t, acctest.Edit(t, template, "mira:3.0-", "crash:3.1-"))
	p.set("third-s3cr3t-cccc")
	acctest.WantOutput(t, p.fail(t, "apply", "-auto-approve"), "Rollout Failed And Was Rolled Back",
		"last lines of the log", "(secret DATABASE)")
	s.PutTemplate(t, acctest.Edit(t, template, "mira:3.0-", "badpull:3.1-"))
	acctest.WantOutput(t, p.fail(t, "apply", "-auto-approve"), "Rollout Failed And Was Rolled Back",
		"ImagePullBackOff", "(image badpull:3.1-(secret PASSWORD))")
	p.check(t)

	// What the server and the template refuse.
	for _, refused := range []struct{ old, new, want string }{
		{"terminationGracePeriodSeconds: 30", "restartPolicy: '%PASSWORD%'", "(secret PASSWORD)"},
		{"replicas: 1", "replicas: '%PASSWORD%'", "spec.replicas"},
		{"name: http\n", "name: '%PASSWORD%'\n", "the secret %PASSWORD% may not stand here"},
		{"type: ClusterIP", "type: '%PASSWORD%'", "(secret PASSWORD)"},
		{"stringData: {", "stringData: {number: 474747, ", "must be text, and YAML reads it as a number"},
		{"stringData: {", "data: {password: '%PASSWORD%'}\nstringData: {", "must be base64 text"},
	} {
		s.PutTemplate(t, acctest.Edit(t, template, refused.old, refused.new))
		acctest.WantOutput(t, p.fail(t, "plan"), refused.want)
	}
	p.check(t)

	s.PutTemplate(t, template)
	p.run(t, "destroy", "-auto-approve")
	p.check(t)
	if err := s.CheckNoClients(t); err != nil {
		t.Error(err)
	}
}

// With container_logs = false, the error about a failed rollout has no line of a log.
func TestAccSecrets_noContainerLogs(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "mira:3.0", "crash:3.1"))
	c := acctest.NewCLI(t, s, s.Provider(`rollout = { grace = "2s", container_logs = false }`)+acmeClient())
	output := c.Fail(t, "apply", "-auto-approve")
	acctest.WantOutput(t, output, "CrashLoopBackOff")
	if strings.Contains(output, "MIRA is starting") || strings.Contains(output, "lines of the log") {
		t.Errorf("the error has a log:\n%s", output)
	}
}

// An import takes no secret into the state, whatever the live objects have.
func TestAccSecrets_import(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	text := acctest.Edit(t, acctest.SampleTemplate(t), "        - name: DATABASE_PATH",
		"        - name: PASSWORD\n          value: '%PASSWORD%'\n        - name: DATABASE_PATH")
	s.PutTemplate(t, text)
	s.DjangoSave(t, strings.ReplaceAll(text, "%PASSWORD%", "former-s3cr3t-aaaa"), "acme", "admin@acme.example")
	c := acctest.NewCLI(t, s, "variable \"password\" { sensitive = true }\n"+
		s.Provider(`secret_variables = { PASSWORD = var.password }`)+acmeClient())
	c.Setenv("TF_VAR_password", "other-s3cr3t-bbbb")
	output := c.Run(t, "import", "mira_client.acme", "acme") + c.Run(t, "plan")
	acctest.WantOutput(t, output, `.env[PASSWORD].value" = "sha256:`)
	state, err := os.ReadFile(filepath.Join(c.Directory(), "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"former-s3cr3t-aaaa", "other-s3cr3t-bbbb"} {
		if strings.Contains(output+string(state), secret) {
			t.Errorf("%s is in the output or the state:\n%s\n%s", secret, output, state)
		}
	}
	c.Apply(t)
	found, _, _ := unstructured.NestedSlice(s.Get(t, "StatefulSet", "mira-acme").Object, "spec", "template", "spec", "containers")
	if !strings.Contains(fmt.Sprint(found), "other-s3cr3t-bbbb") {
		t.Errorf("the containers have no new secret: %v", found)
	}
	c.Destroy(t)
}
