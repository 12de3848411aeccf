package provider

import (
	"context"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// readResource refreshes a client by the framework, and holds the short way, where it
// has an answer, to the same one. Both know what the short way has found out.
func (w *walk) readResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	ctx, short := w.server.readShort(ctx, req)
	answer, err := w.server.frameworkServer.ReadResource(ctx, req)
	if short == nil || err != nil {
		return answer, err
	}
	w.short++
	return answer, w.sameAnswer("a refresh",
		shown{short.NewState, short.NewIdentity, short.Private, short.Diagnostics},
		shown{answer.NewState, answer.NewIdentity, answer.Private, answer.Diagnostics})
}

// planResourceChange is readResource for a plan.
func (w *walk) planResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	ctx, short := w.server.planShort(ctx, req)
	answer, err := w.server.frameworkServer.PlanResourceChange(ctx, req)
	if short == nil || err != nil {
		return answer, err
	}
	w.short++
	if len(answer.RequiresReplace) > 0 {
		return answer, fmt.Errorf("a plan by the short way lacks the replacement for %v", answer.RequiresReplace)
	}
	return answer, w.sameAnswer("a plan",
		shown{short.PlannedState, short.PlannedIdentity, short.PlannedPrivate, short.Diagnostics},
		shown{answer.PlannedState, answer.PlannedIdentity, answer.PlannedPrivate, answer.Diagnostics})
}

// shown is what the CLI is told of a client.
type shown struct {
	state       *tfprotov6.DynamicValue
	identity    *tfprotov6.ResourceIdentityData
	private     []byte
	diagnostics []*tfprotov6.Diagnostic
}

func (w *walk) sameAnswer(what string, short, framework shown) error {
	values := make([]tftypes.Value, 0, 2)
	for _, answer := range []shown{short, framework} {
		value, err := answer.state.Unmarshal(w.typ)
		if err != nil {
			return err
		}
		values = append(values, value)
	}
	difference := differencesOf(values[0], values[1])
	difference += cmp.Diff(short.identity, framework.identity)
	difference += cmp.Diff(string(short.private), string(framework.private))
	difference += cmp.Diff(short.diagnostics, framework.diagnostics)
	if difference != "" {
		return fmt.Errorf("%s by the short way differs from the framework's:\n%s", what, difference)
	}
	return nil
}
