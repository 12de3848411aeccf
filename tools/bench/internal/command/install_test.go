package command

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestInstall(t *testing.T) {
	binary, meter := filepath.Join(t.TempDir(), "p"), filepath.Join(t.TempDir(), "m")
	for path, content := range map[string]string{binary: "real", meter: "meter"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for source, hosts := range map[string][]string{
		"mira-cluster/mira":               {"registry.terraform.io", "registry.opentofu.org"},
		"registry.example.com/other/mira": {"registry.example.com"},
	} {
		directory := t.TempDir()
		provider := Provider{Binary: binary, Meter: meter, Source: source, Version: "1.2.3"}
		if _, err := New("terraform", directory, provider); err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			packaged := filepath.Join(
				directory,
				"mirror",
				host,
				filepath.Base(filepath.Dir(source)),
				"mira",
				"1.2.3",
				runtime.GOOS+"_"+runtime.GOARCH,
			)
			for name, want := range map[string]string{"terraform-provider-mira_v1.2.3": "meter", "metered": "real"} {
				if got, err := os.ReadFile(filepath.Join(packaged, name)); err != nil || string(got) != want {
					t.Errorf("%s of %s is %q, %v; want %q", name, source, got, err, want)
				}
			}
		}
	}
	if _, err := New("terraform", t.TempDir(), Provider{Binary: binary, Meter: meter, Source: "mira", Version: "1"}); err == nil {
		t.Error("a source without a namespace was installed")
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"PATH=/bin", "TF_VAR_x=1", "KUBECONFIG=/k", "KUBE_HOST=h", "CLUSTER_DOMAIN=d", "HOME=/root"})
	if want := []string{"PATH=/bin", "HOME=/root"}; !slices.Equal(got, want) {
		t.Errorf("environment = %v, want %v", got, want)
	}
}
