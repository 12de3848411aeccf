package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// These tests hold together what several files of the repository say about one thing.

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// find returns the groups of a pattern's one match in a file.
func find(t *testing.T, path, pattern string) []string {
	t.Helper()
	matches := regexp.MustCompile(pattern).FindAllStringSubmatch(readText(t, path), -1)
	if len(matches) != 1 {
		t.Fatalf("%s has %d matches of %q, not one", path, len(matches), pattern)
	}
	return matches[0][1:]
}

// minor is the form of a version in the docs.
var minor = regexp.MustCompile(`\d+\.\d+`)

// testedCLIs returns the versions of each CLI with which the workflow runs the acceptance
// tests, in their order.
func testedCLIs(t *testing.T) map[string][]string {
	t.Helper()
	var workflow struct {
		Jobs struct {
			Acceptance struct {
				Strategy struct {
					Matrix struct {
						Include []struct{ CLI, Version string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readText(t, ".github/workflows/test.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	versions := map[string][]string{}
	for _, entry := range workflow.Jobs.Acceptance.Strategy.Matrix.Include {
		versions[entry.CLI] = append(versions[entry.CLI], strings.TrimSuffix(entry.Version, ".*"))
	}
	return versions
}

// The docs name the minor versions of Kubernetes that the local control plane can have, and
// the newest of them is the newest that is supported.
func TestSupportedKubernetes(t *testing.T) {
	const prefix = "tools/localcluster/components/kubernetes-"
	folders, err := filepath.Glob(filepath.FromSlash(prefix + "*"))
	if err != nil {
		t.Fatal(err)
	}
	var local []string
	for _, folder := range folders {
		local = append(local, strings.TrimPrefix(filepath.ToSlash(folder), prefix))
	}
	row := find(t, "docs/index.md", `(?m)^\| Kubernetes \| (.*) \| (.*) \|$`)
	if got := minor.FindAllString(row[1], -1); !slices.Equal(got, local) {
		t.Errorf("docs/index.md says that the tests run with %q, and the local control plane can have %q", got, local)
	}
	supported := minor.FindAllString(row[0], -1)
	if len(supported) != 2 || supported[1] != local[len(local)-1] {
		t.Errorf("docs/index.md supports %q, and the newest that is tested is %s", supported, local[len(local)-1])
	}
	readme := find(t, "README.md", `and Kubernetes (\S+) to (\d+\.\d+)`)
	if !slices.Equal(readme, supported) {
		t.Errorf("README.md supports Kubernetes %q, and docs/index.md %q", readme, supported)
	}
}

// The oldest versions of the CLIs that the docs support are those that the workflow tests,
// and so is the first version of each feature that needs a newer one.
func TestSupportedCLIs(t *testing.T) {
	tested := testedCLIs(t)
	readme := find(t, "README.md", `Needs Terraform (\S+) or OpenTofu (\S+), or later`)
	features := regexp.MustCompile(`(?m)^\| \S.* \| (\d+\.\d+) \| (\d+\.\d+) \|$`).
		FindAllStringSubmatch(readText(t, "docs/index.md"), -1)
	if len(features) == 0 {
		t.Error("docs/index.md has no table of what needs a newer CLI")
	}
	for i, cli := range []struct{ name, title string }{{"terraform", "Terraform"}, {"tofu", "OpenTofu"}} {
		t.Run(cli.title, func(t *testing.T) {
			row := find(t, "docs/index.md", `(?m)^\| `+cli.title+` \| (\S+) and later \| (.*) \|$`)
			documented := minor.FindAllString(row[1], -1)
			if want := slices.Concat(documented, []string{"latest"}); !slices.Equal(tested[cli.name], want) {
				t.Errorf("the workflow tests %q, and docs/index.md says %q", tested[cli.name], want)
			}
			oldest := documented[0]
			if row[0] != oldest || readme[i] != oldest {
				t.Errorf("docs/index.md supports %s and README.md %s, but the oldest that is tested is %s", row[0], readme[i], oldest)
			}
			for _, feature := range features {
				if !slices.Contains(documented, feature[i+1]) {
					t.Errorf("no tests run with %s, on which a feature depends: %s", feature[i+1], feature[0])
				}
			}
		})
	}
}

// The names of tests in the docs are those of tests that exist: `make test-oldest` would
// leave one out without a word whose name has changed. An asterisk stands for the rest of a
// name.
func TestDocsNameTestsThatExist(t *testing.T) {
	var tests []string
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, match := range declaration.FindAllStringSubmatch(readText(t, path), -1) {
				tests = append(tests, match[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob(filepath.FromSlash("docs/*/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(docs, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md") {
		for _, match := range regexp.MustCompile("`(Test\\w+)(\\*?)`").FindAllStringSubmatch(readText(t, page), -1) {
			exists := func(test string) bool {
				return test == match[1] || match[2] == "*" && strings.HasPrefix(test, match[1])
			}
			if !slices.ContainsFunc(tests, exists) {
				t.Errorf("%s names %s, and there is no such test", page, match[0])
			}
		}
	}
}
