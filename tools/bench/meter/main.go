// Command meter replaces a provider binary. It runs the real provider, which is in the
// same directory, as a child with its own standard streams, passes signals on, and
// records the child's resource usage when it has ended.
//
// It is a small program of its own, because the CLI waits for it and because Linux
// counts the memory of the process that starts another one into the peak of the latter.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "meter:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	directory := os.Getenv(usage.DirectoryVariable)
	if directory == "" {
		return 0, fmt.Errorf("%s is not set: the benchmark installs this program in place of a provider", usage.DirectoryVariable)
	}
	end, err := usage.Begin(directory)
	if err != nil {
		return 0, err
	}

	// If this process is killed, the kernel kills the provider. The kernel ties that to
	// the thread that starts the provider.
	runtime.LockOSThread()
	child := exec.Command(filepath.Join(filepath.Dir(self), usage.RealName), os.Args[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = childAttributes()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := child.Start(); err != nil {
		return 0, errors.Join(err, end(usage.Usage{}))
	}
	go func() {
		for received := range signals {
			_ = child.Process.Signal(received) // fails only if it has ended
		}
	}()
	var exit *exec.ExitError
	if err := child.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, errors.Join(err, end(usage.Usage{}))
	}
	state := child.ProcessState
	used := usage.Usage{CPU: state.UserTime() + state.SystemTime(), PeakMemory: peakMemory(state), Processes: 1}
	return max(state.ExitCode(), 0), end(used)
}

// peakMemory returns the largest resident set of an ended process, in bytes.
func peakMemory(state *os.ProcessState) int64 {
	used, ok := state.SysUsage().(*syscall.Rusage)
	switch {
	case !ok:
		return 0
	case runtime.GOOS == "darwin":
		return int64(used.Maxrss) //nolint:unconvert // an int32 on 32-bit platforms
	default:
		return int64(used.Maxrss) * 1024 //nolint:unconvert // an int32 on 32-bit platforms
	}
}
