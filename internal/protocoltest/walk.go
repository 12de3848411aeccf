package protocoltest

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// walk is one run over the configuration. It has provider servers of its own, as
// each plan and each apply of a CLI starts its own provider process.
type walk struct {
	*Core
	served    tfprotov6.ProviderServer
	reference tfprotov6.ProviderServer // may be nil

	block *tfprotov6.SchemaBlock // of the resource
	typ   tftypes.Type
}

// maxRefreshes bounds how often a refresh begins again.
const maxRefreshes = 5

// start starts both servers and configures them.
func (c *Core) start(ctx context.Context) (*walk, error) {
	w := &walk{Core: c, served: c.Served()}
	if c.Reference != nil {
		w.reference = c.Reference()
		if err := w.configure(ctx, w.reference); err != nil {
			return w, err
		}
	}
	return w, w.configure(ctx, w.served)
}

func (w *walk) configure(ctx context.Context, server tfprotov6.ProviderServer) error {
	schema, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err := failure(schema.Diagnostics, err); err != nil {
		return err
	}
	resource, ok := schema.ResourceSchemas[w.Resource]
	if !ok {
		return fmt.Errorf("the provider has no resource %s", w.Resource)
	}
	w.block, w.typ, w.schemaVersion = resource.Block, resource.ValueType(), resource.Version
	config := dynamic(valueOf(schema.Provider.ValueType(), w.Provider))
	validated, err := server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: config})
	if err := failure(validated.Diagnostics, err); err != nil {
		return err
	}
	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.14.0", Config: config})
	return failure(configured.Diagnostics, err)
}

// failure returns the errors among diagnostics, and the error of the call itself.
func failure(diagnostics []*tfprotov6.Diagnostic, err error) error {
	failed := []error{err}
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			failed = append(failed, fmt.Errorf("%s: %s", d.Summary, d.Detail))
		}
	}
	return errors.Join(failed...)
}

// warnings returns the warnings among diagnostics.
func warnings(diagnostics []*tfprotov6.Diagnostic) []string {
	var texts []string
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityWarning {
			texts = append(texts, d.Summary+"\n"+d.Detail)
		}
	}
	return texts
}

// refresh reads the state file, and then the resource. Whether a rollout is pending depends
// on the moment: where it ended between two answers, both servers start and read again.
func (w *walk) refresh(ctx context.Context) (tftypes.Value, error) {
	for try := 1; ; try++ {
		value, err := w.refreshOnce(ctx)
		var differs *differenceError
		if !errors.As(err, &differs) || try == maxRefreshes {
			return value, err
		}
		w.served, w.reference = w.Served(), w.Reference()
		if err := errors.Join(w.configure(ctx, w.reference), w.configure(ctx, w.served)); err != nil {
			return value, err
		}
	}
}

func (w *walk) refreshOnce(ctx context.Context) (tftypes.Value, error) {
	current, err := w.upgrade(ctx)
	if err != nil || current.IsNull() {
		return current, err
	}
	read, err := w.read(ctx, current)
	if err != nil {
		return tftypes.NewValue(w.typ, nil), err
	}
	return w.keep(w.typ, read)
}

// upgrade reads the state file.
func (w *walk) upgrade(ctx context.Context) (tftypes.Value, error) {
	null := tftypes.NewValue(w.typ, nil)
	if w.State == nil {
		return null, nil
	}
	upgraded, err := w.upgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{
		TypeName: w.Resource, Version: w.StateVersion, RawState: &tfprotov6.RawState{JSON: w.State},
	})
	if err != nil {
		return null, err
	}
	return upgraded.state.Unmarshal(w.typ)
}

// read reads the resource.
func (w *walk) read(ctx context.Context, current tftypes.Value) (answer, error) {
	return w.readResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: w.Resource, CurrentState: dynamic(current), Private: w.Private, CurrentIdentity: w.identity,
	})
}

