package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

var _ resource.ResourceWithUpgradeState = (*clientResource)(nil)

// clientSchemaVersion is that of the states that this provider writes. Version 0 had no
// attribute `rollout`.
const clientSchemaVersion = 1

// UpgradeState reads states of former versions.
func (r *clientResource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return map[int64]resource.StateUpgrader{0: {StateUpgrader: upgradeClientState0}}
}

// upgradeClientState0 completes a state of version 0: what was not seen through was not
// noted, so that nothing counts as pending. Without a value every client would be updated.
func upgradeClientState0(_ context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
	if req.RawState == nil {
		resp.Diagnostics.AddError("Client State Not Readable", "The state of the client is not JSON.")
		return
	}
	value, err := valueFromJSON(clientKind.typ, req.RawState.JSON)
	if err != nil {
		resp.Diagnostics.AddError("Client State Not Readable", sentence(err.Error()))
		return
	}
	model, diags := readClient(value)
	resp.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	model.Rollout = knownValue(rolloutComplete)
	upgraded, err := tfprotov6.NewDynamicValue(clientKind.typ, model.encode())
	if err != nil {
		resp.Diagnostics.AddError("Client State Not Writable", sentence(err.Error()))
		return
	}
	resp.DynamicValue = &upgraded
}
