package provider

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// clientAttributes are the attributes of the schema with the fields of the model that
// hold them. It is the only such list: conversion and comparison follow it.
var clientAttributes = []attribute[clientModel]{
	attributeOf("name", textKind, func(m *clientModel) *value[string] { return &m.Name }),
	attributeOf("admin_email", textKind, func(m *clientModel) *value[string] { return &m.AdminEmail }),
	attributeOf("namespace", textKind, func(m *clientModel) *value[string] { return &m.Namespace }),
	attributeOf("variables", variablesKind, func(m *clientModel) *value[map[string]value[string]] { return &m.Variables }),
	writeOnlyOf(secretVariablesAttribute, variablesKind, func(m *clientModel) *value[map[string]value[string]] { return &m.Secrets }),
	attributeOf("template", clientTemplateKind, func(m *clientModel) *value[clientTemplate] { return &m.Template }),
	attributeOf("wait_for_rollout", booleanKind, func(m *clientModel) *value[bool] { return &m.WaitForRollout }),
	attributeOf("delete_data", booleanKind, func(m *clientModel) *value[bool] { return &m.DeleteData }),
	attributeOf("timeouts", clientTimeoutsKind, func(m *clientModel) *value[clientTimeouts] { return &m.Timeouts }),

	attributeOf("id", textKind, func(m *clientModel) *value[string] { return &m.ID }),
	attributeOf("url", textKind, func(m *clientModel) *value[string] { return &m.URL }),
	attributeOf(templateRevisionAttribute, textKind, func(m *clientModel) *value[string] { return &m.TemplateRevision }),
	attributeOf("rollout", textKind, func(m *clientModel) *value[string] { return &m.Rollout }),
	attributeOf("objects", objectsKind, func(m *clientModel) *value[map[string]managedfields.Fields] { return &m.Objects }),
	attributeOf("images", mapOf[map[string]string](textKind), func(m *clientModel) *value[map[string]string] { return &m.Images }),
	attributeOf("persistent_volume_claims", listOf(textKind), func(m *clientModel) *value[[]string] { return &m.Claims }),
}

const (
	templateRevisionAttribute = "template_revision"
	secretVariablesAttribute  = "secret_variables"
)

var (
	variablesKind      = mapOfValues(textKind)
	clientTemplateKind = objectOf(
		attributeOf("namespace", textKind, func(t *clientTemplate) *value[string] { return &t.Namespace }),
		attributeOf("config_map", textKind, func(t *clientTemplate) *value[string] { return &t.ConfigMap }),
		attributeOf("key", textKind, func(t *clientTemplate) *value[string] { return &t.Key }),
		attributeOf("revision", textKind, func(t *clientTemplate) *value[string] { return &t.Revision }),
	)
	clientTimeoutsKind = objectOf(
		attributeOf("create", textKind, func(t *clientTimeouts) *value[string] { return &t.Create }),
		attributeOf("read", textKind, func(t *clientTimeouts) *value[string] { return &t.Read }),
		attributeOf("update", textKind, func(t *clientTimeouts) *value[string] { return &t.Update }),
		attributeOf("delete", textKind, func(t *clientTimeouts) *value[string] { return &t.Delete }),
	)
	objectsKind = mapOf[map[string]managedfields.Fields](mapOf[managedfields.Fields](textKind))

	clientKind = objectOf(clientAttributes...)

	clientIdentityKind = objectOf(
		attributeOf("namespace", textKind, func(i *clientIdentity) *value[string] { return &i.Namespace }),
		attributeOf("name", textKind, func(i *clientIdentity) *value[string] { return &i.Name }),
	)
)

// decodeClient reads a client's configuration, plan or state.
func decodeClient(from tftypes.Value) (clientModel, error) { return clientKind.decodeKnown(from) }

// readClient reads what must be a client, and reports what is not.
func readClient(from tftypes.Value) (clientModel, diag.Diagnostics) {
	model, err := decodeClient(from)
	if err != nil {
		return model, diag.Diagnostics{diag.NewErrorDiagnostic("Client Attribute Not Readable", sentence(err.Error()))}
	}
	return model, nil
}

// readPlanned reads a planned client, and what only its configuration has.
func readPlanned(plan, config tftypes.Value) (clientModel, diag.Diagnostics) {
	planned, diags := readClient(plan)
	configured, more := readClient(config)
	planned.Secrets = configured.Secrets
	return planned, append(diags, more...)
}

// encode is the reverse of [decodeClient], but for what is write-only.
func (m *clientModel) encode() tftypes.Value { return clientKind.encodeValue(knownValue(*m)) }

func decodeClientIdentity(from tftypes.Value) (clientIdentity, error) {
	return clientIdentityKind.decodeKnown(from)
}

func (i clientIdentity) encode() tftypes.Value { return clientIdentityKind.encodeValue(knownValue(i)) }

// sameAs reports whether nothing but the template's revision differs.
func (m *clientModel) sameAs(other *clientModel) bool {
	return !slices.ContainsFunc(clientAttributes, func(attribute attribute[clientModel]) bool {
		return attribute.name != templateRevisionAttribute && !attribute.equal(m, other)
	})
}