// importResource imports the resource and reads it, with the server under test only.
func (w *walk) importResource(ctx context.Context, id string) error {
	resp, err := w.served.ImportResourceState(ctx, &tfprotov6.ImportResourceStateRequest{TypeName: w.Resource, ID: id})
	if resp == nil {
		return errors.Join(err, errors.New("no answer to the import"))
	}
	if err := failure(resp.Diagnostics, err); err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	if len(resp.ImportedResources) != 1 {
		return fmt.Errorf("%d resources were imported, not one", len(resp.ImportedResources))
	}
	imported := resp.ImportedResources[0]
	read, err := w.served.ReadResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: w.Resource, CurrentState: imported.State, Private: imported.Private, CurrentIdentity: imported.Identity,
	})
	if read == nil {
		return errors.Join(err, errors.New("no answer to the refresh of what was imported"))
	}
	if err := failure(read.Diagnostics, err); err != nil {
		return fmt.Errorf("refreshing what was imported: %w", err)
	}
	_, err = w.keep(w.typ, answer{state: read.NewState, private: read.Private, identity: read.NewIdentity})
	return err
}

// plan validates and plans, and checks the answer as core does. A plan that replaces
// the resource is an error: no test plans one.
func (w *walk) plan(ctx context.Context, config, prior tftypes.Value) (*Plan, error) {
	proposed := tftypes.NewValue(w.typ, nil)
	if !config.IsNull() {
		validated, err := w.served.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{
			TypeName: w.Resource, Config: dynamic(config),
			ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
		})
		if err := failure(validated.Diagnostics, err); err != nil {
			return nil, err
		}
		proposed = w.propose(config, prior)
	}
	planned, err := w.planResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: w.Resource, PriorState: dynamic(prior), ProposedNewState: dynamic(proposed), Config: dynamic(config),
		PriorPrivate: w.Private, PriorIdentity: w.identity,
	})
	if err != nil {
		return nil, err
	}
	if len(planned.requiresReplace) > 0 {
		return nil, fmt.Errorf("the plan replaces the resource, for %v", planned.requiresReplace)
	}
	value, err := planned.state.Unmarshal(w.typ)
	if err != nil {
		return nil, err
	}
	if err := w.keepsConfig(config, value); err != nil {
		return nil, err
	}
	return &Plan{
		Warnings: warnings(planned.diagnostics),
		config:   config, prior: prior, planned: value, private: planned.private, identity: planned.identity,
	}, nil
}

// keepsConfig returns an error for a plan that changes what the configuration says.
func (w *walk) keepsConfig(config, planned tftypes.Value) error {
	if config.IsNull() != planned.IsNull() {
		return fmt.Errorf("configured %v, planned %v", config, planned)
	}
	if config.IsNull() {
		return nil
	}
	wants, has := attributesOf(config), attributesOf(planned)
	for _, attribute := range w.block.Attributes {
		want, got := wants[attribute.Name], has[attribute.Name]
		if attribute.WriteOnly {
			want = tftypes.NewValue(want.Type(), nil)
		}
		if (!attribute.Computed || !want.IsNull()) && !want.Equal(got) {
			return fmt.Errorf("provider produced invalid plan: %s is configured as %v and planned as %v", attribute.Name, want, got)
		}
	}
	return nil
}

// propose merges the configuration with what the provider computed before. What is
// write-only stays in the configuration.
func (w *walk) propose(config, prior tftypes.Value) tftypes.Value {
	proposed, before := maps.Clone(attributesOf(config)), attributesOf(prior)
	for _, attribute := range w.block.Attributes {
		if attribute.WriteOnly {
			proposed[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
		}
		if attribute.Computed && proposed[attribute.Name].IsNull() && !prior.IsNull() {
			proposed[attribute.Name] = before[attribute.Name]
		}
	}
	return tftypes.NewValue(w.typ, proposed)
}

// apply applies a plan with the server under test only: a change is made once.
func (w *walk) apply(ctx context.Context, plan *Plan) error {
	resp, err := w.served.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: w.Resource, PriorState: dynamic(plan.prior), PlannedState: dynamic(plan.planned), Config: dynamic(plan.config),
		PlannedPrivate: plan.private, PlannedIdentity: plan.identity,
	})
	if resp == nil || resp.NewState == nil {
		return errors.Join(err, errors.New("no answer to the apply"))
	}
	failed := failure(resp.Diagnostics, err)
	// The state that comes with an error is kept, too.
	applied, err := w.keep(w.typ, answer{state: resp.NewState, private: resp.Private, identity: resp.NewIdentity})
	switch {
	case failed != nil:
		return fmt.Errorf("applying: %w", errors.Join(failed, err))
	case err != nil:
		return fmt.Errorf("after the apply: %w", err)
	}
	if err := compatible(plan.planned, applied, ""); err != nil {
		return fmt.Errorf("provider produced inconsistent result after apply: %w", err)
	}
	return nil
}
