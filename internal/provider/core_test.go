package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// core does to the provider what the CLI's core does for one mira_client, and
// holds it to the same rules. The CLI itself is too slow for hundreds of steps.
//
// Tests that use it are called TestCore_: .ci/acceptance does not repeat them
// under a second CLI, as they run none.
type core struct {
	provider map[string]any // attributes of the provider block

	block    *tfprotov6.SchemaBlock
	typ      tftypes.Type
	state    []byte // JSON, as in a state file; nil when there is no client
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	// warnings of the last walk.
	warnings []string
	// short is how many answers there were by the short way.
	short int
}

// walk is one run of the CLI over the configuration, with a provider process of
// its own.
type walk struct {
	*core
	server *server
}

// proposal is a planned change, as a saved plan holds it.
type proposal struct {
	config, prior, planned tftypes.Value
	private                []byte
	identity               *tfprotov6.ResourceIdentityData
}

func (p *proposal) isEmpty() bool { return p.prior.Equal(p.planned) }

func (p *proposal) String() string { return differencesOf(p.prior, p.planned) }

// Apply plans and applies, and tells whether there was anything to apply. Null
// attributes mean a destroy.
func (c *core) Apply(ctx context.Context, attributes map[string]any) (*proposal, error) {
	first, err := c.Plan(ctx, attributes)
	if err != nil || first.isEmpty() {
		return first, err
	}
	w, err := c.start(ctx)
	if err != nil {
		return first, err
	}
	second, err := w.plan(ctx, first.config, first.prior)
	if err != nil {
		return first, fmt.Errorf("the second plan, in the walk of the apply: %w", err)
	}
	if err := compatible(first.planned, second.planned, ""); err != nil {
		return first, fmt.Errorf("provider produced inconsistent final plan: %w", err)
	}
	return first, w.apply(ctx, second)
}

// Plan refreshes, keeps what it found as the state, and plans.
func (c *core) Plan(ctx context.Context, attributes map[string]any) (*proposal, error) {
	w, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	prior, err := w.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("refreshing: %w", err)
	}
	var config any
	if attributes != nil {
		config = attributes
	}
	plan, err := w.plan(ctx, valueOf(c.typ, config), prior)
	if err != nil {
		return nil, fmt.Errorf("planning: %w", err)
	}
	return plan, nil
}

// start runs a provider and configures it.
func (c *core) start(ctx context.Context) (*walk, error) {
	server := NewServer("test")().(*server)
	c.warnings = nil
	w := &walk{core: c, server: server}
	schema, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err := w.check(schema.Diagnostics, err); err != nil {
		return nil, err
	}
	c.block, c.typ = schema.ResourceSchemas[clientType].Block, schema.ResourceSchemas[clientType].ValueType()
	config := dynamic(valueOf(schema.Provider.ValueType(), c.provider))
	validated, err := server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: config})
	if err := w.check(validated.Diagnostics, err); err != nil {
		return nil, err
	}
	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.14.0", Config: config})
	return w, w.check(configured.Diagnostics, err)
}

// check makes errors of diagnostics.
func (c *core) check(diagnostics []*tfprotov6.Diagnostic, err error) error {
	failed := []error{err}
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			failed = append(failed, fmt.Errorf("%s: %s", d.Summary, d.Detail))
			continue
		}
		c.warnings = append(c.warnings, d.Summary+": "+d.Detail)
	}
	return errors.Join(failed...)
}

// refresh reads the state file, and the client.
func (w *walk) refresh(ctx context.Context) (tftypes.Value, error) {
	null := tftypes.NewValue(w.typ, nil)
	if w.state == nil {
		return null, nil
	}
	upgraded, err := w.server.UpgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{TypeName: clientType, RawState: &tfprotov6.RawState{JSON: w.state}})
	if err := w.check(upgraded.Diagnostics, err); err != nil {
		return null, err
	}
	read, err := w.readResource(ctx, &tfprotov6.ReadResourceRequest{TypeName: clientType, CurrentState: upgraded.UpgradedState, Private: w.private, CurrentIdentity: w.identity})
	if err := w.check(read.Diagnostics, err); err != nil {
		return null, err
	}
	return w.keep(read.NewState, read.Private, read.NewIdentity)
}

// keep stores what a refresh or an apply gave, and holds the identity to being
// there and staying the same.
func (c *core) keep(state *tfprotov6.DynamicValue, private []byte, identity *tfprotov6.ResourceIdentityData) (tftypes.Value, error) {
	value, err := state.Unmarshal(c.typ)
	if err != nil {
		return value, err
	}
	if value.IsNull() {
		c.state, c.private, c.identity = nil, nil, nil
		return value, nil
	}
	if !value.IsFullyKnown() {
		return value, fmt.Errorf("unknown values are left: %v", value)
	}
	switch {
	case identity == nil || identity.IdentityData == nil:
		return value, errors.New("missing resource identity")
	case c.identity != nil && !bytes.Equal(c.identity.IdentityData.MsgPack, identity.IdentityData.MsgPack):
		return value, errors.New("the resource identity changed")
	}
	c.state, err = json.Marshal(plain(value))
	c.private, c.identity = private, identity
	return value, err
}

