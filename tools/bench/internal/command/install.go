package command

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

// registries are the hosts of source addresses without a host.
var registries = []string{"registry.terraform.io", "registry.opentofu.org"}

// Provider is a provider binary to measure.
type Provider struct {
	// Binary is the path of the provider. Meter is the path of the program that runs
	// it (tools/bench/meter).
	Binary, Meter string
	// Source is the address as in required_providers: "[host/]namespace/type".
	Source string
	// Version is the version to install the binary as.
	Version string
}

// Type returns the last part of the source address.
func (p Provider) Type() string { return path.Base(p.Source) }

// mirror puts the meter, as the provider, and the provider itself into a filesystem mirror.
func (p Provider) mirror(directory string) error {
	parts := strings.Split(p.Source, "/")
	hosts := registries
	switch len(parts) {
	case 2:
	case 3:
		hosts, parts = parts[:1], parts[1:]
	default:
		return fmt.Errorf("the source address %q is not of the form [host/]namespace/type", p.Source)
	}
	for _, host := range hosts {
		target := filepath.Join(directory, host, parts[0], parts[1], p.Version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := copyProgram(filepath.Join(target, "terraform-provider-"+parts[1]+"_v"+p.Version), p.Meter); err != nil {
			return err
		}
		if err := copyProgram(filepath.Join(target, usage.RealName), p.Binary); err != nil {
			return err
		}
	}
	return nil
}

func copyProgram(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}
