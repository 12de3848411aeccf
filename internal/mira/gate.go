package mira

import (
	"context"
	"errors"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// admit lets an update that changes pods wait for its turn. The pass is nil for one that
// does not.
func (o *operation) admit(ctx context.Context) (*rollout.Pass, error) {
	if !needsGate(o.prior, o.options.Planned) {
		logging.Debug(ctx, "Passed by the gate, as no pods change", "client", o.spec.Name)
		return nil, nil
	}
	pass, err := o.gate.Enter(ctx, o.spec.Name)
	var closed *rollout.GateClosedError
	if err != nil && !errors.As(err, &closed) {
		return nil, &NotBegunError{Err: err}
	}
	return pass, err
}

// needsGate reports whether an update has to wait for its turn: the pod template of a
// StatefulSet changes that is there already. What is planned may be nil: not known.
func needsGate(prior *State, planned map[string]managedfields.Fields) bool {
	if planned == nil {
		return true
	}
	for key, had := range prior.Objects {
		gets, isKept := planned[key]
		if !strings.HasPrefix(key, statefulSetKind+"/") || !isKept {
			continue
		}
		if !managedfields.FieldsEqual(podTemplate(had), podTemplate(gets)) {
			return true
		}
	}
	return false
}

// podTemplate returns the fields of the pod template.
func podTemplate(fields managedfields.Fields) managedfields.Fields {
	template := make(managedfields.Fields)
	for path, value := range fields {
		if path == "spec.template" || strings.HasPrefix(path, "spec.template.") {
			template[path] = value
		}
	}
	return template
}
