package cluster

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// tailLines is how much of a log an error shows.
const tailLines = 20

// ComponentError is a component that ended, or did not come up.
type ComponentError struct {
	// Component is the program's name.
	Component string
	// Reason says what is wrong with it.
	Reason string
	// Tail is the end of its log.
	Tail string
	// portTaken is set if it found its port in use.
	portTaken bool
}

// Error implements error.
func (e *ComponentError) Error() string {
	tail := e.Tail
	if tail == "" {
		tail = "(empty)"
	}
	return fmt.Sprintf("%s: %s; the end of its log:\n%s", e.Component, e.Reason, indent(tail))
}

func newComponentError(component, reason, log string) *ComponentError {
	tail := logTail(log, tailLines)
	return &ComponentError{
		Component: component,
		Reason:    reason,
		Tail:      tail,
		// Go's syscall package has this one text for EADDRINUSE on every system;
		// the components have no exit code of their own for it.
		portTaken: strings.Contains(tail, syscall.EADDRINUSE.Error()),
	}
}

// NotRunningError says that a cluster is needed that does not run.
type NotRunningError struct {
	// Name is the cluster's.
	Name string
}

// Error implements error.
func (e *NotRunningError) Error() string {
	return fmt.Sprintf("cluster %q is not running: start it with `localcluster up --name %s`", e.Name, e.Name)
}

// RunningError says that a cluster runs where a new one was to be started.
type RunningError struct {
	// Name is the cluster's.
	Name string
	// Version is that of Kubernetes.
	Version string
}

// Error implements error.
func (e *RunningError) Error() string {
	return fmt.Sprintf("cluster %q is already running: Kubernetes %s", e.Name, e.Version)
}

// logTail returns the last lines of a file; what cannot be read is described
// instead, since this is for people.
func logTail(path string, lines int) string {
	const window = 64 << 10
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err.Error()
	}
	offset := max(0, info.Size()-window)
	data, err := io.ReadAll(io.NewSectionReader(file, offset, window))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if offset > 0 && len(all) > 1 {
		all = all[1:] // most likely the second half of a line
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
