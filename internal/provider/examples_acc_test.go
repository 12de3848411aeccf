package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// cli runs Terraform or OpenTofu the way a user does: the provider as a binary
// of its own, installed in a filesystem mirror, in a directory with a copy of an
// example.
type cli struct {
	path      string
	directory string
	env       []string
}

// mirror builds the provider, once for all tests, into a filesystem mirror for the
// registry of the CLI under test, and gives its directory.
var mirror = sync.OnceValues(func() (string, error) {
	directory := filepath.Join(acctest.Root(), "bin", "acctest")
	host := os.Getenv("TF_ACC_PROVIDER_HOST")
	if host == "" {
		host = "registry.terraform.io" // as terraform-plugin-testing has it
	}
	target := filepath.Join(directory, host, "mira-cluster", "mira", "0.1.0", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-mira_v0.1.0")
	build := exec.Command("go", "build", "-o", target, acctest.Root())
	build.Dir = acctest.Root()
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the provider: %w\n%s", err, output)
	}
	return directory, nil
})

// buildMirror gives the environment in which a CLI finds the provider, built from
// the source under test.
func buildMirror(t *testing.T, kubeconfig string) []string {
	t.Helper()
	acctest.RequireCluster(t) // nothing is built for a test that is skipped
	directory, err := mirror()
	if err != nil {
		t.Fatal(err)
	}
	configuration := filepath.Join(t.TempDir(), "cli.tfrc")
	content := "provider_installation {\n  filesystem_mirror {\n    path = \"" + filepath.ToSlash(directory) + "\"\n  }\n}\n"
	if err := os.WriteFile(configuration, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"TF_CLI_CONFIG_FILE=" + configuration, "KUBECONFIG=" + kubeconfig, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS=-no-color", "CHECKPOINT_DISABLE=1"}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "KUBE") {
			env = append(env, variable)
		}
	}
	return env
}

// newCLI copies files and directories of examples/ into an empty directory.
func newCLI(t *testing.T, env []string, sources ...string) *cli {
	t.Helper()
	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if path == "" {
		t.Fatal("TF_ACC_TERRAFORM_PATH is not set: `make testacc` sets it")
	}
	c := &cli{path: path, directory: t.TempDir(), env: env}
	for _, source := range sources {
		source = filepath.Join(acctest.Root(), "examples", source)
		info, err := os.Stat(source)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(c.directory, os.DirFS(source))
		} else {
			var data []byte
			if data, err = os.ReadFile(source); err == nil {
				err = os.WriteFile(filepath.Join(c.directory, filepath.Base(source)), data, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.run(t, "init")
	return c
}

// run gives the output of a command that must succeed.
func (c *cli) run(t *testing.T, arguments ...string) string {
	t.Helper()
	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), c.path, append([]string{"-chdir=" + c.directory}, arguments...)...)
	command.Env = c.env
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, output.String())
	}
	return output.String()
}

// isAtLeast tells whether the CLI has the version or a later one.
func (c *cli) isAtLeast(t *testing.T, least string) bool {
	t.Helper()
	var answer struct {
		Version string `json:"terraform_version"` // OpenTofu calls it so, too
	}
	if err := json.Unmarshal([]byte(c.run(t, "version", "-json")), &answer); err != nil {
		t.Fatal(err)
	}
	has, err := version.ParseGeneric(answer.Version)
	if err != nil {
		t.Fatal(err)
	}
	return has.AtLeast(version.MustParseGeneric(least))
}

// apply applies, and checks that nothing is left to do.
func (c *cli) apply(t *testing.T, arguments ...string) string {
	t.Helper()
	output := c.run(t, append([]string{"apply", "-auto-approve"}, arguments...)...)
	c.run(t, append([]string{"plan", "-detailed-exitcode"}, arguments...)...)
	return output
}

func (c *cli) destroy(t *testing.T) string {
	t.Helper()
	return c.run(t, "destroy", "-auto-approve")
}

func wantOutput(t *testing.T, output string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !message(word).MatchString(output) {
			t.Errorf("the output does not have %q:\n%s", word, output)
		}
	}
}

