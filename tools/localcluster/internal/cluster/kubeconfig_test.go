package cluster

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
)

func TestKubeconfigHoldsAllData(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config kubeconfig
		want   string
	}{
		"of a certificate": {
			config: kubeconfig{
				Cluster: "c", Server: "https://127.0.0.1:1", CA: []byte("ca"), User: "u", Certificate: []byte("crt"), Key: []byte("key"),
			},
			want: `apiVersion: v1
kind: Config
clusters:
- name: "c"
  cluster:
    server: "https://127.0.0.1:1"
    certificate-authority-data: "Y2E="
users:
- name: "u"
  user:
    client-certificate-data: "Y3J0"
    client-key-data: "a2V5"
contexts:
- name: "c"
  context:
    cluster: "c"
    user: "u"
current-context: "c"
`,
		},
		"of a token, in a namespace": {
			config: kubeconfig{Cluster: "c", Server: "https://127.0.0.1:1", CA: []byte("ca"), User: `a"b`, Token: "t", Namespace: "n"},
			want: `apiVersion: v1
kind: Config
clusters:
- name: "c"
  cluster:
    server: "https://127.0.0.1:1"
    certificate-authority-data: "Y2E="
users:
- name: "a\"b"
  user:
    token: "t"
contexts:
- name: "c"
  context:
    cluster: "c"
    user: "a\"b"
    namespace: "n"
current-context: "c"
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(test.config.render()); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestServiceAccountKubeconfig(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "demo")
	start(t, cluster, newOptions(t, nil))

	out := filepath.Join(t.TempDir(), "reader.kubeconfig")
	path, err := cluster.ServiceAccountKubeconfig(t.Context(), "web", "reader", time.Hour, out)
	if err != nil || path != out {
		t.Fatalf("path = %q, %v; want %q", path, err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`token: "a-token"`, `namespace: "web"`, `name: "system:serviceaccount:web:reader"`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s is missing in:\n%s", part, data)
		}
	}

	_, err = cluster.ServiceAccountKubeconfig(t.Context(), "web", "absent", time.Hour, "")
	var status *kubeapi.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusNotFound || !strings.Contains(err.Error(), `serviceaccounts "absent" not found`) {
		t.Errorf("for an account that does not exist: %v", err)
	}
}

func TestServiceAccountKubeconfigNeedsARunningCluster(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, "other")
	_, err := cluster.ServiceAccountKubeconfig(t.Context(), "default", "default", time.Hour, "")
	var stopped *NotRunningError
	if !errors.As(err, &stopped) || stopped.Name != "other" {
		t.Errorf("error = %v, want a NotRunningError", err)
	}
}
