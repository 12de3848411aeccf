// Package component knows the programs that a local cluster consists of, which
// versions of them are pinned, and how to build them from their Go modules.
package component

import (
	"fmt"
	"slices"
	"strings"
)

// Component is one executable, built from a Go module of its own under
// components/, because the requirements of the components clash.
type Component struct {
	// Name is the component's folder under components/, without the minor
	// version of Kubernetes that the folder of an OfMinor component ends with.
	Name string
	// OfMinor is set if there is a folder for each minor version of Kubernetes.
	OfMinor bool
	// Module is the Go module whose pinned version is the component's version.
	Module string
	// Package is the main package.
	Package string
	// Programs are the names that the executable goes by. If there are several,
	// it acts as the one by whose name it is called.
	Programs []string
	// Note says how long a first build takes.
	Note string
	// ldflags are the linker flags besides those that all components share.
	ldflags func(version string) ([]string, error)
}

// UnknownError says that no component or program has the name.
type UnknownError struct {
	// Name is what was asked for.
	Name string
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("unknown component %q: known are %s", e.Name, strings.Join(Names(), ", "))
}

// All are the components in the order in which they are built: what takes
// longest is not first, so that a broken set-up shows early.
var All = []Component{
	{
		Name:     "kwok",
		Module:   "sigs.k8s.io/kwok",
		Package:  "sigs.k8s.io/kwok/cmd/kwok",
		Programs: []string{"kwok"},
		Note:     "about 2 minutes on 2 cores",
	},
	{
		Name:     "kubernetes",
		OfMinor:  true,
		Module:   "k8s.io/kubernetes",
		Package:  ".",
		Programs: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"},
		Note:     "about 10 minutes on 2 cores",
		ldflags:  kubernetesLDFlags,
	},
	{
		Name:     "opentofu",
		Module:   "github.com/opentofu/opentofu",
		Package:  "github.com/opentofu/opentofu/cmd/tofu",
		Programs: []string{"tofu"},
		Note:     "about 5 minutes on 2 cores",
		// Anything but "no" marks the build as a development version.
		ldflags: func(string) ([]string, error) {
			return []string{"-X", "github.com/opentofu/opentofu/version.dev=no"}, nil
		},
	},
	{
		// For tests that need a newer CLI than the machine has. Its licence, BUSL-1.1,
		// allows that, and does not allow to ship it.
		Name:     "terraform",
		Module:   "github.com/hashicorp/terraform",
		Package:  "github.com/hashicorp/terraform",
		Programs: []string{"terraform"},
		Note:     "about 4 minutes on 2 cores",
		ldflags: func(string) ([]string, error) {
			return []string{"-X", "github.com/hashicorp/terraform/version.dev=no"}, nil
		},
	},
}

// ClusterPrograms are the programs that a cluster runs, or that its user needs,
// in the order of All.
var ClusterPrograms = []string{"kwok", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}

// Names lists every program, and every component not named after its program.
func Names() []string {
	var names []string
	for _, component := range All {
		names = append(names, component.Name)
		names = append(names, component.Programs...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Find returns the component with the name, or the one that holds the program
// with it; for a component of one program, its name means that program too. The
// program is empty if the name stands for several.
func Find(name string) (component Component, program string, err error) {
	for _, component := range All {
		switch {
		case slices.Contains(component.Programs, name):
			return component, name, nil
		case component.Name == name && len(component.Programs) == 1:
			return component, component.Programs[0], nil
		case component.Name == name:
			return component, "", nil
		}
	}
	return Component{}, "", &UnknownError{Name: name}
}

// folder is the component's folder under components/.
func (c Component) folder(minor string) string {
	if c.OfMinor {
		return c.Name + "-" + minor
	}
	return c.Name
}

// executable is the name of the file that is built.
func (c Component) executable() string {
	if len(c.Programs) == 1 {
		return c.Programs[0]
	}
	return c.Name
}

// flags are the arguments of `go build` before the output and the packages.
func (c Component) flags(version string) ([]string, error) {
	linker := []string{"-s", "-w"}
	if c.ldflags != nil {
		own, err := c.ldflags(version)
		if err != nil {
			return nil, err
		}
		linker = append(linker, own...)
	}
	// What the user's GOFLAGS may say otherwise about these is overruled.
	return []string{"-mod=readonly", "-buildvcs=false", "-ldflags=" + strings.Join(linker, " ")}, nil
}

// kubernetesLDFlags stamp the version, as hack/lib/version.sh of Kubernetes
// does. Without it the server calls itself v0.0.0-master, which clients fail to
// parse.
func kubernetesLDFlags(version string) ([]string, error) {
	major, rest, ok := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return nil, fmt.Errorf("version %q of k8s.io/kubernetes is not of the form v1.2.3", version)
	}
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion="+version,
			"-X", pkg+".gitMajor="+major,
			"-X", pkg+".gitMinor="+minor,
			"-X", pkg+".gitTreeState=clean",
		)
	}
	return flags, nil
}
