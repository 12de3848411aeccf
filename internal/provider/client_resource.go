package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// Default time-outs. A first pull of the images on a new node is what takes long.
const (
	defaultCreateTimeout = 10 * time.Minute
	defaultReadTimeout   = 2 * time.Minute
	defaultUpdateTimeout = 10 * time.Minute
	defaultDeleteTimeout = 10 * time.Minute
)

var (
	_ resource.ResourceWithConfigure   = (*clientResource)(nil)
	_ resource.ResourceWithIdentity    = (*clientResource)(nil)
	_ resource.ResourceWithImportState = (*clientResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*clientResource)(nil)
)

type clientResource struct {
	provider *configured
}

func newClientResource() resource.Resource { return &clientResource{} }

func (r *clientResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_client"
}

func (r *clientResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = clientSchema(ctx)
}

func (r *clientResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = clientIdentitySchema()
}

func (r *clientResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	if req.ProviderData == nil {
		return // validation, before the provider is configured
	}
	provider, ok := req.ProviderData.(*configured)
	if !ok {
		resp.Diagnostics.AddError("Unexpected Provider Data", fmt.Sprintf("Got %T. This is a bug in the provider.", req.ProviderData))
		return
	}
	r.provider = provider
}

func (r *clientResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan clientModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	spec, options, diags := r.applyInput(ctx, plan)
	resp.Diagnostics.Append(diags...)
	options.Timeout, diags = plan.Timeouts.Create(ctx, defaultCreateTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	outcome, err := r.provider.fleet.Create(ctx, spec, options)
	isInterrupted := errors.Is(err, context.Canceled)
	if outcome != nil && err != nil && len(outcome.Existed) > 0 && !isInterrupted {
		// State and an error together would taint the client, and the next apply
		// would delete one that served before. Without state it is adopted again.
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
		resp.Diagnostics.AddError("Adopted Client Not In State",
			fmt.Sprintf("Client %q existed before this apply and stays as it is now, but it is not in the state. The next apply adopts it again.", spec.Name))
		return
	}
	if outcome != nil {
		addWarnings(&resp.Diagnostics, outcome.Warnings)
		if err != nil && !isInterrupted {
			// The delete that replaces a tainted client reads the state, and the
			// claims may hold the data of a former life of this client.
			plan.DeleteData = types.BoolValue(false)
		}
		resp.Diagnostics.Append(plan.save(ctx, outcome.State, &resp.State, resp.Identity, resp.Private)...)
	}
	switch {
	case outcome != nil && isInterrupted:
		addInterrupted(&resp.Diagnostics, clientSubject(spec.Name), err)
	case outcome != nil && err != nil:
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
		resp.Diagnostics.AddError("New Client Is Tainted",
			fmt.Sprintf("The objects of client %q are written and in the state. As it never served, the next apply deletes and creates it again (its claims stay). "+
				"If it comes up by itself, `terraform untaint` keeps it.", spec.Name))
	case err != nil:
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
	}
}

// applyInput is what Create and Update have in common: the spec, resolved where
// the plan could not know it, and what was planned.
func (r *clientResource) applyInput(ctx context.Context, plan clientModel) (mira.Spec, mira.ApplyOptions, diag.Diagnostics) {
	var diags diag.Diagnostics
	if r.provider == nil || r.provider.fleet == nil {
		diags.AddError("Provider Configuration Not Known", "The provider's configuration has unknown values during apply. A provider can only be configured with what is known before its resources are applied.")
		return mira.Spec{}, mira.ApplyOptions{}, diags
	}
	spec, diags := plan.spec(ctx, r.provider.template)
	options := mira.ApplyOptions{Wait: plan.WaitForRollout.ValueBool()}
	if known(plan.Objects) {
		diags.Append(plan.Objects.ElementsAs(ctx, &options.Planned, false)...)
	}
	return spec, options, diags
}

func (r *clientResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state clientModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if r.provider == nil || r.provider.fleet == nil {
		// Nobody to ask yet: the state stays as it is. Its identity must be given
		// all the same, as a CLI before 1.12 does not keep it.
		resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
		return
	}
	refs, diags := loadRefs(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	before, diags := state.record(ctx, refs)
	resp.Diagnostics.Append(diags...)
	timeout, diags := state.Timeouts.Read(ctx, defaultReadTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	live, err := once(ctx, func() (*mira.State, error) {
		return r.provider.fleet.Read(ctx, state.Namespace.ValueString(), state.Name.ValueString(), before)
	})
	if err != nil {
		addErrors(&resp.Diagnostics, clientSubject(state.Name.ValueString()), err)
		return
	}
	if live == nil {
		// Without an identity the framework takes the answer for a mistake.
		resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(state.save(ctx, *live, &resp.State, resp.Identity, resp.Private)...)
}

func (r *clientResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state clientModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	refs, diags := loadRefs(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	before, diags := state.record(ctx, refs)
	resp.Diagnostics.Append(diags...)
	before.Fingerprints, diags = loadFingerprints(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	spec, options, diags := r.applyInput(ctx, plan)
	resp.Diagnostics.Append(diags...)
	options.Timeout, diags = plan.Timeouts.Update(ctx, defaultUpdateTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	outcome, err := r.provider.fleet.Update(ctx, spec, before, options)
	var partial *mira.PartialWriteError
	var rolledBack *mira.RolledBackError
	if errors.As(err, &partial) || errors.As(err, &rolledBack) {
		// The attributes stay as they were, so that the next plan shows the same
		// change; what was created by now must not be forgotten.
		resp.Diagnostics.Append(saveRefs(ctx, resp.Private, outcome.Refs)...)
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
		return
	}
	if outcome != nil {
		addWarnings(&resp.Diagnostics, outcome.Warnings)
		resp.Diagnostics.Append(plan.save(ctx, outcome.State, &resp.State, resp.Identity, resp.Private)...)
	}
	switch {
	case outcome != nil && errors.Is(err, context.Canceled):
		addInterrupted(&resp.Diagnostics, clientSubject(spec.Name), err)
	case err != nil:
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
	}
}

func (r *clientResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state clientModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	refs, diags := loadRefs(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	record, diags := state.record(ctx, refs)
	resp.Diagnostics.Append(diags...)
	timeout, diags := state.Timeouts.Delete(ctx, defaultDeleteTimeout)
	resp.Diagnostics.Append(diags...)
	if r.provider == nil || r.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known", "The provider's configuration has unknown values, so that the client cannot be deleted.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	namespace, name := state.Namespace.ValueString(), state.Name.ValueString()
	deleted, err := r.provider.fleet.Delete(ctx, namespace, name, record, state.DeleteData.ValueBool())
	if err != nil {
		addErrors(&resp.Diagnostics, clientSubject(name), err)
		return
	}
	addWarnings(&resp.Diagnostics, deleted.Warnings)
	if len(deleted.DeletedClaims) > 0 {
		resp.Diagnostics.AddWarning("Client Data Deleted",
			fmt.Sprintf("Client %q is deleted, and with it, as delete_data was set, PersistentVolumeClaim %s in namespace %q.",
				name, strings.Join(deleted.DeletedClaims, ", "), namespace))
	}
	if len(deleted.KeptClaims) > 0 {
		resp.Diagnostics.AddWarning("Client Data Kept",
			fmt.Sprintf("Client %q is deleted; its data stays in namespace %q, in PersistentVolumeClaim %s. Creating the client again finds it.",
				name, namespace, strings.Join(deleted.KeptClaims, ", ")))
	}
}

func (r *clientResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if r.provider == nil || r.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known", "A client can only be imported when the provider's configuration is known.")
		return
	}
	var identity clientIdentityModel
	if req.ID != "" {
		namespace, name, ok := strings.Cut(req.ID, "/")
		if !ok {
			namespace, name = "", req.ID
		}
		if name == "" || ok && namespace == "" || strings.Contains(name, "/") {
			resp.Diagnostics.AddError("Invalid Import ID", fmt.Sprintf("%q is neither `namespace/name` nor the name of a client.", req.ID))
			return
		}
		identity.Name, identity.Namespace = types.StringValue(name), types.StringValue(namespace)
	} else if req.Identity == nil || req.Identity.Raw.IsNull() {
		resp.Diagnostics.AddError("Invalid Import ID", "The ID is empty. It is `namespace/name`, or the name of a client.")
		return
	} else {
		resp.Diagnostics.Append(req.Identity.Get(ctx, &identity)...)
	}
	if identity.Namespace.ValueString() == "" {
		identity.Namespace = r.provider.namespace
	}
	if resp.Diagnostics.HasError() {
		return
	}

	spec := mira.Spec{Namespace: identity.Namespace.ValueString(), Name: identity.Name.ValueString(), Template: r.provider.template, DeleteData: true}
	imported, err := r.provider.fleet.Import(ctx, spec)
	if err != nil {
		addErrors(&resp.Diagnostics, clientSubject(spec.Name), err)
		return
	}
	addWarnings(&resp.Diagnostics, imported.Warnings)
	model := clientModel{
		Name:           identity.Name,
		Namespace:      identity.Namespace,
		AdminEmail:     types.StringNull(),
		Variables:      types.MapNull(types.StringType),
		Template:       types.ObjectNull(clientTemplateType),
		WaitForRollout: types.BoolValue(true),
		DeleteData:     types.BoolValue(false),
		Timeouts:       nullTimeouts(),
	}
	if imported.AdminEmail != "" {
		model.AdminEmail = types.StringValue(imported.AdminEmail)
	}
	if len(imported.Variables) > 0 {
		variables, diags := types.MapValueFrom(ctx, types.StringType, imported.Variables)
		resp.Diagnostics.Append(diags...)
		model.Variables = variables
	}
	resp.Diagnostics.Append(model.save(ctx, imported.State, &resp.State, resp.Identity, resp.Private)...)
}

func nullTimeouts() timeouts.Value {
	return timeouts.Value{Object: types.ObjectNull(map[string]attr.Type{
		"create": types.StringType, "read": types.StringType, "update": types.StringType, "delete": types.StringType,
	})}
}
