package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/component"
)

// defaultName is the cluster that commands mean without --name.
const defaultName = "demo"

// folders is a flag that can be given several times.
type folders []string

// String implements flag.Value.
func (f *folders) String() string { return strings.Join(*f, ", ") }

// Set implements flag.Value.
func (f *folders) Set(dir string) error {
	dir, err := filepath.Abs(dir)
	*f = append(*f, dir)
	return err
}

func nameFlag(set *flag.FlagSet, value string) *string {
	return set.String("name", value, "`name` of the cluster")
}

func stagesFlag(set *flag.FlagSet) *folders {
	stages := &folders{}
	set.Var(stages, "stages", "`folder` of further stages for kwok; a file replaces the standard one of the same name; may be repeated")
	return stages
}

func auditFlag(set *flag.FlagSet) *bool {
	return set.Bool("audit", false, "have the API server write an audit log, at "+auditVariable)
}

// startOptions builds what a cluster needs and says how to start it.
func startOptions(ctx context.Context, a *app, stages []string) (cluster.StartOptions, error) {
	builder, source, err := a.builder()
	if err != nil {
		return cluster.StartOptions{}, err
	}
	paths, err := builder.Paths(ctx, component.ClusterPrograms...)
	if err != nil {
		return cluster.StartOptions{}, err
	}
	binaries := map[string]string{}
	for i, name := range component.ClusterPrograms {
		binaries[name] = paths[i]
	}
	kubernetes, _, err := component.Find("kubernetes")
	if err != nil {
		return cluster.StartOptions{}, err
	}
	version, err := builder.Version(ctx, kubernetes)
	if err != nil {
		return cluster.StartOptions{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return cluster.StartOptions{}, err
	}
	return cluster.StartOptions{
		Supervisor: []string{self, supervise},
		Binaries:   binaries,
		Version:    version,
		Stages:     append([]string{source.Stages()}, stages...),
		Progress:   a.progress,
	}, nil
}

func up(ctx context.Context, a *app, args []string) error {
	set := a.flags("up")
	name, stages, audit := nameFlag(set, defaultName), stagesFlag(set), auditFlag(set)
	if err := a.parse(set, args, false); err != nil {
		return err
	}
	target, err := a.cluster(*name)
	if err != nil {
		return err
	}
	minor, err := chosenMinor()
	if err != nil {
		return err
	}
	if state, err := target.Check(); err == nil {
		if err := checkRunning(state, minor, *audit); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(a.stdout, "cluster %q is already running: Kubernetes %s\n", target.Name, state.Version)
		a.introduce(target)
		return nil
	}
	options, err := startOptions(ctx, a, *stages)
	if err != nil {
		return err
	}
	options.KeepFailed, options.Audit = true, *audit

	began := time.Now()
	session, err := target.Start(ctx, options)
	var running *cluster.RunningError
	switch {
	case errors.As(err, &running): // by another `up` that was quicker
		state, err := target.Check()
		if err == nil {
			err = checkRunning(state, minor, *audit)
		}
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(a.stdout, running)
	case err != nil:
		return fmt.Errorf("start cluster %q: %w", target.Name, err)
	default:
		if err := session.Detach(); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(a.stdout, "cluster %q is up: Kubernetes %s, ready in %.1f s\n",
			target.Name, options.Version, time.Since(began).Seconds())
	}
	a.introduce(target)
	return nil
}

// chosenMinor returns the minor version of Kubernetes that the environment
// chooses, empty if it chooses none.
func chosenMinor() (string, error) {
	value := os.Getenv(component.MinorEnv)
	if value == "" {
		return "", nil
	}
	source, err := component.FindSource()
	if err != nil {
		return "", err
	}
	return source.Minor(value)
}

// checkRunning returns an error if a cluster that runs is not as it was asked for:
// of the minor version, unless that is empty, and with an audit log.
func checkRunning(state *cluster.State, minor string, audit bool) error {
	if minor != "" && !component.HasMinor(state.Version, minor) {
		return fmt.Errorf("cluster %q runs Kubernetes %s, but %s=%s: take it down first", state.Name, state.Version, component.MinorEnv, minor)
	}
	if audit && !state.Audit {
		return fmt.Errorf("cluster %q runs without an audit log: take it down first", state.Name)
	}
	return nil
}

// introduce says how to use a cluster and how to get rid of it.
func (a *app) introduce(target *cluster.Cluster) {
	argument := ""
	if target.Name != defaultName {
		argument = " --name " + target.Name
	}
	_, _ = fmt.Fprintf(a.stdout, "  kubeconfig  %s\n  use it      eval \"$(localcluster env%s)\"\n  stop it     localcluster down%s\n",
		target.Kubeconfig(), argument, argument)
}

func down(ctx context.Context, a *app, args []string) error {
	set := a.flags("down")
	name := nameFlag(set, defaultName)
	all := set.Bool("all", false, "stop every cluster of this user")
	if err := a.parse(set, args, false); err != nil {
		return err
	}
	store, err := a.store()
	if err != nil {
		return err
	}
	var targets []*cluster.Cluster
	if *all {
		targets, err = store.List()
	} else {
		var target *cluster.Cluster
		target, err = store.Cluster(*name)
		targets = append(targets, target)
	}
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		_, _ = fmt.Fprintln(a.stdout, "no cluster is running")
	}
	var failed []error
	for _, target := range targets {
		stopped, err := target.Stop(ctx, a.progress)
		switch {
		case err != nil:
			failed = append(failed, err)
		case stopped:
			_, _ = fmt.Fprintf(a.stdout, "cluster %q is stopped and removed\n", target.Name)
		default:
			_, _ = fmt.Fprintf(a.stdout, "cluster %q is not running\n", target.Name)
		}
	}
	return errors.Join(failed...)
}

