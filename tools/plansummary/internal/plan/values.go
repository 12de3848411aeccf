package plan

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Value is one value of a plan, as far as it may be shown.
type Value struct {
	Text  string
	State ValueState
}

// ValueState says whether a value is there, and may be shown.
type ValueState int

// The states of values.
const (
	Absent ValueState = iota
	Known
	Unknown
	Sensitive
)

// Text returns a known value.
func Text(text string) Value { return Value{Text: text, State: Known} }

// String returns the value as reports show it. A text is quoted where it would not be clear otherwise.
func (v Value) String() string {
	switch v.State {
	case Absent:
		return "none"
	case Unknown:
		return "(known after apply)"
	case Sensitive:
		return "(sensitive value)"
	case Known:
	}
	isPlain := v.Text != "" && v.Text != "none" && v.Text[0] != '(' && v.Text[0] != '"' && !strings.ContainsAny(v.Text, " `") &&
		strconv.Quote(v.Text) == `"`+strings.ReplaceAll(strings.ReplaceAll(v.Text, `\`, `\\`), `"`, `\"`)+`"`
	if isPlain {
		return v.Text
	}
	return strconv.Quote(v.Text)
}

// MarshalJSON writes the text, null where there is none, or an object that says why it is not shown.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.State {
	case Known:
		return json.Marshal(v.Text)
	case Unknown:
		return []byte(`{"unknown":true}`), nil
	case Sensitive:
		return []byte(`{"sensitive":true}`), nil
	case Absent:
	}
	return []byte("null"), nil
}

// Side is the values of a change before it, or after it.
type Side struct {
	values             map[string]any
	unknown, sensitive any
}

// BeforeSide returns the values before a change.
func (c *Change) BeforeSide() Side { return Side{values: c.Before, sensitive: c.BeforeSensitive} }

// AfterSide returns the values after a change.
func (c *Change) AfterSide() Side {
	return Side{values: c.After, unknown: c.AfterUnknown, sensitive: c.AfterSensitive}
}

// IsMarked reports whether a mark is at a path, or around it.
func isMarked(mark any, path []string) bool {
	for _, key := range path {
		if all, ok := mark.(bool); ok {
			return all
		}
		below, ok := mark.(map[string]any)
		if !ok {
			return false
		}
		mark = below[key]
	}
	all, _ := mark.(bool)
	return all
}

// holdsMark reports whether a mark is anywhere below.
func holdsMark(mark any) bool {
	switch m := mark.(type) {
	case bool:
		return m
	case map[string]any:
		for _, below := range m {
			if holdsMark(below) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, holdsMark)
	}
	return false
}

func at(tree any, path []string) any {
	for _, key := range path {
		below, _ := tree.(map[string]any)
		tree = below[key]
	}
	return tree
}

// Raw returns what stands at a path, whether or not it may be shown; nil if nothing does.
func (s Side) Raw(path ...string) any { return at(s.values, path) }

// IsUnknown reports whether the value at a path is known only after the apply.
func (s Side) IsUnknown(path ...string) bool { return isMarked(s.unknown, path) }

// IsSensitive reports whether the value at a path must not be shown.
func (s Side) IsSensitive(path ...string) bool { return isMarked(s.sensitive, path) }

// Value returns the value at a path. What is no text is JSON.
func (s Side) Value(path ...string) Value {
	raw := s.Raw(path...)
	switch {
	case s.IsSensitive(path...) || holdsMark(at(s.sensitive, path)):
		return Value{State: Sensitive}
	case s.IsUnknown(path...) || holdsMark(at(s.unknown, path)):
		return Value{State: Unknown}
	case raw == nil:
		return Value{}
	}
	if text, ok := raw.(string); ok {
		return Text(text)
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(raw) != nil {
		return Value{State: Unknown}
	}
	return Text(strings.TrimSuffix(text.String(), "\n"))
}

// Keys returns the keys of the mapping at a path, on either side of marks and values.
func (s Side) Keys(path ...string) map[string]bool {
	keys := map[string]bool{}
	for _, tree := range []any{s.values, s.unknown} {
		below, _ := at(tree, path).(map[string]any)
		for key := range below {
			keys[key] = true
		}
	}
	return keys
}

// IsMap reports whether a mapping stands at a path.
func (s Side) IsMap(path ...string) bool {
	_, ok := s.Raw(path...).(map[string]any)
	return ok
}
