// Package component knows the programs a local cluster is made of, which
// versions are pinned, and how they are built from their Go modules.
package component

import (
	"fmt"
	"slices"
	"strings"
)

// Component is a group of programs that are built together, because they come
// from one Go module.
type Component struct {
	// Name is the component's folder under components/.
	Name string
	// Module is the Go module whose pinned version is the component's version.
	Module string
	// Programs are what is built.
	Programs []Program
	// Note tells a waiting user what to expect of a first build.
	Note string
	// ldflags are the linker flags besides those that all components share.
	ldflags func(version string) ([]string, error)
}

// Program is one executable.
type Program struct {
	// Name is the executable's file name.
	Name string
	// Package is its main package.
	Package string
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
		Name:     "etcd",
		Module:   "go.etcd.io/etcd/server/v3",
		Programs: []Program{{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"}},
		Note:     "under a minute on 2 cores",
	},
	{
		Name:   "kubernetes",
		Module: "k8s.io/kubernetes",
		Programs: []Program{
			{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
			{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
			{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl"},
		},
		Note:    "about 6 minutes on 2 cores",
		ldflags: kubernetesLDFlags,
	},
	{
		Name:     "kwok",
		Module:   "sigs.k8s.io/kwok",
		Programs: []Program{{Name: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok"}},
		Note:     "about 2 minutes on 2 cores",
	},
	{
		Name:     "opentofu",
		Module:   "github.com/opentofu/opentofu",
		Programs: []Program{{Name: "tofu", Package: "github.com/opentofu/opentofu/cmd/tofu"}},
		Note:     "about 5 minutes on 2 cores",
		// Anything but "no" marks the build as a development version.
		ldflags: func(string) ([]string, error) {
			return []string{"-X", "github.com/opentofu/opentofu/version.dev=no"}, nil
		},
	},
}

// ClusterPrograms are the programs that a cluster runs, or that its user needs.
var ClusterPrograms = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl"}

// Names lists every program, and every component not named after its program.
func Names() []string {
	var names []string
	for _, component := range All {
		names = append(names, component.Name)
		for _, program := range component.Programs {
			names = append(names, program.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Find returns the component with the name, or the one that holds the program
// with it; for a component of one program, its name means that program too. The
// program is empty if the name stands for several.
func Find(name string) (Component, Program, error) {
	for _, component := range All {
		for _, program := range component.Programs {
			if program.Name == name {
				return component, program, nil
			}
		}
		if component.Name == name {
			if len(component.Programs) == 1 {
				return component, component.Programs[0], nil
			}
			return component, Program{}, nil
		}
	}
	return Component{}, Program{}, &UnknownError{Name: name}
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
	return []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(linker, " ")}, nil
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
