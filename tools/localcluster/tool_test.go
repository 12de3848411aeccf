package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
)

// integrationEnv says that there is time for real clusters: about five minutes, and
// that for building their components the first time.
const integrationEnv = "LOCALCLUSTER_INTEGRATION"

// patience is how long a condition may take to come true on a busy machine.
const patience = 2 * time.Minute

// tool runs the built program and the kubectl that it builds.
type tool struct {
	binary, kubectl string
}

func newTool(t *testing.T) *tool {
	t.Helper()
	if os.Getenv(integrationEnv) == "" {
		t.Skipf("set %s=1 to run real clusters", integrationEnv)
	}
	binary := filepath.Join(t.TempDir(), "localcluster")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	tool := &tool{binary: binary}
	tool.kubectl = strings.TrimSpace(tool.must(t, "path", "kubectl"))
	return tool
}

// call runs the program and returns what it printed and its exit code.
func (l *tool) call(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	command := exec.Command(l.binary, args...)
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), command.ProcessState.ExitCode()
}

// must is call for what has to succeed.
func (l *tool) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := l.call(t, args...)
	if code != 0 {
		t.Fatalf("localcluster %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// up starts a cluster, to be taken down when the test ends, and returns its
// kubeconfig.
func (l *tool) up(t *testing.T, name string, flags ...string) string {
	t.Helper()
	t.Cleanup(func() { l.must(t, "down", "--name", name) })
	out := l.must(t, append([]string{"up", "--name", name}, flags...)...)
	_, rest, found := strings.Cut(out, "kubeconfig  ")
	path, _, _ := strings.Cut(rest, "\n")
	if !found {
		t.Fatalf("up does not say where the kubeconfig is:\n%s", out)
	}
	return path
}

// try runs kubectl.
func (l *tool) try(kubeconfig string, args ...string) (string, error) {
	out, err := exec.Command(l.kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...).CombinedOutput()
	return string(out), err
}

// do is try for what has to succeed.
func (l *tool) do(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	out, err := l.try(kubeconfig, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// await waits until a field has a value.
func (l *tool) await(t *testing.T, kubeconfig, object, path, value string) {
	t.Helper()
	l.do(t, kubeconfig, "wait", object, "--for=jsonpath={"+path+"}="+value, "--timeout="+patience.String())
}

func (l *tool) field(t *testing.T, kubeconfig, object, path string) string {
	t.Helper()
	return l.do(t, kubeconfig, "get", object, "-o", "jsonpath={"+path+"}")
}

// wantFields checks that fields have these values, by path.
func (l *tool) wantFields(t *testing.T, kubeconfig, object string, values map[string]string) {
	t.Helper()
	for path, want := range values {
		if got := l.field(t, kubeconfig, object, path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
}

func stateOf(t *testing.T, kubeconfig string) *cluster.State {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(kubeconfig), "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	state := &cluster.State{}
	if err := json.Unmarshal(data, state); err != nil {
		t.Fatal(err)
	}
	return state
}

func pidsOf(state *cluster.State) []int {
	pids := []int{state.Supervisor}
	for _, component := range state.Components {
		pids = append(pids, component.PID)
	}
	return pids
}

// alive reports whether the process runs; a zombie, which waits for its parent
// to take notice, does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		_, noProc := os.Stat("/proc/self/stat")
		return noProc != nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("still waiting after %s until %s", patience, what)
		case <-ticker.C:
		}
	}
}

// wantGone waits until the processes are gone.
func wantGone(t *testing.T, pids []int) {
	t.Helper()
	eventually(t, "no process is left", func() bool { return !slices.ContainsFunc(pids, alive) })
}

// wantNothingLeft waits until the processes and the folder of a cluster are gone.
func wantNothingLeft(t *testing.T, kubeconfig string, pids []int) {
	t.Helper()
	wantGone(t, pids)
	eventually(t, "the data are gone", func() bool {
		_, err := os.Stat(filepath.Dir(kubeconfig))
		return errors.Is(err, fs.ErrNotExist)
	})
}

func clusterName(t *testing.T) string {
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "TestIntegration"))
	return fmt.Sprintf("test-%.20s-%d", strings.ReplaceAll(name, "/", "-"), os.Getpid())
}
