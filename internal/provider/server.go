package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// NewServer gives the constructor of the server that the CLI talks to; version is
// that of the release.
//
// It is the framework's, with a short way for the refresh and the plan of clients whose
// configuration has not changed: most of them, in most plans. The framework walks over
// all fields of `objects` some twenty times for both, which took nine tenths of their
// CPU. The short way never changes an answer: where anything is out of the ordinary it
// leaves the call to the framework.
func NewServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		ctx := context.Background() //nolint:forbidigo // no call has come whose context it could be
		provider := newProvider(version)
		clients := clientSchema(ctx)
		return &server{
			frameworkServer: providerserver.NewProtocol6(provider)().(frameworkServer),
			provider:        provider,
			clients:         clients,
			state:           clients.Type().TerraformType(ctx),
			identity:        clientIdentitySchema().Type().TerraformType(ctx),
		}
	}
}

// NewFrameworkServer returns the constructor of a server without the fast path: the
// framework answers every call. Its answers are what those of [NewServer] are compared
// with.
func NewFrameworkServer(version string) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer { return providerserver.NewProtocol6(newProvider(version))() }
}

// FastPathMessage is what the debug log says of a call that the fast path has answered,
// with the name of the call in the field `rpc`.
const FastPathMessage = "Answered by the fast path"

func logFastPath(ctx context.Context, rpc string) {
	tflog.Debug(ctx, FastPathMessage, map[string]any{"rpc": rpc})
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
	provider        *miraProvider
	clients         schema.Schema
	state, identity tftypes.Type // of a client
}

// clientType is the name of the resource's type.
const clientType = "mira_client"

// UpgradeResourceState gives a state that was written for the present schema as it
// is.
func (s *server) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	if req.TypeName == clientType && req.Version == s.clients.Version && req.RawState != nil {
		if value, err := valueFromJSON(s.state, req.RawState.JSON); err == nil {
			if state, err := tfprotov6.NewDynamicValue(s.state, value); err == nil {
				logFastPath(ctx, "UpgradeResourceState")
				return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, nil
			}
		}
	}
	return s.frameworkServer.UpgradeResourceState(ctx, req)
}

// ReadResource refreshes a client.
func (s *server) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	ctx, short := s.readShort(withLogger(ctx), req)
	if short != nil {
		logFastPath(ctx, "ReadResource")
		return short, nil
	}
	return s.frameworkServer.ReadResource(ctx, req)
}

// PlanResourceChange plans a client.
func (s *server) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	ctx, short := s.planShort(withLogger(ctx), req)
	if short != nil {
		logFastPath(ctx, "PlanResourceChange")
		return short, nil
	}
	return s.frameworkServer.PlanResourceChange(ctx, req)
}

// ApplyResourceChange changes a client.
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return s.frameworkServer.ApplyResourceChange(withLogger(ctx), req)
}

// ImportResourceState imports a client.
func (s *server) ImportResourceState(
	ctx context.Context, req *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	return s.frameworkServer.ImportResourceState(withLogger(ctx), req)
}

// ConfigureProvider connects to the cluster.
func (s *server) ConfigureProvider(
	ctx context.Context, req *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	return s.frameworkServer.ConfigureProvider(withLogger(ctx), req)
}
