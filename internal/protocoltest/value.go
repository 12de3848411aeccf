package protocoltest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/vmihailenco/msgpack/v5"
)

// compatible returns where a value breaks what an earlier one promised: what was
// known stays as it was.
func compatible(promised, value tftypes.Value, at string) error {
	if !promised.IsKnown() {
		return nil
	}
	promises, values := attributesOf(promised), attributesOf(value)
	if promised.IsNull() || value.IsNull() || !value.IsKnown() || promises == nil {
		if !promised.Equal(value) {
			return fmt.Errorf("%s: promised %v, got %v", at, promised, value)
		}
		return nil
	}
	var broken []error
	for name, promise := range promises {
		if _, ok := values[name]; !ok {
			broken = append(broken, fmt.Errorf("%s/%s: promised %v, got nothing", at, name, promise))
			continue
		}
		broken = append(broken, compatible(promise, values[name], at+"/"+name))
	}
	for name, value := range values {
		if _, ok := promises[name]; !ok {
			broken = append(broken, fmt.Errorf("%s/%s: promised nothing, got %v", at, name, value))
		}
	}
	return errors.Join(broken...)
}

// differences lists how two values of one type differ, a line for each attribute or
// element.
func differences(a, b tftypes.Value) string {
	found, err := a.Diff(b)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, difference := range found {
		isLeaf := difference.Value1 == nil || difference.Value2 == nil ||
			!difference.Value1.Type().Is(tftypes.Object{}) && !difference.Value1.Type().Is(tftypes.Map{})
		if isLeaf {
			lines = append(lines, difference.String())
		}
	}
	return strings.Join(lines, "\n")
}

// attributesOf returns what an object or a map holds; nil for other values.
func attributesOf(value tftypes.Value) map[string]tftypes.Value {
	var attributes map[string]tftypes.Value
	if !value.Type().Is(tftypes.Object{}) && !value.Type().Is(tftypes.Map{}) || !value.IsKnown() || value.As(&attributes) != nil {
		return nil
	}
	return attributes
}

// dynamic encodes a value as the CLI does, with the keys of maps in order. (The
// encoder of tftypes writes them in any order, and equal values would not be equal
// bytes.)
func dynamic(value tftypes.Value) *tfprotov6.DynamicValue {
	var encoded bytes.Buffer
	if err := encode(msgpack.NewEncoder(&encoded), value); err != nil {
		panic(err) // a buffer takes everything
	}
	return &tfprotov6.DynamicValue{MsgPack: encoded.Bytes()}
}

// unknown is how the protocol writes an unknown value.
var unknown = msgpack.RawMessage{0xd4, 0, 0}

func encode(to *msgpack.Encoder, value tftypes.Value) error {
	switch {
	case !value.IsKnown():
		return to.Encode(unknown)
	case value.IsNull():
		return to.EncodeNil()
	}
	if attributes := attributesOf(value); attributes != nil {
		err := to.EncodeMapLen(len(attributes))
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			err = errors.Join(err, to.EncodeString(name), encode(to, attributes[name]))
		}
		return err
	}
	var items []tftypes.Value
	if value.As(&items) != nil {
		return to.Encode(plain(value))
	}
	err := to.EncodeArrayLen(len(items))
	for _, item := range items {
		err = errors.Join(err, encode(to, item))
	}
	return err
}

// valueOf makes a value of plain Go ones, and of [tftypes.UnknownValue]. Attributes that are not given are null. It
// panics on what the type does not have: the test is wrong then.
func valueOf(typ tftypes.Type, from any) tftypes.Value {
	if from == nil || from == tftypes.UnknownValue {
		return tftypes.NewValue(typ, from)
	}
	switch typ := typ.(type) {
	case tftypes.Object:
		given := from.(map[string]any)
		for name := range given {
			if _, ok := typ.AttributeTypes[name]; !ok {
				panic(fmt.Sprintf("there is no attribute %q in %s", name, typ))
			}
		}
		values := make(map[string]tftypes.Value, len(typ.AttributeTypes))
		for name, attribute := range typ.AttributeTypes {
			values[name] = valueOf(attribute, given[name])
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Map:
		values := make(map[string]tftypes.Value)
		for name, element := range from.(map[string]any) {
			values[name] = valueOf(typ.ElementType, element)
		}
		return tftypes.NewValue(typ, values)
	case tftypes.List:
		return tftypes.NewValue(typ, elementsOf(typ.ElementType, from))
	case tftypes.Set:
		return tftypes.NewValue(typ, elementsOf(typ.ElementType, from))
	}
	return tftypes.NewValue(typ, from)
}

func elementsOf(typ tftypes.Type, from any) []tftypes.Value {
	elements := from.([]any)
	values := make([]tftypes.Value, 0, len(elements))
	for _, element := range elements {
		values = append(values, valueOf(typ, element))
	}
	return values
}

// plain is the reverse of [valueOf], for the state file.
func plain(value tftypes.Value) any {
	if value.IsNull() {
		return nil
	}
	if attributes := attributesOf(value); attributes != nil {
		fields := make(map[string]any, len(attributes))
		for name, attribute := range attributes {
			fields[name] = plain(attribute)
		}
		return fields
	}
	var text string
	var isTrue bool
	var items []tftypes.Value
	switch {
	case value.As(&text) == nil:
		return text
	case value.As(&isTrue) == nil:
		return isTrue
	case value.As(&items) == nil:
		list := make([]any, 0, len(items))
		for _, item := range items {
			list = append(list, plain(item))
		}
		return list
	}
	panic(fmt.Sprintf("a value of type %s", value.Type()))
}
