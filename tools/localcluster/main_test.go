package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/component"
)

// invoke runs the program in this process.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	app := &app{stdout: &out, stderr: &errOut}
	code = app.main(t.Context(), args)
	return code, out.String(), errOut.String()
}

func TestCommandLine(t *testing.T) {
	t.Setenv(cacheEnv, t.TempDir())
	for name, test := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"without a command":                     {nil, exitUsage, "", "Usage:"},
		"help":                                  {[]string{"help"}, 0, "localcluster up [--name NAME]", ""},
		"help of a command":                     {[]string{"up", "-h"}, 0, "", "usage: localcluster up"},
		"an unknown command":                    {[]string{"start"}, exitUsage, "", `unknown command "start"`},
		"an unknown flag":                       {[]string{"up", "--nodes", "x"}, exitUsage, "", "-nodes"},
		"an argument too many":                  {[]string{"down", "demo"}, exitUsage, "", `unexpected argument "demo"`},
		"a bad name":                            {[]string{"up", "--name", "A/B"}, exitFailed, "", `cluster name "A/B"`},
		"run without a command":                 {[]string{"run", "--"}, exitUsage, "", "name a command to run"},
		"path without a program":                {[]string{"path"}, exitUsage, "", "name at least one of"},
		"path of an unknown program":            {[]string{"path", "docker"}, exitFailed, "", `unknown component "docker"`},
		"status of a cluster that does not run": {[]string{"status"}, exitNotRunning, "cluster \"demo\": not running\n", ""},
		"down of a cluster that does not run":   {[]string{"down"}, 0, "cluster \"demo\" is not running\n", ""},
		"down of all when there is none":        {[]string{"down", "--all"}, 0, "no cluster is running\n", ""},
		"env of a cluster that does not run":    {[]string{"env", "--name", "x"}, exitFailed, "", "localcluster up --name x"},
		"kubeconfig of nobody":                  {[]string{"kubeconfig", "--namespace", "a"}, exitUsage, "", "--serviceaccount are required"},
		"kubeconfig in a cluster that is not run": {
			[]string{"kubeconfig", "--namespace", "a", "--serviceaccount", "b"}, exitFailed, "", `cluster "demo" is not running`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := invoke(t, test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d, %q, %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
			if test.stdout == "" && stdout != "" {
				t.Errorf("stdout = %q, want nothing", stdout)
			}
		})
	}
}

func TestUnknownMinorIsRefused(t *testing.T) {
	t.Setenv(cacheEnv, t.TempDir())
	t.Setenv(component.MinorEnv, "1.2")
	for _, args := range [][]string{{"up"}, {"run", "--", "true"}, {"build"}, {"path", "kubectl"}} {
		t.Run(args[0], func(t *testing.T) {
			code, stdout, stderr := invoke(t, args...)
			const want = "KUBERNETES=1.2 is not a minor version of Kubernetes that can be built here: known are 1.36, 1.37"
			if code != exitFailed || stdout != "" || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", code, stdout, stderr, exitFailed, want)
			}
		})
	}
}

func TestRunningClusterMustBeAsAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		state cluster.State
		minor string
		audit bool
		want  string
	}{
		"nothing is asked for": {cluster.State{Version: "v1.37.2"}, "", false, ""},
		"the minor version":    {cluster.State{Version: "v1.37.2"}, "1.37", false, ""},
		"another minor version": {
			cluster.State{Version: "v1.36.3"}, "1.37", false, `cluster "demo" runs Kubernetes v1.36.3, but KUBERNETES=1.37`,
		},
		"an audit log":            {cluster.State{Audit: true}, "", true, ""},
		"a missing audit log":     {cluster.State{}, "", true, `cluster "demo" runs without an audit log`},
		"an audit log not needed": {cluster.State{Audit: true}, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.state.Name = "demo"
			err := checkRunning(&test.state, test.minor, test.audit)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
}

func TestShellQuote(t *testing.T) {
	for name, word := range map[string]string{
		"nothing": "", "a word": "plain", "a space": "with space", "a quote": "it's", "quotes alone": "''",
		"what a shell expands": `"$HOME" \ ` + "`id`", "two lines": "a\nb",
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(word)).Output()
			if err != nil || string(out) != word {
				t.Errorf("the shell reads %q as %q, %v", shellQuote(word), out, err)
			}
		})
	}
}

