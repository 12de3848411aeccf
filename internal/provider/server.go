package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// NewServer returns the constructor of the server that the CLI talks to: the
// framework's, with a fast path for clients whose configuration has not changed.
// version is that of the release.
func NewServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		ctx := context.Background() //nolint:forbidigo // no call has come whose context it could be
		provider := newProvider(version)
		server := newServer(provider)
		server.fastPath, server.noFastPath = newFastPath(ctx, provider, clientSchema(ctx))
		return server
	}
}

// NewFrameworkServer returns the constructor of a server without the fast path: the
// framework answers every call. Its answers are what those of [NewServer] are compared
// with.
func NewFrameworkServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer { return newServer(newProvider(version)) }
}

func newServer(provider *miraProvider) *server {
	return &server{
		provider:        provider,
		frameworkServer: providerserver.NewProtocol6(provider)().(frameworkServer),
		logsDebug:       logsDebug(),
	}
}

// frameworkServer is all that the framework serves. plugin-go looks for the last two
// by their methods: without them a list resource or an action would be left out
// without a word.
type frameworkServer interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
}

type server struct {
	frameworkServer
	provider *miraProvider
	// fastPath is nil for a server that has none. noFastPath is why, where it should
	// have one.
	fastPath   *fastPath
	noFastPath error
	logsDebug  bool
}

// clientType is the name of the resource's type.
const clientType = "mira_client"

// FastPathMessage is what the debug log says of a call that the fast path has answered,
// with the name of the call in the field `rpc`.
const FastPathMessage = "Answered by the fast path"

// frameworkMessage is what the log says of a call that is left to the framework.
const frameworkMessage = "Left to the framework"

// secrets returns what must not get into any answer or log.
func (s *server) secrets() *managedfields.Register {
	if s.provider == nil {
		return nil
	}
	return s.provider.secrets
}

// redacted returns an answer whose diagnostics have no secrets, whoever has put them in:
// the API server, the template, or a validator.
func redacted[R any](s *server, response *R, err error, diagnosticsOf func(*R) []*tfprotov6.Diagnostic) (*R, error) {
	secrets := s.secrets()
	if response != nil {
		for _, diagnostic := range diagnosticsOf(response) {
			diagnostic.Summary = secrets.Redact(diagnostic.Summary)
			diagnostic.Detail = secrets.Redact(diagnostic.Detail)
		}
	}
	if err != nil && secrets.In(err.Error()) {
		err = errors.New(secrets.Redact(err.Error()))
	}
	return response, err
}

// logFastPath says whether the fast path has answered a call, or why not.
func (s *server) logFastPath(ctx context.Context, rpc string, reason reason) {
	switch {
	case !s.logsDebug || reason == anotherResource:
	case reason == "":
		logging.Debug(ctx, FastPathMessage, "rpc", rpc)
	case reason == unknownSchema:
		logging.Debug(ctx, frameworkMessage, "rpc", rpc, "reason", string(reason), "error", s.noFastPath.Error())
	default:
		logging.Debug(ctx, frameworkMessage, "rpc", rpc, "reason", string(reason))
	}
}

// ConfigureProvider connects to the cluster.
func (s *server) ConfigureProvider(
	ctx context.Context, req *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	resp, err := s.frameworkServer.ConfigureProvider(s.withLogger(ctx), req)
	return redacted(s, resp, err, func(r *tfprotov6.ConfigureProviderResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// ValidateResourceConfig checks the configuration of a client.
func (s *server) ValidateResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	resp, err := s.frameworkServer.ValidateResourceConfig(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.ValidateResourceConfigResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// UpgradeResourceState reads a client from a state file.
func (s *server) UpgradeResourceState(
	ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	ctx = s.withLogger(ctx)
	s.provider.noteState(req)
	if s.fastPath != nil {
		resp, reason := s.fastPath.upgrade(req)
		s.logFastPath(ctx, "UpgradeResourceState", reason)
		if resp != nil {
			return resp, nil
		}
	} else if s.noFastPath != nil {
		s.logFastPath(ctx, "UpgradeResourceState", unknownSchema)
	}
	resp, err := s.frameworkServer.UpgradeResourceState(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.UpgradeResourceStateResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// ReadResource refreshes a client.
func (s *server) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	ctx = s.withLogger(ctx)
	if s.fastPath != nil {
		handedOn, resp, reason := s.fastPath.read(ctx, req)
		s.logFastPath(ctx, "ReadResource", reason)
		if resp != nil {
			return resp, nil
		}
		ctx = handedOn
	}
	resp, err := s.frameworkServer.ReadResource(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.ReadResourceResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// PlanResourceChange plans a client.
func (s *server) PlanResourceChange(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	ctx = s.withLogger(ctx)
	if s.fastPath != nil {
		handedOn, resp, reason := s.fastPath.plan(ctx, req)
		s.logFastPath(ctx, "PlanResourceChange", reason)
		if resp != nil {
			return resp, nil
		}
		ctx = handedOn
	}
	resp, err := s.frameworkServer.PlanResourceChange(ctx, req)
	return redacted(s, resp, err, func(r *tfprotov6.PlanResourceChangeResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// ApplyResourceChange creates, updates or deletes a client.
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	resp, err := s.frameworkServer.ApplyResourceChange(s.withLogger(ctx), req)
	return redacted(s, resp, err, func(r *tfprotov6.ApplyResourceChangeResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// ImportResourceState imports a client.
func (s *server) ImportResourceState(
	ctx context.Context, req *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	resp, err := s.frameworkServer.ImportResourceState(s.withLogger(ctx), req)
	return redacted(s, resp, err, func(r *tfprotov6.ImportResourceStateResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}

// nothing is how null is encoded in msgpack.
const nothing = "\xc0"

// CallFunction runs a function of the provider. OpenTofu sends no value at all for an argument
// that is null.
func (s *server) CallFunction(ctx context.Context, req *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	for i, argument := range req.Arguments {
		if argument == nil || len(argument.MsgPack) == 0 && len(argument.JSON) == 0 {
			req.Arguments[i] = &tfprotov6.DynamicValue{MsgPack: []byte(nothing)}
		}
	}
	resp, err := s.frameworkServer.CallFunction(s.withLogger(ctx), req)
	if resp != nil && resp.Error != nil {
		resp.Error.Text = s.secrets().Redact(resp.Error.Text)
	}
	return redacted(s, resp, err, func(*tfprotov6.CallFunctionResponse) []*tfprotov6.Diagnostic { return nil })
}

// ReadDataSource reads a data source.
func (s *server) ReadDataSource(ctx context.Context, req *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	resp, err := s.frameworkServer.ReadDataSource(s.withLogger(ctx), req)
	return redacted(s, resp, err, func(r *tfprotov6.ReadDataSourceResponse) []*tfprotov6.Diagnostic { return r.Diagnostics })
}
