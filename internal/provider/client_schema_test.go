package provider

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// attributeTest checks one attribute of the resource mira_client: that all who handle
// attributes handle it.
type attributeTest struct {
	*testing.T
	name      string
	attribute schema.Attribute
	typ       tftypes.Object
	base      map[string]tftypes.Value // of a client with a value for each attribute
	fast      *fastPath
}

// Whoever adds an attribute to the schema and forgets one of its places reads here which
// one.
func TestClientSchema_attributes(t *testing.T) {
	clients := clientSchema(t.Context())
	typ := clients.Type().TerraformType(t.Context()).(tftypes.Object)
	base := make(map[string]tftypes.Value)
	for name, of := range typ.AttributeTypes {
		base[name] = sample(of)
	}
	base["id"] = tftypes.NewValue(tftypes.String, "text/text")                                           // as namespace and name are
	base[secretVariablesAttribute] = tftypes.NewValue(typ.AttributeTypes[secretVariablesAttribute], nil) // in no state
	base["rollout"] = tftypes.NewValue(tftypes.String, rolloutComplete)
	fast, err := newFastPath(t.Context(), newProvider("test"), clients)
	if err != nil {
		t.Errorf("the fast path answers for no client at all: %v (checkFastPath in fastpath_schema.go)", err)
	}
	for _, name := range slices.Sorted(maps.Keys(clients.Attributes)) {
		t.Run(name, func(t *testing.T) {
			a := attributeTest{T: t, name: name, attribute: clients.Attributes[name], typ: typ, base: base, fast: fast}
			if a.attribute.IsWriteOnly() {
				a.checkWriteOnly()
				return
			}
			a.checkCodec()
			if t.Failed() {
				return // what follows could only say so again
			}
			a.checkEquality()
			a.checkImport()
			if a.attribute.IsRequired() || a.attribute.IsOptional() {
				a.checkUse()
				a.checkPlan()
			} else {
				a.checkComputed()
			}
		})
	}
}

func (a attributeTest) forgotten(where, format string, what ...any) {
	a.Helper()
	a.Errorf("attribute %q of mira_client is forgotten in %s: %s", a.name, where, fmt.Sprintf(format, what...))
}

// checkCodec changes the attribute alone, in every way, and converts there and back.
func (a attributeTest) checkCodec() {
	a.Helper()
	for _, value := range append(variants(a.base[a.name]), a.base[a.name]) {
		from := a.with(value)
		model, err := decodeClient(from)
		if err != nil {
			a.forgotten("clientAttributes (client_codec.go)", "%v is not read: %v", value, err)
			continue
		}
		var encoded map[string]tftypes.Value
		if err := model.encode().As(&encoded); err != nil {
			a.Fatal(err)
		}
		switch got, ok := encoded[a.name]; {
		case !ok:
			a.forgotten("clientAttributes (client_codec.go)", "the codec does not know it")
			return
		case !got.Equal(value):
			a.forgotten("clientAttributes (client_codec.go)", "it was %v, and is %v after reading and writing it", value, got)
		}
	}
}