func TestClusterVariables(t *testing.T) {
	target, err := cluster.NewStore("/clusters").Cluster("demo")
	if err != nil {
		t.Fatal(err)
	}
	always := []variable{{"KUBECONFIG", "/clusters/demo/kubeconfig"}, {"MIRA_TEST_CLUSTER", "local"}}
	if got := clusterVariables(target, false); !slices.Equal(got, always) {
		t.Errorf("variables = %q, want %q", got, always)
	}
	want := append(slices.Clone(always), variable{"MIRA_TEST_AUDIT_LOG", "/clusters/demo/logs/audit.log"})
	if got := clusterVariables(target, true); !slices.Equal(got, want) {
		t.Errorf("variables with an audit log = %q, want %q", got, want)
	}
}

func TestRunEnvironment(t *testing.T) {
	variables := []variable{{"KUBECONFIG", "/new"}, {"MIRA_TEST_CLUSTER", "local"}}
	for name, test := range map[string]struct {
		environ, want []string
	}{
		"sets the variables": {
			[]string{"HOME=/h", "PATH=/a:/b"},
			[]string{"HOME=/h", "PATH=/tools:/a:/b", "KUBECONFIG=/new", "MIRA_TEST_CLUSTER=local"},
		},
		"replaces those that are set": {
			[]string{"KUBECONFIG=/old", "PATH=/a", "MIRA_TEST_CLUSTER=kind"},
			[]string{"PATH=/tools:/a", "KUBECONFIG=/new", "MIRA_TEST_CLUSTER=local"},
		},
		"drops what would win over KUBECONFIG": {
			[]string{"KUBE_HOST=https://production", "KUBE_CONFIG_PATH=/p", "PATH=/a", "KUBERNETES_X=1"},
			[]string{"KUBERNETES_X=1", "PATH=/tools:/a", "KUBECONFIG=/new", "MIRA_TEST_CLUSTER=local"},
		},
		"makes a PATH where there is none": {
			nil,
			[]string{"PATH=/tools", "KUBECONFIG=/new", "MIRA_TEST_CLUSTER=local"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := runEnvironment(test.environ, variables, "/tools/kubectl"); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRunCommandReturnsTheExitCode(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   int
	}{
		"of success":              {"exit 0", 0},
		"of failure":              {"exit 7", 7},
		"of a signal, as a shell": {"kill -TERM $$", 128 + int(syscall.SIGTERM)},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := runCommand(t.Context(), exec.Command("sh", "-c", test.script))
			if err != nil || code != test.want {
				t.Errorf("exit code = %d, %v; want %d", code, err, test.want)
			}
		})
	}
	if _, err := runCommand(t.Context(), exec.Command(filepath.Join(t.TempDir(), "absent"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a command that does not exist: %v", err)
	}
}

// startedCommand is a shell that says when it has set its traps.
func startedCommand(t *testing.T, script string) (*exec.Cmd, func()) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) })
	command := exec.Command("sh", "-c", script)
	command.Stdout = writer
	return command, func() {
		if _, err := reader.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	}
}

func TestRunCommandPassesSignalsOn(t *testing.T) {
	// The shell waits for its child in the background, since it acts on a
	// signal only between two commands.
	command, awaitStart := startedCommand(t, `trap 'kill $!; exit 9' USR1; sleep 600 & echo; wait`)
	go func() {
		awaitStart()
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Error(err)
		}
	}()
	code, err := runCommand(t.Context(), command)
	if err != nil || code != 9 {
		t.Errorf("exit code = %d, %v; want 9 from the trap", code, err)
	}
}

func TestRunCommandEndsTheCommandWhenItsParentIsGone(t *testing.T) {
	command, awaitStart := startedCommand(t, `trap 'kill $!; exit 8' TERM; sleep 600 & echo; wait`)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		awaitStart()
		cancel(errParentGone)
	}()
	code, err := runCommand(ctx, command)
	if err != nil || code != 8 {
		t.Errorf("exit code = %d, %v; want 8 from the trap", code, err)
	}
}

func TestRunCommandDoesNotStartAfterASignal(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	if _, err := runCommand(ctx, exec.Command("touch", mark)); !errors.Is(err, interrupted) {
		t.Errorf("error = %v, want %v", err, interrupted)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command has run")
	}
}
