// Package acctest is for tests that need a real control plane. It gives each test a
// namespace of its own, the [Sandbox], in which the provider has the rights that the
// documentation asks for and no more, and lets the test read and change objects
// behind the provider's back.
//
// [CLI] runs Terraform or OpenTofu as a process, for the tests that need one. [Log]
// records a debug log, and needs no control plane.
package acctest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Patience bounds every wait for a condition. It is long, so that no test fails
// because a machine is slow.
const Patience = 3 * time.Minute

// Domain is the cluster domain of tests.
const Domain = "mira.example"

// RequireCluster returns the administrator's connection to the cluster for tests. It
// skips a test that runs without a cluster, by the convention of Terraform's testing
// framework, and fails one whose cluster was not named for tests.
func RequireCluster(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance and API tests need TF_ACC=1 and a control plane; `make testacc` starts one")
	}
	if os.Getenv("MIRA_TEST_CLUSTER") == "" {
		t.Fatal("MIRA_TEST_CLUSTER is not set: refusing to run tests against whatever cluster KUBECONFIG names. " +
			"Use `make testacc`, or set MIRA_TEST_CLUSTER=existing for a cluster that may be used for tests.")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatalf("reading KUBECONFIG: %v", err)
	}
	config.QPS = -1
	return config
}

// Root returns the directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// SampleTemplate returns the text of the template in examples/client-template.
func SampleTemplate(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(), "examples", "client-template", "client_template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Edit replaces texts in a template, given as pairs of old and new. A text that the
// template does not have fails the test.
func Edit(t *testing.T, template string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(template, oldnew[i]) {
			t.Fatalf("the template does not contain %q", oldnew[i])
		}
		template = strings.ReplaceAll(template, oldnew[i], oldnew[i+1])
	}
	return template
}

// Rendered returns the objects of a client from a template whose placeholders are
// replaced as text, as the Django controller does it.
func Rendered(t *testing.T, text, client, email string) []*unstructured.Unstructured {
	t.Helper()
	text = strings.NewReplacer("%CLIENT_NAME%", client, "%CLUSTER_DOMAIN%", Domain, "%EMAIL_ADMIN%", email).Replace(text)
	return decode(t, "the rendered template", strings.NewReader(text))
}

// DocumentedRights returns the text of examples/rbac: the account of the provider, and its Roles.
func DocumentedRights(t *testing.T) string {
	t.Helper()
	return rightsFile(t, "controller.yaml")
}

// documentedRights returns the objects of [DocumentedRights].
func documentedRights(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return rightsIn(t, "controller.yaml")
}

// rightsIn returns the objects of a file of examples/rbac.
func rightsIn(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	return decode(t, "examples/rbac/"+file, strings.NewReader(rightsFile(t, file)))
}

func rightsFile(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(), "examples", "rbac", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// decode reads all documents of a YAML text.
func decode(t *testing.T, source string, text io.Reader) []*unstructured.Unstructured {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(text, 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
