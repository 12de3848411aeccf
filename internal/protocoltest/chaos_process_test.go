package protocoltest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// The faults of real processes.
const (
	ctrlC          = "Ctrl-C"
	ctrlCTwice     = "Ctrl-C twice"
	sigkill        = "SIGKILL of the provider"
	sigkillOfTheCL = "SIGKILL of the CLI"
)

// TestChaosProcesses does what [TestChaos] does with a CLI and the provider as processes,
// which get signals. One case in ten of the number that is asked for is one of these.
func TestChaosProcesses(t *testing.T) {
	cases := drawCases(t, newCLIOperator, []string{ctrlC, ctrlCTwice, sigkill, sigkillOfTheCL}, 10)
	runCases(t, cases, func(t *testing.T, c chaosCase) (v verdict, hit, why string) {
		t.Helper()
		f := newChaotic(t, newCLIOperator)
		return c.try(t, f, func(ctx context.Context) error { return c.signal(ctx, f) })
	})
}

// signal runs the operation, and sends the signals at its k-th request.
func (c chaosCase) signal(ctx context.Context, f *chaotic) error {
	operator, _ := f.operator.(*cliOperator)
	var failed error // to send the signal; read after the operation has ended
	send := func(signal os.Signal) {
		if err := operator.running.Load().Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			failed = errors.Join(failed, err)
		}
	}
	var providers []*os.Process
	f.faults.Call(func() {
		var err error
		if providers, err = operator.running.Load().Providers(ctx); err != nil {
			failed = errors.Join(failed, err)
		}
		switch c.fault {
		case ctrlC:
			send(os.Interrupt)
		case ctrlCTwice:
			send(os.Interrupt)
			f.interruptedAt = f.faults.Hit()
			f.faults.Call(func() { send(os.Interrupt) }, 1, nil)
		case sigkill:
			for _, provider := range providers {
				failed = errors.Join(failed, provider.Kill())
			}
		case sigkillOfTheCL:
			send(os.Kill)
		}
	}, c.k, nil)
	err := c.operation.run(ctx, f)
	if failed != nil {
		return fmt.Errorf("sending the signal: %w", failed)
	}
	return errors.Join(err, allEnd(ctx, providers))
}

// allEnd waits until processes have ended that their parent may have left behind.
func allEnd(ctx context.Context, processes []*os.Process) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, acctest.Patience, true, func(context.Context) (bool, error) {
		for _, process := range processes {
			if process.Signal(syscall.Signal(0)) == nil {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("a process of the provider goes on without its CLI: %w", err)
	}
	return nil
}
