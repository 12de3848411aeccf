package acctest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/dynamic"
)

// GuideShell follows guides as a reader does: in a shell, in a folder of its own, as the
// administrator of a cluster without MIRA, with the CLI under test as `terraform`, and kubectl. What
// a guide leaves (files, the working directory, variables, clients) is there for the next one.
//
// The names are those of the documentation, so that there is one such shell in a cluster at a
// time: a test that has one must not be parallel. Two things differ from what a reader has: an apply
// asks nobody, and rollouts wait less, see [CLI.shortenWaits].
type GuideShell struct {
	*Sandbox // the namespace of the clients
	cli      *CLI
	settings string // a folder for the shell itself, which the guides do not see
	output   string // of the last block
}

// NewGuideShell returns a shell in an empty folder. It clears the cluster of what earlier tests
// have left of MIRA, and does so again at the end of the test.
func NewGuideShell(t *testing.T) *GuideShell {
	t.Helper()
	config := RequireCluster(t)
	if os.Getenv("MIRA_TEST_CLUSTER") != "local" {
		t.Skip("the guides use the namespaces default and controller, and the test clears both: only on a local control plane")
	}
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &GuideShell{Sandbox: newSandbox("default", config, admin), settings: t.TempDir()}
	s.Kubeconfig = os.Getenv("KUBECONFIG")
	s.cli = newCLI(t, s.Sandbox)
	tools := filepath.Join(s.settings, "bin")
	if err := os.Mkdir(tools, 0o700); err != nil {
		t.Fatal(err)
	}
	kubectl, err := kubectlPath()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"terraform": s.cli.path, "kubectl": kubectl} {
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.cli.Setenv("PATH", tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	s.cli.Setenv("KUBECACHEDIR", filepath.Join(s.settings, "cache"))
	for _, command := range []string{"apply", "destroy"} {
		s.cli.Setenv("TF_CLI_ARGS_"+command, "-auto-approve")
	}
	s.Do(t, clearCluster)
	t.Cleanup(func() { s.Do(t, clearCluster) })
	return s
}

// clearCluster deletes what the guides make: their namespaces, and what is named after MIRA in
// that of the clients. It ends when everything is gone.
const clearCluster = `
kubectl delete namespace controller customers-north customers-south --ignore-not-found
kubectl get statefulsets,services,ingresses,roles,rolebindings,persistentvolumeclaims -n default -o name |
  { grep /mira- || true; } | xargs -r kubectl delete -n default
kubectl wait pods -n default -l app=mira --for=delete --timeout=3m
`

// WriteFile writes a file into the folder.
func (s *GuideShell) WriteFile(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.cli.directory, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Follow does what the blocks of a guide say, in their order.
func (s *GuideShell) Follow(t *testing.T, guide string) {
	t.Helper()
	for _, block := range GuideBlocks(t, guide) {
		switch {
		case block.Mark == NotRunMark:
		case block.Mark == FileMark:
			s.WriteFile(t, block.Argument, block.Text)
		case block.Language == "shell":
			s.run(t, block)
		default:
			s.checkOutput(t, block)
		}
	}
}

// session keeps the working directory and the exported variables from one block to the next, and
// ends at the first command that fails.
const session = `set -euo pipefail
if [ -e "$GUIDE_SESSION" ]; then . "$GUIDE_SESSION"; fi
trap '{ export -p; printf "cd %q\n" "$PWD"; } > "$GUIDE_SESSION"' EXIT
. "$GUIDE_BLOCK"
`

// Do runs commands that no guide has, and returns what they print.
func (s *GuideShell) Do(t *testing.T, commands string) string {
	t.Helper()
	output, err := s.bash(t, commands)
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, output)
	}
	return output
}

func (s *GuideShell) bash(t *testing.T, commands string) (string, error) {
	t.Helper()
	if err := s.cli.shortenWaits(); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(s.settings, "block.sh")
	if err := os.WriteFile(script, []byte(commands), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(detached(t), "bash", "-c", session)
	command.Dir = s.cli.directory
	command.Env = append(slices.Clone(s.cli.env), "GUIDE_BLOCK="+script, "GUIDE_SESSION="+filepath.Join(s.settings, "session.sh"))
	output, err := command.CombinedOutput()
	return string(output), err
}

func (s *GuideShell) run(t *testing.T, block Block) {
	t.Helper()
	var err error
	s.output, err = s.bash(t, block.Text)
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Fatalf("%s: %v", block, err)
	case err != nil && block.Mark != FailsMark:
		t.Fatalf("%s: %v\n%s\nprinted\n%s", block, err, block.Text, s.output)
	case err == nil && block.Mark == FailsMark:
		t.Fatalf("%s did not fail (%s):\n%s\nprinted\n%s", block, block.Argument, block.Text, s.output)
	}
}

// checkOutput compares a block with what the last commands printed, however a CLI breaks its lines.
func (s *GuideShell) checkOutput(t *testing.T, block Block) {
	t.Helper()
	rest := s.output
	var part strings.Builder
	check := func() {
		if words := part.String(); strings.TrimSpace(words) != "" {
			at := Message(words).FindStringIndex(rest)
			if at == nil {
				t.Fatalf("%s shows what was not printed:\n%s\nin\n%s", block, words, s.output)
			}
			rest = rest[at[1]:]
		}
		part.Reset()
	}
	for line := range strings.Lines(block.Text) {
		if strings.TrimSpace(line) == "..." {
			check()
			continue
		}
		part.WriteString(line)
	}
	check()
}
