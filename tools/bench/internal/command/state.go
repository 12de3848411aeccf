package command

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// stateFile is the name of the CLIs' local state file.
const stateFile = "terraform.tfstate"

// State is a state file of version 4. It has only what is needed to measure its size.
type State struct {
	fields    map[string]json.RawMessage
	resources []stateResource
}

type stateResource struct {
	fields    map[string]json.RawMessage
	mode      string
	instances []json.RawMessage
}

// ParseState reads the content of a state file.
func ParseState(data []byte) (*State, error) {
	state := &State{}
	var resources []map[string]json.RawMessage
	err := json.Unmarshal(data, &state.fields)
	if err == nil {
		err = json.Unmarshal(state.fields["resources"], &resources)
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	for _, fields := range resources {
		resource := stateResource{fields: fields}
		if err := json.Unmarshal(fields["mode"], &resource.mode); err != nil {
			return nil, fmt.Errorf("state: mode of a resource: %w", err)
		}
		if err := json.Unmarshal(fields["instances"], &resource.instances); err != nil {
			return nil, fmt.Errorf("state: instances of a resource: %w", err)
		}
		state.resources = append(state.resources, resource)
	}
	return state, nil
}

// Instances returns the number of managed instances.
func (s *State) Instances() int {
	count := 0
	for _, resource := range s.resources {
		if resource.mode == "managed" {
			count += len(resource.instances)
		}
	}
	return count
}

// Bytes returns the size of all managed instances, without the white space of local
// state files.
func (s *State) Bytes() (int64, error) {
	var total int64
	for _, resource := range s.resources {
		if resource.mode != "managed" {
			continue
		}
		for _, instance := range resource.instances {
			var compact bytes.Buffer
			if err := json.Compact(&compact, instance); err != nil {
				return 0, fmt.Errorf("state: %w", err)
			}
			total += int64(compact.Len())
		}
	}
	return total, nil
}

// AttributeBytes returns the size of one attribute in all managed instances, or 0 if
// none has it.
func (s *State) AttributeBytes(name string) (int64, error) {
	var total int64
	for _, resource := range s.resources {
		if resource.mode != "managed" {
			continue
		}
		for _, data := range resource.instances {
			var instance struct {
				Attributes map[string]json.RawMessage `json:"attributes"`
			}
			if err := json.Unmarshal(data, &instance); err != nil {
				return 0, fmt.Errorf("state: %w", err)
			}
			value, ok := instance.Attributes[name]
			if !ok {
				continue
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, value); err != nil {
				return 0, fmt.Errorf("state: %w", err)
			}
			total += int64(compact.Len())
		}
	}
	return total, nil
}

// Multiply returns the content of a state file that has the only instance of this state
// once for each key. It is faster than letting a CLI write a large state, which takes
// quadratic time.
func (s *State) Multiply(keys []string) ([]byte, error) {
	if len(s.resources) != 1 || len(s.resources[0].instances) != 1 {
		return nil, fmt.Errorf("state: there are %d resources, and one with one instance was expected", len(s.resources))
	}
	resource := s.resources[0]
	var instance map[string]json.RawMessage
	if err := json.Unmarshal(resource.instances[0], &instance); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	instances := make([]json.RawMessage, 0, len(keys))
	for _, key := range keys {
		var err error
		if instance["index_key"], err = json.Marshal(key); err != nil {
			return nil, err
		}
		data, err := json.Marshal(instance)
		if err != nil {
			return nil, err
		}
		instances = append(instances, data)
	}
	all, err := json.Marshal(instances)
	if err != nil {
		return nil, err
	}
	resource.fields["instances"] = all
	if s.fields["resources"], err = json.Marshal([]map[string]json.RawMessage{resource.fields}); err != nil {
		return nil, err
	}
	// It is indented as CLIs do, because a plan includes reading it.
	return json.MarshalIndent(s.fields, "", "  ")
}

// WriteState replaces the state file of the workspace.
func (w *Workspace) WriteState(content []byte) error { return w.Write(stateFile, string(content)) }
