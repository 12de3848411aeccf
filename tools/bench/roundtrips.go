package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/testbed"
)

// depth is a run of the CLI with one client, measured near the API server and far from it.
type depth struct {
	near, far report.Phase
}

// roundTrips is how many round trips follow one another in the run: each takes the delay
// longer, whatever else it takes.
func (d *depth) roundTrips(delay time.Duration) float64 {
	return (d.far.Wall() - d.near.Wall()).Seconds() / delay.Seconds()
}

// measureRoundTrips measures how many round trips deep the runs of the CLI with one client
// are, without waits. What else happens on the machine concerns both measurements.
func (b *bench) measureRoundTrips(ctx context.Context) error {
	const name = "bench-round-trips"
	b.progress("round trips of one client")
	namespace, kubeconfig, remove, err := b.namespace(ctx, name)
	if err != nil {
		return err
	}
	f := &fleet{
		bench:     b,
		clients:   1,
		namespace: namespace,
		values:    variables{Kubeconfig: kubeconfig, Namespace: name, ClusterDomain: domain, Clients: 1},
	}
	depths := map[string]*depth{}
	err = f.measureDepths(ctx, depths)
	b.proxy.SetDelay(0)
	if err == nil {
		err = b.printDepths(depths)
	}
	return errors.Join(err, remove(false))
}

// depthRuns are the runs of the CLI in their order.
var depthRuns = []string{"create", "plan, no change", "update", "destroy"}

func (f *fleet) measureDepths(ctx context.Context, depths map[string]*depth) error {
	if err := f.release(ctx, testbed.Image); err != nil {
		return err
	}
	var err error
	if f.workspace, err = f.bench.workspace(ctx, f.values); err != nil {
		return err
	}
	for _, name := range depthRuns {
		depths[name] = &depth{}
	}
	for range f.options.runs {
		for _, isFar := range []bool{false, true} {
			if err := f.measureLife(ctx, depths, isFar); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureLife measures one life of the client, from its creation to its end.
func (f *fleet) measureLife(ctx context.Context, depths map[string]*depth, isFar bool) error {
	for _, step := range []struct {
		name, image string
		arguments   []string
	}{
		{"create", testbed.Image, []string{"apply", "-auto-approve"}},
		{"plan, no change", testbed.Image, []string{"plan", "-detailed-exitcode"}},
		{"update", secondImage, []string{"apply", "-auto-approve"}},
		{"destroy", secondImage, []string{"destroy", "-auto-approve"}},
	} {
		if err := f.release(ctx, step.image); err != nil {
			return err
		}
		phase := &depths[step.name].near
		if isFar {
			phase = &depths[step.name].far
			f.proxy.SetDelay(f.options.roundTrips)
		}
		result, err := f.once(ctx, phase, step.arguments...)
		f.proxy.SetDelay(0)
		switch {
		case err != nil:
			return err
		case result.ExitCode != 0:
			return fmt.Errorf("%s: exit code %d:\n%s", step.name, result.ExitCode, result.Output)
		case step.name == "destroy":
			if err := f.namespace.RemoveClaims(ctx); err != nil {
				return err
			}
		default:
			if err := f.namespace.Settle(ctx, f.clients); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) printDepths(depths map[string]*depth) error {
	b.printf("\nOne client, without waits: round trips that follow one another, by a delay of %s\n\n", b.options.roundTrips)
	columns := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(columns, "run\tnear\tfar\tround trips\trequests\t")
	for _, name := range depthRuns {
		d := depths[name]
		_, _ = fmt.Fprintf(columns, "%s\t%.2f s\t%.2f s\t%.1f\t%d\t\n", name, d.near.Wall().Seconds(), d.far.Wall().Seconds(),
			d.roundTrips(b.options.roundTrips), d.near.Requests().Total())
	}
	return columns.Flush()
}
