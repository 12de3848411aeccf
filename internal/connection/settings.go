package connection

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// DefaultBurst is how many requests may exceed a limit of requests per second for a moment
// where nothing else is set.
const DefaultBurst = rest.DefaultBurst

// Settings are the attributes of the provider block `kubernetes`. Their names,
// and those of the environment variables that stand in for them, are the ones
// of the hashicorp/kubernetes and hashicorp/helm providers; KUBE_QPS and
// KUBE_BURST are this provider's own. An attribute wins over its variable. The
// zero value of a field means that the attribute is not set.
type Settings struct {
	// Host is the address of the API server (KUBE_HOST): a URL, or a host with
	// or without port, which means https. Without ConfigPath, ConfigPaths and their
	// variables, no kubeconfig is read when it is set.
	Host string
	// Username and Password are for HTTP basic authentication (KUBE_USER,
	// KUBE_PASSWORD). The API server itself knows none since Kubernetes 1.19;
	// proxies before it may.
	Username, Password string
	// Token is a bearer token (KUBE_TOKEN).
	Token string
	// ClientCertificate and ClientKey are PEM (KUBE_CLIENT_CERT_DATA,
	// KUBE_CLIENT_KEY_DATA).
	ClientCertificate, ClientKey string
	// ClusterCACertificate is a bundle of PEM certificates that the server's
	// certificate is verified against (KUBE_CLUSTER_CA_CERT_DATA).
	ClusterCACertificate string
	// TLSServerName is the name that the server's certificate must carry, when
	// it is not that of Host (KUBE_TLS_SERVER_NAME).
	TLSServerName string
	// ProxyURL is the proxy for every request: http, https or socks5
	// (KUBE_PROXY_URL). Without it, the kubeconfig's proxy-url applies, then
	// HTTPS_PROXY and NO_PROXY.
	ProxyURL string
	// Insecure turns the verification of the server's certificate off
	// (KUBE_INSECURE).
	Insecure *bool
	// ConfigPath and ConfigPaths name kubeconfig files (KUBE_CONFIG_PATH, else
	// KUBE_CONFIG_PATHS, a list like PATH), all of which must exist. A leading
	// ~ is the home directory. They exclude each other.
	ConfigPath  string
	ConfigPaths []string
	// ConfigContext chooses a context of the kubeconfig (KUBE_CTX),
	// ConfigContextAuthInfo and ConfigContextCluster another user or cluster
	// for it (KUBE_CTX_AUTH_INFO, KUBE_CTX_CLUSTER).
	ConfigContext, ConfigContextAuthInfo, ConfigContextCluster string
	// Exec is a credential plugin.
	Exec *ExecSettings
	// QPS limits the requests per second of this process (KUBE_QPS): greater
	// than zero, or -1 for no limit. Without it there is none: the server's
	// own flow control (API Priority and Fairness) takes all its clients into account.
	QPS *float32
	// Burst is how many requests may exceed QPS for a moment (KUBE_BURST);
	// [DefaultBurst] when only QPS is set.
	Burst *int
}

// ExecSettings describe a client-go credential plugin, see
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins.
// The plugin is told of the cluster (provideClusterInfo), and has no terminal.
type ExecSettings struct {
	// APIVersion is client.authentication.k8s.io/v1 or
	// client.authentication.k8s.io/v1beta1.
	APIVersion string
	// Command is looked up in PATH unless it holds a path separator.
	Command string
	// Args are the arguments of the command.
	Args []string
	// Env is added to the environment of the command.
	Env map[string]string
}

// SettingsError says that the connection settings cannot be used as they are. Nothing
// has been sent then. It never holds a secret.
type SettingsError struct {
	// Attribute is the attribute of the block `kubernetes` that is at fault,
	// such as "host"; empty when the value came from elsewhere.
	Attribute string
	// Origin says in words where the value was set: "attribute kubernetes.host",
	// "environment variable KUBE_HOST", "kubeconfig /path".
	Origin string
	// Err says what is wrong and what to do.
	Err error
}

// Error says where the value was set, what is wrong and what to do.
func (e *SettingsError) Error() string { return e.Origin + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *SettingsError) Unwrap() error { return e.Err }

// settingValue is a value and where it was set.
type settingValue struct {
	value     string
	attribute string
	variable  string // set when an environment variable gave the value
}

func (v settingValue) isSet() bool { return v.value != "" }

func (v settingValue) inAttribute() bool { return v.isSet() && v.variable == "" }

func (v settingValue) origin() string {
	if v.variable != "" {
		return "environment variable " + v.variable
	}
	return "attribute kubernetes." + v.attribute
}

