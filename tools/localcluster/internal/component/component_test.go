package component

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		component, program string
	}{
		"etcd":           {"kubernetes", "etcd"},
		"kwok":           {"kwok", "kwok"},
		"kube-apiserver": {"kubernetes", "kube-apiserver"},
		"kubectl":        {"kubernetes", "kubectl"},
		"tofu":           {"opentofu", "tofu"},
		"opentofu":       {"opentofu", "tofu"},
		"terraform":      {"terraform", "terraform"},
		"kubernetes":     {"kubernetes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			component, program, err := Find(name)
			if err != nil || component.Name != test.component || program != test.program {
				t.Errorf("Find = %s, %s, %v; want %s, %s", component.Name, program, err, test.component, test.program)
			}
		})
	}
	t.Run("an unknown name", func(t *testing.T) {
		_, _, err := Find("docker")
		var unknown *UnknownError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "kube-apiserver") {
			t.Errorf("Find = %v, want an UnknownError that lists what is known", err)
		}
	})
}

func TestKubernetesIsStampedWithItsVersion(t *testing.T) {
	component, _, err := Find("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	flags, err := component.flags("v1.36.3")
	if err != nil {
		t.Fatal(err)
	}
	linker := flags[len(flags)-1]
	for _, part := range []string{
		"-ldflags=-s -w ",
		"-X k8s.io/component-base/version.gitVersion=v1.36.3 ",
		"-X k8s.io/component-base/version.gitMajor=1 ",
		"-X k8s.io/component-base/version.gitMinor=36 ",
		"-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 ",
	} {
		if !strings.Contains(linker, part) {
			t.Errorf("%q is missing in %q", part, linker)
		}
	}
	if _, err := component.flags("master"); err == nil {
		t.Error("a version without numbers is accepted")
	}
}

// checkout is the source folder of this checkout.
const checkout = Source("../..")

func TestMinor(t *testing.T) {
	for name, test := range map[string]struct{ value, want string }{
		"none is chosen":  {"", DefaultMinor},
		"the default":     {DefaultMinor, DefaultMinor},
		"an older one":    {"1.36", "1.36"},
		"an unknown one":  {"1.2", ""},
		"a patch version": {"1.36.3", ""},
		"a pattern":       {"1.3*", ""},
		"no version":      {"../etcd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkout.Minor(test.value)
			if got != test.want {
				t.Errorf("Minor(%q) = %q, %v; want %q", test.value, got, err, test.want)
			}
			var unknown *MinorError
			if (test.want == "") != errors.As(err, &unknown) {
				t.Errorf("error = %v", err)
			}
			if unknown != nil && !strings.HasSuffix(err.Error(), "known are 1.36, 1.37") {
				t.Errorf("error = %v, want one that lists what is known", err)
			}
		})
	}
}

func TestHasMinor(t *testing.T) {
	for name, test := range map[string]struct {
		version, minor string
		want           bool
	}{
		"the same":             {"v1.36.3", "1.36", true},
		"another":              {"v1.37.2", "1.36", false},
		"one that starts so":   {"v1.360.1", "1.36", false},
		"a version of nothing": {"", "1.36", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := HasMinor(test.version, test.minor); got != test.want {
				t.Errorf("HasMinor(%q, %q) = %v", test.version, test.minor, got)
			}
		})
	}
}

