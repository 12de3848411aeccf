package main

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

const license = "LICENSE"

// checkPlatform reports what is wrong with the archive of a platform and its bill of materials.
func (b *build) checkPlatform(folder, version, platform string) error {
	binary, err := b.checkArchive(filepath.Join(folder, b.prefix(version)+platform+".zip"), version, platform)
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("the binary: %w", err)
	}
	errs := []error{b.checkBinary(info, platform)}
	// The linker sets a variable that does not exist without a word.
	if !bytes.Contains(binary, []byte(version)) {
		errs = append(errs, fmt.Errorf("the binary does not hold its version %s: is main.version still there?", version))
	}
	bill, err := os.ReadFile(filepath.Join(folder, b.prefix(version)+platform+".cdx.json"))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, b.checkBill(bill, info, version))...)
}

// checkArchive returns the binary of an archive, which holds that and the license, with times
// that are those of the commit.
func (b *build) checkArchive(file, version, platform string) ([]byte, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	name := b.name + "_v" + version
	if strings.HasPrefix(platform, "windows_") {
		name += ".exe"
	}
	var names []string
	var binary []byte
	for _, entry := range archive.File {
		names = append(names, entry.Name)
		if first := archive.File[0]; !entry.Modified.Equal(first.Modified) {
			return nil, fmt.Errorf("%s is of %s, and %s of %s: with another time than the commit's, no second build would be the same",
				first.Name, first.Modified, entry.Name, entry.Modified)
		}
		if entry.Name != name {
			continue
		}
		if entry.Mode().Perm() != 0o755 {
			return nil, fmt.Errorf("%s has the mode %v, not 0755", name, entry.Mode())
		}
		content, err := entry.Open()
		if err != nil {
			return nil, err
		}
		binary, err = io.ReadAll(content)
		if err := errors.Join(err, content.Close()); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	if want := []string{license, name}; !slices.Equal(names, want) {
		return nil, fmt.Errorf("the archive holds %q, not %q", names, want)
	}
	return binary, nil
}

// checkBinary compares what a binary says of its build with what it is to be.
func (b *build) checkBinary(info *debug.BuildInfo, platform string) error {
	var errs []error
	if info.Main.Path != b.module {
		errs = append(errs, fmt.Errorf("the binary is of the module %q", info.Main.Path))
	}
	goos, goarch, _ := strings.Cut(platform, "_")
	for _, want := range []debug.BuildSetting{
		{Key: "GOOS", Value: goos},
		{Key: "GOARCH", Value: goarch},
		{Key: "CGO_ENABLED", Value: "0"},
		{Key: "-trimpath", Value: "true"},
	} {
		if !slices.Contains(info.Settings, want) {
			errs = append(errs, fmt.Errorf("the binary was not built with %s=%s", want.Key, want.Value))
		}
	}
	return errors.Join(errs...)
}

// checkBill compares a bill of materials in the form of CycloneDX with the modules that Go has
// linked.
func (b *build) checkBill(text []byte, info *debug.BuildInfo, version string) error {
	type component struct{ Name, Version string }
	var bill struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		return fmt.Errorf("the bill of materials: %w", err)
	}
	var errs []error
	if bill.BOMFormat != "CycloneDX" {
		errs = append(errs, fmt.Errorf("the bill of materials is of the form %q, not CycloneDX", bill.BOMFormat))
	}
	if want := (component{b.module, "v" + version}); bill.Metadata.Component != want {
		errs = append(errs, fmt.Errorf("the bill of materials is that of %v, not %v", bill.Metadata.Component, want))
	}
	linked := []component{{"std", info.GoVersion}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		linked = append(linked, component{module.Path, module.Version})
	}
	for _, module := range linked {
		if !slices.Contains(bill.Components, module) {
			errs = append(errs, fmt.Errorf("the bill of materials does not have %s %s, which is linked", module.Name, module.Version))
		}
	}
	return errors.Join(errs...)
}
