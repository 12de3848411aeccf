package provider

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

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
