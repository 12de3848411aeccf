package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
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
	return s.frameworkServer.ConfigureProvider(s.withLogger(ctx), req)
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
	return s.frameworkServer.UpgradeResourceState(ctx, req)
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
	return s.frameworkServer.ReadResource(ctx, req)
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
	return s.frameworkServer.PlanResourceChange(ctx, req)
}

// ApplyResourceChange creates, updates or deletes a client.
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return s.frameworkServer.ApplyResourceChange(s.withLogger(ctx), req)
}

// ImportResourceState imports a client.
func (s *server) ImportResourceState(
	ctx context.Context, req *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	return s.frameworkServer.ImportResourceState(s.withLogger(ctx), req)
}
