package provider

import (
	"bytes"
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// readShort refreshes a client by the short way, where its live objects are as the
// state says. The context hands on what was found out, whether there is an answer or
// not.
func (s *server) readShort(ctx context.Context, req *tfprotov6.ReadResourceRequest) (context.Context, *tfprotov6.ReadResourceResponse) {
	data := s.provider.configured.Load()
	if req.TypeName != clientType || data == nil || data.fleet == nil {
		return ctx, nil
	}
	client := s.recorded(ctx, req.CurrentState, req.Private)
	if client == nil {
		return ctx, nil
	}
	identity := s.identityOf(client)
	// CLIs that know of no identities send none.
	if identity == nil || req.CurrentIdentity != nil && !isSame(req.CurrentIdentity.IdentityData, identity.IdentityData) {
		return ctx, nil
	}
	timed, cancel := context.WithTimeout(ctx, client.readTimeout)
	defer cancel()
	live, err := data.fleet.Read(timed, client.namespace, client.name, client.record)
	ctx = handOn(ctx, live, err)
	if err != nil || live == nil || live.Revision != client.record.Revision || !live.SameClient(client.record) || !slices.Equal(live.Refs, client.record.Refs) {
		return ctx, nil
	}
	return ctx, &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, Private: req.Private, NewIdentity: identity}
}

// planShort plans a client by the short way, where its configuration asks for what
// its state says: the template, or somebody's hand, decides what changes then. The
// context hands on what was found out, whether there is an answer or not.
func (s *server) planShort(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (context.Context, *tfprotov6.PlanResourceChangeResponse) {
	data := s.provider.configured.Load()
	if req.TypeName != clientType || data == nil || data.fleet == nil || !isSame(req.PriorState, req.ProposedNewState) {
		return ctx, nil
	}
	client := s.recorded(ctx, req.PriorState, req.PriorPrivate)
	if client == nil || !s.defaultsHold(data, client, req.Config) {
		return ctx, nil
	}
	timed, cancel := context.WithTimeout(ctx, client.readTimeout)
	defer cancel()
	planned, err := data.fleet.Plan(timed, client.spec(data.template), client.record)
	ctx = handOn(ctx, planned, err)
	if err != nil || planned.Unknown || len(planned.Warnings) > 0 {
		return ctx, nil
	}
	state := req.PriorState
	if !planned.SameClient(client.record) {
		if state = s.with(client, planned.State); state == nil {
			return ctx, nil
		}
	}
	return ctx, &tfprotov6.PlanResourceChangeResponse{PlannedState: state, PlannedPrivate: req.PriorPrivate, PlannedIdentity: req.PriorIdentity}
}

// defaultsHold tells whether a client has the default wherever the configuration
// says nothing: what the CLI proposes then is what the client has.
func (s *server) defaultsHold(data *configured, client *recordedClient, config *tfprotov6.DynamicValue) bool {
	attributes := s.attributes(config)
	if attributes == nil {
		return false
	}
	holds := func(attribute string, has, byDefault any) bool {
		return !attributes[attribute].IsNull() || has == byDefault
	}
	return holds("namespace", client.namespace, data.namespace.ValueString()) &&
		holds("wait_for_rollout", client.waitForRollout, defaultWaitForRollout) &&
		holds("delete_data", client.deleteData, defaultDeleteData)
}

// isSame tells whether two values are written the same, as equal ones are.
func isSame(a, b *tfprotov6.DynamicValue) bool {
	return a != nil && b != nil && bytes.Equal(a.MsgPack, b.MsgPack) && bytes.Equal(a.JSON, b.JSON)
}

// found is what is found out about a client before the framework is asked.
type found[T any] struct {
	value T
	err   error
}

type foundKey[T any] struct{}

// handOn lets [once] have a result.
func handOn[T any](ctx context.Context, value T, err error) context.Context {
	return context.WithValue(ctx, foundKey[T]{}, found[T]{value, err})
}

// once does something unless its result was handed on.
func once[T any](ctx context.Context, do func() (T, error)) (T, error) {
	if found, ok := ctx.Value(foundKey[T]{}).(found[T]); ok {
		return found.value, found.err
	}
	return do()
}
