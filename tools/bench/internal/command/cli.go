package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

const (
	// stopAfter is how long a CLI may take to end when it is interrupted.
	stopAfter = 30 * time.Second
	// collectTimeout is how long provider processes may outlive their CLI.
	collectTimeout = 30 * time.Second
	// tailLength is how many bytes of a failed command's output an error includes.
	tailLength = 4000
)

// CLI is Terraform or OpenTofu with a provider installed.
type CLI struct {
	path  string
	env   []string
	usage string
}

// New installs a provider in an empty directory, for the CLI at a path.
func New(path, directory string, provider Provider) (*CLI, error) {
	mirror, used := filepath.Join(directory, "mirror"), filepath.Join(directory, "usage")
	if err := provider.mirror(mirror); err != nil {
		return nil, fmt.Errorf("install the provider: %w", err)
	}
	if err := os.Mkdir(used, 0o700); err != nil {
		return nil, err
	}
	configuration := filepath.Join(directory, "cli.tfrc")
	content := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(mirror))
	if err := os.WriteFile(configuration, []byte(content), 0o600); err != nil {
		return nil, err
	}
	env := append(environment(os.Environ()),
		"TF_CLI_CONFIG_FILE="+configuration, "TF_CLI_ARGS=-no-color", "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1",
		usage.DirectoryVariable+"="+used)
	return &CLI{path: path, env: env, usage: used}, nil
}

// environment returns the caller's environment without the variables that change how a
// CLI or a provider behaves.
func environment(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "KUBE") && name != "CLUSTER_DOMAIN" {
			kept = append(kept, variable)
		}
	}
	return kept
}

// Version returns the first line of the CLI's version command.
func (c *CLI) Version(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, c.path, "version")
	command.Env = c.env
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", c.path, err)
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line, nil
}

// Result is the outcome of a command.
type Result struct {
	// Wall is the time from the start of the CLI to its end.
	Wall time.Duration
	// Usage is the usage of the provider's processes.
	Usage usage.Usage
	// Output is what the command wrote.
	Output string
	// ExitCode is 0, or with -detailed-exitcode 2 for a plan with changes.
	ExitCode int
}

// FailedError reports that a CLI has ended with an error.
type FailedError struct {
	// Command is the command that was run.
	Command string
	// ExitCode is the exit code of the CLI.
	ExitCode int
	// Output is the end of the command's output.
	Output string
}

// Error returns the command, its exit code and its output.
func (e *FailedError) Error() string {
	return fmt.Sprintf("%s ended with exit code %d:\n%s", e.Command, e.ExitCode, e.Output)
}

// Workspace is a directory with a configuration and its state.
type Workspace struct {
	cli       *CLI
	directory string
}

// Workspace creates a directory with files, and initializes it.
func (c *CLI) Workspace(ctx context.Context, directory string, files map[string]string) (*Workspace, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, err
	}
	w := &Workspace{cli: c, directory: directory}
	for name, content := range files {
		if err := w.Write(name, content); err != nil {
			return nil, err
		}
	}
	_, err := w.Run(ctx, "init")
	return w, err
}

// Write writes a file of the workspace.
func (w *Workspace) Write(name, content string) error {
	return os.WriteFile(filepath.Join(w.directory, name), []byte(content), 0o600)
}

// Run runs a command of the CLI. The error is a [*FailedError] if the command failed.
// When ctx ends, Run interrupts the CLI and waits until it has ended.
func (w *Workspace) Run(ctx context.Context, arguments ...string) (*Result, error) {
	command := exec.CommandContext(ctx, w.cli.path, arguments...)
	command.Dir = w.directory
	command.Env = w.cli.env
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	// In a process group of its own, the CLI does not see Ctrl-C. It would be a second
	// interrupt, which makes the CLI stop at once.
	command.SysProcAttr = groupAttributes()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = stopAfter

	began := time.Now()
	err := run(command)
	result := &Result{Wall: time.Since(began), Output: output.String(), ExitCode: command.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		// A killed CLI leaves its providers behind.
		if command.Process != nil {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		}
		return nil, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("run %s: %w", w.cli.path, err)
	}
	collectCtx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	if result.Usage, err = usage.Collect(collectCtx, w.cli.usage); err != nil {
		return nil, err
	}
	if result.ExitCode != 0 && result.ExitCode != 2 {
		text := result.Output
		if len(text) > tailLength {
			text = "..." + text[len(text)-tailLength:]
		}
		return nil, &FailedError{Command: filepath.Base(w.cli.path) + " " + strings.Join(arguments, " "), ExitCode: result.ExitCode, Output: text}
	}
	return result, nil
}

// State reads the workspace's state.
func (w *Workspace) State() (*State, error) {
	data, err := os.ReadFile(filepath.Join(w.directory, stateFile))
	if err != nil {
		return nil, err
	}
	return ParseState(data)
}
