package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/filelock"
)

// startAttempts is how often a start is tried when another process took a port
// just before a component listened on it.
const startAttempts = 5

// errStopped is the cause with which a supervisor ends on request.
var errStopped = errors.New("the cluster was asked to stop")

// errAbandoned is the cause with which a supervisor ends whose starter is gone.
var errAbandoned = errors.New("the process that started the cluster is gone")

// supervisor owns the processes of one cluster.
type supervisor struct {
	folder    folder
	spec      *spec
	report    reporter
	state     *State
	processes []*process
	own       *filelock.Lock // the supervisor's alone
	lock      *filelock.Lock // inherited by every component
	changed   chan struct{}  // a component has ended
}

// Supervise is the life of a supervisor process: it reads what to start from
// lifeline, starts it, reports to out, and stays until the cluster is stopped,
// by a signal or by the end of lifeline. Then it removes the cluster's folder.
//
// It locks the calling goroutine to its thread, for components are killed by
// the kernel when that thread ends.
func Supervise(ctx context.Context, lifeline io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Stop(signals)
	go func() {
		for received := range signals {
			// When the starter ends, the report pipe breaks as well, which
			// causes SIGPIPE. The lifeline decides what follows.
			if received != syscall.SIGPIPE && received != syscall.SIGHUP {
				cancel(errStopped)
			}
		}
	}()

	reader := bufio.NewReader(lifeline)
	spec, err := readSpec(reader)
	if err != nil {
		return err
	}
	go func() {
		if !holdLifeline(reader) {
			cancel(errAbandoned)
		}
	}()

	s := &supervisor{
		folder:  folder{name: spec.Name, dir: spec.Dir},
		spec:    spec,
		report:  reporter{out: out},
		changed: make(chan struct{}, 1),
		state: &State{
			Name:       spec.Name,
			Phase:      PhaseStarting,
			Supervisor: os.Getpid(),
			Version:    spec.Version,
			Audit:      spec.Audit,
			Started:    time.Now(),
		},
	}
	return s.supervise(ctx)
}

func (s *supervisor) supervise(ctx context.Context) error {
	// Both locks are held to the end of the process: they show that it lives.
	defer runtime.KeepAlive(s)
	var err error
	if s.own, err = filelock.Acquire(ctx, s.folder.supervisorLock(), nil); err != nil {
		return err
	}
	if s.lock, err = filelock.Acquire(ctx, s.folder.processesLock(), nil); err != nil {
		return err
	}

	err = s.writeState()
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		s.killAll()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if s.spec.KeepFailed && ctx.Err() == nil {
			s.state.Phase, s.state.Failure = PhaseFailed, err.Error()
			err = errors.Join(err, s.writeState())
		} else {
			err = errors.Join(err, s.folder.discard())
		}
		s.report.send(report{Error: newStartFailure(err)})
		return err
	}

	s.state.Phase = PhaseReady
	if err := s.writeState(); err != nil {
		s.killAll()
		return err
	}
	s.report.send(report{Ready: true})

	for ctx.Err() == nil {
		select {
		case <-s.changed:
			if err := s.writeState(); err != nil {
				_, _ = fmt.Fprintln(os.Stderr, err)
			}
		case <-ctx.Done():
		}
	}
	s.state.Phase = PhaseStopping
	err = s.writeState()
	s.killAll()
	return errors.Join(err, s.folder.discard())
}

// start tries until it finds ports that stay free.
func (s *supervisor) start(ctx context.Context) error {
	for _, dir := range []string{s.folder.logs(), s.folder.keys().dir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.folder.keys().write(); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err := s.startOnce(ctx)
		var component *ComponentError
		if err == nil || attempt == startAttempts || !errors.As(err, &component) || !component.portTaken {
			return err
		}
		s.progress("%s found its port taken; starting again with others", component.Component)
		s.killAll()
		if err := os.RemoveAll(s.folder.etcdData()); err != nil {
			return err
		}
	}
}

func (s *supervisor) startOnce(ctx context.Context) error {
	at, err := newAddresses()
	if err != nil {
		return err
	}
	s.processes = nil
	s.state.Server = serverURL(at.apiServer)
	if err := (kubeconfigs{folder: s.folder, server: s.state.Server}).write(); err != nil {
		return err
	}
	components := programs{folder: s.folder, at: at, audit: s.spec.Audit}
	if err := components.writeConfigs(); err != nil {
		return err
	}
	kwok, err := components.kwok()
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it took longer than "+startTimeout.String()))
	defer cancel()
	waves := [][]program{
		{components.etcd()},
		{components.apiServer()},
		// These give up soon if there is no API server to talk to.
		{components.controllerManager(), components.scheduler(), kwok},
	}
	for _, wave := range waves {
		for _, program := range wave {
			if err := s.run(program); err != nil {
				return err
			}
		}
		for _, program := range wave {
			if program.address == "" {
				continue
			}
			if err := s.awaitHealthy(ctx, program); err != nil {
				return err
			}
		}
	}
	return s.setUp(ctx)
}

// run starts one component and has its end noticed.
func (s *supervisor) run(p program) error {
	started, err := startProcess(s.folder, p, s.spec.Binaries[p.name], s.lock.File())
	if err != nil {
		return err
	}
	s.processes = append(s.processes, started)
	go func() {
		<-started.done
		select {
		case s.changed <- struct{}{}:
		default: // all processes are about to be checked anyway
		}
	}()
	return s.writeState()
}

func (s *supervisor) killAll() {
	// Those that talk to others go first, which keeps the logs clean.
	for _, process := range slices.Backward(s.processes) {
		process.kill()
	}
}

func (s *supervisor) writeState() error {
	s.state.Components = s.state.Components[:0]
	for _, process := range s.processes {
		component := ComponentState{Name: process.name, PID: process.cmd.Process.Pid, Address: process.address, Log: process.log}
		select {
		case <-process.done:
			component.Exited = &Exit{Reason: process.reason, Time: process.time}
		default:
		}
		s.state.Components = append(s.state.Components, component)
	}
	return s.state.write(s.folder.state())
}

func (s *supervisor) progress(format string, args ...any) {
	s.report.send(report{Progress: fmt.Sprintf(format, args...)})
}
