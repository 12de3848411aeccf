package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition may take to come true on a busy machine.
const patience = 60 * time.Second

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("still waiting after %s until %s", patience, what)
		case <-ticker.C:
		}
	}
}

// alive reports whether the process runs; a zombie, which waits for its parent
// to take notice, does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) || !exists("/proc/self/stat")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func newCluster(t *testing.T, name string) *Cluster {
	t.Helper()
	cluster, err := NewStore(t.TempDir()).Cluster(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := cluster.Stop(context.WithoutCancel(t.Context()), nil); err != nil {
			t.Errorf("stop in the end: %v", err)
		}
	})
	return cluster
}

func newOptions(t *testing.T, flaws map[string]string) StartOptions {
	t.Helper()
	options, err := fakeOptions(fakeBinaries(t, flaws))
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func start(t *testing.T, cluster *Cluster, options StartOptions) *Session {
	t.Helper()
	session, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	runtime.GC() // a session without references must not close itself
	return session
}

// processesOf lists the supervisor and the components.
func processesOf(t *testing.T, cluster *Cluster) []int {
	t.Helper()
	state, err := cluster.record().read()
	if err != nil || state == nil {
		t.Fatalf("state: %v, %v", state, err)
	}
	pids := []int{state.Supervisor}
	for _, component := range state.Components {
		pids = append(pids, component.PID)
	}
	return pids
}

func allGone(pids []int) func() bool {
	return func() bool { return !slices.ContainsFunc(pids, alive) }
}

func TestClusterRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	session := start(t, cluster, newOptions(t, nil))
	if err := session.Detach(); err != nil {
		t.Fatal(err)
	}

	status, err := cluster.Status(t.Context())
	if err != nil || !status.Up() || status.Summary != "up" {
		t.Fatalf("Status = %+v, %v; want up", status, err)
	}
	var names []string
	for _, component := range status.Components {
		names = append(names, component.Name)
	}
	if got, want := strings.Join(names, " "), "etcd kube-apiserver kube-controller-manager kube-scheduler kwok"; got != want {
		t.Errorf("components = %s, want %s", got, want)
	}

	_, err = cluster.Start(t.Context(), newOptions(t, nil))
	var running *RunningError
	if !errors.As(err, &running) || running.Version != "v1.2.3" {
		t.Errorf("second Start = %v, want a RunningError with the version", err)
	}

	pids := processesOf(t, cluster)
	stopped, err := cluster.Stop(t.Context(), nil)
	if err != nil || !stopped {
		t.Errorf("Stop = %v, %v; want true", stopped, err)
	}
	eventually(t, "no process is left", allGone(pids))
	if entries, err := os.ReadDir(filepath.Dir(cluster.folder.dir)); err != nil || len(entries) > 0 {
		t.Errorf("after Stop, files are left: %v, %v", entries, err)
	}
	stopped, err = cluster.Stop(t.Context(), nil)
	if err != nil || stopped {
		t.Errorf("second Stop = %v, %v; want false", stopped, err)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	start(t, cluster, newOptions(t, nil))
	path, err := cluster.ServiceAccountKubeconfig(t.Context(), "default", "reader", time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(cluster.folder.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		seen[path] = true
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := cluster.folder.keys()
	for _, file := range []string{cluster.Kubeconfig(), keys.path("admin.key"), keys.path("service-accounts.key"), path} {
		if !seen[file] {
			t.Errorf("%s is missing", file)
		}
	}
	if entries, _ := filepath.Glob(keys.path("*ca.key")); entries != nil {
		t.Errorf("keys of authorities lie on disk: %v", entries)
	}
}

func TestStagesOfLaterFoldersTakePrecedence(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "stages")
	if err := copyStages(dir, []string{"testdata/stages", "testdata/override"}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"pod.yaml": "takes the place", "node.yaml": "further", "pod.log": "of the pod"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s = %q, %v; want the one that %q", file, data, err, want)
		}
	}
	if err := copyStages(dir, []string{t.TempDir()}); err == nil {
		t.Error("a folder without stages is accepted")
	}
}

func TestAuditLogIsWrittenOnRequest(t *testing.T) {
	t.Parallel()
	for name, audit := range map[string]bool{"requested": true, "not requested": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t, "demo")
			options := newOptions(t, nil)
			options.Audit = audit
			start(t, cluster, options)
			state, err := cluster.Check()
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Join(programs{folder: cluster.folder, audit: state.Audit}.apiServer().args, " ")
			if state.Audit != audit || strings.Contains(args, "--audit-log-path="+cluster.AuditLog()) != audit {
				t.Errorf("the state says %v, arguments are %s", state.Audit, args)
			}
		})
	}
}