func status(ctx context.Context, a *app, args []string) error {
	set := a.flags("status")
	name := nameFlag(set, defaultName)
	if err := a.parse(set, args, false); err != nil {
		return err
	}
	target, err := a.cluster(*name)
	if err != nil {
		return err
	}
	seen, err := target.Status(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stdout, "cluster %q: %s\n", seen.Name, seen.Summary)
	if seen.Running {
		_, _ = fmt.Fprintf(a.stdout, "  Kubernetes %s at %s, up for %s\n",
			seen.State.Version, seen.State.Server, time.Since(seen.State.Started).Round(time.Second))
	}
	for _, part := range seen.Components {
		health := part.Problem
		if health == "" {
			health = "healthy"
		}
		_, _ = fmt.Fprintf(a.stdout, "  %-24s pid %-8d %s\n", part.Name, part.PID, health)
		if part.Tail != "" {
			_, _ = fmt.Fprintf(a.stdout, "      %s\n", strings.ReplaceAll(part.Tail, "\n", "\n      "))
		}
	}
	switch {
	case seen.Up():
		return nil
	case seen.Running:
		return &exitError{code: exitFailed}
	default:
		return &exitError{code: exitNotRunning}
	}
}

func env(_ context.Context, a *app, args []string) error {
	set := a.flags("env")
	name := nameFlag(set, defaultName)
	if err := a.parse(set, args, false); err != nil {
		return err
	}
	target, err := a.cluster(*name)
	if err != nil {
		return err
	}
	state, err := target.Check()
	if err != nil {
		return err
	}
	for _, variable := range clusterVariables(target, state.Audit) {
		_, _ = fmt.Fprintf(a.stdout, "export %s=%s\n", variable.name, shellQuote(variable.value))
	}
	return nil
}

func kubeconfig(ctx context.Context, a *app, args []string) error {
	set := a.flags("kubeconfig")
	name := nameFlag(set, defaultName)
	namespace := set.String("namespace", "", "`namespace` of the ServiceAccount")
	account := set.String("serviceaccount", "", "`name` of the ServiceAccount, which must exist")
	duration := set.Duration("duration", 24*time.Hour, "how long the token is good for, 10m at least")
	out := set.String("out", "", "`file` to write (default: one in the cluster's folder)")
	if err := a.parse(set, args, false); err != nil {
		return err
	}
	if *namespace == "" || *account == "" {
		return a.misuse(set, "--namespace and --serviceaccount are required")
	}
	target, err := a.cluster(*name)
	if err != nil {
		return err
	}
	written, err := target.ServiceAccountKubeconfig(ctx, *namespace, *account, *duration, *out)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(a.stdout, written)
	return nil
}

func build(ctx context.Context, a *app, args []string) error {
	set := a.flags("build")
	if err := a.parse(set, args, true); err != nil {
		return err
	}
	names := set.Args()
	if len(names) == 0 {
		names = component.ClusterPrograms
	}
	builder, _, err := a.builder()
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, name := range names {
		target, _, err := component.Find(name)
		if err != nil {
			return err
		}
		if done[target.Name] {
			continue
		}
		done[target.Name] = true
		dir, err := builder.Build(ctx, target)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(a.stdout, dir)
	}
	return nil
}

func path(ctx context.Context, a *app, args []string) error {
	set := a.flags("path")
	if err := a.parse(set, args, true); err != nil {
		return err
	}
	if set.NArg() == 0 {
		return a.misuse(set, "name at least one of "+strings.Join(component.Names(), ", "))
	}
	builder, _, err := a.builder()
	if err != nil {
		return err
	}
	paths, err := builder.Paths(ctx, set.Args()...)
	if err != nil {
		return err
	}
	for _, path := range paths {
		_, _ = fmt.Fprintln(a.stdout, path)
	}
	return nil
}
