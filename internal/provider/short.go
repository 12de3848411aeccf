package provider

import (
	"bytes"
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// readUnchanged answers for a client that is as its state says. For another one it
// gives no answer, but a context with what it has found out.
func (s *server) readUnchanged(ctx context.Context, req *tfprotov6.ReadResourceRequest) (context.Context, *tfprotov6.ReadResourceResponse) {
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
	if err == nil && live != nil && live.Revision == client.record.Revision && live.SameClient(client.record) && slices.Equal(live.Refs, client.record.Refs) {
		return ctx, &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, Private: req.Private, NewIdentity: identity}
	}
	return handOn(ctx, live, err), nil
}

// planUnchanged answers for a client whose configuration asks for what its state
// says, and that an apply would leave as it is. For another one it gives no answer,
// but a context with what it has found out.
func (s *server) planUnchanged(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (context.Context, *tfprotov6.PlanResourceChangeResponse) {
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
	planned, err := data.fleet.PlanSettled(timed, client.spec(data.template), client.record)
	switch {
	case planned == nil && err == nil:
		return ctx, nil
	case err == nil && !planned.Unforeseeable && len(planned.Warnings) == 0 && planned.SameClient(client.record):
		return ctx, &tfprotov6.PlanResourceChangeResponse{PlannedState: req.PriorState, PlannedPrivate: req.PriorPrivate, PlannedIdentity: req.PriorIdentity}
	}
	return handOn(ctx, planned, err), nil
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
