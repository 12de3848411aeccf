package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/filelock"
)

// stopTimeout is how long a supervisor may take to stop before it is killed.
// Stopping takes moments on an idle machine.
const stopTimeout = time.Minute

// Cluster is one local control plane.
type Cluster struct {
	// Name is unique in the store.
	Name string

	folder folder
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.folder.kubeconfig() }

// AuditLog is the path of the API server's audit log, if it writes one: a line
// of JSON for every request that has been answered, without the bodies.
func (c *Cluster) AuditLog() string { return c.folder.auditLog() }

func (c *Cluster) record() record { return record{folder: c.folder} }

// StartOptions say what to start and how.
type StartOptions struct {
	// Supervisor is the command that runs Supervise: an executable and its
	// arguments.
	Supervisor []string
	// Binaries are the paths of the programs by name.
	Binaries map[string]string
	// Version is that of Kubernetes, for display.
	Version string
	// Stages are the folders of the stages that kwok plays.
	Stages []string
	// KeepFailed leaves the folder behind, with its logs, when the start
	// fails.
	KeepFailed bool
	// Audit has the API server write down every request: see Cluster.AuditLog.
	Audit bool
	// Progress is told what happens; it may be nil.
	Progress func(message string)
}

// Session is the tie between a running cluster and the process that started
// it. The cluster is stopped when that process ends without having called
// Detach.
type Session struct {
	lifeline io.WriteCloser
}

// Close has the supervisor stop the cluster; Cluster.Stop waits for that.
func (s *Session) Close() error { return s.lifeline.Close() }

// Detach lets the cluster live on when this process ends.
func (s *Session) Detach() error {
	_, err := io.WriteString(s.lifeline, detachWord)
	return errors.Join(err, s.lifeline.Close())
}

// Start starts the cluster and returns when it is ready. What a crashed cluster
// left behind is cleaned up first. It returns a *RunningError if the cluster
// runs and all its components live, and a *ComponentError if one of them did
// not come up. When ctx ends, so does the start, and nothing is left running.
func (c *Cluster) Start(ctx context.Context, options StartOptions) (*Session, error) {
	if options.Progress == nil {
		options.Progress = func(string) {}
	}
	lock, err := c.lockOperation(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Remove() }()

	state, err := c.record().settled(ctx)
	if err != nil {
		return nil, err
	}
	if state != nil {
		dead := state.dead()
		if dead == nil {
			return nil, &RunningError{Name: c.Name, Version: state.Version}
		}
		options.Progress(fmt.Sprintf("%s of cluster %q has ended (%s): starting the cluster again", dead.Name, c.Name, dead.Exited.Reason))
	}
	if err := c.clear(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.folder.logs(), 0o700); err != nil {
		return nil, err
	}
	if err := copyStages(c.folder.stages(), options.Stages); err != nil {
		return nil, errors.Join(err, c.folder.discard())
	}
	return c.spawn(ctx, options)
}

// spawn starts the supervisor and follows its reports until the cluster is
// ready or the start has failed.
func (c *Cluster) spawn(ctx context.Context, options StartOptions) (*Session, error) {
	log, err := os.OpenFile(c.folder.log("supervisor"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()

	// Not tied to ctx: the supervisor ends in its own time, after cleaning up.
	cmd := exec.Command(options.Supervisor[0], options.Supervisor[1:]...)
	cmd.Dir = c.folder.dir
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	reports, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the supervisor: %w", err), c.folder.discard())
	}
	stop := context.AfterFunc(ctx, func() { _ = lifeline.Close() })
	defer stop()

	line, err := json.Marshal(spec{
		Name: c.Name, Dir: c.folder.dir, Version: options.Version, Binaries: options.Binaries, KeepFailed: options.KeepFailed,
		Audit: options.Audit,
	})
	if err != nil {
		return nil, err
	}
	_, writeErr := lifeline.Write(append(line, '\n'))
	err = follow(reports, options.Progress)
	if err == nil && stop() {
		// This collects the supervisor in the end, and keeps the lifeline from
		// being collected as garbage, which would close it.
		go func() { _ = cmd.Wait() }()
		return &Session{lifeline: lifeline}, nil
	}
	_ = lifeline.Close()
	_ = cmd.Wait() // how it ended is in its report, or in its log
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.Join(newComponentError("supervisor", "ended without a report", c.folder.log("supervisor")), writeErr, c.folder.discard())
	}
	return nil, err
}

// follow reads reports until the last.
func follow(reports io.Reader, progress func(string)) error {
	scanner := bufio.NewScanner(reports)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var message report
		if err := json.Unmarshal(scanner.Bytes(), &message); err != nil {
			return fmt.Errorf("read the supervisor's report: %w", err)
		}
		switch {
		case message.Ready:
			return nil
		case message.Error != nil:
			return message.Error.err()
		case message.Progress != "":
			progress(message.Progress)
		}
	}
	return errors.Join(scanner.Err(), io.ErrUnexpectedEOF)
}

// Stop stops the cluster, waits until its last process is gone, and removes its
// data. It returns false if there was nothing to stop or remove.
func (c *Cluster) Stop(ctx context.Context, progress func(string)) (bool, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if _, err := os.Stat(c.folder.dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock, err := c.lockOperation(ctx, progress)
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Remove() }()
	return true, c.clear(ctx)
}

// lockOperation keeps other processes from starting or stopping the cluster.
func (c *Cluster) lockOperation(ctx context.Context, progress func(string)) (*filelock.Lock, error) {
	if err := os.MkdirAll(filepath.Dir(c.folder.dir), 0o700); err != nil {
		return nil, err
	}
	return filelock.Acquire(ctx, c.folder.operationLock(), func() {
		progress(fmt.Sprintf("waiting for another process that starts or stops cluster %q", c.Name))
	})
}

// clear ends whatever runs and removes the folder.
func (c *Cluster) clear(ctx context.Context) error {
	state, err := c.record().read()
	if err != nil {
		return err
	}
	err = c.signal(ctx, state, syscall.SIGTERM, c.folder.supervisorLock(), false)
	if err != nil && ctx.Err() == nil {
		err = c.signal(ctx, state, syscall.SIGKILL, c.folder.supervisorLock(), false)
	}
	if err != nil {
		return err
	}
	// Components that outlived a killed supervisor, where the kernel lets them.
	if err := c.signal(ctx, state, syscall.SIGKILL, c.folder.processesLock(), true); err != nil {
		return err
	}
	return errors.Join(c.folder.discard(), c.folder.emptyTrash())
}

// signal sends a signal to the supervisor or to its process group if the lock
// shows that it lives, and waits until it does not.
func (c *Cluster) signal(ctx context.Context, state *State, sig syscall.Signal, lock string, group bool) error {
	held, err := filelock.Held(lock)
	if err != nil || !held {
		return err
	}
	if state == nil || state.Supervisor <= 1 {
		return fmt.Errorf("cluster %q is locked (%s), but which process does it is not known: end that process and try again", c.Name, lock)
	}
	target := state.Supervisor
	if group {
		// The group exists as long as one of its processes does, and one of
		// them holds the lock, so the number cannot belong to another process.
		target = -target
	}
	if err := syscall.Kill(target, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop cluster %q: %w", c.Name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stopTimeout, fmt.Errorf("they did not end within %s", stopTimeout))
	defer cancel()
	return filelock.WaitReleased(ctx, lock)
}
