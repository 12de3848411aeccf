// Package protocoltest plays the part of Terraform's core: it speaks the plugin
// protocol to the provider's server, in this process, and holds it to the rules that
// core has. A step takes milliseconds where a CLI takes a second, so tests can have
// hundreds of steps.
//
// Use it for what depends on the cluster and on the order of events: failures,
// interrupts, random edits. Use terraform-plugin-testing (the tests in
// internal/provider) for what a user configures and reads in a plan, and
// [acctest.CLI] for what only a CLI process shows: warnings, signals, and a fleet of
// clients in one run.
//
// Every refresh, plan and state upgrade is answered twice, by the server under test
// and by one without the fast path. The answers have to be the same.
package protocoltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Core does for one resource what the CLI's core does. It keeps the resource's
// state, as a state file does. Set the fields of the first group before the first
// call.
type Core struct {
	// Served returns a new server to test. Each walk starts one, as each run of a
	// CLI starts a process.
	Served func() tfprotov6.ProviderServer
	// Reference returns a new server whose answers are known to be right. A nil function
	// has nothing compared: where requests fail, the servers need not agree.
	Reference func() tfprotov6.ProviderServer
	// FastPathMessage is what the server under test logs when the fast path answers.
	FastPathMessage string
	// Resource is the type of the resource, such as mira_client.
	Resource string
	// Provider holds the attributes of the provider block. A test may change it
	// between two walks.
	Provider map[string]any

	// State is the resource's state in JSON, as in a state file; nil when there is
	// none. A test may replace it, as someone who edits the state file does.
	State []byte
	// StateVersion is the version of the schema that State is of, as the state file has it.
	StateVersion int64
	// Private is the part of the state that only the provider reads.
	Private []byte

	identity      *tfprotov6.ResourceIdentityData
	schemaVersion int64 // of the servers
	fastAnswers   map[string]int
}

// FastAnswers returns how many calls of an RPC, such as ReadResource, the fast path
// has answered so far.
func (c *Core) FastAnswers(rpc string) int { return c.fastAnswers[rpc] }

// Plan is a planned change, as a saved plan holds it.
type Plan struct {
	// Warnings of the provider about the plan: title, and text on further lines.
	Warnings []string

	config, prior, planned tftypes.Value
	private                []byte
	identity               *tfprotov6.ResourceIdentityData
}

// IsEmpty reports whether the plan changes nothing.
func (p *Plan) IsEmpty() bool { return p.prior.Equal(p.planned) }

// String lists what the plan changes, a line for each attribute or element.
func (p *Plan) String() string { return differences(p.prior, p.planned) }

// Apply plans and applies, as `terraform apply` does, and returns the first plan. Nil
// attributes mean a destroy. An empty plan is not applied.
func (c *Core) Apply(ctx context.Context, attributes map[string]any) (*Plan, error) {
	first, err := c.Plan(ctx, attributes)
	if err != nil || first.IsEmpty() {
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

// Plan refreshes, stores what it found as the state, and plans. Nil attributes mean a
// destroy.
func (c *Core) Plan(ctx context.Context, attributes map[string]any) (*Plan, error) {
	w, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	prior, err := w.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("refreshing: %w", err)
	}
	var config any
	switch {
	case attributes != nil:
		config = attributes
	case prior.IsNull(): // what is gone already; core asks for no plan
		return &Plan{config: prior, prior: prior, planned: prior}, nil
	}
	plan, err := w.plan(ctx, valueOf(w.typ, config), prior)
	if err != nil {
		return nil, fmt.Errorf("planning: %w", err)
	}
	return plan, nil
}

// Import imports the resource by its ID and reads it, as `terraform import` does. The state
// is nil as before if it fails.
func (c *Core) Import(ctx context.Context, id string) error {
	w, err := c.start(ctx)
	if err != nil {
		return err
	}
	return w.importResource(ctx, id)
}

// ApplyPlan applies a plan without planning again: what happens in the cluster
// between the plan and this call is what the provider does not know of.
func (c *Core) ApplyPlan(ctx context.Context, plan *Plan) error {
	w, err := c.start(ctx)
	if err != nil {
		return err
	}
	return w.apply(ctx, plan)
}

// keep stores the answer to a refresh or an apply. It checks that the answer has an
// identity, and that the identity is the one before.
func (c *Core) keep(typ tftypes.Type, stored answer) (tftypes.Value, error) {
	value, err := stored.state.Unmarshal(typ)
	if err != nil {
		return value, err
	}
	if value.IsNull() {
		c.State, c.Private, c.identity = nil, nil, nil
		return value, nil
	}
	if !value.IsFullyKnown() {
		return value, fmt.Errorf("unknown values are left: %v", value)
	}
	switch {
	case stored.identity == nil || stored.identity.IdentityData == nil:
		return value, errors.New("missing resource identity")
	case c.identity != nil && !bytes.Equal(c.identity.IdentityData.MsgPack, stored.identity.IdentityData.MsgPack):
		return value, errors.New("the resource identity changed")
	}
	c.State, err = json.Marshal(plain(value))
	c.StateVersion = c.schemaVersion
	c.Private, c.identity = stored.private, stored.identity
	return value, err
}
