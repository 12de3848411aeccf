package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFailedStartNamesTheComponentAndLeavesNothing(t *testing.T) {
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t, "demo")
			_, err := cluster.Start(t.Context(), newOptions(t, map[string]string{name: crashes}))
			var component *ComponentError
			if !errors.As(err, &component) {
				t.Fatalf("Start = %v, want a ComponentError", err)
			}
			if component.Component != name || !strings.Contains(component.Reason, "exit status 3") || component.Tail != "boom: I cannot go on" {
				t.Errorf("Start = %+v", component)
			}
			if exists(cluster.folder.dir) {
				t.Error("the data are left")
			}
		})
	}
}

func TestFailedStartCanKeepItsLogs(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	options := newOptions(t, map[string]string{"kube-scheduler": crashes})
	options.KeepFailed = true
	if _, err := cluster.Start(t.Context(), options); err == nil {
		t.Fatal("Start succeeded")
	}
	eventually(t, "no process is left", allGone(processesOf(t, cluster)))
	status, err := cluster.Status(t.Context())
	if err != nil || status.Up() || status.Running {
		t.Fatalf("Status = %+v, %v", status, err)
	}
	for _, want := range []string{"the last start failed", "kube-scheduler", "boom"} {
		if !strings.Contains(status.Summary, want) {
			t.Errorf("%q is missing in %q", want, status.Summary)
		}
	}
	if got := logTail(cluster.folder.log("kube-scheduler"), 1); !strings.Contains(got, "boom") {
		t.Errorf("the log of kube-scheduler ends with %q", got)
	}

	start(t, cluster, newOptions(t, nil)) // cleans up and works
}

func TestStartTriesOtherPortsWhenOneWasTaken(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	options := newOptions(t, map[string]string{"kube-apiserver": losesAPort})
	var messages []string
	options.Progress = func(message string) { messages = append(messages, message) }
	start(t, cluster, options)
	if len(messages) != 1 || !strings.Contains(messages[0], "kube-apiserver found its port taken") {
		t.Errorf("progress = %q", messages)
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error, 1)
	options := newOptions(t, map[string]string{"kube-apiserver": hangs})
	go func() {
		_, err := cluster.Start(ctx, options)
		result <- err
	}()
	var pids []int
	eventually(t, "the API server runs", func() bool {
		state, err := cluster.record().read()
		if err != nil || state == nil || len(state.Components) < 2 {
			return false
		}
		pids = processesOf(t, cluster)
		return true
	})
	cancel(enough)
	if err := <-result; !errors.Is(err, enough) {
		t.Errorf("Start = %v, want %v", err, enough)
	}
	eventually(t, "no process is left", allGone(pids))
	if exists(cluster.folder.dir) {
		t.Error("the data are left")
	}
}

func TestDeadComponentIsReportedAndCuredByAnotherStart(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	session := start(t, cluster, newOptions(t, nil))
	if err := session.Detach(); err != nil {
		t.Fatal(err)
	}
	state, err := cluster.Check()
	if err != nil {
		t.Fatalf("Check of a cluster that is well = %v", err)
	}
	victim := state.Components[3]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var component *ComponentError
	eventually(t, "the death is noticed", func() bool {
		_, err = cluster.Check()
		return errors.As(err, &component)
	})
	if component.Component != victim.Name || !strings.Contains(component.Reason, "killed") {
		t.Errorf("Check = %v, want that %s was killed", err, victim.Name)
	}
	status, err := cluster.Status(t.Context())
	if err != nil || status.Up() || !status.Running || status.Summary != "degraded" {
		t.Errorf("Status = %+v, %v; want degraded", status, err)
	}
	for _, component := range status.Components {
		if (component.Problem != "") != (component.Name == victim.Name) {
			t.Errorf("%s: %q", component.Name, component.Problem)
		}
	}

	old := processesOf(t, cluster)
	start(t, cluster, newOptions(t, nil))
	eventually(t, "no process of the crashed cluster is left", allGone(old))
	if _, err := cluster.Check(); err != nil {
		t.Errorf("Check after another Start = %v", err)
	}
}

func TestKilledSupervisorLeavesNothingBehindAfterTheNextCommand(t *testing.T) {
	for name, next := range map[string]func(t *testing.T, cluster *Cluster){
		"start": func(t *testing.T, cluster *Cluster) { start(t, cluster, newOptions(t, nil)) },
		"stop": func(t *testing.T, cluster *Cluster) {
			if stopped, err := cluster.Stop(t.Context(), nil); err != nil || !stopped {
				t.Errorf("Stop = %v, %v", stopped, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t, "demo")
			start(t, cluster, newOptions(t, nil))
			pids := processesOf(t, cluster)
			if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the supervisor is gone", func() bool {
				state, err := cluster.record().live()
				return err == nil && state == nil
			})
			status, err := cluster.Status(t.Context())
			if err != nil || status.Up() || !strings.Contains(status.Summary, "supervisor was killed") {
				t.Errorf("Status = %+v, %v", status, err)
			}
			trash := filepath.Join(filepath.Dir(cluster.folder.dir), ".demo.trash-1")
			if err := os.Mkdir(trash, 0o700); err != nil {
				t.Fatal(err)
			}
			next(t, cluster)
			if exists(trash) {
				t.Error("what the killed supervisor was discarding is left")
			}
			eventually(t, "no process is left", allGone(pids))
		})
	}
}
