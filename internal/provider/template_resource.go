package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

var (
	_ resource.ResourceWithConfigure   = (*templateResource)(nil)
	_ resource.ResourceWithIdentity    = (*templateResource)(nil)
	_ resource.ResourceWithImportState = (*templateResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*templateResource)(nil)
)

type templateResource struct {
	provider *configured
}

// ownConfigMapKey is the key of the private state that says that the ConfigMap was created with
// the template.
const ownConfigMapKey = "own_config_map"

func (r *templateResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_template"
}

func (r *templateResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = templateSchema()
}

func (r *templateResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = templateIdentitySchema()
}

func (r *templateResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan plans what follows from the content, and checks it.
func (r *templateResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.provider == nil || req.Plan.Raw.IsNull() {
		return // what a destroy may do is not known before the clients are gone
	}
	var plan, config templateModel
	var prior *templateModel // nil for a create
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !req.State.Raw.IsNull() {
		prior = &templateModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	plan.setDefaults(&config, prior, r.provider)
	if prior != nil {
		for name, differs := range map[string]bool{
			"namespace":  !plan.Namespace.Equal(prior.Namespace),
			"config_map": !plan.ConfigMap.Equal(prior.ConfigMap),
			"key":        !plan.Key.Equal(prior.Key),
		} {
			if differs {
				resp.RequiresReplace = append(resp.RequiresReplace, path.Root(name))
			}
		}
		if len(resp.RequiresReplace) > 0 {
			prior = nil
		}
	}
	resp.Diagnostics.Append(r.plan(ctx, &plan, prior)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	}
}

// plan sets the computed attributes, as far as they are known.
func (r *templateResource) plan(ctx context.Context, plan, prior *templateModel) diag.Diagnostics {
	var diags diag.Diagnostics
	plan.ID, plan.Revision, plan.Placeholders = types.StringUnknown(), types.StringUnknown(), types.ListUnknown(types.StringType)
	if plan.hasSource() {
		plan.ID = types.StringValue(templateID(plan.source()))
	}
	if plan.Content.IsUnknown() {
		return diags
	}
	subject := templateSubject(plan.source())
	if r.provider.fleet == nil || !plan.hasSource() {
		state, err := mira.ParseTemplate(plan.source(), plan.Content.ValueString())
		if err != nil {
			addTemplateErrors(&diags, subject, err)
			return diags
		}
		return plan.setState(ctx, state)
	}
	spec, diags := plan.spec(ctx, r.provider)
	if diags.HasError() {
		return diags
	}
	var before *mira.TemplateState
	if prior != nil {
		before = prior.state()
	}
	planned, err := r.provider.fleet.Templates().Plan(ctx, spec, before)
	if err != nil {
		addTemplateErrors(&diags, subject, err)
		return diags
	}
	addWarnings(&diags, planned.Warnings)
	diags.Append(plan.setState(ctx, &planned.TemplateState)...)
	return diags
}

// put writes the content, and returns whether its ConfigMap was created.
func (r *templateResource) put(ctx context.Context, plan *templateModel) (isCreated bool, diags diag.Diagnostics) {
	if diags := r.checkConfigured("written"); diags.HasError() {
		return false, diags
	}
	// Where the plan did not know them yet.
	plan.setDefaults(plan.withoutUnknown(), nil, r.provider)
	subject := templateSubject(plan.source())
	state, err := mira.ParseTemplate(plan.source(), plan.Content.ValueString())
	if err != nil {
		addTemplateErrors(&diags, subject, err)
		return false, diags
	}
	spec, diags := plan.spec(ctx, r.provider)
	if diags.HasError() {
		return false, diags
	}
	if isCreated, err = r.provider.fleet.Templates().Put(ctx, spec); err != nil {
		addTemplateErrors(&diags, subject, err)
		return false, diags
	}
	plan.ID = types.StringValue(templateID(spec.Source))
	diags.Append(plan.setState(ctx, state)...)
	return isCreated, diags
}

func (r *templateResource) checkConfigured(what string) diag.Diagnostics {
	if r.provider != nil && r.provider.fleet != nil {
		return nil
	}
	return diag.Diagnostics{diag.NewErrorDiagnostic("Provider Configuration Not Known",
		fmt.Sprintf("The provider's configuration has unknown values, so that the template cannot be %s.", what))}
}

func (r *templateResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan templateModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	isCreated, diags := r.put(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	if isCreated {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, ownConfigMapKey, []byte("true"))...)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

func (r *templateResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var model templateModel
	resp.Diagnostics.Append(req.State.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	// The identity must be set whatever is found: without one the framework takes the answer for
	// a mistake.
	resp.Diagnostics.Append(resp.Identity.Set(ctx, model.identity())...)
	if r.provider == nil || r.provider.fleet == nil {
		return // there is no cluster to ask yet
	}
	live, err := r.provider.fleet.Templates().Read(ctx, model.source())
	switch {
	case err != nil:
		addTemplateErrors(&resp.Diagnostics, templateSubject(model.source()), err)
		return
	case live == nil:
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(model.setState(ctx, live)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func (r *templateResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan templateModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, diags := r.put(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if diags.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

func (r *templateResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var model templateModel
	resp.Diagnostics.Append(req.State.Get(ctx, &model)...)
	resp.Diagnostics.Append(r.checkConfigured("deleted")...)
	isOwn, diags := req.Private.GetKey(ctx, ownConfigMapKey)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	spec, diags := model.spec(ctx, r.provider)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	err := r.provider.fleet.Templates().Delete(ctx, spec.Source, mira.DeleteOptions{
		Namespace: spec.Namespace, Sample: spec.Sample, Force: model.ForceDestroy.ValueBool(), IsOwnConfigMap: len(isOwn) > 0,
	})
	if err != nil {
		addTemplateErrors(&resp.Diagnostics, templateSubject(spec.Source), err)
	}
}

func (r *templateResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resp.Diagnostics.Append(r.checkConfigured("imported")...)
	source, diags := importedTemplate(ctx, req)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	// Content that is no template can be imported: the plan that follows puts it right.
	live, err := r.provider.fleet.Templates().Read(ctx, source)
	if err == nil && live == nil {
		_, err = r.provider.fleet.Templates().Find(ctx, source)
	}
	if err != nil {
		addTemplateErrors(&resp.Diagnostics, templateSubject(source), err)
		return
	}
	model := templateModel{
		Namespace: types.StringValue(source.Namespace), ConfigMap: types.StringValue(source.ConfigMap), Key: types.StringValue(source.Key),
		ForceDestroy: types.BoolValue(defaultForceDestroy), Sample: types.ObjectNull(templateSampleTypes),
		ID: types.StringValue(templateID(source)),
	}
	resp.Diagnostics.Append(model.setState(ctx, live)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, model.identity())...)
}

// importedTemplate reads what a template is to be imported by.
func importedTemplate(ctx context.Context, req resource.ImportStateRequest) (mira.TemplateSource, diag.Diagnostics) {
	if req.ID == "" && req.Identity != nil && !req.Identity.Raw.IsNull() {
		var identity templateIdentity
		diags := req.Identity.Get(ctx, &identity)
		return identity.source(), diags
	}
	source, err := parseTemplateID(req.ID)
	if err != nil {
		return source, diag.Diagnostics{diag.NewErrorDiagnostic("Invalid Import ID", sentence(err.Error()))}
	}
	return source, nil
}