// module is the part of `go mod edit -json` that the checks below need.
type module struct {
	Require []struct{ Path, Version string }
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

func readModule(t *testing.T, name string) (versions, replacements map[string]string) {
	t.Helper()
	command := exec.Command("go", "mod", "edit", "-json")
	command.Dir = filepath.Join("..", "..", "components", name)
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod module
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	versions, replacements = map[string]string{}, map[string]string{}
	for _, require := range mod.Require {
		versions[require.Path] = require.Version
	}
	for _, replace := range mod.Replace {
		replacements[replace.Old.Path] = replace.New.Version
	}
	return versions, replacements
}

func TestPinnedVersionsFitTogether(t *testing.T) {
	minors, err := checkout.minors()
	if err != nil {
		t.Fatal(err)
	}
	for _, minor := range minors {
		t.Run("Kubernetes "+minor, func(t *testing.T) {
			kubernetes, staging := readModule(t, "kubernetes-"+minor)
			version := kubernetes["k8s.io/kubernetes"]
			if !HasMinor(version, minor) {
				t.Errorf("k8s.io/kubernetes is %s", version)
			}
			want := "v0." + strings.TrimPrefix(version, "v1.")
			if len(staging) < 30 {
				t.Errorf("only %d staging modules of Kubernetes are replaced", len(staging))
			}
			for path, got := range staging {
				if got != want {
					t.Errorf("%s is replaced by %s, but k8s.io/kubernetes %s goes with %s", path, got, version, want)
				}
			}
			const server, client = "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/client/v3"
			if kubernetes[server] != kubernetes[client] {
				t.Errorf("etcd is %s, but Kubernetes %s comes with %s", kubernetes[server], version, kubernetes[client])
			}
		})
	}

	t.Run("OpenTofu", func(t *testing.T) {
		opentofu, replaced := readModule(t, "opentofu")
		const hcl = "github.com/hashicorp/hcl/v2"
		if opentofu[hcl] == "" || replaced[hcl] == "" {
			t.Errorf("OpenTofu requires %s %q, replaced by %q; want its fork", hcl, opentofu[hcl], replaced[hcl])
		}
	})
}

// TestTerraformIsOnlyBuiltWhenAsked checks that neither a cluster nor `build` without
// names takes the minutes that Terraform costs.
func TestTerraformIsOnlyBuiltWhenAsked(t *testing.T) {
	for _, program := range ClusterPrograms {
		if component, _, err := Find(program); err != nil || component.Name == "terraform" {
			t.Errorf("a cluster needs %s of %s: %v", program, component.Name, err)
		}
	}
}

func TestTheDefaultMinorIsTheNewest(t *testing.T) {
	minors, err := checkout.minors()
	if err != nil {
		t.Fatal(err)
	}
	if newest := minors[len(minors)-1]; newest != DefaultMinor {
		t.Errorf("the default is %s, but %s is there", DefaultMinor, newest)
	}
}

// TestMinorsShareOneMain checks that the minor versions are built from one main
// package. A module cannot have a package of another, so the others link to it.
func TestMinorsShareOneMain(t *testing.T) {
	minors, err := checkout.minors()
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, _, err := Find("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	mains := map[string]bool{}
	for _, minor := range minors {
		main, err := filepath.EvalSymlinks(filepath.Join(checkout.module(kubernetes, minor), "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		mains[main] = true
	}
	if len(mains) != 1 {
		t.Errorf("the minor versions have these main packages: %v", mains)
	}
}

func TestSourceIsFoundAboveAFolder(t *testing.T) {
	root := t.TempDir()
	tool := filepath.Join(root, "tools", "localcluster")
	for _, component := range All {
		dir := Source(tool).module(component, DefaultMinor)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := t.TempDir()
	for name, starts := range map[string][]string{
		"the checkout":            {root},
		"a folder in it":          {filepath.Join(root, "bin")},
		"the tool's own folder":   {tool},
		"a folder in that":        {filepath.Join(tool, "internal", "component")},
		"the second of two":       {elsewhere, root},
		"the first of two, twice": {root, root},
	} {
		t.Run("from "+name, func(t *testing.T) {
			if got, err := findSource(starts); err != nil || got != Source(tool) {
				t.Errorf("findSource = %s, %v; want %s", got, err, tool)
			}
		})
	}
	_, err := findSource([]string{elsewhere})
	var missing *SourceError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), SourceEnv) {
		t.Errorf("from elsewhere: %v, want a SourceError that names the way out", err)
	}

	t.Setenv(SourceEnv, tool)
	if got, err := FindSource(); err != nil || got != Source(tool) {
		t.Errorf("with %s: %s, %v", SourceEnv, got, err)
	}
	t.Setenv(SourceEnv, elsewhere)
	if _, err := FindSource(); err == nil || !strings.Contains(err.Error(), elsewhere) {
		t.Errorf("with a wrong %s: %v", SourceEnv, err)
	}
}
