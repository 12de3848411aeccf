package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Store is the folder that holds the clusters of one user.
type Store struct {
	dir string
}

// NewStore returns the store that keeps clusters in dir.
func NewStore(dir string) *Store { return &Store{dir: dir} }

// nameForm is that of a DNS label (RFC 1123): a name becomes a folder.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// NameError says that a name cannot be a cluster's.
type NameError struct {
	// Name is what was given.
	Name string
}

// Error implements error.
func (e *NameError) Error() string {
	return fmt.Sprintf("cluster name %q: it must be 1 to 40 lower-case letters, digits and hyphens, "+
		"and begin and end with a letter or digit", e.Name)
}

// Cluster returns the cluster of that name, running or not.
func (s *Store) Cluster(name string) (*Cluster, error) {
	if !nameForm.MatchString(name) {
		return nil, &NameError{Name: name}
	}
	return &Cluster{Name: name, dir: filepath.Join(s.dir, name)}, nil
}

// List returns the clusters that have data, running or not, by name.
func (s *Store) List() ([]*Cluster, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var clusters []*Cluster
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		cluster, err := s.Cluster(entry.Name())
		if _, invalid := errors.AsType[*NameError](err); invalid {
			continue // not ours
		}
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, cluster)
	}
	return clusters, nil
}

// Cluster is one local control plane.
type Cluster struct {
	// Name is unique in the store.
	Name string

	dir string
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// AuditLog is the path of the API server's audit log, if it writes one: a line
// of JSON for every request that has been answered, without the bodies.
func (c *Cluster) AuditLog() string { return c.log("audit") }

// discard removes the folder. It renames it first: another process may start the
// cluster again as soon as the locks in the folder are gone, and must not lose
// files to this removal.
func (c *Cluster) discard() error {
	trash, err := os.MkdirTemp(filepath.Dir(c.dir), c.trash())
	if err != nil {
		return err
	}
	err = os.Rename(c.dir, filepath.Join(trash, c.Name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(trash))
}

// emptyTrash removes what was being discarded by a process that was killed.
func (c *Cluster) emptyTrash() error {
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(c.dir), c.trash()))
	for _, leftover := range leftovers {
		err = errors.Join(err, os.RemoveAll(leftover))
	}
	return err
}

// trash is the pattern of folders that are being discarded; no cluster's name
// has a dot in it.
func (c *Cluster) trash() string { return "." + c.Name + ".trash-*" }

func (c *Cluster) operationLock() string  { return c.dir + ".lock" }
func (c *Cluster) supervisorLock() string { return filepath.Join(c.dir, "supervisor.lock") }
func (c *Cluster) processesLock() string  { return filepath.Join(c.dir, "processes.lock") }
func (c *Cluster) statePath() string      { return filepath.Join(c.dir, "state.json") }
func (c *Cluster) etcdData() string       { return filepath.Join(c.dir, "etcd") }
func (c *Cluster) stages() string         { return filepath.Join(c.dir, "stages") }
func (c *Cluster) accounts() string       { return filepath.Join(c.dir, "kubeconfigs") }
func (c *Cluster) logs() string           { return filepath.Join(c.dir, "logs") }
func (c *Cluster) log(name string) string { return filepath.Join(c.logs(), name+".log") }
func (c *Cluster) pki(name string) string { return filepath.Join(c.dir, "pki", name) }
