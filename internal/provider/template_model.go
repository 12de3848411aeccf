package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// templateModel is a template as its configuration, plan or state says it.
type templateModel struct {
	Content      types.String `tfsdk:"content"`
	Namespace    types.String `tfsdk:"namespace"`
	ConfigMap    types.String `tfsdk:"config_map"`
	Key          types.String `tfsdk:"key"`
	ForceDestroy types.Bool   `tfsdk:"force_destroy"`
	Sample       types.Object `tfsdk:"sample"`
	ID           types.String `tfsdk:"id"`
	Revision     types.String `tfsdk:"revision"`
	Placeholders types.List   `tfsdk:"placeholders"`
}

type templateSampleModel struct {
	Name       types.String `tfsdk:"name"`
	AdminEmail types.String `tfsdk:"admin_email"`
	Variables  types.Map    `tfsdk:"variables"`
}

// templateSampleTypes are the types of the attributes of `sample`.
var templateSampleTypes = map[string]attr.Type{
	"name": types.StringType, "admin_email": types.StringType, "variables": types.MapType{ElemType: types.StringType},
}

// templateIdentity is what a template is imported by.
type templateIdentity struct {
	Namespace types.String `tfsdk:"namespace"`
	ConfigMap types.String `tfsdk:"config_map"`
	Key       types.String `tfsdk:"key"`
}

func (i templateIdentity) source() mira.TemplateSource {
	return mira.TemplateSource{Namespace: i.Namespace.ValueString(), ConfigMap: i.ConfigMap.ValueString(), Key: i.Key.ValueString()}
}

// templateID is the ID of a template.
func templateID(source mira.TemplateSource) string {
	return source.Namespace + "/" + source.ConfigMap + "/" + source.Key
}

// parseTemplateID reads the ID of a template.
func parseTemplateID(id string) (mira.TemplateSource, error) {
	const parts = 3
	split := strings.Split(id, "/")
	if len(split) != parts || split[0] == "" || split[1] == "" || split[2] == "" {
		return mira.TemplateSource{}, fmt.Errorf("%q is not `namespace/config_map/key`, such as %s/%s/%s", id,
			mira.DefaultTemplateNamespace, mira.DefaultTemplateConfigMap, mira.DefaultTemplateKey)
	}
	return mira.TemplateSource{Namespace: split[0], ConfigMap: split[1], Key: split[2]}, nil
}

func (m *templateModel) identity() templateIdentity {
	return templateIdentity{Namespace: m.Namespace, ConfigMap: m.ConfigMap, Key: m.Key}
}

func (m *templateModel) source() mira.TemplateSource { return m.identity().source() }

// hasSource reports whether it is known where the template lies.
func (m *templateModel) hasSource() bool {
	return !m.Namespace.IsUnknown() && !m.ConfigMap.IsUnknown() && !m.Key.IsUnknown()
}

// withoutUnknown returns a copy in which what is not known is null.
func (m *templateModel) withoutUnknown() *templateModel {
	known := *m
	for _, part := range []*types.String{&known.Namespace, &known.ConfigMap, &known.Key} {
		if part.IsUnknown() {
			*part = types.StringNull()
		}
	}
	return &known
}

// setDefaults sets where the template lies to the provider's, as far as the configuration does
// not say it. Until the provider's configuration is known, what the state says goes on.
func (m *templateModel) setDefaults(config, prior *templateModel, provider *configured) {
	for _, part := range []struct {
		of        func(*templateModel) *types.String
		byDefault string
	}{
		{func(m *templateModel) *types.String { return &m.Namespace }, provider.template.Namespace},
		{func(m *templateModel) *types.String { return &m.ConfigMap }, provider.template.ConfigMap},
		{func(m *templateModel) *types.String { return &m.Key }, provider.template.Key},
	} {
		switch {
		case !part.of(config).IsNull():
		case provider.fleet != nil:
			*part.of(m) = types.StringValue(part.byDefault)
		case prior != nil:
			*part.of(m) = *part.of(prior)
		default:
			*part.of(m) = types.StringUnknown()
		}
	}
}

// setState puts what is known of the content into the model.
func (m *templateModel) setState(ctx context.Context, state *mira.TemplateState) diag.Diagnostics {
	m.Content = types.StringValue(state.Content)
	m.Revision, m.Placeholders = types.StringNull(), types.ListNull(types.StringType)
	if state.Revision == "" {
		return nil
	}
	m.Revision = types.StringValue(state.Revision)
	placeholders, diags := types.ListValueFrom(ctx, types.StringType, append([]string{}, state.Placeholders...))
	m.Placeholders = placeholders
	return diags
}

// state returns what package mira works with of what is recorded.
func (m *templateModel) state() *mira.TemplateState {
	return &mira.TemplateState{Content: m.Content.ValueString(), Revision: m.Revision.ValueString()}
}

// spec returns what package mira works with. The sample client is left out while it is not
// known.
func (m *templateModel) spec(ctx context.Context, provider *configured) (mira.TemplateSpec, diag.Diagnostics) {
	spec := mira.TemplateSpec{Source: m.source(), Content: m.Content.ValueString(), Namespace: provider.namespace.get()}
	if m.Sample.IsNull() || m.Sample.IsUnknown() {
		return spec, nil
	}
	var sample templateSampleModel
	diags := m.Sample.As(ctx, &sample, basetypes.ObjectAsOptions{})
	spec.Sample = mira.SampleClient{Name: sample.Name.ValueString(), AdminEmail: sample.AdminEmail.ValueString()}
	for name, element := range sample.Variables.Elements() {
		if text, ok := element.(types.String); ok && !text.IsNull() && !text.IsUnknown() {
			if spec.Sample.Variables == nil {
				spec.Sample.Variables = make(map[string]string)
			}
			spec.Sample.Variables[name] = text.ValueString()
		}
	}
	return spec, diags
}

// templateSubject is what an error about a template is about.
func templateSubject(source mira.TemplateSource) subject {
	if source == (mira.TemplateSource{}) {
		return subject{name: "Template", title: "Template Operation Failed"}
	}
	return subject{name: "Template " + templateID(source), title: "Template Operation Failed"}
}

// addTemplateErrors reports what went wrong with a template, at its content where that is at
// fault.
func addTemplateErrors(diags *diag.Diagnostics, s subject, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, single := range joined.Unwrap() {
			addTemplateErrors(diags, s, single)
		}
		return
	}
	found := diagnostic(s, err)
	if isContentAtFault(err) {
		found = diag.NewAttributeErrorDiagnostic(path.Root("content"), found.Summary(), found.Detail())
	}
	diags.Append(found)
}

func isContentAtFault(err error) bool {
	var content *mira.TemplateContentError
	var refused *mira.SampleRefusedError
	var lost *mira.LostWorkloadError
	return errors.As(err, &content) || errors.As(err, &refused) || errors.As(err, &lost)
}
