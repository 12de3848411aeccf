package protocoltest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// operator does what a person does with a CLI: to one client, acme.
type operator interface {
	apply(ctx context.Context) error
	plan(ctx context.Context) (isEmpty bool, err error)
	destroy(ctx context.Context) error
	importClient(ctx context.Context) error
	isInState(ctx context.Context) (bool, error)
	// isTainted reports whether the next apply replaces the client, after an apply that
	// ended with an error, or without.
	isTainted(ctx context.Context, applied error) (bool, error)
	// deleteData and adoptAny change the configuration.
	deleteData()
	adoptAny()
}

// chaotic is a client whose requests, or processes, may be made to fail.
type chaotic struct {
	operator
	t        *testing.T
	s        *acctest.Sandbox
	faults   *acctest.Faults
	template string
	// interruptedAt is the request at which the first of two faults came.
	interruptedAt string
}

// newChaotic returns a client that is not there yet, of the sample template.
func newChaotic(t *testing.T, newOperator func(*testing.T, *acctest.Sandbox) operator) *chaotic {
	t.Helper()
	s := acctest.NewSandbox(t)
	f := &chaotic{t: t, s: s, faults: acctest.NewFaults(t, s), template: acctest.SampleTemplate(t)}
	s.PutTemplate(t, f.template)
	f.operator = newOperator(t, s)
	return f
}

// edit changes the template.
func (f *chaotic) edit(oldnew ...string) {
	f.t.Helper()
	f.template = acctest.Edit(f.t, f.template, oldnew...)
	f.s.PutTemplate(f.t, f.template)
}

// serve creates the client.
func (f *chaotic) serve() {
	f.t.Helper()
	if err := f.apply(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.s.WaitReady(f.t)
}

// djangoSave makes the client as the Django controller does.
func (f *chaotic) djangoSave() {
	f.t.Helper()
	f.s.DjangoSave(f.t, f.template, "acme", "admin@acme.example")
	f.s.WaitReady(f.t)
}

// coreOperator speaks the protocol to the provider's server, in this process.
type coreOperator struct {
	core       *protocoltest.Core
	attributes map[string]any
}

// newCoreOperator returns an operator whose answers are not compared: one fault hits one of
// two servers.
func newCoreOperator(_ *testing.T, s *acctest.Sandbox) operator {
	core := newCore(s, map[string]any{"rollout": map[string]any{"grace": "1s", "unschedulable_grace": "1m"}})
	core.Reference = nil
	return &coreOperator{
		core:       core,
		attributes: map[string]any{"name": "acme", "admin_email": "admin@acme.example", "wait_for_rollout": true, "delete_data": false},
	}
}

// clone returns an operator with a state of its own.
func (o *coreOperator) clone() *coreOperator {
	core := *o.core
	return &coreOperator{core: &core, attributes: o.attributes}
}

// revive goes on as another process, which what is left of the former one cannot disturb.
func (f *chaotic) revive() {
	f.t.Helper()
	former, _ := f.operator.(*coreOperator)
	f.faults = acctest.NewFaults(f.t, f.s)
	next, _ := newCoreOperator(f.t, f.s).(*coreOperator)
	next.core.State, next.core.StateVersion, next.core.Private = former.core.State, former.core.StateVersion, former.core.Private
	next.attributes = former.attributes
	f.operator = next
}

func (o *coreOperator) apply(ctx context.Context) error {
	_, err := o.core.Apply(ctx, o.attributes)
	return err
}

func (o *coreOperator) plan(ctx context.Context) (isEmpty bool, err error) {
	plan, err := o.core.Plan(ctx, o.attributes)
	return err == nil && plan.IsEmpty(), err
}

func (o *coreOperator) destroy(ctx context.Context) error {
	_, err := o.core.Apply(ctx, nil)
	return err
}

func (o *coreOperator) importClient(ctx context.Context) error { return o.core.Import(ctx, "acme") }

func (o *coreOperator) isInState(context.Context) (bool, error) { return o.core.State != nil, nil }

// isTainted: core marks a new resource whose create returns a state and an error.
func (o *coreOperator) isTainted(_ context.Context, applied error) (bool, error) {
	return applied != nil && o.core.State != nil, nil
}

func (o *coreOperator) deleteData() { o.attributes["delete_data"] = true }

func (o *coreOperator) adoptAny() {
	o.core.Provider = maps.Clone(o.core.Provider)
	o.core.Provider["adopt"] = "any"
}

// cliOperator runs a CLI, with the provider as a binary.
type cliOperator struct {
	t         *testing.T
	cli       *acctest.CLI
	variables []string
	running   atomic.Pointer[acctest.Process]
}

func newCLIOperator(t *testing.T, s *acctest.Sandbox) operator {
	t.Helper()
	config := `
variable "adopt" { default = "unmanaged" }
variable "delete_data" { default = false }
resource "mira_client" "acme" {
  name        = "acme"
  admin_email = "admin@acme.example"
  delete_data = var.delete_data
}
`
	lines := []string{"adopt = var.adopt", `rollout = { grace = "1s", unschedulable_grace = "1m", soak = "0s" }`}
	return &cliOperator{t: t, cli: acctest.NewCLI(t, s, s.Provider(lines...)+config)}
}

// run runs a command; its output is in the error.
func (o *cliOperator) run(command string, arguments ...string) (output string, err error) {
	process := o.cli.Start(o.t, append([]string{command}, arguments...)...)
	o.running.Store(process)
	if output, err = process.Wait(); err != nil {
		return output, fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return output, nil
}

func (o *cliOperator) apply(context.Context) error {
	_, err := o.run("apply", append(o.variables, "-auto-approve")...)
	return err
}

func (o *cliOperator) plan(context.Context) (isEmpty bool, err error) {
	_, err = o.run("plan", append(o.variables, "-detailed-exitcode")...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 2 {
		return false, nil
	}
	return err == nil, err
}

func (o *cliOperator) destroy(context.Context) error {
	_, err := o.run("destroy", append(o.variables, "-auto-approve")...)
	return err
}

func (o *cliOperator) importClient(context.Context) error {
	_, err := o.run("import", append(o.variables, "mira_client.acme", "acme")...)
	return err
}

func (o *cliOperator) isInState(context.Context) (bool, error) {
	output, err := o.run("state", "list")
	if err != nil && strings.Contains(err.Error(), "No state file was found") {
		return false, nil
	}
	return strings.Contains(output, "mira_client.acme"), err
}

func (o *cliOperator) isTainted(context.Context, error) (bool, error) {
	output, err := o.run("state", "pull")
	return strings.Contains(output, `"status": "tainted"`), err
}

func (o *cliOperator) deleteData() { o.variables = append(o.variables, "-var=delete_data=true") }

func (o *cliOperator) adoptAny() { o.variables = append(o.variables, "-var=adopt=any") }
