package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	providerName   = "terraform-provider-mira"
	providerModule = "github.com/mira-cluster/terraform-provider-mira"
	manifestFile   = "terraform-registry-manifest.json"
)

// platforms are those that a release is built for. .goreleaser.yml builds them.
var platforms = []string{
	"darwin_amd64", "darwin_arm64",
	"freebsd_386", "freebsd_amd64", "freebsd_arm", "freebsd_arm64",
	"linux_386", "linux_amd64", "linux_arm", "linux_arm64",
	"windows_386", "windows_amd64", "windows_arm64",
}

// build is what a folder is to hold. The names of its files are those that the registries ask
// for: https://developer.hashicorp.com/terraform/registry/providers/publishing
type build struct {
	name      string // of the repository: terraform-provider-NAME
	module    string
	platforms []string // GOOS_GOARCH
	manifest  []byte
}

// check returns the version that a folder holds, and everything that is wrong with it.
func (b *build) check(folder string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, b.name+"_*_SHA256SUMS"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("it has %d files %s_VERSION_SHA256SUMS, not one: build into a new folder (goreleaser --clean)", len(found), b.name)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), b.name+"_"), "_SHA256SUMS")
	if !regexp.MustCompile(`^` + semver + `$`).MatchString(version) {
		return "", fmt.Errorf("%s: %q is not a version that the registries take, such as 1.2.3 or 1.2.3-rc.1", found[0], version)
	}
	sums, err := readSums(found[0])
	if err != nil {
		return "", err
	}
	errs := []error{b.checkSums(folder, version, sums)}
	for _, platform := range b.platforms {
		if err := b.checkPlatform(folder, version, platform); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", platform, err))
		}
	}
	return version, errors.Join(errs...)
}

// prefix is how the files of a version begin.
func (b *build) prefix(version string) string { return b.name + "_" + version + "_" }

// readSums returns the checksums of a file by name.
func readSums(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sums := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != sha256.Size*2 {
			return nil, fmt.Errorf("%s: the line %q is not a checksum, two blanks and a name", file, line)
		}
		sums[name] = sum
	}
	return sums, nil
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// checkSums reports what the list of checksums lacks, has wrong, and has too much. Each line of
// it becomes a hash in the lock file of every user, whatever its name, so that nothing else
// belongs there.
func (b *build) checkSums(folder, version string, sums map[string]string) error {
	manifest := b.prefix(version) + "manifest.json"
	wanted := map[string]string{manifest: sumOf(b.manifest)}
	var errs []error
	for _, platform := range b.platforms {
		name := b.prefix(version) + platform + ".zip"
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		wanted[name] = sumOf(data)
	}
	for name, sum := range wanted {
		switch sums[name] {
		case sum:
		case "":
			errs = append(errs, fmt.Errorf("SHA256SUMS has no checksum of %s", name))
		default:
			errs = append(errs, fmt.Errorf("SHA256SUMS has another checksum than that of %s", name))
		}
	}
	for name := range sums {
		if _, ok := wanted[name]; !ok {
			errs = append(errs, fmt.Errorf("SHA256SUMS has a checksum of %s, which is neither an archive nor the manifest", name))
		}
	}
	archives, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, ok := wanted[filepath.Base(archive)]; !ok {
			errs = append(errs, fmt.Errorf("%s is of no platform that a release is built for", archive))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
