package connection

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// dialTimeout bounds how long an address that swallows packets keeps a request
// waiting; client-go's own bound is 30 s. A TCP SYN is sent four times within
// it. What comes after the connect has bounds of client-go: 10 s for the TLS
// handshake, and a health check that gives up an HTTP/2 connection 45 s after
// the last sign of life. rest.Config.Timeout stays unset: it would cut watches.
const dialTimeout = 10 * time.Second

// Connection is a REST configuration and where it came from.
type Connection struct {
	// Config is complete. Make one HTTP client of it with [rest.HTTPClientFor], and
	// share that: each HTTP client opens connections of its own.
	Config *rest.Config
	// Source says where the configuration came from, for messages:
	// `kubeconfig /path, context "kind"`, `attribute kubernetes.host`,
	// `environment variable KUBE_HOST`, `in-cluster service account`.
	Source string
}

// Connect finds the cluster to talk to: the attributes in settings, then the
// KUBE_* variables, then the files of KUBECONFIG, then ~/.kube/config, then the
// service account of the pod. A host without a path stands alone. Otherwise
// single settings override the kubeconfig's, and credentials replace those of
// its user as a whole.
//
// It does not talk to the server, so that only the first request shows a wrong
// address or expired credentials: see [Connection.Explain]. The error is a [*SettingsError] or a
// [*NotConfiguredError].
func Connect(settings Settings, env Environment, userAgent string) (*Connection, error) {
	resolved, err := resolveSettings(settings, env)
	if err != nil {
		return nil, err
	}
	found, err := locate(resolved, env)
	if err != nil {
		return nil, err
	}
	found.override(resolved)
	if err := found.check(resolved); err != nil {
		return nil, err
	}

	config, err := found.restConfig()
	if err != nil {
		return nil, &SettingsError{Origin: found.source, Err: err}
	}
	config.UserAgent = userAgent
	config.QPS, config.Burst = resolved.qps, resolved.burst
	config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	if config.ExecProvider != nil {
		config.ExecProvider.StdinUnavailable = true
		config.ExecProvider.StdinUnavailableMessage = "Terraform runs providers without a terminal"
	}
	// Reads the files that a kubeconfig refers to, and parses certificates.
	if _, err := rest.TLSConfigFor(config); err != nil {
		return nil, &SettingsError{Origin: found.source, Err: err}
	}
	return &Connection{Config: config, Source: found.source}, nil
}

// check finds what client-go would ignore, or report later and in words that say
// less.
func (t *target) check(r *effectiveSettings) error {
	at := &SettingsError{Origin: t.source}
	if t.cluster.Server == "" {
		at.Err = fmt.Errorf("cluster %q has no server", t.clusterName)
		return at
	}
	if credential := r.credential(); credential.isSet() {
		if scheme, _, _ := strings.Cut(t.cluster.Server, "://"); strings.EqualFold(scheme, "http") {
			return credential.errorf("is not used: the address %s is not https, and credentials are sent over TLS only",
				withoutUser(t.cluster.Server))
		}
	}
	if proxy := t.cluster.ProxyURL; proxy != "" {
		if err := checkProxyURL(proxy); err != nil {
			at.Err = fmt.Errorf("proxy-url of cluster %q %w", t.clusterName, err)
			return at
		}
	}
	if provider := t.user.AuthProvider; provider != nil {
		at.Err = fmt.Errorf("user %q logs in by auth-provider %q, which Kubernetes clients no longer have; "+
			"use a credential plugin (exec)", t.userName, provider.Name)
		return at
	}
	return nil
}

// restConfig has clientcmd convert the target, as it knows the finer points.
func (t *target) restConfig() (*rest.Config, error) {
	const name = "mira"
	config := clientcmdapi.NewConfig()
	config.Clusters[t.clusterName] = &t.cluster
	config.AuthInfos[t.userName] = &t.user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: t.clusterName, AuthInfo: t.userName}
	return clientcmd.NewNonInteractiveClientConfig(*config, name, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
}

// Address returns the URL of the API server, without a user and a password.
func (c *Connection) Address() string {
	u, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return withoutUser(c.Config.Host)
	}
	return withoutUser(u.String())
}

func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		if i := strings.LastIndex(address, "@"); i >= 0 {
			return address[i+1:]
		}
		return address
	}
	u.User = nil
	return u.String()
}

// plugin returns the command of the credential plugin, "" when there is none.
func (c *Connection) plugin() string {
	if c.Config == nil || c.Config.ExecProvider == nil {
		return ""
	}
	return c.Config.ExecProvider.Command
}

// Explain turns a failure to reach the API server, or to be let in, into an
// [*UnreachableError] that says which address was tried and where it was
// configured: refused, timed out, name not found, TLS, proxy, credential
// plugin, and the answer 401. What the server answers about an object, and the
// end of the caller's own context, come back as they are.
func (c *Connection) Explain(err error) error {
	var already *UnreachableError
	if err == nil || errors.As(err, &already) || !isUnreachable(err) {
		return err
	}
	return &UnreachableError{Address: c.Address(), Source: c.Source, Plugin: c.plugin(), Err: err}
}
