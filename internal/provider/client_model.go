package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// clientModel is a client as its configuration, plan or state says it.
// [clientAttributes] connects it to the schema.
type clientModel struct {
	Name           value[string]
	AdminEmail     value[string]
	Namespace      value[string]
	Variables      value[map[string]value[string]]
	Secrets        value[map[string]value[string]] // write-only: known of a configuration alone
	Template       value[clientTemplate]
	WaitForRollout value[bool]
	DeleteData     value[bool]
	Timeouts       value[clientTimeouts]

	ID               value[string]
	URL              value[string]
	TemplateRevision value[string]
	Rollout          value[string]
	Objects          value[map[string]managedfields.Fields]
	Images           value[map[string]string]
	Claims           value[[]string]
}

// What the attribute `rollout` says.
const (
	rolloutComplete = "complete" // the newest revision was seen to serve
	rolloutPending  = "pending"  // an apply could not see a rollout through
)

// clientTemplate says where a client's template lies, where that differs from the
// provider's.
type clientTemplate struct {
	Namespace, ConfigMap, Key value[string]
	Revision                  value[string] // that the template must have
}

func (t clientTemplate) source() mira.TemplateSource {
	return mira.TemplateSource{Namespace: t.Namespace.get(), ConfigMap: t.ConfigMap.get(), Key: t.Key.get()}
}

func (t clientTemplate) isKnown() bool {
	return !t.Namespace.isUnknown() && !t.ConfigMap.isUnknown() && !t.Key.isUnknown() && !t.Revision.isUnknown()
}

// clientTimeouts are durations as Go writes them.
type clientTimeouts struct {
	Create, Read, Update, Delete value[string]
}

// timeout returns the configured duration of an operation, or the default.
func timeout(operation string, configured value[string], byDefault time.Duration) (time.Duration, diag.Diagnostics) {
	if !configured.isKnown() {
		return byDefault, nil
	}
	duration, err := time.ParseDuration(configured.get())
	if err != nil {
		return byDefault, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("timeouts").AtName(operation), "Timeout Cannot Be Parsed",
			fmt.Sprintf("timeout for %q cannot be parsed, %s", operation, err))}
	}
	return duration, nil
}

// clientIdentity is what a client is imported by.
type clientIdentity struct {
	Namespace, Name value[string]
}

func (m *clientModel) identity() clientIdentity {
	return clientIdentity{Namespace: m.Namespace, Name: m.Name}
}

// hasKnownTemplate reports whether it is known where the template lies.
func (m *clientModel) hasKnownTemplate() bool {
	return !m.Template.isUnknown() && m.Template.get().isKnown()
}

// isKnown reports whether everything that a client's objects follow from is known.
func (m *clientModel) isKnown() bool {
	if m.Name.isUnknown() || m.AdminEmail.isUnknown() || m.Namespace.isUnknown() {
		return false
	}
	return areKnown(m.Variables) && areKnown(m.Secrets) && m.hasKnownTemplate()
}

// areKnown reports whether all variables are known. They may be null.
func areKnown(variables value[map[string]value[string]]) bool {
	if variables.isUnknown() {
		return false
	}
	for _, variable := range variables.get() {
		if variable.isUnknown() {
			return false
		}
	}
	return true
}

// spec returns what package mira works with. Values that are not known yet are left
// out of it, and named beside it; base is the provider's template.
func (m *clientModel) spec(base mira.TemplateSource) (mira.Spec, mira.UnknownValues, diag.Diagnostics) {
	spec := mira.Spec{
		Namespace:  m.Namespace.get(),
		Name:       m.Name.get(),
		AdminEmail: m.AdminEmail.get(),
		Template:   base,
		DeleteData: m.DeleteData.get(),
	}
	unknown := mira.UnknownValues{
		AdminEmail: m.AdminEmail.isUnknown(), AnyVariable: m.Variables.isUnknown(), AnySecret: m.Secrets.isUnknown(),
	}
	var diags, more diag.Diagnostics
	spec.Variables, unknown.Variables, diags = knownVariables(path.Root("variables"), m.Variables)
	spec.Secrets, unknown.Secrets, more = knownVariables(path.Root(secretVariablesAttribute), m.Secrets)
	diags.Append(more...)
	for name, secret := range spec.Secrets {
		if isTooShort(secret) {
			diags.Append(secretTooShort(path.Root(secretVariablesAttribute), name, secret))
		}
	}
	if m.Template.isKnown() {
		spec.Template = base.Override(m.Template.get().source())
		spec.Revision = m.Template.get().Revision.get()
		spec.RereadTemplate = true
	}
	return spec, unknown, diags
}

// recordedSecrets returns the names of the secret variables that a state has among the
// variables, sorted. The state may be nil.
func (m *clientModel) recordedSecrets(state *clientModel) []string {
	if state == nil {
		return nil
	}
	var recorded []string
	for name := range m.Secrets.get() {
		if _, isRecorded := state.Variables.get()[name]; isRecorded {
			recorded = append(recorded, name)
		}
	}
	slices.Sort(recorded)
	return recorded
}

