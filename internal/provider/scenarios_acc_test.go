package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// example returns the path of a file or a directory in examples/.
func example(names ...string) string {
	return filepath.Join(append([]string{acctest.Root(), "examples"}, names...)...)
}

// readExample returns the text of a file in examples/.
func readExample(t *testing.T, names ...string) string {
	t.Helper()
	text, err := os.ReadFile(example(names...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeFile writes a file of a test.
func writeFile(t *testing.T, text string, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// scenario returns a CLI for a scenario, whose clients, template and settings an override
// file moves to a sandbox. The lines are further ones of the provider's block.
func scenario(t *testing.T, s *acctest.Sandbox, name string, lines ...string) *acctest.CLI {
	t.Helper()
	c := acctest.NewExampleCLI(t, s, filepath.Join("scenarios", name))
	useSandbox(t, s, c, lines...)
	return c
}

// useSandbox is what scenario does with a CLI.
func useSandbox(t *testing.T, s *acctest.Sandbox, c *acctest.CLI, lines ...string) {
	t.Helper()
	lines = append([]string{
		fmt.Sprintf("namespace = %q", s.Namespace), fmt.Sprintf("cluster_domain = %q", acctest.Domain),
		fmt.Sprintf("template = { namespace = %q }", s.Namespace),
	}, lines...)
	writeFile(t, "provider \"mira\" {\n  "+strings.Join(lines, "\n  ")+"\n}\n", c.Directory(), "sandbox_override.tf")
}

// sameUIDs returns an error unless the objects of a kind are those of before.
func sameUIDs(t *testing.T, s *acctest.Sandbox, kind string, before map[string]types.UID) error {
	t.Helper()
	if diff := cmp.Diff(before, s.UIDs(t, kind)); diff != "" {
		return fmt.Errorf("%s (-before +after):\n%s", kind, diff)
	}
	return nil
}
