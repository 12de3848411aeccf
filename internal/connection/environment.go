package connection

import (
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/homedir"
)

// Environment is what [Connect] takes from the surroundings of the process. It
// is a parameter so that tests need not change the process. A nil function
// stands for one that returns nothing.
type Environment struct {
	// Getenv returns the value of an environment variable, "" when it is not set.
	Getenv func(name string) string
	// HomeDir is the user's home directory, "" when there is none. It stands
	// for a leading ~ in paths, and holds .kube/config.
	HomeDir string
	// InCluster returns the configuration of the pod's service account, or
	// [rest.ErrNotInCluster] outside of a pod.
	InCluster func() (*rest.Config, error)
}

// SystemEnvironment returns the environment of this process.
func SystemEnvironment() Environment {
	return Environment{
		Getenv:    os.Getenv,
		HomeDir:   homedir.HomeDir(),
		InCluster: rest.InClusterConfig,
	}
}

func (e Environment) getenv(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

func (e Environment) inCluster() (*rest.Config, error) {
	if e.InCluster == nil {
		return nil, rest.ErrNotInCluster
	}
	return e.InCluster()
}