// checkWriteOnly looks whether the attribute is read from a configuration and used, and never
// written into a plan or a state.
func (a attributeTest) checkWriteOnly() {
	a.Helper()
	null, given := a.base[a.name], sample(a.typ.AttributeTypes[a.name])
	if a.fast == nil {
		return // reported by the caller
	}
	for _, value := range append(variants(given), given) {
		model := a.model(value)
		if got := attributesOf(a.T, model)[a.name]; !got.IsNull() {
			a.forgotten("clientAttributes (client_codec.go)", "%v is written as %v, and must not be", value, got)
		}
		if !model.sameAs(a.model(null)) {
			a.forgotten("clientAttributes (client_codec.go)", "%v makes the client another one than that of the state", value)
		}
		if model.isKnown() != value.IsFullyKnown() {
			a.forgotten("clientModel.isKnown (client_model.go)", "with %v the client counts as known: %t", value, model.isKnown())
		}
	}
	a.base = maps.Clone(a.base)
	a.base[a.name] = given
	a.checkUse()
	a.base[a.name] = null
	a.checkImport()
	data := &configured{fleet: &mira.Fleet{}, namespace: knownValue("text")}
	prior := a.dynamic(a.with(null))
	for _, test := range []struct {
		config tftypes.Value
		want   reason
	}{
		{null, ""},
		{given, ""},
		{tftypes.NewValue(null.Type(), tftypes.UnknownValue), unusualSecrets},
		{tftypes.NewValue(null.Type(), map[string]tftypes.Value{"A": tftypes.NewValue(tftypes.String, nil)}), unusualSecrets},
		{tftypes.NewValue(null.Type(), map[string]tftypes.Value{"A": tftypes.NewValue(tftypes.String, "abc")}), unusualSecrets},
	} {
		_, reason := a.fast.plannable(a.Context(), data, &tfprotov6.PlanResourceChangeRequest{
			TypeName: clientType, PriorState: prior, ProposedNewState: prior, Config: a.dynamic(a.with(test.config)),
			PriorPrivate: privateOf(a.T, map[string]any{refsKey: []kube.Ref{{Kind: "Service", Name: "text"}}}),
		})
		if reason != test.want {
			a.forgotten("the fast path (fastpath_client.go)", "it answers %q for a configuration with %v, want %q", reason, test.config, test.want)
		}
	}
}

// checkEquality looks whether a client with another value is another client.
func (a attributeTest) checkEquality() {
	a.Helper()
	base := a.model(a.base[a.name])
	for _, value := range variants(a.base[a.name]) {
		if other := a.model(value); other.sameAs(base) != (a.name == templateRevisionAttribute) {
			a.forgotten("clientModel.sameAs (client_codec.go)", "%v and %v count as the same client, or only the revision as another one",
				a.base[a.name], value)
		}
	}
}

// checkImport looks whether the attribute has its default after an import.
func (a attributeTest) checkImport() {
	a.Helper()
	identity := clientIdentity{Namespace: knownValue("default"), Name: knownValue("acme")}
	model, err := importedClient(a.Context(), identity, &mira.Imported{})
	if err != nil {
		a.Fatal(err)
	}
	model.setState(mira.State{})
	got := attributesOf(a.T, &model)[a.name]
	byDefault, err := schemaDefaults(a.Context(), clientSchema(a.Context()))
	if err != nil {
		a.Fatal(err)
	}
	switch want, ok := byDefault[a.name]; {
	case ok && !got.Equal(want):
		a.forgotten("importedClient (client_model.go)", "its default is %v, and it is imported as %v", want, got)
	case !got.IsFullyKnown():
		a.forgotten("importedClient (client_model.go)", "it is imported as %v", got)
	}
}

// checkUse looks whether an argument reaches package mira.
func (a attributeTest) checkUse() {
	a.Helper()
	use := func(value tftypes.Value) string {
		model := a.model(value)
		r := &clientResource{provider: &configured{fleet: &mira.Fleet{}}}
		spec, options, _ := r.applyInput(model)
		return fmt.Sprintf("%+v %+v %+v", spec, options, model.Timeouts)
	}
	isUsed := slices.ContainsFunc(variants(a.base[a.name]), func(value tftypes.Value) bool { return use(value) != use(a.base[a.name]) })
	if !isUsed {
		a.forgotten("clientModel.spec (client_model.go) or clientResource.applyInput (client_resource.go)", "nothing uses its value")
	}
}

