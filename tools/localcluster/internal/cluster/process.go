package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/deathsig"
)

// process is a running component.
type process struct {
	program
	log    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	reason string        // how it ended; set before done is closed
	time   time.Time     // when it ended; likewise
}

// startProcess starts a component with its own log, in a cluster's folder. It must be called on the
// thread that lives as long as the supervisor: see package deathsig.
func startProcess(in folder, p program, binary string, lock *os.File) (*process, error) {
	log, err := os.OpenFile(in.log(p.name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary, p.args...)
	cmd.Dir = in.dir
	cmd.Env = environment(in.dir)
	cmd.Stdout, cmd.Stderr = log, log
	// Inheriting the lock marks the process as one of this cluster's.
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = deathsig.Attributes(syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	started := &process{program: p, log: in.log(p.name), cmd: cmd, done: make(chan struct{})}
	go func() {
		err := cmd.Wait()
		started.reason, started.time = "exit status 0", time.Now()
		if err != nil {
			started.reason = err.Error()
		}
		close(started.done)
	}()
	return started, nil
}

// environment is the environment of the components. It has nothing of the user's,
// because etcd takes settings from ETCD_* and kwok reads a file in the home
// directory.
func environment(home string) []string {
	return []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
}

// kill ends the process at once and waits until it is gone. Nothing is lost by
// that: its data are deleted next. Asked politely, kube-apiserver takes up to
// ten seconds.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has ended
	<-p.done
}

// err is the error to report if the process has ended, else nil.
func (p *process) err() error {
	select {
	case <-p.done:
		return newComponentError(p.name, "ended with "+p.reason, p.log)
	default:
		return nil
	}
}
