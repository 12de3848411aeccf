package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// ValidateActionConfig checks the configuration of an action.
func (s *server) ValidateActionConfig(
	ctx context.Context, req *tfprotov6.ValidateActionConfigRequest,
) (*tfprotov6.ValidateActionConfigResponse, error) {
	resp, err := s.frameworkServer.ValidateActionConfig(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.ValidateActionConfigResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// PlanAction plans an action.
func (s *server) PlanAction(ctx context.Context, req *tfprotov6.PlanActionRequest) (*tfprotov6.PlanActionResponse, error) {
	resp, err := s.frameworkServer.PlanAction(s.withLogger(ctx), req)
	return redacted(s, resp, err, func(r *tfprotov6.PlanActionResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// InvokeAction carries an action out. What it tells on the way has no secrets, either.
func (s *server) InvokeAction(ctx context.Context, req *tfprotov6.InvokeActionRequest) (*tfprotov6.InvokeActionServerStream, error) {
	stream, err := s.frameworkServer.InvokeAction(s.withLogger(ctx), req)
	if stream == nil || stream.Events == nil {
		return redacted(s, stream, err, func(*tfprotov6.InvokeActionServerStream) []*tfprotov6.Diagnostic { return nil })
	}
	events := stream.Events
	stream.Events = func(push func(tfprotov6.InvokeActionEvent) bool) {
		for event := range events {
			if !push(s.redactedEvent(event)) {
				return
			}
		}
	}
	return stream, err
}

func (s *server) redactedEvent(event tfprotov6.InvokeActionEvent) tfprotov6.InvokeActionEvent {
	switch typed := event.Type.(type) {
	case tfprotov6.ProgressInvokeActionEventType:
		typed.Message = s.secrets().Redact(typed.Message)
		event.Type = typed
	case tfprotov6.CompletedInvokeActionEventType:
		_, _ = redacted(s, &typed, nil, func(e *tfprotov6.CompletedInvokeActionEventType) []*tfprotov6.Diagnostic { return e.Diagnostics })
	}
	return event
}

// ValidateListResourceConfig checks the configuration of a list.
func (s *server) ValidateListResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateListResourceConfigRequest,
) (*tfprotov6.ValidateListResourceConfigResponse, error) {
	resp, err := s.frameworkServer.ValidateListResourceConfig(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.ValidateListResourceConfigResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// ListResource lists clients.
func (s *server) ListResource(ctx context.Context, req *tfprotov6.ListResourceRequest) (*tfprotov6.ListResourceServerStream, error) {
	stream, err := s.frameworkServer.ListResource(s.withLogger(ctx), req)
	if stream == nil || stream.Results == nil {
		return redacted(s, stream, err, func(*tfprotov6.ListResourceServerStream) []*tfprotov6.Diagnostic { return nil })
	}
	results := stream.Results
	stream.Results = func(push func(tfprotov6.ListResourceResult) bool) {
		for result := range results {
			_, _ = redacted(s, &result, nil, func(r *tfprotov6.ListResourceResult) []*tfprotov6.Diagnostic { return r.Diagnostics })
			if !push(result) {
				return
			}
		}
	}
	return stream, err
}
