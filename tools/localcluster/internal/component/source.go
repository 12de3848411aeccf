package component

import (
	"fmt"
	"os"
	"path/filepath"
)

// SourceEnv names the environment variable that says where this tool's source
// folder is.
const SourceEnv = "MIRA_LOCALCLUSTER_SOURCE"

// Source is this tool's folder in a checkout. It holds components/, a Go module
// per component, and stages/, what the simulated kubelets do.
//
// The program finds these in the checkout at run time rather than carrying them
// along: go:embed refuses files of another module, which every folder with a
// go.mod is, and copies under another name would escape `go mod tidy` and the
// bots that propose updates. In return a stage can be edited and tried without
// building anything.
type Source string

// SourceError says that the source folder was not found.
type SourceError struct {
	// Tried are the folders whose surroundings were searched.
	Tried []string
}

// Error implements error.
func (e *SourceError) Error() string {
	return fmt.Sprintf("found no tools/localcluster in or above %q: run localcluster from a checkout, or set %s to that folder",
		e.Tried, SourceEnv)
}

// FindSource returns the folder that SourceEnv names. If that is not set, it
// searches the folders above the executable and above the working directory.
func FindSource() (Source, error) {
	if explicit := os.Getenv(SourceEnv); explicit != "" {
		source, err := filepath.Abs(explicit)
		if err != nil {
			return "", err
		}
		if !isSource(source) {
			return "", fmt.Errorf("%s=%s is not the folder tools/localcluster of a checkout", SourceEnv, explicit)
		}
		return Source(source), nil
	}
	var starts []string
	if executable, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(executable); err == nil {
			executable = resolved
		}
		starts = append(starts, filepath.Dir(executable))
	}
	if working, err := os.Getwd(); err == nil {
		starts = append(starts, working)
	}
	return findSource(starts)
}

func findSource(starts []string) (Source, error) {
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			for _, candidate := range []string{dir, filepath.Join(dir, "tools", "localcluster")} {
				if isSource(candidate) {
					return Source(candidate), nil
				}
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", &SourceError{Tried: starts}
}

func isSource(dir string) bool {
	for _, component := range All {
		if _, err := os.Stat(filepath.Join(Source(dir).module(component, DefaultMinor), "go.mod")); err != nil {
			return false
		}
	}
	return true
}

// Stages is the folder of the stages that every cluster has.
func (s Source) Stages() string { return filepath.Join(string(s), "stages") }

func (s Source) module(c Component, minor string) string {
	return filepath.Join(string(s), "components", c.folder(minor))
}
