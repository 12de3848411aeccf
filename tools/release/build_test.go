package main

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

const testVersion = "1.2.3-rc.1"

// testBuild returns a build of a small program for this machine alone, and its binary.
func testBuild(t *testing.T) (*build, []byte) {
	t.Helper()
	source := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/terraform-provider-test\n\ngo 1.26\n",
		"main.go": "package main\n\nvar version = \"dev\"\n\nfunc main() { println(version) }\n",
	} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(source, "binary")
	flags := "-s -w -X main.version=" + testVersion
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", flags, "-o", binary, ".")
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	return &build{
		name:      "terraform-provider-test",
		module:    "example.com/terraform-provider-test",
		platforms: []string{runtime.GOOS + "_" + runtime.GOARCH},
		manifest:  []byte(`{"version": 1}`),
	}, data
}

// output is the content of a folder that goreleaser has built into.
type output struct {
	files   map[string][]byte
	archive []*zip.FileHeader
	content map[string][]byte
}

// goodOutput returns what nothing is wrong with.
func goodOutput(t *testing.T, b *build, binary []byte) *output {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	bill := fmt.Sprintf(`{"bomFormat": "CycloneDX", "metadata": {"component": {"name": %q, "version": "v%s"}},
		"components": [{"name": "std", "version": %q}]}`, b.module, testVersion, info.GoVersion)
	name := b.name + "_v" + testVersion
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	commit := time.Date(2026, 11, 27, 1, 2, 4, 0, time.UTC)
	o := &output{
		files:   map[string][]byte{b.prefix(testVersion) + b.platforms[0] + ".cdx.json": []byte(bill)},
		archive: []*zip.FileHeader{{Name: license, Modified: commit}, {Name: name, Modified: commit}},
		content: map[string][]byte{license: []byte("license"), name: binary},
	}
	o.archive[0].SetMode(0o644)
	o.archive[1].SetMode(0o755)
	return o
}