// plan validates and plans, and checks the answer as core does.
func (w *walk) plan(ctx context.Context, config, prior tftypes.Value) (*proposal, error) {
	proposed := tftypes.NewValue(w.typ, nil)
	if !config.IsNull() {
		validated, err := w.server.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{TypeName: clientType, Config: dynamic(config)})
		if err := w.check(validated.Diagnostics, err); err != nil {
			return nil, err
		}
		proposed = w.propose(config, prior)
	}
	answer, err := w.planResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: clientType, PriorState: dynamic(prior), ProposedNewState: dynamic(proposed), Config: dynamic(config),
		PriorPrivate: w.private, PriorIdentity: w.identity,
	})
	if err := w.check(answer.Diagnostics, err); err != nil {
		return nil, err
	}
	if len(answer.RequiresReplace) > 0 {
		return nil, fmt.Errorf("the plan replaces the client, for %v", answer.RequiresReplace)
	}
	planned, err := answer.PlannedState.Unmarshal(w.typ)
	if err != nil {
		return nil, err
	}
	if config.IsNull() != planned.IsNull() {
		return nil, fmt.Errorf("configured %v, planned %v", config, planned)
	}
	if !config.IsNull() {
		wants, has := attributesOf(config), attributesOf(planned)
		for _, attribute := range w.block.Attributes {
			want, got := wants[attribute.Name], has[attribute.Name]
			if (!attribute.Computed || !want.IsNull()) && !want.Equal(got) {
				return nil, fmt.Errorf("provider produced invalid plan: %s is configured as %v and planned as %v", attribute.Name, want, got)
			}
		}
	}
	return &proposal{config: config, prior: prior, planned: planned, private: answer.PlannedPrivate, identity: answer.PlannedIdentity}, nil
}

// propose merges the configuration with what the provider computed before.
func (w *walk) propose(config, prior tftypes.Value) tftypes.Value {
	proposed, before := maps.Clone(attributesOf(config)), attributesOf(prior)
	for _, attribute := range w.block.Attributes {
		if attribute.Computed && proposed[attribute.Name].IsNull() && !prior.IsNull() {
			proposed[attribute.Name] = before[attribute.Name]
		}
	}
	return tftypes.NewValue(w.typ, proposed)
}

func (w *walk) apply(ctx context.Context, plan *proposal) error {
	answer, err := w.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: clientType, PriorState: dynamic(plan.prior), PlannedState: dynamic(plan.planned), Config: dynamic(plan.config),
		PlannedPrivate: plan.private, PlannedIdentity: plan.identity,
	})
	failure := w.check(answer.Diagnostics, err)
	if answer == nil || answer.NewState == nil {
		return errors.Join(failure, errors.New("no answer to the apply"))
	}
	// The state that comes with an error is kept, too.
	applied, err := w.keep(answer.NewState, answer.Private, answer.NewIdentity)
	switch {
	case failure != nil:
		return fmt.Errorf("applying: %w", errors.Join(failure, err))
	case err != nil:
		return fmt.Errorf("after the apply: %w", err)
	}
	if err := compatible(plan.planned, applied, ""); err != nil {
		return fmt.Errorf("provider produced inconsistent result after apply: %w", err)
	}
	return nil
}

// compatible tells where a value breaks what an earlier one promised: all that
// was known.
func compatible(promised, value tftypes.Value, at string) error {
	if !promised.IsKnown() {
		return nil
	}
	promises, values := attributesOf(promised), attributesOf(value)
	if promised.IsNull() || value.IsNull() || !value.IsKnown() || promises == nil {
		if !promised.Equal(value) {
			return fmt.Errorf("%s: promised %v, got %v", at, promised, value)
		}
		return nil
	}
	var broken []error
	for name, promise := range promises {
		if _, ok := values[name]; !ok {
			broken = append(broken, fmt.Errorf("%s/%s: promised %v, got nothing", at, name, promise))
			continue
		}
		broken = append(broken, compatible(promise, values[name], at+"/"+name))
	}
	for name, value := range values {
		if _, ok := promises[name]; !ok {
			broken = append(broken, fmt.Errorf("%s/%s: promised nothing, got %v", at, name, value))
		}
	}
	return errors.Join(broken...)
}

// attributesOf gives what an object or a map holds; nil for other values.
func attributesOf(value tftypes.Value) map[string]tftypes.Value {
	var attributes map[string]tftypes.Value
	if !value.Type().Is(tftypes.Object{}) && !value.Type().Is(tftypes.Map{}) || !value.IsKnown() || value.As(&attributes) != nil {
		return nil
	}
	return attributes
}

// differencesOf lists two values' differences, a line each.
func differencesOf(a, b tftypes.Value) string {
	differences, err := a.Diff(b)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, difference := range differences {
		isLeaf := difference.Value1 == nil || difference.Value2 == nil ||
			!difference.Value1.Type().Is(tftypes.Object{}) && !difference.Value1.Type().Is(tftypes.Map{})
		if isLeaf {
			lines = append(lines, difference.String())
		}
	}
	return strings.Join(lines, "\n")
}

func dynamic(value tftypes.Value) *tfprotov6.DynamicValue {
	encoded, err := tfprotov6.NewDynamicValue(value.Type(), value)
	if err != nil {
		panic(err) // the value was made for its type
	}
	return &encoded
}

// valueOf makes a value of plain Go ones; what is not given is null.
func valueOf(typ tftypes.Type, from any) tftypes.Value {
	value, err := valueFrom(typ, from)
	if err != nil {
		panic(err) // the tests know the type
	}
	return value
}

// plain is the reverse of [valueOf], for the state file.
func plain(value tftypes.Value) any {
	if value.IsNull() {
		return nil
	}
	if attributes := attributesOf(value); attributes != nil {
		fields := make(map[string]any, len(attributes))
		for name, attribute := range attributes {
			fields[name] = plain(attribute)
		}
		return fields
	}
	var text string
	var isTrue bool
	var items []tftypes.Value
	switch {
	case value.As(&text) == nil:
		return text
	case value.As(&isTrue) == nil:
		return isTrue
	case value.As(&items) == nil:
		list := make([]any, 0, len(items))
		for _, item := range items {
			list = append(list, plain(item))
		}
		return list
	}
	panic(fmt.Sprintf("a value of type %s", value.Type()))
}
