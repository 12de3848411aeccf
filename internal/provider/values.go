package provider

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// reader reads attributes, and remembers whether one was not what it must be in the
// state of a client.
type reader struct {
	attributes map[string]tftypes.Value
	isOdd      bool
}

func (r *reader) require(holds bool) { r.isOdd = r.isOdd || !holds }

// read reads a value that must be there.
func (r *reader) read(value tftypes.Value, into any) {
	r.require(value.IsKnown() && !value.IsNull() && value.As(into) == nil)
}

func (r *reader) textOf(value tftypes.Value) string {
	var text string
	r.read(value, &text)
	return text
}

func (r *reader) text(attribute string) string { return r.textOf(r.attributes[attribute]) }

func (r *reader) truth(attribute string) bool {
	var truth bool
	r.read(r.attributes[attribute], &truth)
	return truth
}

func (r *reader) items(attribute string) []tftypes.Value {
	var items []tftypes.Value
	r.read(r.attributes[attribute], &items)
	return items
}

func (r *reader) parts(value tftypes.Value) map[string]tftypes.Value {
	var parts map[string]tftypes.Value
	r.read(value, &parts)
	return parts
}

func (r *reader) texts(value tftypes.Value) map[string]string {
	parts := r.parts(value)
	texts := make(map[string]string, len(parts))
	for name, part := range parts {
		texts[name] = r.textOf(part)
	}
	return texts
}

// optional reads those texts of an object that are given.
func (r *reader) optional(value tftypes.Value) map[string]string {
	texts := make(map[string]string)
	for name, part := range r.parts(value) {
		if !part.IsNull() {
			texts[name] = r.textOf(part)
		}
	}
	return texts
}

var textsType = tftypes.Map{ElementType: tftypes.String}

func textsValue(texts map[string]string) tftypes.Value {
	values := make(map[string]tftypes.Value, len(texts))
	for name, text := range texts {
		values[name] = tftypes.NewValue(tftypes.String, text)
	}
	return tftypes.NewValue(textsType, values)
}

// valueFromJSON reads a value as it stands in a state. Attributes that the type does
// not have are left out, as the framework does it.
func valueFromJSON(typ tftypes.Type, data []byte) (tftypes.Value, error) {
	var from any
	if err := json.Unmarshal(data, &from); err != nil {
		return tftypes.Value{}, err
	}
	return valueFrom(typ, from)
}

// valueFrom makes a value of what JSON holds, for types without numbers. What is not
// there is null.
func valueFrom(typ tftypes.Type, from any) (tftypes.Value, error) {
	if from == nil {
		return tftypes.NewValue(typ, nil), nil
	}
	switch content := from.(type) {
	case map[string]any:
		values := make(map[string]tftypes.Value, len(content))
		var types map[string]tftypes.Type
		switch typ := typ.(type) {
		case tftypes.Object:
			types = typ.AttributeTypes
		case tftypes.Map:
			types = make(map[string]tftypes.Type, len(content))
			for name := range content {
				types[name] = typ.ElementType
			}
		default:
			return tftypes.Value{}, fmt.Errorf("a map for a %s", typ)
		}
		for name, of := range types {
			var err error
			if values[name], err = valueFrom(of, content[name]); err != nil {
				return tftypes.Value{}, err
			}
		}
		return tftypes.NewValue(typ, values), nil
	case []any:
		list, ok := typ.(tftypes.List)
		if !ok {
			return tftypes.Value{}, fmt.Errorf("a list for a %s", typ)
		}
		values := make([]tftypes.Value, 0, len(content))
		for _, item := range content {
			value, err := valueFrom(list.ElementType, item)
			if err != nil {
				return tftypes.Value{}, err
			}
			values = append(values, value)
		}
		return tftypes.NewValue(typ, values), nil
	}
	if err := tftypes.ValidateValue(typ, from); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(typ, from), nil
}
