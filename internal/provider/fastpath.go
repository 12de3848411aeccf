package provider

import (
	"bytes"
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// fastPath answers for most clients in most plans, those whose configuration has not
// changed. For a refresh and a plan the framework walks over all fields of `objects`
// some twenty times, which took nine tenths of their CPU time.
//
// The fast path never changes an answer: where anything is unusual it leaves the call to
// the framework. It reads the same model, by the same codec, with the defaults of the
// schema. What it found out from the server is handed on, so that the framework does not
// ask again.
type fastPath struct {
	provider *miraProvider
	version  int64 // of the client's schema
	// defaults of a client's attributes, by name.
	defaults map[string]tftypes.Value
}

// newFastPath returns an error where the schema has what the fast path does not know.
func newFastPath(ctx context.Context, provider *miraProvider, clients schema.Schema) (*fastPath, error) {
	defaults, err := schemaDefaults(ctx, clients)
	if err != nil {
		return nil, err
	}
	if err := checkFastPath(ctx, clients, clientKind.typ, defaults); err != nil {
		return nil, err
	}
	return &fastPath{provider: provider, version: clients.Version, defaults: defaults}, nil
}

// reason is why the fast path leaves a call to the framework; empty where it does not.
type reason string

const (
	unknownSchema        reason = "the schema has what the fast path does not know"
	anotherResource      reason = "another resource"
	anotherVersion       reason = "the state is of another version of the schema"
	notConfigured        reason = "the provider's configuration is not known"
	unusualState         reason = "the state is not as this provider writes it"
	unusualPrivateState  reason = "the private state is not as this provider writes it"
	unusualIdentity      reason = "the identity is not that of the client"
	changedConfiguration reason = "the configuration has changed"
	unusualSecrets       reason = "the secrets of the configuration are not known, or not as they should be"
	changedDefault       reason = "a default differs from the state"
	requestFailed        reason = "the server could not be asked, or refused"
	changedObjects       reason = "the objects have changed"
	unknownPlan          reason = "the plan has unknown values"
	plannedWarnings      reason = "the plan has warnings"
	unwritableState      reason = "the new state cannot be written"
)

// upgrade returns a state that was written for the present schema as it is.
func (f *fastPath) upgrade(req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, reason) {
	switch {
	case req.TypeName != clientType:
		return nil, anotherResource
	case req.Version != f.version || req.RawState == nil:
		return nil, anotherVersion
	}
	value, err := valueFromJSON(clientKind.typ, req.RawState.JSON)
	if err != nil {
		return nil, unusualState
	}
	state, err := tfprotov6.NewDynamicValue(clientKind.typ, value)
	if err != nil {
		return nil, unusualState
	}
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, ""
}

// read refreshes a client whose live objects are as its state says. The context hands on
// what was found out, whether there is an answer or not.
func (f *fastPath) read(
	ctx context.Context, req *tfprotov6.ReadResourceRequest,
) (context.Context, *tfprotov6.ReadResourceResponse, reason) {
	data := f.provider.configured.Load()
	client, identity, reason := f.readable(ctx, data, req)
	if reason != "" {
		return ctx, nil, reason
	}
	timed, cancel := context.WithTimeout(ctx, client.readTimeout)
	defer cancel()
	data.readTemplateAhead(ctx, &client.clientModel)
	live, err := data.fleet.Read(timed, client.Namespace.get(), client.Name.get(), client.prior)
	ctx = withResult(ctx, live, err)
	if err != nil {
		return ctx, nil, requestFailed
	}
	if live == nil || live.Revision != client.prior.Revision || !live.SameClient(client.prior) || !slices.Equal(live.Refs, client.prior.Refs) {
		return ctx, nil, changedObjects
	}
	return ctx, &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, Private: req.Private, NewIdentity: identity}, ""
}

// readable returns the client to refresh, with its identity.
func (f *fastPath) readable(
	ctx context.Context, data *configured, req *tfprotov6.ReadResourceRequest,
) (*fastClient, *tfprotov6.ResourceIdentityData, reason) {
	switch {
	case req.TypeName != clientType:
		return nil, nil, anotherResource
	case data == nil || data.fleet == nil:
		return nil, nil, notConfigured
	}
	client, reason := f.client(ctx, req.CurrentState, req.Private)
	if reason != "" {
		return nil, nil, reason
	}
	identity, err := tfprotov6.NewDynamicValue(clientIdentityKind.typ, client.identity().encode())
	// CLIs that know of no identities send none.
	if err != nil || req.CurrentIdentity != nil && !isSame(req.CurrentIdentity.IdentityData, &identity) {
		return nil, nil, unusualIdentity
	}
	return client, &tfprotov6.ResourceIdentityData{IdentityData: &identity}, ""
}

