package acctest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Process is a command of a [CLI] that runs.
type Process struct {
	command *exec.Cmd
	output  *bytes.Buffer
	logPath string
}

// Start starts a command. The provider writes its debug log, for
// [Process.WaitForLog].
func (c *CLI) Start(t *testing.T, arguments ...string) *Process {
	t.Helper()
	p := &Process{logPath: filepath.Join(t.TempDir(), "provider.log")}
	p.command, p.output = c.command(t, arguments)
	p.command.Env = append(slices.Clone(c.env), "TF_LOG_PROVIDER=DEBUG", "TF_LOG_PATH="+p.logPath)
	p.command.WaitDelay = time.Minute
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// WaitForLog waits until the provider has logged a line with all the words. What the
// API server shows is not what the provider has seen: its log is.
func (p *Process) WaitForLog(t *testing.T, words ...string) {
	t.Helper()
	var log []byte
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(context.Context) (bool, error) {
		var err error
		if log, err = os.ReadFile(p.logPath); err != nil && !os.IsNotExist(err) {
			return false, err
		}
		for line := range strings.Lines(string(log)) {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Fatalf("waiting until the provider logs a line with %q: %v\n%s", words, err, log)
	}
}

// Interrupt does what Ctrl-C does.
func (p *Process) Interrupt(t *testing.T) {
	t.Helper()
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// Signal sends the CLI a signal: [os.Interrupt] or [os.Kill]. The error says that the CLI
// has ended.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Providers returns the processes that the CLI has started and that run: its providers.
func (p *Process) Providers(ctx context.Context) ([]*os.Process, error) {
	output, err := exec.CommandContext(ctx, "pgrep", "-P", strconv.Itoa(p.command.Process.Pid)).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return nil, nil // there are none
	}
	if err != nil {
		return nil, err
	}
	var providers []*os.Process
	for id := range strings.FieldsSeq(string(output)) {
		number, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		provider, err := os.FindProcess(number)
		if err != nil {
			return nil, err
		}
		providers = append(providers, provider)
	}
	return providers, nil
}

// Wait waits until the command ends, and returns its output, and an error unless it
// has succeeded.
func (p *Process) Wait() (output string, err error) {
	err = p.command.Wait()
	return p.output.String(), err
}
