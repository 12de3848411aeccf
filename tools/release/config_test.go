package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"sigs.k8s.io/yaml"

	"github.com/mira-cluster/terraform-provider-mira/internal/provider"
)

// These tests hold what can be held of a release without building one.

func readText(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// goreleaser is what .goreleaser.yml says, as far as the registries and the check of a build
// depend on it.
type goreleaser struct {
	ProjectName string `json:"project_name"`
	Builds      []struct {
		Env          []string
		Flags        []string
		Ldflags      []string
		Goos, Goarch []string
		Ignore       []struct{ Goos, Goarch string }
		Binary       string
	}
	Archives []struct{ ID string }
	Sboms    []struct{ ID string }
	Checksum struct {
		IDs        []string
		ExtraFiles []extraFile `json:"extra_files"`
	}
	Release struct {
		Draft      bool
		ExtraFiles []extraFile `json:"extra_files"`
	}
}

type extraFile struct {
	Glob         string
	NameTemplate string `json:"name_template"`
}

func goreleaserConfig(t *testing.T) goreleaser {
	t.Helper()
	var config goreleaser
	if err := yaml.Unmarshal([]byte(readText(t, ".goreleaser.yml")), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Builds) != 1 || len(config.Archives) != 1 || len(config.Sboms) != 1 {
		t.Fatalf(".goreleaser.yml has %d builds, %d archives and %d sboms, not one of each",
			len(config.Builds), len(config.Archives), len(config.Sboms))
	}
	return config
}

func TestGoreleaser_platforms(t *testing.T) {
	build := goreleaserConfig(t).Builds[0]
	var built []string
	for _, goos := range build.Goos {
		for _, goarch := range build.Goarch {
			if !slices.Contains(build.Ignore, struct{ Goos, Goarch string }{goos, goarch}) {
				built = append(built, goos+"_"+goarch)
			}
		}
	}
	slices.Sort(built)
	if !slices.Equal(built, platforms) {
		t.Errorf(".goreleaser.yml builds\n%q, and a release is checked for\n%q", built, platforms)
	}
	// Without it, nobody could use the provider on HCP Terraform.
	if !slices.Contains(platforms, "linux_amd64") {
		t.Error("there is no release for linux_amd64")
	}
}

func TestGoreleaser_names(t *testing.T) {
	config := goreleaserConfig(t)
	if config.ProjectName != providerName {
		t.Errorf("the project is %q, not %q", config.ProjectName, providerName)
	}
	if first, _, _ := strings.Cut(readText(t, "go.mod"), "\n"); first != "module "+providerModule {
		t.Errorf("go.mod is of another module than %s: %s", providerModule, first)
	}
	// The archives and the manifest, but not the bills of materials.
	if want := []string{config.Archives[0].ID}; !slices.Equal(config.Checksum.IDs, want) || config.Sboms[0].ID == want[0] {
		t.Errorf("SHA256SUMS is made of %q, not of the archives %q alone", config.Checksum.IDs, want)
	}
	manifest := []extraFile{{manifestFile, "{{ .ProjectName }}_{{ .Version }}_manifest.json"}}
	if !slices.Equal(config.Checksum.ExtraFiles, manifest) || !slices.Equal(config.Release.ExtraFiles, manifest) {
		t.Errorf("the manifest is named %+v in SHA256SUMS and %+v in the release, not %+v",
			config.Checksum.ExtraFiles, config.Release.ExtraFiles, manifest)
	}
	// The workflow publishes the draft after it has checked and attested it.
	if !config.Release.Draft {
		t.Error("the release is public before it is checked")
	}
}

// The linker sets a variable that does not exist without a word.
func TestGoreleaser_version(t *testing.T) {
	flags := strings.Join(goreleaserConfig(t).Builds[0].Ldflags, " ")
	variable := regexp.MustCompile(`-X main\.(\w+)=\{\{ \.Version \}\}`).FindStringSubmatch(flags)
	if variable == nil {
		t.Fatalf("the flags of the linker set no version: %s", flags)
	}
	if !regexp.MustCompile(`(?m)^var ` + variable[1] + ` = "`).MatchString(readText(t, "main.go")) {
		t.Errorf("main.go has no variable %s", variable[1])
	}
}

// The manifest names the protocol that the provider speaks; without it, the registries offer the
// provider to CLIs that speak another.
func TestManifest_protocol(t *testing.T) {
	var manifest struct {
		Version  int
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		}
	}
	if err := json.Unmarshal([]byte(readText(t, manifestFile)), &manifest); err != nil {
		t.Fatal(err)
	}
	var protocol string
	switch any(provider.NewServer("test")()).(type) {
	case tfprotov6.ProviderServer:
		protocol = "6.0"
	default:
		t.Fatal("the provider speaks a protocol that this test does not know")
	}
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.ProtocolVersions, []string{protocol}) {
		t.Errorf("%s is %+v; the provider speaks %s", manifestFile, manifest, protocol)
	}
}