func TestClusterEndsWithItsSession(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	session := start(t, cluster, newOptions(t, nil))
	pids := processesOf(t, cluster)
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no process is left", allGone(pids))
	if exists(cluster.folder.dir) {
		t.Error("the data are left")
	}
}

func TestClusterEndsWhenItsStarterIsKilled(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	starter := exec.Command(self, "start", store, fakeBinaries(t, nil))
	starter.Stderr = os.Stderr
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatalf("the starter says %q, %v", line, err)
	}
	cluster, err := NewStore(store).Cluster("orphan")
	if err != nil {
		t.Fatal(err)
	}
	pids := processesOf(t, cluster)

	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait() // "signal: killed"
	eventually(t, "no process is left", allGone(pids))
	eventually(t, "the data are gone", func() bool { return !exists(cluster.folder.dir) })
}

func TestOfTwoConcurrentStartsOneWins(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	options := newOptions(t, nil)
	var wait sync.WaitGroup
	results := make([]error, 2)
	sessions := make([]*Session, 2)
	for i := range results {
		wait.Go(func() { sessions[i], results[i] = cluster.Start(t.Context(), options) })
	}
	wait.Wait()
	var running *RunningError
	if (results[0] == nil) == (results[1] == nil) || !errors.As(errors.Join(results...), &running) {
		t.Errorf("results = %v; want one success and one RunningError", results)
	}
	for _, session := range sessions {
		if session != nil {
			if err := session.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestClustersRunSideBySide(t *testing.T) {
	t.Parallel()
	store := NewStore(t.TempDir())
	servers := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		cluster, err := store.Cluster(name)
		if err != nil {
			t.Fatal(err)
		}
		start(t, cluster, newOptions(t, nil))
		state, err := cluster.Check()
		if err != nil {
			t.Fatal(err)
		}
		servers[state.Server] = true
	}
	clusters, err := store.List()
	if err != nil || len(clusters) != 2 || len(servers) != 2 {
		t.Fatalf("List = %v, %v; servers = %v", clusters, err, servers)
	}
	for _, cluster := range clusters {
		if _, err := cluster.Stop(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if clusters, err := store.List(); err != nil || len(clusters) != 0 {
		t.Errorf("List after stopping all = %v, %v", clusters, err)
	}
}

func TestNamesOfClusters(t *testing.T) {
	t.Parallel()
	store := NewStore(t.TempDir())
	for _, test := range []struct {
		what, name string
		valid      bool
	}{
		{"a word", "demo", true},
		{"a hyphen and digits", "run-123", true},
		{"one letter", "a", true},
		{"the longest", strings.Repeat("x", 40), true},
		{"nothing", "", false},
		{"upper case", "Demo", false},
		{"a hyphen first", "-a", false},
		{"a hyphen last", "a-", false},
		{"a slash", "a/b", false},
		{"the folder above", "..", false},
		{"a dot", "a.b", false},
		{"too long", strings.Repeat("x", 41), false},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			_, err := store.Cluster(test.name)
			var invalid *NameError
			if test.valid && err != nil || !test.valid && !errors.As(err, &invalid) {
				t.Errorf("Cluster(%q) = %v, want valid: %v", test.name, err, test.valid)
			}
		})
	}
}
