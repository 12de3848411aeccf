package connection_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// surroundings is an environment that holds what a test puts in, and nothing of
// the machine.
type surroundings struct {
	home      string
	variables map[string]string
	inCluster func() (*rest.Config, error)
}

func (s surroundings) environment() connection.Environment {
	return connection.Environment{
		Getenv:    func(name string) string { return s.variables[name] },
		HomeDir:   s.home,
		InCluster: s.inCluster,
	}
}

func inPod() (*rest.Config, error) {
	return &rest.Config{Host: "https://10.96.0.1:443", BearerToken: "pod-token"}, nil
}

// writeKubeconfig writes a kubeconfig with one context per server, each with a
// cluster and a user of the same name whose token is "<name>-token". The first
// is current.
func writeKubeconfig(t *testing.T, path string, change func(*clientcmdapi.Config), contexts ...string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	for _, name := range contexts {
		config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + name + ".example.com:6443"}
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: name + "-token"}
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	if len(contexts) > 0 {
		config.CurrentContext = contexts[0]
	}
	if change != nil {
		change(config)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConnectFindsTheCluster(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	fromHome := writeKubeconfig(t, filepath.Join(home, ".kube", "config"), nil, "home", "other")
	fromVariable := writeKubeconfig(t, filepath.Join(dir, "variable"), nil, "variable")
	second := writeKubeconfig(t, filepath.Join(dir, "second"), nil, "second")
	fromAttribute := writeKubeconfig(t, filepath.Join(dir, "attribute"), nil, "attribute")
	missing := filepath.Join(dir, "missing")
	empty := writeKubeconfig(t, filepath.Join(dir, "empty"), nil)
	separator := string(filepath.ListSeparator)

	tests := map[string]struct {
		settings  connection.Settings
		variables map[string]string
		noHome    bool
		inCluster func() (*rest.Config, error)

		address, token, source string
	}{
		"nothing set: the kubeconfig in the home directory": {
			inCluster: inPod,
			address:   "https://home.example.com:6443", token: "home-token",
			source: "kubeconfig " + fromHome + `, context "home"`,
		},
		"no kubeconfig at all: the service account of the pod": {
			noHome: true, inCluster: inPod,
			address: "https://10.96.0.1:443", token: "pod-token",
			source: "in-cluster service account",
		},
		"KUBECONFIG comes before the home directory": {
			variables: map[string]string{"KUBECONFIG": fromVariable},
			address:   "https://variable.example.com:6443", token: "variable-token",
			source: "kubeconfig " + fromVariable + `, context "variable", named by environment variable KUBECONFIG`,
		},
		"KUBECONFIG is a list, whose missing files do not matter": {
			variables: map[string]string{"KUBECONFIG": missing + separator + second + separator + fromVariable},
			address:   "https://second.example.com:6443", token: "second-token",
			source: "kubeconfig " + second + `, context "second", named by environment variable KUBECONFIG`,
		},
		"KUBECONFIG without a cluster in it leads to the pod, not to the home directory": {
			variables: map[string]string{"KUBECONFIG": empty}, inCluster: inPod,
			address: "https://10.96.0.1:443", token: "pod-token",
			source: "in-cluster service account",
		},
		"KUBE_CONFIG_PATHS comes before KUBECONFIG": {
			variables: map[string]string{"KUBECONFIG": fromVariable, "KUBE_CONFIG_PATHS": second + separator + fromHome},
			address:   "https://second.example.com:6443", token: "second-token",
			source: "kubeconfig " + second + `, context "second", named by environment variable KUBE_CONFIG_PATHS`,
		},
		"KUBE_CONFIG_PATH comes before KUBE_CONFIG_PATHS": {
			variables: map[string]string{"KUBE_CONFIG_PATH": fromVariable, "KUBE_CONFIG_PATHS": second},
			address:   "https://variable.example.com:6443", token: "variable-token",
			source: "kubeconfig " + fromVariable + `, context "variable", named by environment variable KUBE_CONFIG_PATH`,
		},
		"config_path comes before every variable": {
			settings:  connection.Settings{ConfigPath: fromAttribute},
			variables: map[string]string{"KUBE_CONFIG_PATH": fromVariable, "KUBECONFIG": second},
			address:   "https://attribute.example.com:6443", token: "attribute-token",
			source: "kubeconfig " + fromAttribute + `, context "attribute", named by attribute kubernetes.config_path`,
		},
		"config_paths comes before every variable": {
			settings:  connection.Settings{ConfigPaths: []string{second, fromAttribute}, ConfigContext: "attribute"},
			variables: map[string]string{"KUBE_CONFIG_PATH": fromVariable},
			address:   "https://attribute.example.com:6443", token: "attribute-token",
			source: "kubeconfig " + fromAttribute + `, context "attribute", named by attribute kubernetes.config_paths`,
		},
		"a ~ in config_path is the home directory": {
			settings: connection.Settings{ConfigPath: "~/.kube/config"},
			address:  "https://home.example.com:6443", token: "home-token",
			source: "kubeconfig " + fromHome + `, context "home", named by attribute kubernetes.config_path`,
		},
		"config_context chooses": {
			settings:  connection.Settings{ConfigContext: "other"},
			variables: map[string]string{"KUBE_CTX": "home"},
			address:   "https://other.example.com:6443", token: "other-token",
			source: "kubeconfig " + fromHome + `, context "other"`,
		},
		"KUBE_CTX chooses where the attribute does not": {
			variables: map[string]string{"KUBE_CTX": "other"},
			address:   "https://other.example.com:6443", token: "other-token",
			source: "kubeconfig " + fromHome + `, context "other"`,
		},
		"config_context_cluster and _auth_info replace those of the context": {
			settings:  connection.Settings{ConfigContextCluster: "other"},
			variables: map[string]string{"KUBE_CTX_AUTH_INFO": "home", "KUBE_CTX_CLUSTER": "home"},
			address:   "https://other.example.com:6443", token: "home-token",
			source: "kubeconfig " + fromHome + `, context "home", cluster "other", user "home"`,
		},
		"host alone keeps every kubeconfig out": {
			settings:  connection.Settings{Host: "https://alone.example.com"},
			variables: map[string]string{"KUBECONFIG": fromVariable, "KUBE_CTX": "home"},
			inCluster: inPod,
			address:   "https://alone.example.com",
			source:    "attribute kubernetes.host",
		},
		"KUBE_HOST alone does so, too": {
			variables: map[string]string{"KUBE_HOST": "alone.example.com:6443", "KUBECONFIG": fromVariable, "KUBE_TOKEN": "t"},
			address:   "https://alone.example.com:6443", token: "t",
			source: "environment variable KUBE_HOST",
		},
		"host without a scheme is https, and an IPv6 address is one": {
			settings: connection.Settings{Host: "[::1]:6443/"},
			address:  "https://[::1]:6443",
			source:   "attribute kubernetes.host",
		},
		"a path in the address stays, for proxies like Rancher's": {
			settings: connection.Settings{Host: "https://rancher.example.com/k8s/clusters/c-1/"},
			address:  "https://rancher.example.com/k8s/clusters/c-1",
			source:   "attribute kubernetes.host",
		},
		"host beside a path overrides the kubeconfig's server": {
			settings: connection.Settings{Host: "https://tunnel.example.com", ConfigPath: fromAttribute},
			address:  "https://tunnel.example.com", token: "attribute-token",
			source: "attribute kubernetes.host over kubeconfig " + fromAttribute +
				`, context "attribute", named by attribute kubernetes.config_path`,
		},
		"a token overrides that of the kubeconfig": {
			settings:  connection.Settings{Token: "mine\n"},
			variables: map[string]string{"KUBE_TOKEN": "not-mine"},
			address:   "https://home.example.com:6443", token: "mine",
			source: "kubeconfig " + fromHome + `, context "home"`,
		},
		"a token overrides that of the pod": {
			noHome: true, inCluster: inPod,
			variables: map[string]string{"KUBE_TOKEN": "mine"},
			address:   "https://10.96.0.1:443", token: "mine",
			source: "in-cluster service account",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := surroundings{home: home, variables: test.variables, inCluster: test.inCluster}
			if test.noHome {
				s.home = filepath.Join(dir, "nobody")
			}
			conn, err := connection.Connect(test.settings, s.environment(), "test/1.0")
			if err != nil {
				t.Fatal(err)
			}
			if got := conn.Address(); got != test.address {
				t.Errorf("address %q, want %q", got, test.address)
			}
			if got := conn.Config.BearerToken; got != test.token {
				t.Errorf("token %q, want %q", got, test.token)
			}
			if conn.Source != test.source {
				t.Errorf("source\n%s, want\n%s", conn.Source, test.source)
			}
			if got := conn.Config.UserAgent; got != "test/1.0" {
				t.Errorf("user agent %q", got)
			}
		})
	}
}