// checkPlan looks whether the fast path leaves a changed argument to the framework.
func (a attributeTest) checkPlan() {
	a.Helper()
	if a.fast == nil {
		return
	}
	data := &configured{fleet: &mira.Fleet{}, namespace: knownValue("text")}
	prior := a.dynamic(a.with(a.base[a.name]))
	request := func(state, proposed, config *tfprotov6.DynamicValue) *tfprotov6.PlanResourceChangeRequest {
		return &tfprotov6.PlanResourceChangeRequest{
			TypeName: clientType, PriorState: state, ProposedNewState: proposed, Config: config,
			PriorPrivate: privateOf(a.T, map[string]any{refsKey: []kube.Ref{{Kind: "Service", Name: "text"}}}),
		}
	}
	if _, reason := a.fast.plannable(a.Context(), data, request(prior, prior, prior)); reason != "" {
		a.forgotten("the fast path (fastpath_client.go)", "an unchanged client is left to the framework, as %s", reason)
	}
	for _, value := range variants(a.base[a.name]) {
		changed := a.dynamic(a.with(value))
		if _, reason := a.fast.plannable(a.Context(), data, request(prior, changed, changed)); reason != changedConfiguration {
			a.forgotten("the fast path (fastpath.go)", "it does not see the change to %v: %q", value, reason)
		}
	}
	// The configuration is silent: the CLI proposes what the state says.
	silent := a.dynamic(a.with(tftypes.NewValue(a.typ.AttributeTypes[a.name], nil)))
	_, hasDefault := a.fast.defaults[a.name]
	if hasDefault || a.name == providersDefault {
		other := a.with(variants(a.base[a.name])[0])
		if hasDefault {
			other = a.withOtherThan(a.fast.defaults[a.name])
		} else {
			data.namespace = knownValue("another")
		}
		state := a.dynamic(other)
		if _, reason := a.fast.plannable(a.Context(), data, request(state, state, silent)); reason != changedDefault && reason != unusualState {
			a.forgotten("fastPath.hasDefaults (fastpath.go)", "the configuration is silent, the state has another value than the default, and "+
				"the answer is %q", reason)
		}
	}
	data.namespace = knownValue("text")
	client, reason := a.fast.plannable(a.Context(), data, request(prior, prior, prior))
	if reason != "" {
		return // reported above
	}
	answer, reason := client.planned(&mira.Plan{State: mira.State{URL: "https://other.example"}}, request(prior, prior, prior))
	if reason != "" {
		a.Fatal(reason)
	}
	planned, err := answer.PlannedState.Unmarshal(a.typ)
	if err != nil {
		a.Fatal(err)
	}
	var got map[string]tftypes.Value
	if err := planned.As(&got); err != nil {
		a.Fatal(err)
	}
	if !got[a.name].Equal(a.base[a.name]) {
		a.forgotten("fastClient.planned (fastpath.go)", "it was %v, and is planned as %v", a.base[a.name], got[a.name])
	}
}

// checkComputed looks whether the attribute comes from package mira, and returns to it.
func (a attributeTest) checkComputed() {
	a.Helper()
	model := a.model(a.base[a.name])
	state := model.state(clientPrivate{})
	unknown := *model
	unknown.setUnknown()
	if got := attributesOf(a.T, &unknown)[a.name]; got.IsKnown() && a.name != "id" { // the ID follows from what is known
		a.forgotten("clientModel.setUnknown (client_model.go)", "it is %v in a plan of what cannot be known yet", got)
	}
	unknown.setState(*state)
	if got := attributesOf(a.T, &unknown)[a.name]; !got.Equal(a.base[a.name]) {
		a.forgotten("clientModel.state or setState (client_model.go)", "it was %v, and is %v after a refresh that found no change",
			a.base[a.name], got)
	}
}

// with returns the client whose attribute has another value.
func (a attributeTest) with(value tftypes.Value) tftypes.Value {
	values := maps.Clone(a.base)
	values[a.name] = value
	return tftypes.NewValue(a.typ, values)
}

func (a attributeTest) withOtherThan(byDefault tftypes.Value) tftypes.Value {
	for _, value := range append(variants(a.base[a.name]), a.base[a.name]) {
		if !value.IsNull() && value.IsKnown() && !value.Equal(byDefault) {
			return a.with(value)
		}
	}
	a.Fatal("there is no value but the default")
	return tftypes.Value{}
}

func (a attributeTest) model(value tftypes.Value) *clientModel {
	a.Helper()
	model, err := decodeClient(a.with(value))
	if err != nil {
		a.Fatal(err)
	}
	return &model
}

func (a attributeTest) dynamic(value tftypes.Value) *tfprotov6.DynamicValue {
	a.Helper()
	dynamic, err := tfprotov6.NewDynamicValue(a.typ, value)
	if err != nil {
		a.Fatal(err)
	}
	return &dynamic
}

func attributesOf(t *testing.T, model *clientModel) map[string]tftypes.Value {
	t.Helper()
	var values map[string]tftypes.Value
	if err := model.encode().As(&values); err != nil {
		t.Fatal(err)
	}
	return values
}

