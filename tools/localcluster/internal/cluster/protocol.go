package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// spec is the first line on the lifeline: what the supervisor is to start.
type spec struct {
	// Name and Dir are the cluster's.
	Name string `json:"name"`
	Dir  string `json:"dir"`
	// Version is that of Kubernetes.
	Version string `json:"version"`
	// Binaries are the paths of the programs by name.
	Binaries map[string]string `json:"binaries"`
	// KeepFailed leaves the folder behind, with its logs, when the start
	// fails.
	KeepFailed bool `json:"keepFailed"`
	// Audit has the API server write an audit log.
	Audit bool `json:"audit"`
}

// detachWord is the second line on the lifeline: the cluster is to live on when
// the pipe is closed.
const detachWord = "detach\n"

// report is one line from the supervisor to the process that started it.
type report struct {
	// Progress is a message for the user.
	Progress string `json:"progress,omitempty"`
	// Ready is sent last, when the start succeeded.
	Ready bool `json:"ready,omitempty"`
	// Error is sent last, when it did not.
	Error *startFailure `json:"error,omitempty"`
}

// startFailure carries an error through the pipe, keeping apart what belongs to
// a component.
type startFailure struct {
	Message   string `json:"message,omitempty"`
	Component string `json:"component,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Tail      string `json:"tail,omitempty"`
}

func newStartFailure(err error) *startFailure {
	if component, ok := errors.AsType[*ComponentError](err); ok {
		return &startFailure{Component: component.Component, Reason: component.Reason, Tail: component.Tail}
	}
	return &startFailure{Message: err.Error()}
}

func (f *startFailure) err() error {
	if f.Component != "" {
		return &ComponentError{Component: f.Component, Reason: f.Reason, Tail: f.Tail}
	}
	return errors.New(f.Message)
}

// readSpec takes the first line of the lifeline.
func readSpec(lifeline *bufio.Reader) (*spec, error) {
	line, err := lifeline.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("read what to start: %w", err)
	}
	s := &spec{}
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("read what to start: %w", err)
	}
	return s, nil
}

// holdLifeline waits for the other end of the lifeline. It returns true if the
// cluster is to live on, and false if the other end has closed without detachWord.
func holdLifeline(lifeline *bufio.Reader) bool {
	word, err := lifeline.ReadString('\n')
	return err == nil && word == detachWord
}

// reporter writes reports; a reader that is gone shows on the lifeline, so
// errors do not matter here.
type reporter struct {
	out io.Writer
}

func (r reporter) send(message report) {
	_ = json.NewEncoder(r.out).Encode(message)
}
