// Command localcluster runs throw-away Kubernetes control planes for tests and
// demonstrations: stock components, built from their Go modules, as ordinary
// processes on loopback, with simulated nodes. It needs no container engine and
// no root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/component"
)

// cacheEnv names the environment variable that moves binaries and clusters to
// another folder.
const cacheEnv = "MIRA_LOCALCLUSTER_CACHE"

// Exit codes. `run` ends with that of its command.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3 // of status, as of init scripts
)

// exitError ends the program with a code. Its message has been printed already.
type exitError struct {
	code int
}

// Error implements error.
func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// command is one word of the command line.
type command struct {
	name    string
	usage   string
	summary string
	run     func(ctx context.Context, app *app, args []string) error
}

// supervise is the argument with which `up` and `run` start this program again.
// It is not for users.
const supervise = "supervise"

// commands lists all commands, in the order in which a newcomer needs them.
func commands() []command {
	return []command{
		{
			"up", "[--name NAME] [--stages DIR]... [--audit]",
			"start a cluster that runs until `down`; does nothing if it runs", up,
		},
		{
			"down", "[--name NAME | --all]",
			"stop a cluster and remove its data", down,
		},
		{
			"status", "[--name NAME]",
			"show the health of its components; exits 0 if all are healthy, 3 if it is not running, else 1", status,
		},
		{
			"env", "[--name NAME]",
			"print shell commands that point tools and tests at the cluster", env,
		},
		{
			"run", "[--name NAME] [--stages DIR]... [--audit] [--keep] -- COMMAND [ARGUMENT]...",
			"run a command with a cluster of its own, and end with its exit code", run,
		},
		{
			"kubeconfig", "--namespace NS --serviceaccount SA [--name NAME] [--duration 24h] [--out FILE]",
			"write a kubeconfig with a token of a ServiceAccount, and print its path", kubeconfig,
		},
		{
			"build", "[COMPONENT]...",
			"build ahead of time (default: all that a cluster needs)", build,
		},
		{
			"path", "COMPONENT...",
			"print where programs are, building them if need be", path,
		},
	}
}

// app is what all commands share.
type app struct {
	stdout, stderr io.Writer
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == supervise {
		if err := cluster.Supervise(context.Background(), os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	app := &app{stdout: os.Stdout, stderr: os.Stderr}
	code := app.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// main runs one command and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		a.help(a.stderr)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		a.help(a.stdout)
		return 0
	}
	for _, command := range commands() {
		if command.name != args[0] {
			continue
		}
		err := command.run(ctx, a, args[1:])
		var exit *exitError
		switch {
		case err == nil || errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, &exit):
			return exit.code
		default:
			_, _ = fmt.Fprintf(a.stderr, "localcluster %s: %v\n", command.name, err)
			return exitFailed
		}
	}
	_, _ = fmt.Fprintf(a.stderr, "localcluster: unknown command %q\n\n", args[0])
	a.help(a.stderr)
	return exitUsage
}

func (a *app) help(out io.Writer) {
	_, _ = fmt.Fprintln(out, "localcluster runs Kubernetes control planes as processes on this machine.\n\nUsage:")
	for _, command := range commands() {
		_, _ = fmt.Fprintf(out, "  localcluster %s %s\n        %s\n", command.name, command.usage, command.summary)
	}
	_, _ = fmt.Fprintf(out, "\n%s chooses the minor version of Kubernetes (default %s).\n", component.MinorEnv, component.DefaultMinor)
}

// flags prepares the flags of a command.
func (a *app) flags(name string) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(a.stderr)
	set.Usage = func() {
		for _, command := range commands() {
			if command.name == name {
				_, _ = fmt.Fprintf(a.stderr, "usage: localcluster %s %s\n", name, command.usage)
			}
		}
		set.PrintDefaults()
	}
	return set
}

// parse parses flags and refuses arguments that the command does not take.
func (a *app) parse(set *flag.FlagSet, args []string, takesArguments bool) error {
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &exitError{code: exitUsage}
	}
	if !takesArguments && set.NArg() > 0 {
		return a.misuse(set, fmt.Sprintf("unexpected argument %q", set.Arg(0)))
	}
	return nil
}

func (a *app) misuse(set *flag.FlagSet, message string) error {
	_, _ = fmt.Fprintf(a.stderr, "localcluster %s: %s\n", set.Name(), message)
	set.Usage()
	return &exitError{code: exitUsage}
}

func (a *app) progress(message string) { _, _ = fmt.Fprintln(a.stderr, message) }

func cacheDir() (string, error) {
	if dir := os.Getenv(cacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; or set %s", err, cacheEnv)
	}
	return filepath.Join(dir, "mira-localcluster"), nil
}

// cluster returns the cluster of that name.
func (a *app) cluster(name string) (*cluster.Cluster, error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	return store.Cluster(name)
}

func (a *app) store() (*cluster.Store, error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return cluster.NewStore(filepath.Join(dir, "clusters")), nil
}

// builder returns what builds the components of this checkout.
func (a *app) builder() (*component.Builder, component.Source, error) {
	source, err := component.FindSource()
	if err != nil {
		return nil, "", err
	}
	minor, err := source.Minor(os.Getenv(component.MinorEnv))
	if err != nil {
		return nil, "", err
	}
	dir, err := cacheDir()
	if err != nil {
		return nil, "", err
	}
	// A user at a terminal wants to see progress; a log is to stay short.
	interval := 30 * time.Second
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		interval = 10 * time.Second
	}
	progress := component.NewProgress(a.stderr, interval)
	return component.NewBuilder(source, minor, filepath.Join(dir, "bin"), progress), source, nil
}
