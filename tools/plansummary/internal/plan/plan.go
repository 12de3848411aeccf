// Package plan reads the JSON form of a saved plan, as `terraform show -json` and `tofu show -json` print it:
// https://developer.hashicorp.com/terraform/internals/json-format.
package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Plan is what this tool reads of a plan.
type Plan struct {
	FormatVersion    string     `json:"format_version"`
	TerraformVersion string     `json:"terraform_version"`
	Timestamp        string     `json:"timestamp"`
	Errored          bool       `json:"errored"`
	Complete         *bool      `json:"complete"`
	ResourceChanges  []Resource `json:"resource_changes"`
	ResourceDrift    []Resource `json:"resource_drift"`
}

// Resource is the change of one instance of a resource.
type Resource struct {
	Address         string `json:"address"`
	PreviousAddress string `json:"previous_address"`
	Mode            string `json:"mode"`
	Type            string `json:"type"`
	Deposed         string `json:"deposed"`
	ActionReason    string `json:"action_reason"`
	Change          Change `json:"change"`
}

// Change has the values before and after. Marks mirror the values: true stands for everything below it.
type Change struct {
	Actions         []string        `json:"actions"`
	Before          map[string]any  `json:"before"`
	After           map[string]any  `json:"after"`
	AfterUnknown    any             `json:"after_unknown"`
	BeforeSensitive any             `json:"before_sensitive"`
	AfterSensitive  any             `json:"after_sensitive"`
	ReplacePaths    [][]any         `json:"replace_paths"`
	Importing       json.RawMessage `json:"importing"`
}

// Action is what becomes of an instance.
type Action string

// The actions.
const (
	Create  Action = "create"
	Read    Action = "read"
	Update  Action = "update"
	Delete  Action = "delete"
	Replace Action = "replace"
	Forget  Action = "forget"
	NoOp    Action = "no-op"
)

// Action returns what becomes of the instance.
func (c *Change) Action() Action {
	switch {
	case slices.Contains(c.Actions, "delete") && slices.Contains(c.Actions, "create"),
		slices.Contains(c.Actions, "forget") && slices.Contains(c.Actions, "create"):
		return Replace
	case len(c.Actions) == 1:
		return Action(c.Actions[0])
	}
	return NoOp
}

// IsImport reports whether the instance is imported.
func (c *Change) IsImport() bool { return len(c.Importing) > 0 && string(c.Importing) != "null" }

// InputError says that an input is no plan in its JSON form.
type InputError struct {
	What   string // the input is
	Advice string
}

func (e *InputError) Error() string { return "the input is " + e.What + ": " + e.Advice }

const howTo = "run `terraform show -json PLANFILE`, with the file of `terraform plan -out=PLANFILE`, and pass on what it prints " +
	"(OpenTofu: `tofu show -json PLANFILE`)"

// Decode reads a plan.
func Decode(r io.Reader) (*Plan, error) {
	input := bufio.NewReader(r)
	start, err := input.Peek(len("PK\x03\x04"))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(bytes.TrimSpace(start)) == 0 && len(start) < len("PK\x03\x04"):
		return nil, &InputError{What: "empty", Advice: "the command before it may have failed; " + howTo}
	case string(start) == "PK\x03\x04":
		return nil, &InputError{What: "a plan file, which only the CLI can read", Advice: howTo}
	}
	decoder := json.NewDecoder(input)
	decoder.UseNumber()
	var document struct {
		Plan
		PlannedValues json.RawMessage `json:"planned_values"` // every plan has them
		Values        json.RawMessage `json:"values"`         // a state has them
		Level         string          `json:"@level"`         // a log has it
		Serial        *json.Number    `json:"serial"`         // a state file has it
	}
	if err := decoder.Decode(&document); err != nil {
		return nil, notJSON(err)
	}
	p := document.Plan
	switch {
	case document.Level != "":
		return nil, &InputError{What: "a log of `plan -json`", Advice: "that lists what the CLI did, without values; " + howTo}
	case document.Serial != nil:
		return nil, &InputError{What: "a state file", Advice: howTo}
	case p.ResourceChanges == nil && p.ResourceDrift == nil && len(document.Values) > 0:
		return nil, &InputError{What: "a state, which has no changes",
			Advice: "`terraform show -json` without a file prints the state; " + howTo}
	case p.ResourceChanges == nil && p.ResourceDrift == nil && p.FormatVersion != "" && document.PlannedValues == nil:
		return nil, &InputError{What: "an empty state",
			Advice: "`terraform show -json` without a file prints the state; " + howTo}
	case p.FormatVersion == "":
		return nil, &InputError{What: "no plan (format_version is missing)", Advice: howTo}
	case !strings.HasPrefix(p.FormatVersion, "1."):
		return nil, &InputError{What: fmt.Sprintf("a plan of the format %s", p.FormatVersion),
			Advice: "this version of plansummary reads the formats 1.x; install a newer one"}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &InputError{What: "more than one JSON document", Advice: howTo}
	}
	return &p, nil
}

func notJSON(err error) error {
	var ofType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &ofType):
		return &InputError{What: fmt.Sprintf("JSON, but no plan (%v)", err), Advice: howTo}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &InputError{What: "JSON that ends in the middle", Advice: "the command before it may have failed; " + howTo}
	}
	return &InputError{What: fmt.Sprintf("no JSON (%v)", err), Advice: "the text that `terraform plan` prints is not enough; " + howTo}
}
