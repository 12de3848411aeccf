package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/deathsig"
)

const (
	// parentInterval is how often `run` checks whether the process that
	// started it still lives.
	parentInterval = 250 * time.Millisecond
	// killAfter is how long the command may take to end when `run` has been
	// abandoned.
	killAfter = 10 * time.Second
	// stopAfter bounds the teardown, which takes a second on an idle machine. It
	// leaves time to stop the supervisor and then to kill it.
	stopAfter = 3 * time.Minute
)

// errParentGone is the cause with which `run` ends when its parent is gone.
var errParentGone = errors.New("the process that started this one is gone")

func run(ctx context.Context, a *app, args []string) error {
	set := a.flags("run")
	name := nameFlag(set, fmt.Sprintf("run-%d", os.Getpid()))
	stages, audit := stagesFlag(set), auditFlag(set)
	keep := set.Bool("keep", false, "leave the cluster running when the command has ended")
	if err := a.parse(set, args, true); err != nil {
		return err
	}
	if set.NArg() == 0 {
		return a.misuse(set, "name a command to run, after --")
	}
	target, err := a.cluster(*name)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go watchParent(ctx, os.Getppid(), cancel)

	options, err := startOptions(ctx, a, *stages)
	if err != nil {
		return err
	}
	options.Audit = *audit
	began := time.Now()
	session, err := target.Start(ctx, options)
	if err != nil {
		return fmt.Errorf("start cluster %q: %w", target.Name, err)
	}
	a.progress(fmt.Sprintf("cluster %q is up: Kubernetes %s, ready in %.1f s", target.Name, options.Version, time.Since(began).Seconds()))

	command := exec.Command(set.Arg(0), set.Args()[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = runEnvironment(os.Environ(), clusterVariables(target, *audit), options.Binaries["kubectl"])
	code, runErr := runCommand(ctx, command)

	reportDead(a, target)
	if *keep && !errors.Is(context.Cause(ctx), errParentGone) {
		err = session.Detach()
		a.progress(fmt.Sprintf("cluster %q keeps running; stop it with: localcluster down --name %s", target.Name, target.Name))
	} else {
		// Not ctx: it may have ended, and this is the cleaning up.
		stopCtx, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), stopAfter)
		defer cancelStop()
		err = session.Close()
		_, stopErr := target.Stop(stopCtx, a.progress)
		err = errors.Join(err, stopErr)
	}
	if err := errors.Join(runErr, err); err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// reportDead reports components that did not survive the command, which may be
// why it failed.
func reportDead(a *app, target *cluster.Cluster) {
	if _, err := target.Check(); err != nil {
		a.progress(err.Error())
	}
}

// runCommand runs a command to its end, passing signals on, and returns its exit
// code; like a shell's, it is 128 and the signal's number if one killed it.
func runCommand(ctx context.Context, command *exec.Cmd) (int, error) {
	// If this process is killed, the command is killed too.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command.SysProcAttr = deathsig.Attributes(syscall.SIGKILL)

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	// What came before signals go to the command.
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	// A signal ends ctx too, but the command gets the signal itself then.
	abandoned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errParentGone) {
			close(abandoned)
		}
	})
	defer stop()
	var kill <-chan time.Time
	for {
		select {
		case err := <-ended:
			return exitCode(command, err)
		case received := <-signals:
			if !sentByKeyboard(received) {
				_ = command.Process.Signal(received) // fails only if it has ended
			}
		case <-abandoned:
			abandoned = nil
			_ = command.Process.Signal(syscall.SIGTERM)
			kill = time.After(killAfter)
		case <-kill:
			_ = command.Process.Kill()
		}
	}
}

func exitCode(command *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return command.ProcessState.ExitCode(), nil
}

// sentByKeyboard reports whether the command has received the signal already. The
// terminal sends an interrupt to its whole foreground group, to which both
// processes belong. Passing it on would make it two, and at the second Terraform
// stops without cleaning up.
func sentByKeyboard(received os.Signal) bool {
	if received != syscall.SIGINT && received != syscall.SIGQUIT {
		return false
	}
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false // no terminal, no keyboard
	}
	defer func() { _ = terminal.Close() }()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// watchParent ends ctx when the process that started this one has ended: nothing
// waits for the result any more.
func watchParent(ctx context.Context, parent int, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(parentInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if os.Getppid() != parent {
				cancel(errParentGone)
				return
			}
		}
	}
}
