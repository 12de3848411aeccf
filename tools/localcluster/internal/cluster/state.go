package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Phase is a stage in the life of a cluster.
type Phase string

// The phases, in their order.
const (
	// PhaseStarting lasts until all components answer.
	PhaseStarting Phase = "starting"
	// PhaseReady lasts until the cluster is stopped, also when a component has
	// died meanwhile.
	PhaseReady Phase = "ready"
	// PhaseFailed is a start that did not succeed; nothing runs.
	PhaseFailed Phase = "failed"
	// PhaseStopping lasts until the last process is gone.
	PhaseStopping Phase = "stopping"
)

// State is what the supervisor records about its cluster.
type State struct {
	// Name is the cluster's.
	Name string `json:"name"`
	// Phase is the stage that the cluster is in.
	Phase Phase `json:"phase"`
	// Supervisor is the process number of the supervisor, which is also the
	// process group of all components.
	Supervisor int `json:"supervisor"`
	// Version is that of Kubernetes, such as v1.36.3.
	Version string `json:"version"`
	// Failure says why the start failed, in PhaseFailed.
	Failure string `json:"failure,omitempty"`
	// Server is the URL of the API server.
	Server string `json:"server,omitempty"`
	// Audit is true if the API server writes an audit log.
	Audit bool `json:"audit,omitempty"`
	// Started is when the supervisor began.
	Started time.Time `json:"started"`
	// Components are the processes, in the order of their start.
	Components []ComponentState `json:"components,omitempty"`
}

// ComponentState describes one process of a cluster.
type ComponentState struct {
	// Name is the program's.
	Name string `json:"name"`
	// PID is the process number.
	PID int `json:"pid"`
	// Address is the URL at which it serves; empty if it serves nothing.
	Address string `json:"address,omitempty"`
	// Log is the path of its log.
	Log string `json:"log"`
	// Exited says how the process ended, if it has.
	Exited *Exit `json:"exited,omitempty"`
}

// Exit is the end of a process that was not asked to end.
type Exit struct {
	// Reason is such as "exit status 1" or "signal: killed".
	Reason string `json:"reason"`
	// Time is when the supervisor saw it.
	Time time.Time `json:"time"`
}

// dead returns the first component that has ended.
func (s *State) dead() *ComponentState {
	for i := range s.Components {
		if s.Components[i].Exited != nil {
			return &s.Components[i]
		}
	}
	return nil
}

// readState returns nil if the file does not exist.
func readState(path string) (*State, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state := &State{}
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return state, nil
}

// write replaces the file as a whole, so that readers never see half of it.
func (s *State) write(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'))
}

// replaceFile writes a file that its owner alone can read, atomically.
func replaceFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