func (v settingValue) errorf(format string, args ...any) *SettingsError {
	e := v.fault()
	e.Err = fmt.Errorf(format, args...)
	return e
}

// fault is an error about the value that does not yet say what is wrong.
func (v settingValue) fault() *SettingsError {
	e := &SettingsError{Origin: v.origin()}
	if v.variable == "" {
		e.Attribute = v.attribute
	}
	return e
}

// setOrVariable returns the attribute's value, else that of the variable.
func setOrVariable(env Environment, attribute, value, variable string) settingValue {
	v := settingValue{value: value, attribute: attribute}
	if value == "" {
		if v.value = env.getenv(variable); v.value != "" {
			v.variable = variable
		}
	}
	return v
}

// effectiveSettings are the settings after attributes and variables have been combined,
// each checked by itself.
type effectiveSettings struct {
	host          settingValue // normalised to a URL
	tlsServerName settingValue
	proxyURL      settingValue
	ca            settingValue
	insecure      settingValue // "true" or "false"

	username, password           settingValue
	token                        settingValue
	clientCertificate, clientKey settingValue
	exec                         *clientcmdapi.ExecConfig

	paths       []string // expanded
	pathsOrigin settingValue
	context     settingValue
	authInfo    settingValue
	cluster     settingValue

	qps   float32
	burst int
}

// resolveSettings combines attributes and variables.
func resolveSettings(s Settings, env Environment) (*effectiveSettings, error) {
	r := &effectiveSettings{
		host:              setOrVariable(env, "host", s.Host, "KUBE_HOST"),
		tlsServerName:     setOrVariable(env, "tls_server_name", s.TLSServerName, "KUBE_TLS_SERVER_NAME"),
		proxyURL:          setOrVariable(env, "proxy_url", s.ProxyURL, "KUBE_PROXY_URL"),
		ca:                setOrVariable(env, "cluster_ca_certificate", s.ClusterCACertificate, "KUBE_CLUSTER_CA_CERT_DATA"),
		username:          setOrVariable(env, "username", s.Username, "KUBE_USER"),
		password:          setOrVariable(env, "password", s.Password, "KUBE_PASSWORD"),
		token:             setOrVariable(env, "token", s.Token, "KUBE_TOKEN"),
		clientCertificate: setOrVariable(env, "client_certificate", s.ClientCertificate, "KUBE_CLIENT_CERT_DATA"),
		clientKey:         setOrVariable(env, "client_key", s.ClientKey, "KUBE_CLIENT_KEY_DATA"),
		context:           setOrVariable(env, "config_context", s.ConfigContext, "KUBE_CTX"),
		authInfo:          setOrVariable(env, "config_context_auth_info", s.ConfigContextAuthInfo, "KUBE_CTX_AUTH_INFO"),
		cluster:           setOrVariable(env, "config_context_cluster", s.ConfigContextCluster, "KUBE_CTX_CLUSTER"),
	}
	for _, step := range []func(Settings, Environment) error{
		r.resolvePaths, r.resolveServer, r.resolveCredentials, r.resolveLimits,
	} {
		if err := step(s, env); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// resolvePaths finds the kubeconfig files that were named on purpose.
// KUBECONFIG and the home directory are not among them.
func (r *effectiveSettings) resolvePaths(s Settings, env Environment) error {
	listed := slices.DeleteFunc(slices.Clone(s.ConfigPaths), func(p string) bool { return p == "" })
	if s.ConfigPath != "" && len(listed) > 0 {
		return settingValue{attribute: "config_paths"}.errorf("conflicts with config_path: set one of the two")
	}
	var paths []string
	switch {
	case s.ConfigPath != "":
		paths, r.pathsOrigin = []string{s.ConfigPath}, settingValue{attribute: "config_path"}
	case len(listed) > 0:
		paths, r.pathsOrigin = listed, settingValue{attribute: "config_paths"}
	case env.getenv("KUBE_CONFIG_PATH") != "":
		paths, r.pathsOrigin = []string{env.getenv("KUBE_CONFIG_PATH")}, settingValue{variable: "KUBE_CONFIG_PATH"}
	default:
		paths, r.pathsOrigin = splitPaths(env.getenv("KUBE_CONFIG_PATHS")), settingValue{variable: "KUBE_CONFIG_PATHS"}
	}
	for _, path := range paths {
		expanded, err := env.expandHome(path)
		if err != nil {
			return r.pathsOrigin.errorf("%w", err)
		}
		r.paths = append(r.paths, expanded)
	}
	return nil
}

func splitPaths(list string) []string {
	return slices.DeleteFunc(filepath.SplitList(list), func(p string) bool { return p == "" })
}

// expandHome replaces a leading ~ by the home directory.
func (e Environment) expandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || (rest != "" && rest[0] != '/' && rest[0] != filepath.Separator) {
		return path, nil
	}
	if e.HomeDir == "" {
		return "", fmt.Errorf("%q cannot be expanded: there is no home directory; write the whole path", path)
	}
	return filepath.Join(e.HomeDir, rest), nil
}

// resolveServer checks the settings that say where the server is and how to recognise it.
func (r *effectiveSettings) resolveServer(s Settings, env Environment) error {
	if r.host.isSet() {
		address, err := parseHost(r.host)
		if err != nil {
			return err
		}
		r.host.value = address
	}
	if r.proxyURL.isSet() {
		if err := checkProxyURL(r.proxyURL.value); err != nil {
			return r.proxyURL.errorf("%w", err)
		}
	}
	if r.ca.isSet() {
		if err := checkCertificates(r.ca); err != nil {
			return err
		}
	}

	r.insecure = settingValue{attribute: "insecure"}
	if s.Insecure != nil {
		r.insecure.value = strconv.FormatBool(*s.Insecure)
	} else if text := env.getenv("KUBE_INSECURE"); text != "" {
		r.insecure.variable = "KUBE_INSECURE"
		insecure, err := strconv.ParseBool(text)
		if err != nil {
			return r.insecure.errorf("%q is neither true nor false", text)
		}
		r.insecure.value = strconv.FormatBool(insecure)
	}
	// client-go refuses both at once, and the attribute wins over a variable.
	if r.ca.isSet() && r.insecure.value == "true" {
		switch {
		case r.ca.inAttribute() && !r.insecure.inAttribute():
			r.insecure = settingValue{}
		case r.insecure.inAttribute() && !r.ca.inAttribute():
			r.ca = settingValue{}
		default:
			return r.insecure.errorf("is true while %s is set: the certificate would not be verified against it; remove one of the two",
				r.ca.origin())
		}
	}
	return nil
}

// parseHost turns the address into a URL without a trailing slash.
func parseHost(host settingValue) (string, error) {
	raw := strings.TrimSpace(host.value)
	if strings.Contains(raw, "@") {
		// Not quoted: what stands before the @ may be a password.
		return "", host.errorf("the address must not hold a user or a password; use username and password")
	}
	text := raw
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", host.errorf("%q is not the address of an API server; write it like https://10.0.0.1:6443", raw)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", host.errorf("%q has a query or a fragment, which the address of an API server cannot have", raw)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", host.errorf("%q has no valid port", raw)
		}
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// errProxyURL does not quote the value: proxies are often written with a
// password.
var errProxyURL = errors.New("is not the URL of a proxy; write it like http://proxy.example.com:3128, with http, https or socks5")

func checkProxyURL(proxy string) error {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return errProxyURL
	}
	return nil
}

