package provider

import (
	"context"
	"encoding/json"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

type clientModel struct {
	Name           types.String   `tfsdk:"name"`
	AdminEmail     types.String   `tfsdk:"admin_email"`
	Namespace      types.String   `tfsdk:"namespace"`
	Variables      types.Map      `tfsdk:"variables"`
	Template       types.Object   `tfsdk:"template"`
	WaitForRollout types.Bool     `tfsdk:"wait_for_rollout"`
	DeleteData     types.Bool     `tfsdk:"delete_data"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`

	ID               types.String `tfsdk:"id"`
	URL              types.String `tfsdk:"url"`
	TemplateRevision types.String `tfsdk:"template_revision"`
	Objects          types.Map    `tfsdk:"objects"`
	Images           types.Map    `tfsdk:"images"`
	Claims           types.List   `tfsdk:"persistent_volume_claims"`
}

type clientTemplateModel struct {
	Namespace types.String `tfsdk:"namespace"`
	ConfigMap types.String `tfsdk:"config_map"`
	Key       types.String `tfsdk:"key"`
	Revision  types.String `tfsdk:"revision"`
}

var clientTemplateType = map[string]attr.Type{
	"namespace": types.StringType, "config_map": types.StringType, "key": types.StringType, "revision": types.StringType,
}

type clientIdentityModel struct {
	Namespace types.String `tfsdk:"namespace"`
	Name      types.String `tfsdk:"name"`
}

func (m *clientModel) identity() clientIdentityModel {
	return clientIdentityModel{Namespace: m.Namespace, Name: m.Name}
}

// isKnown tells whether everything that a client's objects follow from is known.
func (m *clientModel) isKnown(ctx context.Context) bool {
	for _, value := range []attr.Value{m.Name, m.AdminEmail, m.Namespace, m.Variables, m.Template} {
		if !isFullyKnown(ctx, value) {
			return false
		}
	}
	return true
}

// isFullyKnown tells whether a value and its elements are known: unknown elements
// make a collection unknown here, which IsUnknown does not say.
func isFullyKnown(ctx context.Context, value attr.Value) bool {
	terraformValue, err := value.ToTerraformValue(ctx)
	return err == nil && terraformValue.IsFullyKnown()
}

// partialSpec is spec for a client with an e-mail or variables that are not known
// yet.
func (m *clientModel) partialSpec(ctx context.Context, base mira.TemplateSource) (mira.Spec, mira.UnknownValues, diag.Diagnostics) {
	unknown := mira.UnknownValues{AdminEmail: m.AdminEmail.IsUnknown(), AnyVariable: m.Variables.IsUnknown()}
	known := *m
	known.Variables = types.MapNull(types.StringType)
	spec, diags := known.spec(ctx, base)
	spec.Variables = make(map[string]string)
	for name, value := range m.Variables.Elements() {
		text, ok := value.(types.String)
		switch {
		case !ok || text.IsUnknown():
			unknown.Variables = append(unknown.Variables, name)
		default:
			spec.Variables[name] = text.ValueString()
		}
	}
	return spec, unknown, diags
}

func (m *clientModel) spec(ctx context.Context, base mira.TemplateSource) (mira.Spec, diag.Diagnostics) {
	spec := mira.Spec{
		Namespace:  m.Namespace.ValueString(),
		Name:       m.Name.ValueString(),
		AdminEmail: m.AdminEmail.ValueString(),
		Template:   base,
		DeleteData: m.DeleteData.ValueBool(),
	}
	var diags diag.Diagnostics
	if !m.Variables.IsNull() {
		diags.Append(m.Variables.ElementsAs(ctx, &spec.Variables, false)...)
	}
	if !m.Template.IsNull() {
		var override clientTemplateModel
		diags.Append(m.Template.As(ctx, &override, basetypes.ObjectAsOptions{})...)
		spec.Template = base.Override(providerTemplateModel{Namespace: override.Namespace, ConfigMap: override.ConfigMap, Key: override.Key}.source())
		spec.Revision = override.Revision.ValueString()
		spec.Override = true
	}
	return spec, diags
}

// setRecord puts what is known of the objects into the computed attributes.
func (m *clientModel) setRecord(ctx context.Context, record mira.State) diag.Diagnostics {
	var diags, more diag.Diagnostics
	m.ID = types.StringValue(m.Namespace.ValueString() + "/" + m.Name.ValueString())
	m.setURL(record.URL)
	m.TemplateRevision = types.StringValue(record.Revision)
	m.Objects, more = types.MapValueFrom(ctx, fieldsType, record.Objects)
	diags.Append(more...)
	m.Images, more = types.MapValueFrom(ctx, types.StringType, record.Images)
	diags.Append(more...)
	claims := record.Claims
	if claims == nil {
		claims = []string{}
	}
	m.Claims, more = types.ListValueFrom(ctx, types.StringType, claims)
	diags.Append(more...)
	return diags
}

func (m *clientModel) setURL(url string) {
	m.URL = types.StringNull()
	if url != "" {
		m.URL = types.StringValue(url)
	}
}

// save puts a client, with what is known of its objects, into a response: every
// part of it that Terraform keeps.
func (m *clientModel) save(ctx context.Context, record mira.State, state *tfsdk.State, identity *tfsdk.ResourceIdentity, private privateState) diag.Diagnostics {
	diags := m.setRecord(ctx, record)
	diags.Append(state.Set(ctx, m)...)
	diags.Append(identity.Set(ctx, m.identity())...)
	diags.Append(saveRefs(ctx, private, record.Refs)...)
	diags.Append(saveFingerprints(ctx, private, record.Fingerprints)...)
	return diags
}

// record reads the computed attributes back; references come from the private
// state.
func (m *clientModel) record(ctx context.Context, refs []kube.Ref) (*mira.State, diag.Diagnostics) {
	record := &mira.State{Refs: refs, URL: m.URL.ValueString(), Revision: m.TemplateRevision.ValueString()}
	var diags diag.Diagnostics
	if known(m.Objects) {
		diags.Append(m.Objects.ElementsAs(ctx, &record.Objects, false)...)
	}
	if known(m.Images) {
		diags.Append(m.Images.ElementsAs(ctx, &record.Images, false)...)
	}
	if known(m.Claims) {
		diags.Append(m.Claims.ElementsAs(ctx, &record.Claims, false)...)
	}
	if known(m.Template) {
		var pinned clientTemplateModel
		diags.Append(m.Template.As(ctx, &pinned, basetypes.ObjectAsOptions{})...)
		record.Pinned = pinned.Revision.ValueString()
	}
	if record.Refs == nil {
		record.Refs = mira.RefsOf(m.Namespace.ValueString(), record.Objects)
	}
	return record, diags
}

func known(value attr.Value) bool { return !value.IsNull() && !value.IsUnknown() }

// setUnknown leaves to apply what cannot be known yet.
func (m *clientModel) setUnknown() {
	m.URL = types.StringUnknown()
	m.TemplateRevision = types.StringUnknown()
	m.Objects = types.MapUnknown(fieldsType)
	m.Images = types.MapUnknown(types.StringType)
	m.Claims = types.ListUnknown(types.StringType)
	m.ID = types.StringUnknown()
	if known(m.Namespace) && known(m.Name) {
		m.ID = types.StringValue(m.Namespace.ValueString() + "/" + m.Name.ValueString())
	}
}

// sameAs tells whether nothing but the template's revision differs.
func (m *clientModel) sameAs(other clientModel) bool {
	pairs := [][2]attr.Value{
		{m.Name, other.Name}, {m.AdminEmail, other.AdminEmail}, {m.Namespace, other.Namespace},
		{m.Variables, other.Variables}, {m.Template, other.Template},
		{m.WaitForRollout, other.WaitForRollout}, {m.DeleteData, other.DeleteData}, {m.Timeouts, other.Timeouts},
		{m.ID, other.ID}, {m.URL, other.URL}, {m.Objects, other.Objects}, {m.Images, other.Images}, {m.Claims, other.Claims},
	}
	for _, pair := range pairs {
		if !pair[0].Equal(pair[1]) {
			return false
		}
	}
	return true
}

// privateReader reads what Terraform keeps of a resource beside its attributes.
type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateState interface {
	privateReader
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// refsKey holds the references to the client's objects, in the order of their
// creation and with their UIDs: attributes would show both in every plan.
const refsKey = "objects"

func loadRefs(ctx context.Context, private privateReader) ([]kube.Ref, diag.Diagnostics) {
	data, diags := private.GetKey(ctx, refsKey)
	if diags.HasError() || len(data) == 0 {
		return nil, diags
	}
	var refs []kube.Ref
	if err := json.Unmarshal(data, &refs); err != nil {
		diags.AddError("Unreadable Private State", sentence("the references to the client's objects cannot be read: "+err.Error()))
	}
	return refs, diags
}

func saveRefs(ctx context.Context, private privateState, refs []kube.Ref) diag.Diagnostics {
	data, err := json.Marshal(refs)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Unwritable Private State", sentence(err.Error()))}
	}
	return private.SetKey(ctx, refsKey, data)
}

// marksKey holds the marks of the client's objects. They are digests, and no plan
// is to show them.
const marksKey = "marks"

// loadFingerprints gives none where they cannot be read: the server is asked then.
func loadFingerprints(ctx context.Context, private privateReader) (map[string]managedfields.Fingerprint, diag.Diagnostics) {
	data, diags := private.GetKey(ctx, marksKey)
	var marks map[string]managedfields.Fingerprint
	if diags.HasError() || len(data) == 0 || json.Unmarshal(data, &marks) != nil {
		return nil, diags
	}
	return marks, diags
}

// saveFingerprints keeps former marks where there are no new ones to tell of.
func saveFingerprints(ctx context.Context, private privateState, marks map[string]managedfields.Fingerprint) diag.Diagnostics {
	if marks == nil {
		return nil
	}
	data, err := json.Marshal(marks)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Unwritable Private State", sentence(err.Error()))}
	}
	return private.SetKey(ctx, marksKey, data)
}
