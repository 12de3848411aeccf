package acctest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ScriptResult is how a script has ended.
type ScriptResult struct {
	Output string // of both streams
	Code   int    // -1 if a signal has ended it
}

// Script runs a shell script in the directory of a CLI, with the environment of its
// commands. TERRAFORM names the CLI; `terraform`, `tofu` and `kubectl` are on PATH, and
// what [CLI.Tool] has put there.
func (c *CLI) Script(t *testing.T, arguments ...string) ScriptResult {
	t.Helper()
	c.makeTools(t)
	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
	command.Dir = c.directory
	command.Env = append([]string{"TERRAFORM=" + c.path}, c.env...)
	command.Env = append(command.Env, "PATH="+c.tools+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECACHEDIR="+c.tools)
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%s: %v", strings.Join(arguments, " "), err)
	}
	return ScriptResult{Output: output.String(), Code: command.ProcessState.ExitCode()}
}

// WantScript runs a script that must end with an exit code, and returns its output.
func (c *CLI) WantScript(t *testing.T, code int, arguments ...string) string {
	t.Helper()
	result := c.Script(t, arguments...)
	if result.Code != code {
		t.Fatalf("%s: exit code %d instead of %d\n%s", strings.Join(arguments, " "), result.Code, code, result.Output)
	}
	return result.Output
}

// Tool puts a program on the PATH of the scripts, before those of the same name. The text
// is that of a shell script, in which $REAL is the path of the kubectl that it may stand
// before.
func (c *CLI) Tool(t *testing.T, name, text string) {
	t.Helper()
	c.makeTools(t)
	kubectl, err := kubectlPath()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.tools, name)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text = "#!/usr/bin/env bash\nREAL='" + kubectl + "'\n" + text
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// makeTools makes the folder with links to kubectl and to the CLI, under both its names.
func (c *CLI) makeTools(t *testing.T) {
	t.Helper()
	if c.tools != "" {
		return
	}
	kubectl, err := kubectlPath()
	if err != nil {
		t.Fatal(err)
	}
	c.tools = t.TempDir()
	for name, target := range map[string]string{"kubectl": kubectl, "terraform": c.path, "tofu": c.path} {
		if err := os.Symlink(target, filepath.Join(c.tools, name)); err != nil {
			t.Fatal(err)
		}
	}
}