// resolveLimits checks the client-side rate limit.
func (r *effectiveSettings) resolveLimits(s Settings, env Environment) error {
	r.qps = -1
	origin := settingValue{attribute: "qps"}
	qps := -1.0
	switch text := env.getenv("KUBE_QPS"); {
	case s.QPS != nil:
		qps = float64(*s.QPS)
	case text != "":
		origin.variable = "KUBE_QPS"
		var err error
		if qps, err = strconv.ParseFloat(text, 32); err != nil {
			return origin.errorf("%q is not a number", text)
		}
	}
	if !(qps > 0 || qps == -1) || math.IsInf(qps, 0) {
		return origin.errorf("%v is neither greater than zero nor -1, which means no limit", qps)
	}
	r.qps = float32(qps)

	origin = settingValue{attribute: "burst"}
	switch text := env.getenv("KUBE_BURST"); {
	case s.Burst != nil:
		r.burst = *s.Burst
	case text != "":
		origin.variable = "KUBE_BURST"
		burst, err := strconv.Atoi(text)
		if err != nil {
			return origin.errorf("%q is not a whole number", text)
		}
		r.burst = burst
	default:
		return nil
	}
	if r.burst < 1 {
		return origin.errorf("%d is less than 1", r.burst)
	}
	if r.qps < 0 {
		if origin.variable != "" {
			r.burst = 0 // a variable may be left over from a run with a limit
			return nil
		}
		return origin.errorf("has no effect without a limit; set qps, too, or remove it")
	}
	return nil
}

// NotConfiguredError says that no setting names the cluster to use.
type NotConfiguredError struct {
	// Looked lists where, in the order of precedence, with what was found there.
	Looked []string
}

// Error lists the settings that could name a cluster, and what was found there.
func (e *NotConfiguredError) Error() string {
	return "no Kubernetes cluster is configured: set one of these, such as config_path: " + strings.Join(e.Looked, "; ")
}
