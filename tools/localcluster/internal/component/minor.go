package component

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// MinorEnv names the environment variable that chooses the minor version of
// Kubernetes, such as 1.37.
const MinorEnv = "KUBERNETES"

// DefaultMinor is the minor version of Kubernetes if none is chosen: the newest.
const DefaultMinor = "1.37"

// MinorError says that a minor version of Kubernetes was chosen that cannot be
// built.
type MinorError struct {
	// Minor is what was chosen.
	Minor string
	// Known are those that can be built.
	Known []string
}

// Error implements error.
func (e *MinorError) Error() string {
	return fmt.Sprintf("%s=%s is not a minor version of Kubernetes that can be built here: known are %s",
		MinorEnv, e.Minor, strings.Join(e.Known, ", "))
}

// Minor returns the minor version of Kubernetes that a value of MinorEnv chooses,
// which is DefaultMinor if the value is empty, or a *MinorError.
func (s Source) Minor(value string) (string, error) {
	if value == "" {
		return DefaultMinor, nil
	}
	known, err := s.minors()
	if err != nil {
		return "", err
	}
	if !slices.Contains(known, value) {
		return "", &MinorError{Minor: value, Known: known}
	}
	return value, nil
}

// minors lists the minor versions of Kubernetes that have a folder.
func (s Source) minors() ([]string, error) {
	kubernetes, _, err := Find("kubernetes")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(s.module(kubernetes, "*"), "go.mod"))
	if err != nil {
		return nil, err
	}
	minors := make([]string, len(files))
	for i, file := range files {
		minors[i] = strings.TrimPrefix(filepath.Base(filepath.Dir(file)), kubernetes.folder(""))
	}
	return minors, nil
}

// HasMinor reports whether a version of Kubernetes, such as v1.36.3, is one of a
// minor version, such as 1.36.
func HasMinor(version, minor string) bool {
	return strings.HasPrefix(version, "v"+minor+".")
}