// plan plans a client whose configuration asks for what its state says: only the
// template, or a change by hand, may change something then. The context hands on what
// was found out, whether there is an answer or not.
func (f *fastPath) plan(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (context.Context, *tfprotov6.PlanResourceChangeResponse, reason) {
	data := f.provider.configured.Load()
	client, reason := f.plannable(ctx, data, req)
	if reason != "" {
		return ctx, nil, reason
	}
	spec, _, diags := client.spec(data.template)
	if diags.HasError() {
		return ctx, nil, unusualState
	}
	timed, cancel := context.WithTimeout(ctx, client.readTimeout)
	defer cancel()
	planned, err := planDeclared(timed, data.fleet, spec, client.prior, mira.DeclaresKept)
	ctx = withResult(ctx, planned, err)
	if err != nil {
		return ctx, nil, requestFailed
	}
	resp, reason := client.planned(planned, req)
	return ctx, resp, reason
}

// plannable returns the client to plan.
func (f *fastPath) plannable(ctx context.Context, data *configured, req *tfprotov6.PlanResourceChangeRequest) (*fastClient, reason) {
	switch {
	case req.TypeName != clientType:
		return nil, anotherResource
	case data == nil || data.fleet == nil:
		return nil, notConfigured
	case !isSame(req.PriorState, req.ProposedNewState):
		return nil, changedConfiguration
	}
	client, reason := f.client(ctx, req.PriorState, req.PriorPrivate)
	if reason != "" {
		return nil, reason
	}
	config, ok := f.unmarshal(req.Config)
	var arguments map[string]tftypes.Value
	if !ok || config.As(&arguments) != nil {
		return nil, unusualState
	}
	if !f.hasDefaults(client, data.namespace, arguments) {
		return nil, changedDefault
	}
	if !client.setSecrets(arguments[secretVariablesAttribute]) {
		return nil, unusualSecrets
	}
	return client, ""
}

// hasDefaults reports whether a client has the default wherever its configuration is
// silent: the CLI proposes what the client has.
func (f *fastPath) hasDefaults(client *fastClient, namespace value[string], arguments map[string]tftypes.Value) bool {
	if arguments[providersDefault].IsNull() && client.Namespace != namespace {
		return false
	}
	for _, attribute := range clientAttributes {
		byDefault, ok := f.defaults[attribute.name]
		if ok && arguments[attribute.name].IsNull() && !attribute.encode(&client.clientModel).Equal(byDefault) {
			return false
		}
	}
	return true
}

// planned is the answer for a plan of package mira.
func (c *fastClient) planned(plan *mira.Plan, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, reason) {
	switch {
	case plan.Unknown:
		return nil, unknownPlan
	case len(plan.Warnings) > 0:
		return nil, plannedWarnings
	}
	state := req.PriorState
	if !plan.SameClient(c.prior) {
		model := c.clientModel
		model.setState(plan.State)
		changed, err := tfprotov6.NewDynamicValue(clientKind.typ, model.encode())
		if err != nil {
			return nil, unwritableState
		}
		state = &changed
	}
	return &tfprotov6.PlanResourceChangeResponse{
		PlannedState: state, PlannedPrivate: req.PriorPrivate, PlannedIdentity: req.PriorIdentity,
	}, ""
}

// isSame reports whether two values are written the same, as equal ones are.
func isSame(a, b *tfprotov6.DynamicValue) bool {
	return a != nil && b != nil && bytes.Equal(a.MsgPack, b.MsgPack) && bytes.Equal(a.JSON, b.JSON)
}

// result is what was found out about a client before the framework is asked.
type result[T any] struct {
	value T
	err   error
}

type resultKey[T any] struct{}

// withResult hands a result on to [resultOr].
func withResult[T any](ctx context.Context, value T, err error) context.Context {
	return context.WithValue(ctx, resultKey[T]{}, result[T]{value, err})
}

// resultOr returns the result that was handed on, or that of a function where there is
// none.
func resultOr[T any](ctx context.Context, do func() (T, error)) (T, error) {
	if found, ok := ctx.Value(resultKey[T]{}).(result[T]); ok {
		return found.value, found.err
	}
	return do()
}
