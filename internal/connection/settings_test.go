package connection_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

func TestConnectRefuses(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue(t, leaf{client: "jane"})
	_, otherKey := ca.issue(t, leaf{client: "jane"})
	dir := t.TempDir()
	kind := writeKubeconfig(t, filepath.Join(dir, "kind"), nil, "kind", "prod")
	withoutContext := func(c *clientcmdapi.Config) { c.CurrentContext = "" }
	contextless := writeKubeconfig(t, filepath.Join(dir, "contextless"), withoutContext, "kind", "prod")
	dangling := writeKubeconfig(t, filepath.Join(dir, "dangling"), func(c *clientcmdapi.Config) {
		delete(c.Clusters, "kind")
		delete(c.AuthInfos, "prod")
	}, "kind", "prod")
	legacy := writeKubeconfig(t, filepath.Join(dir, "legacy"), func(c *clientcmdapi.Config) {
		c.AuthInfos["kind"] = &clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "gcp"}}
	}, "kind")
	badCA := writeKubeconfig(t, filepath.Join(dir, "bad-ca"), func(c *clientcmdapi.Config) {
		c.Clusters["kind"].CertificateAuthorityData = []byte("hunter2")
	}, "kind")
	badProxy := writeKubeconfig(t, filepath.Join(dir, "bad-proxy"), func(c *clientcmdapi.Config) {
		c.Clusters["kind"].ProxyURL = "ftp://jane:hunter2@proxy.example.com"
	}, "kind")
	keyless := writeKubeconfig(t, filepath.Join(dir, "keyless"), func(c *clientcmdapi.Config) {
		c.AuthInfos["kind"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate}
	}, "kind")
	serverless := writeKubeconfig(t, filepath.Join(dir, "serverless"), func(c *clientcmdapi.Config) {
		c.Clusters["kind"].Server = ""
	}, "kind")
	empty := writeKubeconfig(t, filepath.Join(dir, "empty"), nil)
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("clusters: [hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	yes, zero, minusTwo := true, float32(0), float32(-2)
	none, ten := 0, 10
	exec := func(change func(*connection.ExecSettings)) *connection.ExecSettings {
		e := &connection.ExecSettings{APIVersion: "client.authentication.k8s.io/v1", Command: "aws"}
		change(e)
		return e
	}

	tests := map[string]struct {
		settings  connection.Settings
		variables map[string]string
		inCluster func() (*rest.Config, error)

		attribute string // of the SettingsError
		says      []string
	}{
		"a config_path that does not exist": {
			settings:  connection.Settings{ConfigPath: missing},
			attribute: "config_path",
			says:      []string{"attribute kubernetes.config_path", missing, "no such file"},
		},
		"one of the config_paths that does not exist": {
			settings:  connection.Settings{ConfigPaths: []string{kind, missing}},
			attribute: "config_paths",
			says:      []string{"attribute kubernetes.config_paths", missing, "no such file"},
		},
		"a KUBE_CONFIG_PATH that does not exist": {
			variables: map[string]string{"KUBE_CONFIG_PATH": missing},
			says:      []string{"environment variable KUBE_CONFIG_PATH", missing},
		},
		"a KUBECONFIG none of whose files exists, although a pod's account is there": {
			variables: map[string]string{"KUBECONFIG": missing}, inCluster: inPod,
			says: []string{"environment variable KUBECONFIG", missing},
		},
		"config_path and config_paths together": {
			settings:  connection.Settings{ConfigPath: kind, ConfigPaths: []string{kind}},
			attribute: "config_paths",
			says:      []string{"config_paths", "config_path"},
		},
		"a ~ without a home directory": {
			settings:  connection.Settings{ConfigPath: "~/.kube/config"},
			attribute: "config_path",
			says:      []string{`"~/.kube/config"`, "home directory"},
		},
		"a kubeconfig that is not YAML": {
			settings: connection.Settings{ConfigPath: broken},
			says:     []string{"kubeconfig " + broken},
		},
		"a kubeconfig without clusters": {
			settings:  connection.Settings{ConfigPath: empty},
			attribute: "config_path",
			says:      []string{empty, "holds no cluster"},
		},
		"a context that does not exist": {
			settings:  connection.Settings{ConfigPath: kind, ConfigContext: "live"},
			attribute: "config_context",
			says:      []string{`context "live"`, kind, `"kind", "prod"`},
		},
		"a context in KUBE_CTX that does not exist": {
			settings:  connection.Settings{ConfigPath: kind},
			variables: map[string]string{"KUBE_CTX": "live"},
			says:      []string{"environment variable KUBE_CTX", `context "live"`, `"kind", "prod"`},
		},
		"no current context": {
			settings: connection.Settings{ConfigPath: contextless},
			says:     []string{contextless, "no current context", "config_context", `"kind", "prod"`},
		},
		"a context whose cluster is not there": {
			settings: connection.Settings{ConfigPath: dangling},
			says:     []string{`cluster "kind"`, `there is "prod"`},
		},
		"a context whose user is not there": {
			settings: connection.Settings{ConfigPath: dangling, ConfigContext: "prod"},
			says:     []string{`user "prod"`, `there is "kind"`},
		},
		"a config_context_cluster that is not there": {
			settings:  connection.Settings{ConfigPath: kind, ConfigContextCluster: "live"},
			attribute: "config_context_cluster",
			says:      []string{`cluster "live"`, `"kind", "prod"`},
		},
		"a config_context_auth_info that is not there": {
			settings:  connection.Settings{ConfigPath: kind, ConfigContextAuthInfo: "live"},
			attribute: "config_context_auth_info",
			says:      []string{`user "live"`, `"kind", "prod"`},
		},
		"a context without a kubeconfig, although a pod's account is there": {
			settings: connection.Settings{ConfigContext: "live"}, inCluster: inPod,
			attribute: "config_context",
			says:      []string{`"live"`, "there is none", "KUBECONFIG: not set"},
		},
		"a context beside a host, which reads no kubeconfig": {
			settings:  connection.Settings{Host: "10.0.0.1", ConfigContext: "live"},
			attribute: "config_context",
			says:      []string{"host", "config_path"},
		},
		"a cluster without a server": {
			settings: connection.Settings{ConfigPath: serverless},
			says:     []string{serverless, `cluster "kind" has no server`},
		},
		"a login that clients no longer have": {
			settings: connection.Settings{ConfigPath: legacy},
			says:     []string{legacy, `auth-provider "gcp"`, "exec"},
		},
		"a kubeconfig with a bad certificate authority": {
			settings: connection.Settings{ConfigPath: badCA},
			says:     []string{badCA, "root certificates"},
		},
		"a kubeconfig with a bad proxy": {
			settings: connection.Settings{ConfigPath: badProxy},
			says:     []string{badProxy, `proxy-url of cluster "kind"`},
		},
		"a kubeconfig with a certificate and no key": {
			settings: connection.Settings{ConfigPath: keyless},
			says:     []string{keyless, "client-key"},
		},
		"a host that is no address": {
			settings:  connection.Settings{Host: "https://"},
			attribute: "host",
			says:      []string{"attribute kubernetes.host", `"https://"`, "https://10.0.0.1:6443"},
		},
		"a host with another scheme": {
			variables: map[string]string{"KUBE_HOST": "tcp://10.0.0.1:6443"},
			says:      []string{"environment variable KUBE_HOST", "tcp://10.0.0.1:6443"},
		},
		"a host with a port that does not exist": {
			settings:  connection.Settings{Host: "10.0.0.1:66443"},
			attribute: "host",
			says:      []string{"10.0.0.1:66443", "port"},
		},
		"a host with a password": {
			settings:  connection.Settings{Host: "https://jane:hunter2@10.0.0.1"},
			attribute: "host",
			says:      []string{"username and password"},
		},
		"a host with a query": {
			settings:  connection.Settings{Host: "https://10.0.0.1/?a=b"},
			attribute: "host",
			says:      []string{"query"},
		},
		"a proxy that is no URL": {
			settings:  connection.Settings{Host: "10.0.0.1", ProxyURL: "jane:hunter2@proxy:3128"},
			attribute: "proxy_url",
			says:      []string{"attribute kubernetes.proxy_url", "socks5"},
		},
		"an insecure that is neither true nor false": {
			variables: map[string]string{"KUBE_HOST": "10.0.0.1", "KUBE_INSECURE": "maybe"},
			says:      []string{"environment variable KUBE_INSECURE", `"maybe"`},
		},
		"insecure beside a certificate authority": {
			settings:  connection.Settings{Host: "10.0.0.1", Insecure: &yes, ClusterCACertificate: string(ca.pem)},
			attribute: "insecure",
			says:      []string{"attribute kubernetes.cluster_ca_certificate"},
		},
		"a certificate authority that is not PEM": {
			settings:  connection.Settings{Host: "10.0.0.1", ClusterCACertificate: "hunter2"},
			attribute: "cluster_ca_certificate",
			says:      []string{"no PEM certificate", "-----BEGIN"},
		},
		"a certificate authority as a kubeconfig holds it": {
			settings: connection.Settings{
				Host: "10.0.0.1", ClusterCACertificate: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
			},
			attribute: "cluster_ca_certificate",
			says:      []string{"base64decode()"},
		},
		"the path of a certificate authority": {
			variables: map[string]string{"KUBE_HOST": "10.0.0.1", "KUBE_CLUSTER_CA_CERT_DATA": "/etc/kubernetes/pki/ca.crt"},
			says:      []string{"environment variable KUBE_CLUSTER_CA_CERT_DATA", "file()"},
		},
		"a key in the place of a certificate authority": {
			settings:  connection.Settings{Host: "10.0.0.1", ClusterCACertificate: string(key)},
			attribute: "cluster_ca_certificate",
			says:      []string{"PRIVATE KEY"},
		},
		"a certificate authority that is damaged": {
			settings: connection.Settings{
				Host: "10.0.0.1", ClusterCACertificate: string(ca.pem) + "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
			},
			attribute: "cluster_ca_certificate",
			says:      []string{"PEM block 2"},
		},
		"a client certificate without a key": {
			settings:  connection.Settings{Host: "10.0.0.1", ClientCertificate: string(certificate)},
			attribute: "client_certificate",
			says:      []string{"client_key"},
		},
		"a client key without a certificate": {
			variables: map[string]string{"KUBE_HOST": "10.0.0.1", "KUBE_CLIENT_KEY_DATA": string(key)},
			says:      []string{"environment variable KUBE_CLIENT_KEY_DATA", "client_certificate"},
		},
		"a client certificate with the key of another": {
			settings:  connection.Settings{Host: "10.0.0.1", ClientCertificate: string(certificate), ClientKey: string(otherKey)},
			attribute: "client_certificate",
			says:      []string{"attribute kubernetes.client_key", "does not match"},
		},
		"a client key that is not PEM": {
			settings:  connection.Settings{Host: "10.0.0.1", ClientCertificate: string(certificate), ClientKey: "hunter2"},
			attribute: "client_key",
			says:      []string{"no PEM key"},
		},
		"a client certificate that is not PEM": {
			settings:  connection.Settings{Host: "10.0.0.1", ClientCertificate: "hunter2", ClientKey: string(key)},
			attribute: "client_certificate",
			says:      []string{"no PEM certificate"},
		},
		"a token of several lines": {
			settings:  connection.Settings{Host: "10.0.0.1", Token: "hunter2\nhunter2"},
			attribute: "token",
			says:      []string{"white space"},
		},
		"a token beside a user name": {
			settings:  connection.Settings{Host: "10.0.0.1", Token: "hunter2", Username: "jane"},
			attribute: "token",
			says:      []string{"attribute kubernetes.username"},
		},
		"a password without a user name": {
			settings:  connection.Settings{Host: "10.0.0.1", Password: "hunter2"},
			attribute: "password",
			says:      []string{"username"},
		},
		"credentials for an address without TLS, where client-go would not send them": {
			settings:  connection.Settings{Host: "http://127.0.0.1:8001", Token: "hunter2"},
			attribute: "token",
			says:      []string{"http://127.0.0.1:8001", "TLS"},
		},
		"exec without a command": {
			settings:  connection.Settings{Host: "10.0.0.1", Exec: exec(func(e *connection.ExecSettings) { e.Command = "" })},
			attribute: "exec",
			says:      []string{"attribute kubernetes.exec", "command"},
		},
		"exec with a version that client-go dropped": {
			settings: connection.Settings{Host: "10.0.0.1", Exec: exec(func(e *connection.ExecSettings) {
				e.APIVersion = "client.authentication.k8s.io/v1alpha1"
			})},
			attribute: "exec",
			says:      []string{"v1alpha1", "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"},
		},
		"exec with a variable that has no name": {
			settings: connection.Settings{Host: "10.0.0.1", Exec: exec(func(e *connection.ExecSettings) {
				e.Env = map[string]string{"A=B": "hunter2"}
			})},
			attribute: "exec",
			says:      []string{`"A=B"`},
		},
		"exec beside a token, of which client-go would take the token": {
			settings:  connection.Settings{Host: "10.0.0.1", Token: "hunter2", Exec: exec(func(*connection.ExecSettings) {})},
			attribute: "exec",
			says:      []string{"attribute kubernetes.token"},
		},
		"a limit of no requests at all": {
			settings:  connection.Settings{Host: "10.0.0.1", QPS: &zero},
			attribute: "qps",
			says:      []string{"-1"},
		},
		"a negative limit that is not -1": {
			settings:  connection.Settings{Host: "10.0.0.1", QPS: &minusTwo},
			attribute: "qps",
			says:      []string{"-2"},
		},
		"a limit that is not a number": {
			variables: map[string]string{"KUBE_HOST": "10.0.0.1", "KUBE_QPS": "many"},
			says:      []string{"environment variable KUBE_QPS", `"many"`},
		},
		"a burst of nothing": {
			settings:  connection.Settings{Host: "10.0.0.1", QPS: new(float32(5)), Burst: &none},
			attribute: "burst",
			says:      []string{"less than 1"},
		},
		"a burst over no limit": {
			settings:  connection.Settings{Host: "10.0.0.1", Burst: &ten},
			attribute: "burst",
			says:      []string{"qps"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := surroundings{variables: test.variables, inCluster: test.inCluster}
			_, err := connection.Connect(test.settings, s.environment(), "test")
			var settings *connection.SettingsError
			if !errors.As(err, &settings) {
				t.Fatalf("got %v, want a SettingsError", err)
			}
			if settings.Attribute != test.attribute {
				t.Errorf("attribute %q, want %q", settings.Attribute, test.attribute)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q:\n%v", part, err)
				}
			}
			for _, secret := range []string{"hunter2", "MII", "home-token", "kind-token"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error reveals %q:\n%v", secret, err)
				}
			}
		})
	}
}
