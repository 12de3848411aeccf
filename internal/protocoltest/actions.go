package protocoltest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Invocation is what an action has told.
type Invocation struct {
	Messages []string // of its progress
	Warnings []string // title, and text on further lines
	Err      error
}

// Invoke plans and invokes an action with each of the configurations, all at the same time
// and in one walk, as core does with the instances of an action.
func (c *Core) Invoke(ctx context.Context, action string, configurations ...map[string]any) []Invocation {
	invocations := make([]Invocation, len(configurations))
	fail := func(err error) []Invocation {
		for i := range invocations {
			invocations[i].Err = err
		}
		return invocations
	}
	w, err := c.start(ctx)
	if err != nil {
		return fail(err)
	}
	server, ok := w.served.(tfprotov6.ActionServer)
	if !ok {
		return fail(errors.New("the provider serves no actions"))
	}
	schemas, err := w.served.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return fail(err)
	}
	schema, ok := schemas.ActionSchemas[action]
	if !ok {
		return fail(fmt.Errorf("the provider has no action %s", action))
	}
	var all sync.WaitGroup
	for i, configuration := range configurations {
		config := dynamic(valueOf(schema.Schema.ValueType(), configuration))
		all.Go(func() { invocations[i] = invoke(ctx, server, action, config) })
	}
	all.Wait()
	return invocations
}

func invoke(ctx context.Context, server tfprotov6.ActionServer, action string, config *tfprotov6.DynamicValue) Invocation {
	validated, err := server.ValidateActionConfig(ctx, &tfprotov6.ValidateActionConfigRequest{ActionType: action, Config: config})
	if err != nil || failure(validated.Diagnostics, nil) != nil {
		return Invocation{Err: fmt.Errorf("validating: %w", errors.Join(err, failure(validated.Diagnostics, nil)))}
	}
	planned, err := server.PlanAction(ctx, &tfprotov6.PlanActionRequest{ActionType: action, Config: config})
	if err != nil || failure(planned.Diagnostics, nil) != nil {
		return Invocation{Err: fmt.Errorf("planning: %w", errors.Join(err, failure(planned.Diagnostics, nil)))}
	}
	stream, err := server.InvokeAction(ctx, &tfprotov6.InvokeActionRequest{ActionType: action, Config: config})
	if err != nil {
		return Invocation{Err: err}
	}
	invocation := Invocation{Err: errors.New("the action did not end")}
	for event := range stream.Events {
		switch event := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			invocation.Messages = append(invocation.Messages, event.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			invocation.Warnings = warnings(event.Diagnostics)
			invocation.Err = failure(event.Diagnostics, nil)
		}
	}
	return invocation
}
