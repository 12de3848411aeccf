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
	return &Cluster{Name: name, folder: folder{name: name, dir: filepath.Join(s.dir, name)}}, nil
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
