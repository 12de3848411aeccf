package provider

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// kind converts between the protocol's values of one type and Ts. It is what the
// framework's reflection would do, at a fraction of the cost: a client has a hundred
// fields and more.
type kind[T any] struct {
	typ tftypes.Type
	// decode reads a value that is neither null nor unknown.
	decode func(tftypes.Value) (T, error)
	// encode returns what [tftypes.NewValue] takes.
	encode func(T) any
	equal  func(a, b T) bool
}

var errNotKnown = errors.New("is null or not known")

// decodeValue reads a value that may be null or unknown.
func (k kind[T]) decodeValue(from tftypes.Value) (value[T], error) {
	switch {
	case !from.IsKnown():
		return unknownValue[T](), nil
	case from.IsNull():
		return nullValue[T](), nil
	}
	known, err := k.decode(from)
	if err != nil {
		return nullValue[T](), err
	}
	return knownValue(known), nil
}

// decodeKnown reads a value that must be neither null nor unknown.
func (k kind[T]) decodeKnown(from tftypes.Value) (T, error) {
	if !from.IsKnown() || from.IsNull() {
		var none T
		return none, errNotKnown
	}
	return k.decode(from)
}

func (k kind[T]) encodeValue(v value[T]) tftypes.Value {
	switch {
	case v.isUnknown():
		return tftypes.NewValue(k.typ, tftypes.UnknownValue)
	case v.isNull():
		return tftypes.NewValue(k.typ, nil)
	}
	return tftypes.NewValue(k.typ, k.encode(v.known))
}

func (k kind[T]) equalValues(a, b value[T]) bool {
	return a.state == b.state && (!a.isKnown() || k.equal(a.known, b.known))
}

// scalar is the kind of values that [tftypes.Value.As] reads into a T.
func scalar[T comparable](typ tftypes.Type) kind[T] {
	return kind[T]{
		typ: typ,
		decode: func(from tftypes.Value) (T, error) {
			var known T
			return known, from.As(&known)
		},
		encode: func(known T) any { return known },
		equal:  func(a, b T) bool { return a == b },
	}
}

var (
	textKind    = scalar[string](tftypes.String)
	booleanKind = scalar[bool](tftypes.Bool)
)

// mapOf is the kind of maps whose elements are all known.
func mapOf[M ~map[string]T, T any](element kind[T]) kind[M] {
	return kind[M]{
		typ: tftypes.Map{ElementType: element.typ},
		decode: func(from tftypes.Value) (M, error) {
			return decodeMap[M](from, element.decodeKnown)
		},
		encode: func(known M) any {
			return encodeMap(known, func(v T) tftypes.Value { return tftypes.NewValue(element.typ, element.encode(v)) })
		},
		equal: func(a, b M) bool { return maps.EqualFunc(a, b, element.equal) },
	}
}

// mapOfValues is the kind of maps whose elements may be null or unknown.
func mapOfValues[T any](element kind[T]) kind[map[string]value[T]] {
	return kind[map[string]value[T]]{
		typ: tftypes.Map{ElementType: element.typ},
		decode: func(from tftypes.Value) (map[string]value[T], error) {
			return decodeMap[map[string]value[T]](from, element.decodeValue)
		},
		encode: func(known map[string]value[T]) any { return encodeMap(known, element.encodeValue) },
		equal:  func(a, b map[string]value[T]) bool { return maps.EqualFunc(a, b, element.equalValues) },
	}
}

func decodeMap[M ~map[string]V, V any](from tftypes.Value, decode func(tftypes.Value) (V, error)) (M, error) {
	var elements map[string]tftypes.Value
	if err := from.As(&elements); err != nil {
		return nil, err
	}
	decoded := make(M, len(elements))
	for name, element := range elements {
		var err error
		if decoded[name], err = decode(element); err != nil {
			return nil, fmt.Errorf("element %q: %w", name, err)
		}
	}
	return decoded, nil
}

func encodeMap[M ~map[string]V, V any](from M, encode func(V) tftypes.Value) map[string]tftypes.Value {
	elements := make(map[string]tftypes.Value, len(from))
	for name, element := range from {
		elements[name] = encode(element)
	}
	return elements
}

// listOf is the kind of lists whose elements are all known.
func listOf[T any](element kind[T]) kind[[]T] {
	return kind[[]T]{
		typ: tftypes.List{ElementType: element.typ},
		decode: func(from tftypes.Value) ([]T, error) {
			var elements []tftypes.Value
			if err := from.As(&elements); err != nil {
				return nil, err
			}
			decoded := make([]T, len(elements))
			for i, value := range elements {
				var err error
				if decoded[i], err = element.decodeKnown(value); err != nil {
					return nil, fmt.Errorf("element %d: %w", i, err)
				}
			}
			return decoded, nil
		},
		encode: func(known []T) any {
			elements := make([]tftypes.Value, len(known))
			for i, v := range known {
				elements[i] = tftypes.NewValue(element.typ, element.encode(v))
			}
			return elements
		},
		equal: func(a, b []T) bool { return slices.EqualFunc(a, b, element.equal) },
	}
}

// attribute is one attribute of an object that is held in an O.
type attribute[O any] struct {
	name   string
	typ    tftypes.Type
	decode func(*O, tftypes.Value) error
	encode func(*O) tftypes.Value
	equal  func(a, b *O) bool
}

// attributeOf makes an attribute of a kind; field returns where the O holds it.
func attributeOf[O, T any](name string, of kind[T], field func(*O) *value[T]) attribute[O] {
	return attribute[O]{
		name: name,
		typ:  of.typ,
		decode: func(object *O, from tftypes.Value) error {
			decoded, err := of.decodeValue(from)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*field(object) = decoded
			return nil
		},
		encode: func(object *O) tftypes.Value { return of.encodeValue(*field(object)) },
		equal:  func(a, b *O) bool { return of.equalValues(*field(a), *field(b)) },
	}
}

// writeOnlyOf makes an attribute of which only a configuration has a value: it is never
// written, and makes no client another one.
func writeOnlyOf[O, T any](name string, of kind[T], field func(*O) *value[T]) attribute[O] {
	made := attributeOf(name, of, field)
	made.encode = func(*O) tftypes.Value { return of.encodeValue(nullValue[T]()) }
	made.equal = func(_, _ *O) bool { return true }
	return made
}

// objectOf is the kind of objects with these attributes.
func objectOf[O any](attributes ...attribute[O]) kind[O] {
	types := make(map[string]tftypes.Type, len(attributes))
	for _, attribute := range attributes {
		types[attribute.name] = attribute.typ
	}
	return kind[O]{
		typ: tftypes.Object{AttributeTypes: types},
		decode: func(from tftypes.Value) (O, error) {
			var object O
			var values map[string]tftypes.Value
			if err := from.As(&values); err != nil {
				return object, err
			}
			for _, attribute := range attributes {
				if err := attribute.decode(&object, values[attribute.name]); err != nil {
					return object, err
				}
			}
			return object, nil
		},
		encode: func(object O) any {
			values := make(map[string]tftypes.Value, len(attributes))
			for _, attribute := range attributes {
				values[attribute.name] = attribute.encode(&object)
			}
			return values
		},
		equal: func(a, b O) bool {
			return !slices.ContainsFunc(attributes, func(attribute attribute[O]) bool { return !attribute.equal(&a, &b) })
		},
	}
}