// sample returns a value of a type, with every part of it.
func sample(typ tftypes.Type) tftypes.Value {
	switch typ := typ.(type) {
	case tftypes.Object:
		values := make(map[string]tftypes.Value)
		for name, of := range typ.AttributeTypes {
			values[name] = sample(of)
		}
		if _, isTimeouts := values["read"]; isTimeouts {
			for name := range values {
				values[name] = tftypes.NewValue(tftypes.String, "1m")
			}
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Map:
		return tftypes.NewValue(typ, map[string]tftypes.Value{"a": sample(typ.ElementType), "b": sample(typ.ElementType)})
	case tftypes.List:
		return tftypes.NewValue(typ, []tftypes.Value{sample(typ.ElementType)})
	case tftypes.Set:
		return tftypes.NewValue(typ, []tftypes.Value{sample(typ.ElementType)})
	}
	switch {
	case typ.Is(tftypes.Bool):
		return tftypes.NewValue(typ, true)
	case typ.Is(tftypes.Number):
		return tftypes.NewValue(typ, big.NewFloat(1))
	}
	return tftypes.NewValue(typ, "text")
}

// variants returns other values: null, unknown, and one for each part that differs.
func variants(value tftypes.Value) []tftypes.Value {
	typ := value.Type()
	all := []tftypes.Value{tftypes.NewValue(typ, nil), tftypes.NewValue(typ, tftypes.UnknownValue)}
	switch typ := typ.(type) {
	case tftypes.Object:
		var parts map[string]tftypes.Value
		_ = value.As(&parts)
		for name, part := range parts {
			for _, other := range variants(part) {
				changed := maps.Clone(parts)
				changed[name] = other
				all = append(all, tftypes.NewValue(typ, changed))
			}
		}
		return all
	case tftypes.Map:
		var parts map[string]tftypes.Value
		_ = value.As(&parts)
		fewer := maps.Clone(parts)
		delete(fewer, "a")
		return append(all, tftypes.NewValue(typ, fewer), tftypes.NewValue(typ, map[string]tftypes.Value{}))
	case tftypes.List, tftypes.Set:
		return append(all, tftypes.NewValue(typ, []tftypes.Value{}))
	}
	switch {
	case typ.Is(tftypes.Bool):
		return append(all, tftypes.NewValue(typ, false))
	case typ.Is(tftypes.Number):
		return append(all, tftypes.NewValue(typ, big.NewFloat(2)))
	}
	return append(all, tftypes.NewValue(typ, "another text"))
}

// A variable may be null, or not known yet, without the others being so.
func TestClientCodec_variables(t *testing.T) {
	typ := clientKind.typ.(tftypes.Object)
	values := make(map[string]tftypes.Value)
	for name, of := range typ.AttributeTypes {
		values[name] = tftypes.NewValue(of, nil)
	}
	values["variables"] = tftypes.NewValue(typ.AttributeTypes["variables"], map[string]tftypes.Value{
		"KNOWN":   tftypes.NewValue(tftypes.String, "1"),
		"NULL":    tftypes.NewValue(tftypes.String, nil),
		"UNKNOWN": tftypes.NewValue(tftypes.String, tftypes.UnknownValue),
	})
	from := tftypes.NewValue(typ, values)
	model, err := decodeClient(from)
	if err != nil {
		t.Fatal(err)
	}
	if got := model.encode(); !got.Equal(from) {
		t.Errorf("got %v\nwant %v", got, from)
	}
	spec, unknown, diags := model.spec(mira.TemplateSource{})
	if diff := cmp.Diff(map[string]string{"KNOWN": "1"}, spec.Variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mira.UnknownValues{Variables: []string{"UNKNOWN"}}, unknown); diff != "" {
		t.Errorf("unknown values (-want +got):\n%s", diff)
	}
	if len(diags) != 1 || diags[0].Summary() != "Missing Variable Value" {
		t.Errorf("diagnostics %v, want one for the variable without a value", diags)
	}
	if model.isKnown() {
		t.Error("the client counts as known, although a variable is not")
	}
}
