package acctest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

const (
	// cliVariable names the CLI under test, and hostVariable the registry whose providers
	// it takes. They are those of terraform-plugin-testing.
	cliVariable, hostVariable = "TF_ACC_TERRAFORM_PATH", "TF_ACC_PROVIDER_HOST"

	// newerVariable names a Terraform for tests that need a newer CLI than the one under
	// test. Without it such a test builds one, which takes minutes the first time.
	newerVariable = "NEWER_TERRAFORM"

	// noNewer is the value of newerVariable that skips such tests.
	noNewer = "none"
)

// RequireCLI has a test run under a CLI of at least a version, such as 1.12.0. That is the
// one under test if it is new enough, and otherwise the Terraform that tools/localcluster
// builds. Whatever the test does with a CLI must follow the call, and neither it nor a
// test around it may be parallel.
func RequireCLI(t *testing.T, least string) {
	t.Helper()
	require(t, least, func() (string, error) {
		return cliOfAtLeast(version.MustParseGeneric(least), cliUnderTest(t), os.Getenv(newerVariable), buildTerraform)
	})
}

// RequireTerraform is RequireCLI for what no OpenTofu has, whatever its version: actions and
// list resources.
func RequireTerraform(t *testing.T, least string) {
	t.Helper()
	require(t, least, func() (string, error) {
		if host := os.Getenv(hostVariable); host == "" || host == terraformHost {
			return cliOfAtLeast(version.MustParseGeneric(least), cliUnderTest(t), os.Getenv(newerVariable), buildTerraform)
		}
		return newerCLI(version.MustParseGeneric(least), os.Getenv(newerVariable), buildTerraform)
	})
}

// require has a test run under the CLI that a function finds.
func require(t *testing.T, least string, find func() (string, error)) {
	t.Helper()
	path, err := find()
	switch {
	case err != nil:
		t.Fatal(err)
	case path == "":
		t.Skipf("needs a CLI of version %s or later, and %s=%s. `make testacc T=%s` builds one", least, newerVariable, noNewer, t.Name())
	case path != cliUnderTest(t):
		t.Setenv(cliVariable, path)
		t.Setenv(hostVariable, terraformHost)
	}
}

// cliOfAtLeast returns the path of a CLI of at least a version: the current one, or the
// newer one, which is built if it has no path. There is none if the newer one is noNewer.
func cliOfAtLeast(least *version.Version, current, newer string, build func() (string, error)) (string, error) {
	has, err := cliVersion(current)
	if err != nil || has.AtLeast(least) {
		return current, err
	}
	return newerCLI(least, newer, build)
}

// newerCLI returns the path of the newer CLI, as [cliOfAtLeast] does.
func newerCLI(least *version.Version, newer string, build func() (string, error)) (string, error) {
	switch newer {
	case noNewer:
		return "", nil
	case "":
		built, err := build()
		if err != nil {
			return "", err
		}
		newer = built
	}
	has, err := cliVersion(newer)
	if err == nil && !has.AtLeast(least) {
		err = fmt.Errorf("%s is of version %s, and the test needs %s", newer, has, least)
	}
	return newer, err
}

// cliUnderTest returns the path of the CLI under test.
func cliUnderTest(t *testing.T) string {
	t.Helper()
	path := os.Getenv(cliVariable)
	if path == "" {
		t.Fatalf("%s is not set: `make testacc` sets it", cliVariable)
	}
	return path
}

// cliVersion returns the version of Terraform or OpenTofu.
func cliVersion(path string) (*version.Version, error) {
	command := exec.Command(path, "version", "-json")
	command.Dir = os.TempDir() // a configuration would have its providers listed
	// Arguments and warnings of the caller's settings would be in the answer.
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_ARGS=", "TF_CLI_CONFIG_FILE="+os.DevNull)
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", path, err)
	}
	var answer struct {
		Version string `json:"terraform_version"` // OpenTofu calls it so, too
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		return nil, fmt.Errorf("reading the version of %s: %w", path, err)
	}
	return version.ParseGeneric(answer.Version)
}

// buildTerraform returns the path of the Terraform that tools/localcluster pins.
var buildTerraform = sync.OnceValues(func() (string, error) { return localComponent("terraform") })

// RequireOpenTofu skips a test under Terraform, and one that runs without a cluster. The
// reason names what Terraform does not have.
func RequireOpenTofu(t *testing.T, reason string) {
	t.Helper()
	RequireCluster(t)
	output, err := exec.Command(cliUnderTest(t), "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(output), "OpenTofu") {
		t.Skip(reason)
	}
}