// Every example is applied, by the CLI alone, with the provider as a binary and
// the documented rights; the settings come from the Django controller's
// ConfigMap. What each promises is looked at.
func TestAccExamples(t *testing.T) {
	s := acctest.NewFleet(t)
	env := buildMirror(t, s.Kubeconfig)
	sample := acctest.SampleTemplate(t)

	t.Run("quickstart", func(t *testing.T) {
		c := newCLI(t, env, "quickstart")
		wantOutput(t, c.apply(t), "3 added, 0 changed, 0 destroyed", `"acme" = "https://acme.`+acctest.Domain+`"`)
		wantOutput(t, c.destroy(t), "Client Data Kept", "mira-data-mira-acme-0")
		s.DeleteClaims(t)
	})

	t.Run("provider and resource", func(t *testing.T) {
		c := newCLI(t, env, "provider/provider.tf", "resources/mira_client/resource.tf")
		wantOutput(t, c.apply(t), "2 added", "https://acme."+acctest.Domain)
		c.destroy(t)
		if diff := cmp.Diff([]string{"mira-data-mira-acme-0"}, s.Names(t, "PersistentVolumeClaim")); diff != "" {
			t.Errorf("claims after the destroy, of which that of the trial has delete_data (-want +got):\n%s", diff)
		}
		s.DeleteClaims(t)
	})

	t.Run("import by id", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c := newCLI(t, env, "provider/provider.tf", "resources/mira_client/resource.tf", "resources/mira_client/import-by-string-id.tf")
		wantOutput(t, c.apply(t), "1 imported, 1 added, 1 changed, 0 destroyed")
		c.destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("import by identity", func(t *testing.T) {
		c := newCLI(t, env, "provider/provider.tf", "resources/mira_client/resource.tf")
		if !c.isAtLeast(t, "1.12.0") {
			t.Skip("Terraform and OpenTofu know resource identity in import blocks from 1.12 on")
		}
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c = newCLI(t, env, "provider/provider.tf", "resources/mira_client/resource.tf", "resources/mira_client/import-by-identity.tf")
		wantOutput(t, c.apply(t), "1 imported, 1 added, 1 changed, 0 destroyed")
		c.destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("import command", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		c := newCLI(t, env, "provider/provider.tf", "resources/mira_client/resource.tf")
		script, err := os.ReadFile(filepath.Join(acctest.Root(), "examples", "resources", "mira_client", "import.sh"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			arguments := strings.Fields(line)
			if len(arguments) < 2 || arguments[0] != "terraform" {
				continue
			}
			id := arguments[len(arguments)-1]
			c.run(t, "import", "mira_client.acme", id)
			c.run(t, "state", "rm", "mira_client.acme")
		}
		c.apply(t)
		c.destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("module per client", func(t *testing.T) {
		c := newCLI(t, env, "scenarios/module-per-client")
		wantOutput(t, c.apply(t), "MIRA is ready at https://globex."+acctest.Domain)
		c.destroy(t)
		s.DeleteClaims(t)
	})

	t.Run("canary template", func(t *testing.T) {
		next := acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
		c := newCLI(t, env, "scenarios/canary-template")
		c.apply(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample, "client_template_next.yaml": next})
		wantOutput(t, c.apply(t, "-var", "candidate=client_template_next.yaml"), "0 added, 1 changed")
		s.PutTemplates(t, map[string]string{"client_template.yaml": next})
		wantOutput(t, c.apply(t), "0 added, 3 changed")
		for _, name := range []string{"acme", "globex", "initech"} {
			if err := s.CheckPodImage(t, "mira-"+name+"-0", "mira:3.1"); err != nil {
				t.Error(err)
			}
		}
		c.destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("ship a new version", func(t *testing.T) {
		c := newCLI(t, env, "scenarios/ship-new-version")
		c.apply(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1")})
		output := c.fail(t, "apply", "-auto-approve")
		wantOutput(t, output, "Rollout Failed And Was Rolled Back", "mira-badpull:3.1", "The former revision serves again", "This client is untouched")
		s.PutTemplates(t, map[string]string{"client_template.yaml": acctest.Edit(t, sample, "mira:3.0", "mira:3.1")})
		wantOutput(t, c.apply(t), "0 added, 3 changed")
		c.destroy(t)
		s.PutTemplates(t, map[string]string{"client_template.yaml": sample})
		s.DeleteClaims(t)
	})

	t.Run("existing clients", func(t *testing.T) {
		djangoClient(t, s.Sandbox, sample, "acme", "admin@acme.example")
		djangoClient(t, s.Sandbox, sample, "globex", "it@globex.example")
		pods := s.UIDs(t, "Pod")
		c := newCLI(t, env, "scenarios/existing-clients-import")
		wantOutput(t, c.apply(t), "2 imported, 0 added, 2 changed, 0 destroyed")
		if err := samePods(t, s.Sandbox, pods); err != nil {
			t.Error(err)
		}
		c.destroy(t)
		s.DeleteClaims(t)
	})
}
