package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// folder holds the files of one cluster.
type folder struct {
	name string // the cluster's
	dir  string
}

func (f folder) kubeconfig() string      { return filepath.Join(f.dir, "kubeconfig") }
func (f folder) accounts() string        { return filepath.Join(f.dir, "kubeconfigs") }
func (f folder) keys() keyFiles          { return keyFiles{dir: filepath.Join(f.dir, "pki")} }
func (f folder) state() string           { return filepath.Join(f.dir, "state.json") }
func (f folder) etcdData() string        { return filepath.Join(f.dir, "etcd") }
func (f folder) stages() string          { return filepath.Join(f.dir, "stages") }
func (f folder) schedulerConfig() string { return filepath.Join(f.dir, "kube-scheduler.yaml") }
func (f folder) kwokConfig() string      { return filepath.Join(f.dir, "kwok.yaml") }
func (f folder) auditPolicy() string     { return filepath.Join(f.dir, "audit-policy.yaml") }
func (f folder) auditLog() string        { return f.log("audit") }
func (f folder) logs() string            { return filepath.Join(f.dir, "logs") }
func (f folder) log(name string) string  { return filepath.Join(f.logs(), name+".log") }

func (f folder) operationLock() string  { return f.dir + ".lock" }
func (f folder) supervisorLock() string { return filepath.Join(f.dir, "supervisor.lock") }
func (f folder) processesLock() string  { return filepath.Join(f.dir, "processes.lock") }

// discard removes the folder. It renames it first: another process may start the
// cluster again as soon as the locks in the folder are gone, and must not lose
// files to this removal.
func (f folder) discard() error {
	trash, err := os.MkdirTemp(filepath.Dir(f.dir), f.trash())
	if err != nil {
		return err
	}
	err = os.Rename(f.dir, filepath.Join(trash, f.name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(trash))
}

// emptyTrash removes what was being discarded by a process that was killed.
func (f folder) emptyTrash() error {
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(f.dir), f.trash()))
	for _, leftover := range leftovers {
		err = errors.Join(err, os.RemoveAll(leftover))
	}
	return err
}

// trash is the pattern of folders that are being discarded; no cluster's name
// has a dot in it.
func (f folder) trash() string { return "." + f.name + ".trash-*" }