func TestConnectOverridesTheKubeconfig(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue(t, leaf{client: "jane"})
	withCA := writeKubeconfig(t, filepath.Join(t.TempDir(), "ca"), func(c *clientcmdapi.Config) {
		c.Clusters["kind"].CertificateAuthorityData = ca.pem
		c.Clusters["kind"].TLSServerName = "kubeconfig.example.com"
		c.Clusters["kind"].ProxyURL = "http://kubeconfig-proxy.example.com:3128"
		c.AuthInfos["kind"].ClientCertificateData = certificate
		c.AuthInfos["kind"].ClientKeyData = key
		c.AuthInfos["kind"].Impersonate = "someone"
	}, "kind")
	insecure := writeKubeconfig(t, filepath.Join(t.TempDir(), "insecure"), func(c *clientcmdapi.Config) {
		c.Clusters["kind"].InsecureSkipTLSVerify = true
	}, "kind")
	no, yes := false, true
	qps, burst := float32(20), 40

	tests := map[string]struct {
		settings  connection.Settings
		variables map[string]string
		check     func(*rest.Config) bool
	}{
		"insecure drops the certificate authority": {
			settings: connection.Settings{ConfigPath: withCA, Insecure: &yes},
			check:    func(c *rest.Config) bool { return c.Insecure && c.CAData == nil },
		},
		"KUBE_INSECURE does so, too": {
			settings:  connection.Settings{ConfigPath: withCA},
			variables: map[string]string{"KUBE_INSECURE": "1"},
			check:     func(c *rest.Config) bool { return c.Insecure && c.CAData == nil },
		},
		"insecure = false wins over the variable and the kubeconfig": {
			settings:  connection.Settings{ConfigPath: insecure, Insecure: &no},
			variables: map[string]string{"KUBE_INSECURE": "true"},
			check:     func(c *rest.Config) bool { return !c.Insecure },
		},
		"a certificate authority turns the verification on": {
			settings: connection.Settings{ConfigPath: insecure, ClusterCACertificate: string(ca.pem)},
			check:    func(c *rest.Config) bool { return !c.Insecure && bytes.Equal(c.CAData, ca.pem) },
		},
		"a certificate authority wins over KUBE_INSECURE": {
			settings:  connection.Settings{ConfigPath: insecure, ClusterCACertificate: string(ca.pem)},
			variables: map[string]string{"KUBE_INSECURE": "true"},
			check:     func(c *rest.Config) bool { return !c.Insecure && bytes.Equal(c.CAData, ca.pem) },
		},
		"insecure wins over KUBE_CLUSTER_CA_CERT_DATA": {
			settings:  connection.Settings{ConfigPath: withCA, Insecure: &yes},
			variables: map[string]string{"KUBE_CLUSTER_CA_CERT_DATA": string(ca.pem)},
			check:     func(c *rest.Config) bool { return c.Insecure && c.CAData == nil },
		},
		"tls_server_name overrides": {
			settings: connection.Settings{ConfigPath: withCA, TLSServerName: "mine.example.com"},
			check:    func(c *rest.Config) bool { return c.ServerName == "mine.example.com" },
		},
		"another host does not keep the name of the former": {
			settings: connection.Settings{ConfigPath: withCA, Host: "10.0.0.1"},
			check:    func(c *rest.Config) bool { return c.ServerName == "" },
		},
		"a token takes the whole user's place, since the server would prefer the certificate": {
			settings: connection.Settings{ConfigPath: withCA, Token: "mine"},
			check: func(c *rest.Config) bool {
				return c.BearerToken == "mine" && c.CertData == nil && c.Impersonate.UserName == ""
			},
		},
		"an attribute shuts out ways to log in that only variables give": {
			settings: connection.Settings{ConfigPath: withCA, Token: "mine"},
			variables: map[string]string{
				"KUBE_CLIENT_CERT_DATA": string(certificate), "KUBE_CLIENT_KEY_DATA": string(key),
				"KUBE_USER": "jane", "KUBE_PASSWORD": "secret",
			},
			check: func(c *rest.Config) bool {
				return c.BearerToken == "mine" && c.CertData == nil && c.Username == ""
			},
		},
		"a variable completes the way that an attribute begins": {
			settings:  connection.Settings{ConfigPath: withCA, Username: "jane"},
			variables: map[string]string{"KUBE_PASSWORD": "secret", "KUBE_TOKEN": "not-mine"},
			check: func(c *rest.Config) bool {
				return c.Username == "jane" && c.Password == "secret" && c.BearerToken == ""
			},
		},
		"a proxy overrides the kubeconfig's": {
			settings:  connection.Settings{ConfigPath: withCA},
			variables: map[string]string{"KUBE_PROXY_URL": "socks5://mine.example.com:1080"},
			check: func(c *rest.Config) bool {
				u, err := c.Proxy(nil)
				return err == nil && u.String() == "socks5://mine.example.com:1080"
			},
		},
		"without a limit there is none": {
			settings: connection.Settings{ConfigPath: withCA},
			check:    func(c *rest.Config) bool { return c.QPS == -1 },
		},
		"qps and burst limit": {
			settings:  connection.Settings{ConfigPath: withCA, QPS: &qps, Burst: &burst},
			variables: map[string]string{"KUBE_QPS": "1", "KUBE_BURST": "1"},
			check:     func(c *rest.Config) bool { return c.QPS == 20 && c.Burst == 40 },
		},
		"KUBE_QPS and KUBE_BURST limit": {
			settings:  connection.Settings{ConfigPath: withCA},
			variables: map[string]string{"KUBE_QPS": "2.5", "KUBE_BURST": "7"},
			check:     func(c *rest.Config) bool { return c.QPS == 2.5 && c.Burst == 7 },
		},
		"requests have no time limit of their own, which would end watches": {
			settings: connection.Settings{ConfigPath: withCA},
			check:    func(c *rest.Config) bool { return c.Timeout == 0 && c.Dial != nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := connection.Connect(test.settings, surroundings{variables: test.variables}.environment(), "test")
			if err != nil {
				t.Fatal(err)
			}
			if !test.check(conn.Config) {
				t.Errorf("got %v", conn.Config) // %v of a rest.Config hides secrets
			}
		})
	}
}