// write writes the folder, with the archive and its checksums unless a test has given its own.
func (o *output) write(t *testing.T, b *build) string {
	t.Helper()
	folder := t.TempDir()
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for _, header := range o.archive {
		entry, err := writer.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write(o.content[header.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	zipName, sumsName := b.prefix(testVersion)+b.platforms[0]+".zip", b.prefix(testVersion)+"SHA256SUMS"
	files := map[string][]byte{
		zipName:  archive.Bytes(),
		sumsName: fmt.Appendf(nil, "%s  %s\n%s  %s\n", sumOf(archive.Bytes()), zipName, sumOf(b.manifest), b.prefix(testVersion)+"manifest.json"),
	}
	for name, data := range o.files {
		files[name] = data
		if name == sumsName && bytes.HasPrefix(data, []byte("+")) {
			files[name] = fmt.Appendf(nil, "%s  %s\n%s", sumOf(archive.Bytes()), zipName, data[1:])
		}
	}
	for name, data := range files {
		if data == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestCheck(t *testing.T) {
	b, binary := testBuild(t)
	version, err := b.check(goodOutput(t, b, binary).write(t, b))
	if err != nil || version != testVersion {
		t.Fatalf("got the version %q and the error %v", version, err)
	}

	prefix := b.prefix(testVersion)
	platform := b.platforms[0]
	manifestLine := fmt.Sprintf("%s  %smanifest.json\n", sumOf(b.manifest), prefix)
	for _, c := range []struct {
		name  string
		spoil func(*output, *build)
		want  string
	}{
		{"no checksums", func(o *output, _ *build) { o.files[prefix+"SHA256SUMS"] = nil }, "0 files terraform-provider-test_VERSION_SHA256SUMS"},
		{"checksums of two versions", func(o *output, b *build) { o.files[b.prefix("1.2.2")+"SHA256SUMS"] = []byte{} }, "it has 2 files"},
		{"no archive", func(o *output, _ *build) { o.files[prefix+platform+".zip"] = nil }, platform + ".zip: no such file"},
		{"an archive of another platform", func(o *output, _ *build) {
			o.files[prefix+"plan9_arm.zip"] = []byte("PK")
		}, "plan9_arm.zip is of no platform"},
		{"no checksum of the manifest", func(o *output, _ *build) {
			o.files[prefix+"SHA256SUMS"] = []byte("+")
		}, "has no checksum of " + prefix + "manifest.json"},
		{"another manifest", func(o *output, b *build) {
			o.files[prefix+"SHA256SUMS"], b.manifest = []byte("+"+manifestLine), []byte("{}")
		}, "another checksum than that of " + prefix + "manifest.json"},
		{"another archive", func(o *output, _ *build) {
			o.files[prefix+"SHA256SUMS"] = fmt.Appendf(nil, "%s  %s%s.zip\n%s", sumOf(nil), prefix, platform, manifestLine)
		}, "another checksum than that of " + prefix + platform + ".zip"},
		{"a checksum too many", func(o *output, _ *build) {
			o.files[prefix+"SHA256SUMS"] = fmt.Appendf(nil, "+%s%s  %s%s.cdx.json\n", manifestLine, sumOf(nil), prefix, platform)
		}, "has a checksum of " + prefix + platform + ".cdx.json"},
		{"a broken line of checksums", func(o *output, _ *build) { o.files[prefix+"SHA256SUMS"] = []byte("x y") }, `the line "x y"`},
		{"another name of the binary", func(o *output, _ *build) {
			o.content["test"] = o.content[o.archive[1].Name]
			o.archive[1].Name = "test"
		}, `the archive holds ["LICENSE" "test"], not ["LICENSE" "terraform-provider-test_v1.2.3-rc.1`},
		{"no license", func(o *output, _ *build) { o.archive = o.archive[1:] }, "the archive holds"},
		{"another time", func(o *output, _ *build) {
			o.archive[0].Modified = o.archive[0].Modified.Add(time.Hour)
		}, "no second build would be the same"},
		{"a binary that cannot be run", func(o *output, _ *build) { o.archive[1].SetMode(0o644) }, "has the mode -rw-r--r--, not 0755"},
		{"no binary of Go", func(o *output, _ *build) { o.content[o.archive[1].Name] = []byte("#!/bin/sh") }, "the binary: "},
		{"another version in the binary", func(o *output, _ *build) {
			name := o.archive[1].Name
			o.content[name] = bytes.ReplaceAll(o.content[name], []byte(testVersion), []byte("1.2.3-rc.2"))
		}, "the binary does not hold its version 1.2.3-rc.1"},
		{"another module", func(_ *output, b *build) {
			b.module = "example.com/other"
		}, `the binary is of the module "example.com/terraform-provider-test"`},
		{"no bill of materials", func(o *output, _ *build) { o.files[prefix+platform+".cdx.json"] = nil }, platform + ".cdx.json: no such file"},
		{"the bill of another version", func(o *output, _ *build) {
			name := prefix + platform + ".cdx.json"
			o.files[name] = bytes.ReplaceAll(o.files[name], []byte(testVersion), []byte("1.2.2"))
		}, "the bill of materials is that of {example.com/terraform-provider-test v1.2.2}"},
		{"a bill without the standard library", func(o *output, _ *build) {
			name := prefix + platform + ".cdx.json"
			o.files[name] = bytes.ReplaceAll(o.files[name], []byte(`"std"`), []byte(`"other"`))
		}, "the bill of materials does not have std go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := *b
			o := goodOutput(t, &b, binary)
			c.spoil(o, &b)
			if _, err := b.check(o.write(t, &b)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v, not one with %q", err, c.want)
			}
		})
	}
}

func TestCheckBinary(t *testing.T) {
	b := &build{module: "example.com/m"}
	info := &debug.BuildInfo{Main: debug.Module{Path: "example.com/m"}, Settings: []debug.BuildSetting{
		{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"}, {Key: "CGO_ENABLED", Value: "0"}, {Key: "-trimpath", Value: "true"},
	}}
	if err := b.checkBinary(info, "linux_amd64"); err != nil {
		t.Error(err)
	}
	info.Settings[2].Value = "1"
	err := b.checkBinary(info, "linux_arm64")
	const want = "the binary was not built with GOARCH=arm64\nthe binary was not built with CGO_ENABLED=0"
	if err == nil || err.Error() != want {
		t.Errorf("got the error %v, not %q", err, want)
	}
}

func TestCheckBill(t *testing.T) {
	b := &build{module: "example.com/m"}
	info := &debug.BuildInfo{GoVersion: "go1.26.11", Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0"},
		{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/c", Version: "v2.0.0"}},
	}}
	bill := func(components ...map[string]string) []byte {
		text, err := json.Marshal(map[string]any{
			"bomFormat":  "CycloneDX",
			"metadata":   map[string]any{"component": map[string]string{"name": "example.com/m", "version": "v1.2.3"}},
			"components": components,
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	std := map[string]string{"name": "std", "version": "go1.26.11"}
	a := map[string]string{"name": "example.com/a", "version": "v1.0.0"}
	c := map[string]string{"name": "example.com/c", "version": "v2.0.0"}
	if err := b.checkBill(bill(std, a, c), info, "1.2.3"); err != nil {
		t.Error(err)
	}
	if err := b.checkBill(bill(std, a), info, "1.2.3"); err == nil || !strings.Contains(err.Error(), "does not have example.com/c v2.0.0") {
		t.Errorf("got the error %v", err)
	}
	if err := b.checkBill([]byte(`{"spdxVersion": "2.3"}`), info, "1.2.3"); err == nil || !strings.Contains(err.Error(), `of the form ""`) {
		t.Errorf("got the error %v", err)
	}
}
