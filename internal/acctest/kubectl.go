package acctest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Kubectl runs kubectl: the one on PATH, or the one that tools/localcluster builds.
type Kubectl struct {
	path string
	env  []string
}

// NewKubectl returns a kubectl that uses a kubeconfig; with "", it is the administrator.
func NewKubectl(t *testing.T, kubeconfig string) *Kubectl {
	t.Helper()
	path, err := kubectlPath()
	if err != nil {
		t.Fatal(err)
	}
	if kubeconfig == "" {
		kubeconfig = os.Getenv("KUBECONFIG")
	}
	// Nothing is left in the caller's cache of what a cluster has.
	return &Kubectl{path: path, env: append(os.Environ(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+t.TempDir())}
}

// kubectlPath returns the path of kubectl.
var kubectlPath = sync.OnceValues(func() (string, error) {
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	return localComponent("kubectl")
})

// localComponent returns the path of a program that tools/localcluster pins, and builds it
// if it is not in the cache.
func localComponent(name string) (string, error) {
	var problems strings.Builder
	command := exec.Command("go", "run", ".", "path", name)
	command.Dir = filepath.Join(Root(), "tools", "localcluster")
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, problems.String())
	}
	return strings.TrimSpace(string(output)), nil
}

// Run returns what a command prints that must succeed.
func (k *Kubectl) Run(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := k.run(t, arguments)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return output
}

// Until repeats a command until it succeeds.
func (k *Kubectl) Until(t *testing.T, arguments ...string) {
	t.Helper()
	var output string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, Patience, true, func(context.Context) (bool, error) {
		var err error
		output, err = k.run(t, arguments)
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until kubectl %s succeeds: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func (k *Kubectl) run(t *testing.T, arguments []string) (string, error) {
	command := exec.CommandContext(detached(t), k.path, arguments...)
	command.Env = k.env
	output, err := command.CombinedOutput()
	return string(output), err
}