func TestConnectWithNothingConfiguredSaysWhereItLooked(t *testing.T) {
	home := t.TempDir()
	noToken := errors.New("open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory")
	tests := map[string]struct {
		variables map[string]string
		inCluster func() (*rest.Config, error)
		says      []string
	}{
		"on a machine": {
			says: []string{
				"kubernetes.host", "KUBE_HOST", "config_path", "KUBE_CONFIG_PATH", "KUBECONFIG: not set",
				filepath.Join(home, ".kube", "config") + ": not there", "not running in a pod",
			},
		},
		"in a pod without a token": {
			inCluster: func() (*rest.Config, error) { return nil, noToken },
			says:      []string{"in-cluster service account: " + noToken.Error()},
		},
		"with KUBECONFIG switched off": {
			variables: map[string]string{"KUBECONFIG": os.DevNull},
			says:      []string{"KUBECONFIG: " + os.DevNull + ": holds no cluster"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := surroundings{home: home, variables: test.variables, inCluster: test.inCluster}
			_, err := connection.Connect(connection.Settings{}, s.environment(), "test")
			if _, ok := errors.AsType[*connection.NotConfiguredError](err); !ok {
				t.Fatalf("got %v, want a NotConfiguredError", err)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestConnectKeepsTheTokenFileOfThePod(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := surroundings{inCluster: func() (*rest.Config, error) {
		return &rest.Config{Host: "https://10.96.0.1:443", BearerToken: "from-file", BearerTokenFile: file}, nil
	}}
	conn, err := connection.Connect(connection.Settings{}, s.environment(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if conn.Config.BearerTokenFile != file {
		t.Errorf("token file %q: client-go would go on with a token that the kubelet has renewed", conn.Config.BearerTokenFile)
	}
}

func TestSystemEnvironmentIsThatOfTheProcess(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("KUBE_HOST", "https://from-the-process.example.com")
	env := connection.SystemEnvironment()
	if got := env.Getenv("KUBE_HOST"); got != "https://from-the-process.example.com" {
		t.Errorf("KUBE_HOST %q", got)
	}
	if env.HomeDir != home {
		t.Errorf("home %q, want %q", env.HomeDir, home)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := env.InCluster(); !errors.Is(err, rest.ErrNotInCluster) {
		t.Errorf("outside of a pod: %v", err)
	}
}
