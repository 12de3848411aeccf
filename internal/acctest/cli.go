package acctest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

// CLI runs Terraform or OpenTofu, with the provider as a binary, in a directory of its
// own. It shows what terraform-plugin-testing does not: warnings, the text of a plan,
// what becomes of an interrupt. It is slower: each command starts several processes.
type CLI struct {
	path, directory string
	tools           string // a folder of programs for scripts; empty until one runs
	env             []string
}

// NewCLI returns a CLI for a configuration, which is that of [Sandbox.Provider] and of
// resources.
func NewCLI(t *testing.T, s *Sandbox, config string) *CLI {
	t.Helper()
	c := newCLI(t, s)
	config = "terraform {\n  required_providers {\n    mira = { source = \"mira-cluster/mira\" }\n  }\n}\n" + config
	if err := os.WriteFile(filepath.Join(c.directory, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Run(t, "init")
	return c
}

// NewExampleCLI returns a CLI for files and directories of examples/, which it copies. Their
// rollouts have no soak, and a short grace.
func NewExampleCLI(t *testing.T, s *Sandbox, sources ...string) *CLI {
	t.Helper()
	c := CopyExample(t, s, sources...)
	c.Run(t, "init")
	return c
}

// CopyExample is [NewExampleCLI] for an example that cannot be initialized as it is.
func CopyExample(t *testing.T, s *Sandbox, sources ...string) *CLI {
	t.Helper()
	c := newCLI(t, s)
	for _, source := range sources {
		source = filepath.Join(Root(), "examples", source)
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
	if err := c.shortenWaits(); err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	// waitLine sets in a configuration for how long a rollout waits for nothing to happen.
	waitLine = regexp.MustCompile(`(?m)^(\s*(soak|grace)\s*=).*$`)
	// providerLine begins the provider's configuration.
	providerLine = regexp.MustCompile(`(?m)^provider "mira"`)
)

// shortWaits are what tests have in the place of such periods.
var shortWaits = map[string]string{"soak": `"0s"`, "grace": `"2s"`}

// overrideFile sets the periods of a configuration that does not set them itself.
const overrideFile = "acctest_override.tf"

// shortenWaits makes a configuration wait less for what tests need not see: for pods that stay
// ready or broken. A configuration without the provider's has nothing to override.
func (c *CLI) shortenWaits() error {
	override := filepath.Join(c.directory, overrideFile)
	files, err := filepath.Glob(filepath.Join(c.directory, "*.tf"))
	if err != nil {
		return err
	}
	hasProvider := false
	for _, file := range files {
		if file == override {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		hasProvider = hasProvider || providerLine.Match(text)
		if !waitLine.Match(text) {
			continue
		}
		short := waitLine.ReplaceAllStringFunc(string(text), func(line string) string {
			parts := waitLine.FindStringSubmatch(line)
			return parts[1] + " " + shortWaits[parts[2]]
		})
		if err := os.Remove(override); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return os.WriteFile(file, []byte(short), 0o600)
	}
	if !hasProvider {
		return nil
	}
	text := fmt.Sprintf("provider \"mira\" {\n  rollout = { soak = %s, grace = %s }\n}\n", shortWaits["soak"], shortWaits["grace"])
	return os.WriteFile(override, []byte(text), 0o600)
}

// newCLI returns a CLI in an empty directory. Nothing of the caller's own settings of a
// CLI or a cluster reaches it.
func newCLI(t *testing.T, s *Sandbox) *CLI {
	t.Helper()
	path := cliUnderTest(t)
	mirror, err := buildProvider(os.Getenv(hostVariable))
	if err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(t.TempDir(), "cli.tfrc")
	content := "provider_installation {\n  filesystem_mirror {\n    path = \"" + filepath.ToSlash(mirror) + "\"\n  }\n}\n"
	if err := os.WriteFile(settings, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"TF_CLI_CONFIG_FILE=" + settings, "KUBECONFIG=" + s.Kubeconfig,
		"TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS=-no-color", "CHECKPOINT_DISABLE=1",
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		isCLI := name == "TERRAFORM" || name == "TOFU" // those that make knows; see Script
		if !isCLI && !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "KUBE") {
			env = append(env, variable)
		}
	}
	return &CLI{path: path, directory: t.TempDir(), env: env}
}

// terraformHost is the registry of Terraform, and of a CLI whose registry is not named, as
// terraform-plugin-testing has it.
const terraformHost = "registry.terraform.io"

// providerBuilds has a function for the registry of each CLI that a package of tests runs.
var providerBuilds sync.Map

// buildProvider builds the provider, once for all tests of a package, into a filesystem
// mirror for the registry of a CLI, and returns the mirror's directory.
func buildProvider(host string) (string, error) {
	if host == "" {
		host = terraformHost
	}
	build, _ := providerBuilds.LoadOrStore(host, sync.OnceValues(func() (string, error) { return buildProviderFor(host) }))
	return build.(func() (string, error))()
}

func buildProviderFor(host string) (string, error) {
	return mirror(), build(Root(), "mira-cluster/mira", "0.1.0", host)
}

// mirror returns the directory of the filesystem mirror for the CLIs of tests.
func mirror() string { return filepath.Join(Root(), "bin", "acctest") }

// build builds the provider of a directory into the mirror, under an address.
func build(directory, address, version, host string) error {
	_, name := path.Split(address)
	target := filepath.Join(mirror(), host, filepath.FromSlash(address), version, runtime.GOOS+"_"+runtime.GOARCH,
		"terraform-provider-"+name+"_v"+version)
	build := exec.Command("go", "build", "-o", target, directory)
	build.Dir = Root()
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the provider %s: %w\n%s", address, err, output)
	}
	return nil
}

// BuildHTTPProvider builds the stand-in for the provider hashicorp/http, for the
// configurations of the CLI under test that use it.
func BuildHTTPProvider(t *testing.T) {
	t.Helper()
	host := os.Getenv(hostVariable)
	if host == "" {
		host = terraformHost
	}
	if err := build(filepath.Join(Root(), "internal", "acctest", "httpprovider"), "hashicorp/http", "3.4.0", host); err != nil {
		t.Fatal(err)
	}
}

// command returns a command whose output goes to a buffer.
func (c *CLI) command(t *testing.T, arguments []string) (*exec.Cmd, *bytes.Buffer) {
	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), c.path, append([]string{"-chdir=" + c.directory}, arguments...)...)
	command.Env = c.env
	command.Stdout, command.Stderr = &output, &output
	return command, &output
}

