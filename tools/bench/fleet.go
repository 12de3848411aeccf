package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/command"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/testbed"
)

// The images of the second and third release of a fleet.
const (
	secondImage = "mira:3.1"
	thirdImage  = "mira:3.2"
)

// fleet is a number of clients that are measured in all phases.
type fleet struct {
	*bench
	clients   int
	values    variables
	namespace *testbed.Namespace
	workspace *command.Workspace

	create, noChange, floorPlan, drift, image, floorImage, rolling, destroy *report.Phase
	stateBytes, objectsBytes                                                int64 // per client
}

// measureFleet measures a fleet from its creation to its end.
func (b *bench) measureFleet(ctx context.Context, clients int) error {
	b.progress("%d clients", clients)
	f := &fleet{bench: b, clients: clients}
	name := fmt.Sprintf("bench-%d", clients)
	namespace, kubeconfig, remove, err := b.namespace(ctx, name)
	if err != nil {
		return err
	}
	f.namespace = namespace
	f.values = variables{Kubeconfig: kubeconfig, Namespace: name, ClusterDomain: domain, Clients: clients}
	err = f.measureAll(ctx)
	if printErr := f.print(); err == nil {
		err = printErr
	}
	return errors.Join(err, remove(err == nil))
}

func (f *fleet) measureAll(ctx context.Context) error {
	if err := f.release(ctx, testbed.Image); err != nil {
		return err
	}
	var err error
	if f.workspace, err = f.bench.workspace(ctx, f.values); err != nil {
		return err
	}
	steps := []func(context.Context) error{f.measureCreate, f.measurePlans}
	if !f.options.plansOnly {
		steps = append(steps, f.measureDrift, f.measureImage)
		if slices.Contains(f.options.waitSizes, f.clients) {
			steps = append(steps, f.measureRolling)
		}
		steps = append(steps, f.measureDestroy)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	f.fleets = append(f.fleets, f)
	return nil
}

// release stores the template of a release, for the provider and for configurations
// with the objects themselves.
func (f *fleet) release(ctx context.Context, image string) error {
	template, err := testbed.WithImage(f.template, image)
	if err != nil {
		return err
	}
	if f.workspace != nil && !f.options.isOwn() {
		text, err := documents(template, f.namespace.Name)
		if err != nil {
			return err
		}
		if err := f.workspace.Write("documents.json", text); err != nil {
			return err
		}
	}
	return f.namespace.PutTemplate(ctx, template)
}

// settle waits until all pods are ready and the control plane is idle.
func (f *fleet) settle(ctx context.Context) error {
	f.progress("%d clients: waiting until their pods serve", f.clients)
	if err := f.namespace.Settle(ctx, f.clients); err != nil {
		return err
	}
	return f.cluster.Calm(ctx)
}

// phase begins a phase.
func (f *fleet) phase(name, benchmark string) *report.Phase {
	phase := &report.Phase{Name: name, Benchmark: benchmark, Clients: f.clients}
	f.phases = append(f.phases, phase)
	f.progress("%d clients: %s", f.clients, name)
	return phase
}

// once measures a command once.
func (f *fleet) once(ctx context.Context, phase *report.Phase, arguments ...string) (*command.Result, error) {
	run, result, err := f.measure(ctx, f.workspace, f.namespace, arguments...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", phase.Name, err)
	}
	phase.Runs = append(phase.Runs, run)
	return result, nil
}

func (f *fleet) measureCreate(ctx context.Context) error {
	f.create = f.phase("create, no waits", "Create")
	if _, err := f.once(ctx, f.create, "apply", "-auto-approve"); err != nil {
		return err
	}
	state, err := f.workspace.State()
	if err != nil {
		return err
	}
	total, err := state.Bytes()
	if err != nil {
		return err
	}
	objects, err := state.AttributeBytes("objects")
	if err != nil {
		return err
	}
	f.stateBytes, f.objectsBytes = total/int64(f.clients), objects/int64(f.clients)
	return f.settle(ctx)
}

// measurePlans measures plans of the fleet, and of as many terraform_data with a value as
// large as a client's state. It alternates between the two, so that other load on the
// machine affects both.
func (f *fleet) measurePlans(ctx context.Context) error {
	floor, err := f.terraformData(ctx, "floor", f.values, f.stateBytes)
	if err != nil {
		return fmt.Errorf("terraform_data: %w", err)
	}
	f.noChange = f.phase("plan, no change", "PlanNoChange")
	f.floorPlan = f.phase("plan, terraform_data", "PlanFloor")
	for range f.options.runs {
		run, result, err := f.measure(ctx, floor, nil, "plan", "-detailed-exitcode")
		if err != nil {
			return fmt.Errorf("terraform_data: %w", err)
		}
		if result.ExitCode != 0 {
			return fmt.Errorf("terraform_data: the plan shows changes:\n%s", result.Output)
		}
		f.floorPlan.Runs = append(f.floorPlan.Runs, run)
		if result, err = f.once(ctx, f.noChange, "plan", "-detailed-exitcode"); err != nil {
			return err
		}
		if result.ExitCode != 0 {
			return fmt.Errorf("a plan shows changes where nothing has changed: %v", command.Changed(result.Output))
		}
	}
	return nil
}

// measureDrift measures the plan after one object was changed by hand, and checks that
// plans find changes of the other kinds of objects, too.
func (f *fleet) measureDrift(ctx context.Context) error {
	f.drift = f.phase("plan, one drifted", "PlanDrift")
	first, others := testbed.Drifts[0], testbed.Drifts[1:]
	drifted := []string{clientName(f.clients / 2)}
	if err := first.Apply(ctx, f.namespace, drifted[0]); err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	result, err := f.once(ctx, f.drift, "plan", "-detailed-exitcode")
	if err != nil {
		return err
	}
	if err := f.checkDrift(drifted, result.Output); err != nil {
		return err
	}

	for i, drift := range others {
		client := clientName(i * (f.clients - 1))
		if err := drift.Apply(ctx, f.namespace, client); err != nil {
			return err
		}
		drifted = append(drifted, client)
	}
	f.progress("%d clients: looking for drift of the other kinds, and putting it right", f.clients)
	if result, err = f.workspace.Run(ctx, "plan", "-detailed-exitcode"); err != nil {
		return err
	}
	if err := f.checkDrift(drifted, result.Output); err != nil {
		return err
	}
	if _, err := f.workspace.Run(ctx, "apply", "-auto-approve"); err != nil {
		return err
	}
	return f.settle(ctx)
}

// checkDrift compares what a plan shows with what was changed by hand. A difference is
// an error of this repository's provider, and a note for any other.
func (f *fleet) checkDrift(drifted []string, output string) error {
	difference := driftDifference(drifted, command.Changed(output))
	if difference != "" && f.options.isOwn() {
		return errors.New(difference)
	}
	f.drift.Note = difference
	return nil
}

// driftDifference describes how the instances that a plan changes differ from the
// clients that were changed by hand. It returns "" if they do not.
func driftDifference(drifted, changed []string) string {
	want := slices.Compact(slices.Sorted(slices.Values(drifted)))
	found := make([]string, 0, len(changed))
	for _, key := range changed {
		found = append(found, clientOf(key))
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if slices.Equal(found, want) {
		return ""
	}
	return fmt.Sprintf("clients %v were changed by hand, and the plan changes %v", want, found)
}

// measureImage measures the apply of a release without waiting for rollouts, and the
// CLI's own share of that time: the apply of another value for as many terraform_data
// with a state as large. Most of the CLI's time is for the state file, which it
// rewrites after each resource.
func (f *fleet) measureImage(ctx context.Context) error {
	if err := f.release(ctx, secondImage); err != nil {
		return err
	}
	f.image = f.phase("image change, no waits", "ImageChange")
	result, err := f.once(ctx, f.image, "apply", "-auto-approve")
	if err != nil {
		return err
	}
	if changed := len(command.Changed(result.Output)); changed < f.clients {
		return fmt.Errorf("%s: the release changes %d of %d clients", f.image.Name, changed, f.clients)
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	f.floorImage = f.phase("change, terraform_data", "ChangeFloor")
	valueBytes := f.stateBytes / 2 // the state has it twice
	floor, err := f.terraformData(ctx, "change", f.values, valueBytes)
	if err != nil {
		return fmt.Errorf("terraform_data: %w", err)
	}
	if err := change(floor, valueBytes); err != nil {
		return err
	}
	run, _, err := f.measure(ctx, floor, nil, "apply", "-auto-approve")
	if err != nil {
		return fmt.Errorf("terraform_data: %w", err)
	}
	f.floorImage.Runs = append(f.floorImage.Runs, run)
	return nil
}

// measureRolling measures the apply of a release with waits.
func (f *fleet) measureRolling(ctx context.Context) error {
	if err := f.setWait(ctx, true); err != nil {
		return err
	}
	if err := f.release(ctx, thirdImage); err != nil {
		return err
	}
	f.rolling = f.phase("image change, waits", "RollingUpdate")
	if _, err := f.once(ctx, f.rolling, "apply", "-auto-approve"); err != nil {
		return err
	}
	f.rolling.Note = fmt.Sprintf("%.2f times the wall time of the same without waits", f.rolling.Wall().Seconds()/f.image.Wall().Seconds())
	return f.settle(ctx)
}

// setWait changes whether updates wait for their rollouts. It does so before the
// measurement, as changing the argument is an update of its own.
func (f *fleet) setWait(ctx context.Context, wait bool) error {
	f.values.Wait = wait
	text, err := f.values.text()
	if err != nil {
		return err
	}
	if err := f.workspace.Write(variablesFile, text); err != nil {
		return err
	}
	f.progress("%d clients: turning waits on", f.clients)
	if _, err := f.workspace.Run(ctx, "apply", "-auto-approve"); err != nil {
		return err
	}
	return f.cluster.Calm(ctx)
}

func (f *fleet) measureDestroy(ctx context.Context) error {
	f.destroy = f.phase("destroy", "Destroy")
	_, err := f.once(ctx, f.destroy, "destroy", "-auto-approve")
	return err
}
