package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/testbed"
)

// few is the number of clients that are planned in a cluster with many.
const few = 3

// measureFew measures the plan of few clients in a namespace with many others that are
// in no Terraform state.
func (b *bench) measureFew(ctx context.Context) error {
	const name = "bench-few"
	many := b.options.background
	b.progress("%d clients beside %d", few, many)
	namespace, kubeconfig, remove, err := b.namespace(ctx, name)
	if err != nil {
		return err
	}
	f := &fleet{
		bench:     b,
		clients:   few,
		namespace: namespace,
		values:    variables{Kubeconfig: kubeconfig, Namespace: name, ClusterDomain: domain, Clients: few},
	}
	err = f.measureBeside(ctx, many)
	return errors.Join(err, remove(false))
}

func (f *fleet) measureBeside(ctx context.Context, many int) error {
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprintf("b%04d", i)
	}
	if err := f.namespace.Populate(ctx, f.template, names, domain); err != nil {
		return err
	}
	if err := f.release(ctx, testbed.Image); err != nil {
		return err
	}
	var err error
	if f.workspace, err = f.bench.workspace(ctx, f.values); err != nil {
		return err
	}
	if _, err := f.workspace.Run(ctx, "apply", "-auto-approve"); err != nil {
		return err
	}
	f.progress("waiting until the pods of all serve")
	if err := f.namespace.Settle(ctx, many+few); err != nil {
		return err
	}
	if err := f.cluster.Calm(ctx); err != nil {
		return err
	}
	phase := f.phase(fmt.Sprintf("plan, no change, beside %d", many), fmt.Sprintf("PlanBeside%d", many))
	for range f.options.runs {
		result, err := f.once(ctx, phase, "plan", "-detailed-exitcode")
		if err != nil {
			return err
		}
		if result.ExitCode != 0 {
			return fmt.Errorf("%s: the plan shows changes:\n%s", phase.Name, result.Output)
		}
	}
	if f.options.isOwn() {
		f.verdicts = append(f.verdicts, report.Bytes(few, phase.Name+": transferred", phase.Bytes(), fewBytes))
	}
	f.printf("\n%d clients in a cluster with %d others\n\n", few, many)
	return report.Table(f.out, []*report.Phase{phase})
}