// Run returns the output of a command that must succeed.
func (c *CLI) Run(t *testing.T, arguments ...string) string {
	t.Helper()
	command, output := c.command(t, arguments)
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return output.String()
}

// Fail returns the output of a command that must end with exit code 1.
func (c *CLI) Fail(t *testing.T, arguments ...string) string {
	t.Helper()
	command, output := c.command(t, arguments)
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%s: want exit code 1, got %v:\n%s", strings.Join(arguments, " "), err, output)
	}
	return output.String()
}

// Setenv sets an environment variable for the commands that follow.
func (c *CLI) Setenv(name, value string) {
	c.env = append(c.env, name+"="+value) // the last one of a name counts
}

// Directory is where the commands run, and where the state is.
func (c *CLI) Directory() string { return c.directory }

// Apply applies, and checks that the next plan is empty.
func (c *CLI) Apply(t *testing.T, arguments ...string) string {
	t.Helper()
	output := c.Run(t, append([]string{"apply", "-auto-approve"}, arguments...)...)
	c.Run(t, append([]string{"plan", "-detailed-exitcode"}, arguments...)...)
	return output
}

// Destroy destroys everything in the state.
func (c *CLI) Destroy(t *testing.T) string {
	t.Helper()
	return c.Run(t, "destroy", "-auto-approve")
}

// IsAtLeast reports whether the CLI has a version or a later one.
func (c *CLI) IsAtLeast(t *testing.T, least string) bool {
	t.Helper()
	has, err := cliVersion(c.path)
	if err != nil {
		t.Fatal(err)
	}
	return has.AtLeast(version.MustParseGeneric(least))
}
