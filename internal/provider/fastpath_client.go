package provider

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// fastClient is a client that the fast path may answer for.
type fastClient struct {
	clientModel
	prior       *mira.State
	readTimeout time.Duration
}

// client reads a client's state; nil with the reason where anything about it is such
// that the framework may answer otherwise.
func (f *fastPath) client(ctx context.Context, state *tfprotov6.DynamicValue, private []byte) (*fastClient, reason) {
	kept := make(privateData)
	if json.Unmarshal(private, &kept) != nil || kept.hasNotes() {
		return nil, unusualPrivateState
	}
	loaded, diags := loadClientPrivate(ctx, kept)
	if diags.HasError() || len(loaded.Refs) == 0 || loaded.Journal != nil {
		return nil, unusualPrivateState
	}
	value, ok := f.unmarshal(state)
	if !ok {
		return nil, unusualState
	}
	model, err := decodeClient(value)
	if err != nil || !model.isUsual() {
		return nil, unusualState
	}
	timeout, diags := timeout("read", model.Timeouts.get().Read, defaultReadTimeout)
	if diags.HasError() {
		return nil, unusualState
	}
	return &fastClient{clientModel: model, prior: model.state(loaded), readTimeout: timeout}, ""
}

// isUsual reports whether the client is as this provider writes it into a state.
func (m *clientModel) isUsual() bool {
	for _, text := range []value[string]{m.Name, m.Namespace, m.AdminEmail, m.TemplateRevision} {
		if !text.isKnown() {
			return false
		}
	}
	for _, variable := range m.Variables.get() {
		if !variable.isKnown() {
			return false
		}
	}
	return m.Secrets.isNull() && m.ID == knownValue(m.Namespace.get()+"/"+m.Name.get()) &&
		m.Rollout == knownValue(rolloutComplete) && m.WaitForRollout.isKnown() && m.DeleteData.isKnown() &&
		m.Objects.isKnown() && m.Images.isKnown() && m.Claims.isKnown() &&
		m.URL != knownValue("") // which is written as null
}

// setSecrets reads what only the configuration has; false where it has a value that is not
// usual.
func (c *fastClient) setSecrets(configured tftypes.Value) bool {
	if configured.IsNull() {
		return true
	}
	var err error
	if c.Secrets, err = variablesKind.decodeValue(configured); err != nil || !areKnown(c.Secrets) {
		return false
	}
	for _, secret := range c.Secrets.get() {
		if !secret.isKnown() || isTooShort(secret.get()) {
			return false
		}
	}
	return true
}

// unmarshal reads a client; false where there is none.
func (f *fastPath) unmarshal(from *tfprotov6.DynamicValue) (tftypes.Value, bool) {
	if from == nil {
		return tftypes.Value{}, false
	}
	value, err := from.Unmarshal(clientKind.typ)
	return value, err == nil && value.IsKnown() && !value.IsNull()
}

// privateData is a resource's private state as the framework writes it: JSON of byte
// strings by key.
type privateData map[string][]byte

// GetKey returns a part of the private state.
func (d privateData) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) {
	return d[key], nil
}

// hasNotes reports whether the framework has left itself a note, such as that the client
// has just been imported.
func (d privateData) hasNotes() bool {
	for key := range d {
		if strings.HasPrefix(key, ".") {
			return true
		}
	}
	return false
}