// knownVariables returns the variables whose values are known, nil if there is no such
// attribute, and the names of the others.
func knownVariables(
	at path.Path, variables value[map[string]value[string]],
) (known map[string]string, unknown []string, diags diag.Diagnostics) {
	if variables.isKnown() {
		known = make(map[string]string, len(variables.get()))
	}
	for name, variable := range variables.get() {
		switch {
		case variable.isUnknown():
			unknown = append(unknown, name)
		case variable.isNull():
			diags.Append(missingVariableValue(at, name))
		default:
			known[name] = variable.get()
		}
	}
	return known, unknown, diags
}

// setState puts what is known of the objects into the computed attributes.
func (m *clientModel) setState(state mira.State) {
	m.ID = knownValue(m.Namespace.get() + "/" + m.Name.get())
	m.setURL(state.URL)
	m.TemplateRevision = knownValue(state.Revision)
	m.Objects, m.Images = nullValue[map[string]managedfields.Fields](), nullValue[map[string]string]()
	if state.Objects != nil {
		m.Objects = knownValue(state.Objects)
	}
	if state.Images != nil {
		m.Images = knownValue(state.Images)
	}
	m.Claims = knownValue(state.Claims)
	m.Rollout = knownValue(rolloutComplete)
	if state.Journal.IsPending() {
		m.Rollout = knownValue(rolloutPending)
	}
}

func (m *clientModel) setURL(url string) {
	m.URL = nullValue[string]()
	if url != "" {
		m.URL = knownValue(url)
	}
}

// state returns what package mira works with of the computed attributes and the
// private state.
func (m *clientModel) state(private clientPrivate) *mira.State {
	state := &mira.State{
		Objects:          m.Objects.get(),
		Refs:             private.Refs,
		Images:           m.Images.get(),
		Claims:           m.Claims.get(),
		URL:              m.URL.get(),
		Revision:         m.TemplateRevision.get(),
		Fingerprints:     private.Fingerprints,
		Cluster:          private.Cluster,
		ReadBeforeDelete: private.ReadBeforeDelete,
		PinnedRevision:   m.Template.get().Revision.get(),
		DeletesData:      m.DeleteData.get(),
		Journal:          private.Journal,
		IgnoresRollouts:  m.WaitForRollout.isKnown() && !m.WaitForRollout.get(),
	}
	if state.Refs == nil {
		state.Refs = mira.RefsOf(m.Namespace.get(), state.Objects)
	}
	return state
}

// setUnknown leaves to the apply what cannot be known yet.
func (m *clientModel) setUnknown() {
	m.URL = unknownValue[string]()
	m.TemplateRevision = unknownValue[string]()
	m.Objects = unknownValue[map[string]managedfields.Fields]()
	m.Images = unknownValue[map[string]string]()
	m.Claims = unknownValue[[]string]()
	m.Rollout = unknownValue[string]()
	m.ID = unknownValue[string]()
	if m.Namespace.isKnown() && m.Name.isKnown() {
		m.ID = knownValue(m.Namespace.get() + "/" + m.Name.get())
	}
}

// save puts a client, with what is known of its objects, into a response: every part
// of it that Terraform keeps.
func (m *clientModel) save(
	ctx context.Context, state mira.State, to *tfsdk.State, identity *tfsdk.ResourceIdentity, private privateWriter,
) diag.Diagnostics {
	m.setState(state)
	to.Raw = m.encode()
	identity.Raw = m.identity().encode()
	kept := clientPrivate{
		Refs: state.Refs, Fingerprints: state.Fingerprints, Journal: state.Journal, Cluster: state.Cluster,
		ReadBeforeDelete: state.ReadBeforeDelete,
	}
	return kept.save(ctx, private)
}

// saveAsPlanned puts the rollout into a state as the plan had it. The CLI refuses anything
// else where there is no error. The next refresh reads the journal.
func (m *clientModel) saveAsPlanned(to *tfsdk.State) {
	m.Rollout = knownValue(rolloutComplete)
	to.Raw = m.encode()
}

// importedClient returns a client as an import found it: arguments that an import
// cannot recover have their defaults, or are null.
func importedClient(ctx context.Context, identity clientIdentity, imported *mira.Imported) (clientModel, error) {
	model, err := defaultClient(ctx)
	if err != nil {
		return model, err
	}
	model.Name, model.Namespace = identity.Name, identity.Namespace
	if imported.AdminEmail != "" {
		model.AdminEmail = knownValue(imported.AdminEmail)
	}
	if len(imported.Variables) > 0 {
		variables := make(map[string]value[string], len(imported.Variables))
		for name, text := range imported.Variables {
			variables[name] = knownValue(text)
		}
		model.Variables = knownValue(variables)
	}
	return model, nil
}
