package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// noteState notes that the state has the client of a request. In each walk the CLI sends
// every instance of its state that takes part in it, whether it refreshes or not. A state
// that cannot be read is the framework's to report.
func (p *miraProvider) noteState(req *tfprotov6.UpgradeResourceStateRequest) {
	data := p.configured.Load()
	if data == nil || data.fleet == nil || req.TypeName != clientType || req.RawState == nil {
		return
	}
	var client struct {
		Namespace, Name string
		DeleteData      bool `json:"delete_data"`
		Template        struct {
			Namespace, Key string
			ConfigMap      string `json:"config_map"`
		}
	}
	if json.Unmarshal(req.RawState.JSON, &client) != nil || client.Name == "" {
		return
	}
	data.fleet.AddState(client.Namespace, client.Name)
	data.fleet.AddFollower(client.Namespace, client.Name, data.template.Override(mira.TemplateSource{
		Namespace: client.Template.Namespace, ConfigMap: client.Template.ConfigMap, Key: client.Template.Key,
	}))
	if client.DeleteData {
		data.fleet.AddData(client.Namespace, client.Name, recordedData(client.Namespace, req.RawState.JSON))
	}
}

// recordedData reads out of a state what a delete of the client's data needs. A tainted
// client is planned without its state.
func recordedData(namespace string, state []byte) *mira.State {
	var client struct {
		Objects map[string]json.RawMessage `json:"objects"`
		Claims  []string                   `json:"persistent_volume_claims"`
	}
	if json.Unmarshal(state, &client) != nil {
		return nil
	}
	objects := make(map[string]managedfields.Fields, len(client.Objects))
	for key := range client.Objects {
		objects[key] = nil
	}
	return &mira.State{Refs: mira.RefsOf(namespace, objects), Claims: client.Claims}
}

// declareGone declares that the client of a state goes from the resource: it is destroyed,
// or replaced by another client.
func (r *clientResource) declareGone(prior *clientModel) diag.Diagnostics {
	return r.declare(prior, mira.DeclaresGone)
}

// declare declares a client whose name and namespace are known.
func (r *clientResource) declare(client *clientModel, as mira.Declaration) diag.Diagnostics {
	var diags diag.Diagnostics
	if r.provider.fleet == nil || as == 0 {
		return diags
	}
	if err := r.provider.fleet.Declare(client.Namespace.get(), client.Name.get(), as); err != nil {
		addErrors(&diags, r.subject(client.Name.get()), err)
	}
	return diags
}

// declarationOf returns how a resource stands to the client that it plans; zero where it
// will be planned once more. The CLI does that for a client that is replaced: without a
// prior state, but with the private state that the first plan has returned.
func declarationOf(ctx context.Context, req resource.ModifyPlanRequest, isSameClient bool) mira.Declaration {
	switch {
	case isSameClient:
		return mira.DeclaresKept
	case !req.State.Raw.IsNull():
		return 0
	}
	if refs, _ := req.Private.GetKey(ctx, refsKey); len(refs) > 0 {
		return mira.DeclaresReplaced
	}
	return mira.DeclaresNew
}

// planDeclared declares a client, unless the declaration is zero, and plans it.
func planDeclared(
	ctx context.Context, fleet *mira.Fleet, spec mira.Spec, before *mira.State, as mira.Declaration,
) (*mira.Plan, error) {
	if as != 0 {
		if err := fleet.Declare(spec.Namespace, spec.Name, as); err != nil {
			return nil, err
		}
	}
	return fleet.Plan(ctx, spec, before)
}
