package provider

import "github.com/hashicorp/terraform-plugin-framework/types"

// value is an attribute's value: null, unknown, or a T. The zero value is null.
type value[T any] struct {
	known T // the zero value while the value is null or unknown
	state valueState
}

type valueState int8

const (
	stateNull valueState = iota
	stateUnknown
	stateKnown
)

func knownValue[T any](known T) value[T] { return value[T]{known: known, state: stateKnown} }

func nullValue[T any]() value[T] { return value[T]{} }

func unknownValue[T any]() value[T] { return value[T]{state: stateUnknown} }

func (v value[T]) isNull() bool { return v.state == stateNull }

func (v value[T]) isUnknown() bool { return v.state == stateUnknown }

// isKnown reports whether there is a T: the value is neither null nor unknown.
func (v value[T]) isKnown() bool { return v.state == stateKnown }

// get returns the T, and the zero value where there is none.
func (v value[T]) get() T { return v.known }

// textOf converts a value of the framework.
func textOf(from types.String) value[string] {
	switch {
	case from.IsNull():
		return nullValue[string]()
	case from.IsUnknown():
		return unknownValue[string]()
	}
	return knownValue(from.ValueString())
}
