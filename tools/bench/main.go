// Command bench measures what a fleet costs: the time, requests, memory and bytes
// that plans and applies of many clients take, on a real control plane. See
// README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// errLimits reports that a limit on counts or sizes is broken. The report names the limit.
var errLimits = errors.New("a limit is broken")

func main() { os.Exit(execute()) }

func execute() int {
	// Further signals have no effect: one often comes twice, from the terminal and
	// from the parent process, and cleaning up has a time limit.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	options, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if err := run(ctx, options, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}
