package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/audit"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/command"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/proxy"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/testbed"
)

const (
	// drainTimeout is how long connections may stay open when the provider has
	// ended.
	drainTimeout = 30 * time.Second
	// cleanTimeout is how long cleaning up may take when a run is interrupted.
	cleanTimeout = 30 * time.Second
	// domain is the cluster domain of all clients.
	domain = "mira.example"
)

// bench is a run of the benchmark.
type bench struct {
	options   *options
	out       io.Writer
	directory string
	cli       *command.CLI
	cluster   *testbed.Cluster
	proxy     *proxy.Proxy
	template  string

	phases   []*report.Phase
	verdicts []report.Verdict
	fleets   []*fleet // those that are complete
	began    time.Time
}

// run measures everything that the options ask for, and prints it.
func run(ctx context.Context, o *options, out io.Writer) error {
	directory, err := os.MkdirTemp("", "mira-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	b := &bench{options: o, out: out, directory: directory, began: time.Now()}
	template, err := os.ReadFile(o.template)
	if err != nil {
		return err
	}
	b.template = string(template)
	provider := command.Provider{Binary: o.provider, Meter: o.meter, Source: o.source, Version: o.version}
	if b.cli, err = command.New(o.cli, directory, provider); err != nil {
		return err
	}
	if b.cluster, err = testbed.Connect(o.kubeconfig, o.auditLog); err != nil {
		return err
	}
	if b.proxy, err = proxy.Start(ctx, b.cluster.Address()); err != nil {
		return err
	}
	defer func() { _ = b.proxy.Close() }()

	settings, err := b.settings(ctx)
	if err != nil {
		return err
	}
	for _, setting := range settings {
		b.printf("%-12s %s\n", setting.Key, setting.Value)
	}
	measureErr := b.measureAll(ctx)
	// An error does not hide what was measured before it.
	if len(b.verdicts) > 0 {
		b.printf("\nLimits; those on time depend on the machine and do not fail a run\n\n")
	}
	passed, err := report.Verdicts(out, b.verdicts)
	err = errors.Join(measureErr, err, b.writeBenchmarks(settings))
	b.printf("\n%s after the start\n", time.Since(b.began).Round(time.Second))
	if err == nil && !passed {
		return errLimits
	}
	return err
}

func (b *bench) measureAll(ctx context.Context) error {
	for _, clients := range b.options.sizes {
		if err := b.measureFleet(ctx, clients); err != nil {
			return fmt.Errorf("%d clients: %w", clients, err)
		}
	}
	if b.options.isOwn() {
		b.verdicts = append(b.verdicts, growth(b.fleets)...)
	}
	if b.options.background > 0 {
		if err := b.measureFew(ctx); err != nil {
			return fmt.Errorf("few clients beside many: %w", err)
		}
	}
	if b.options.roundTrips > 0 {
		if err := b.measureRoundTrips(ctx); err != nil {
			return fmt.Errorf("round trips: %w", err)
		}
	}
	return nil
}

// printf writes to the report. It ignores errors, because there is no other place to
// report them.
func (b *bench) printf(format string, arguments ...any) {
	_, _ = fmt.Fprintf(b.out, format, arguments...)
}

// progress prints the current activity on standard error.
func (b *bench) progress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "bench: %5s %s\n", time.Since(b.began).Round(time.Second), fmt.Sprintf(format, arguments...))
}

func (b *bench) writeBenchmarks(settings []report.Setting) error {
	if b.options.benchmarks == "" {
		return nil
	}
	file, err := os.Create(b.options.benchmarks)
	if err != nil {
		return err
	}
	return errors.Join(report.Settings(file, settings), report.Benchstat(file, b.phases), file.Close())
}

// measure runs a command of the CLI in a workspace, and measures the provider that uses
// the namespace's account.
func (b *bench) measure(
	ctx context.Context,
	w *command.Workspace,
	namespace *testbed.Namespace,
	arguments ...string,
) (report.Run, *command.Result, error) {
	// Drop what happened before the command.
	if _, err := b.cluster.Events(ctx); err != nil {
		return report.Run{}, nil, err
	}
	if _, err := b.drain(ctx); err != nil {
		return report.Run{}, nil, err
	}
	result, err := w.Run(ctx, arguments...)
	if err != nil {
		return report.Run{}, nil, err
	}
	measured := report.Run{Wall: result.Wall, Usage: result.Usage}
	if measured.Bytes, err = b.drain(ctx); err != nil {
		return report.Run{}, nil, err
	}
	events, err := b.cluster.Events(ctx)
	if err != nil {
		return report.Run{}, nil, err
	}
	if namespace != nil {
		measured.Requests = audit.Count(events, audit.Requester{Username: namespace.Username(), UserAgent: b.options.userAgent})
	}
	return measured, result, nil
}

func (b *bench) drain(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	return b.proxy.Drain(ctx)
}

// namespace creates a namespace with a kubeconfig for the provider. The function that
// it returns removes the namespace. With wait it returns when the namespace is gone,
// unless the run is interrupted.
func (b *bench) namespace(ctx context.Context, name string) (*testbed.Namespace, string, func(wait bool) error, error) {
	namespace, err := b.cluster.Namespace(ctx, name, testbed.Rights{Manifest: b.options.rights, Everything: !b.options.isOwn()})
	remove := func(wait bool) error {
		if namespace == nil {
			return nil
		}
		if ctx.Err() == nil && wait {
			b.progress("emptying namespace %s", name)
			return namespace.Remove(ctx, true)
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		return namespace.Remove(clean, false)
	}
	if err != nil {
		return nil, "", nil, errors.Join(err, remove(false))
	}
	path := filepath.Join(b.directory, name+".kubeconfig")
	if err := namespace.Kubeconfig(ctx, path, b.proxy.Address()); err != nil {
		return nil, "", nil, errors.Join(err, remove(false))
	}
	return namespace, path, remove, nil
}
