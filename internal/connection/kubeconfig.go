package connection

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var errEmptyKubeconfig = errors.New("holds no cluster")

// target is a server and the user to log in as, in the terms of a kubeconfig.
type target struct {
	source      string // as in [Connection.Source]
	clusterName string
	cluster     clientcmdapi.Cluster
	userName    string
	user        clientcmdapi.AuthInfo
}

// locate finds the first place that says which cluster to use.
func locate(r *effectiveSettings, env Environment) (*target, error) {
	if len(r.paths) > 0 {
		for _, path := range r.paths {
			if _, err := os.Stat(path); err != nil {
				return nil, r.pathsOrigin.errorf("kubeconfig %s cannot be read: %w", path, withoutPath(err))
			}
		}
		found, err := fromKubeconfig(r, r.paths, r.pathsOrigin.origin())
		if errors.Is(err, errEmptyKubeconfig) {
			return nil, r.pathsOrigin.errorf("kubeconfig %s %w", strings.Join(r.paths, ", "), errEmptyKubeconfig)
		}
		return found, err
	}
	if r.host.isSet() {
		for _, v := range []settingValue{r.context, r.cluster, r.authInfo} {
			if v.inAttribute() {
				return nil, v.errorf("chooses from a kubeconfig, but none is read when host is set by itself; " +
					"set config_path, too, or remove one of the two")
			}
		}
		return &target{source: r.host.origin(), clusterName: "kubernetes", userName: "kubernetes"}, nil
	}

	looked := []string{
		"attribute kubernetes.host and KUBE_HOST: not set",
		"attributes kubernetes.config_path and config_paths, KUBE_CONFIG_PATH and KUBE_CONFIG_PATHS: not set",
	}
	found, fruitless, err := fromUsualKubeconfig(r, env)
	if err != nil || found != nil {
		return found, err
	}
	looked = append(looked, fruitless...)
	// A cluster other than the chosen one must not be used in its place.
	for _, v := range []settingValue{r.context, r.cluster, r.authInfo} {
		if v.isSet() {
			return nil, v.errorf("chooses %q from a kubeconfig, but there is none: %s", v.value, strings.Join(fruitless, "; "))
		}
	}

	config, err := env.inCluster()
	switch {
	case errors.Is(err, rest.ErrNotInCluster):
		looked = append(looked, "in-cluster service account: not running in a pod")
	case err != nil:
		looked = append(looked, fmt.Sprintf("in-cluster service account: %v", err))
	default:
		return fromServiceAccount(config), nil
	}
	return nil, &NotConfiguredError{Looked: looked}
}

// fromUsualKubeconfig looks where kubectl does: at the files of KUBECONFIG, and
// only without that variable at the one in the home directory. Where it finds
// nothing it says what it looked at.
func fromUsualKubeconfig(r *effectiveSettings, env Environment) (*target, []string, error) {
	var looked []string
	var paths []string
	named := ""
	if list := env.getenv(clientcmd.RecommendedConfigPathEnvVar); list != "" {
		named = "environment variable " + clientcmd.RecommendedConfigPathEnvVar
		for _, path := range splitPaths(list) {
			expanded, err := env.expandHome(path)
			if err != nil {
				return nil, nil, &SettingsError{Origin: named, Err: err}
			}
			paths = append(paths, expanded)
		}
		// kubectl skips missing files and, when all are missing, uses another cluster:
		// a typing error must not choose where to write.
		if !slices.ContainsFunc(paths, exists) {
			return nil, nil, &SettingsError{Origin: named, Err: fmt.Errorf("none of its files is there: %s", strings.Join(paths, ", "))}
		}
	} else {
		looked = append(looked, "KUBECONFIG: not set")
		if env.HomeDir == "" {
			return nil, append(looked, "~/.kube/config: there is no home directory"), nil
		}
		path := filepath.Join(env.HomeDir, ".kube", "config")
		if !exists(path) {
			return nil, append(looked, path+": not there"), nil
		}
		paths = []string{path}
	}
	found, err := fromKubeconfig(r, paths, named)
	if errors.Is(err, errEmptyKubeconfig) {
		// /dev/null is how scripts say that no kubeconfig is to be used.
		what := strings.Join(paths, ", ") + ": " + errEmptyKubeconfig.Error()
		if named != "" {
			what = clientcmd.RecommendedConfigPathEnvVar + ": " + what
		}
		return nil, append(looked, what), nil
	}
	return found, nil, err
}

// exists reports whether there is a file, readable or not: one that cannot be read is
// an error of its own.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// withoutPath takes the path and the system call out of an error that is shown
// beside the path.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// fromKubeconfig reads the files as kubectl does and picks the context. `named` says
// what named the files, "" when nothing did.
func fromKubeconfig(r *effectiveSettings, paths []string, named string) (*target, error) {
	file := "kubeconfig " + strings.Join(paths, ", ")
	rules := clientcmd.ClientConfigLoadingRules{Precedence: paths}
	config, err := rules.Load()
	if err != nil {
		return nil, &SettingsError{Origin: file, Err: err}
	}
	if len(config.Clusters) == 0 && len(config.Contexts) == 0 {
		return nil, errEmptyKubeconfig
	}

	name, chooser := config.CurrentContext, &SettingsError{Origin: file}
	if r.context.isSet() {
		name, chooser = r.context.value, r.context.fault()
	}
	chosen := &clientcmdapi.Context{}
	switch {
	case name != "":
		var ok bool
		if chosen, ok = config.Contexts[name]; !ok {
			chooser.Err = fmt.Errorf("context %q is not in %s; there %s", name, file, enumerate(config.Contexts))
			return nil, chooser
		}
	case !r.cluster.isSet():
		chooser.Err = fmt.Errorf("there is no current context; set config_context; there %s", enumerate(config.Contexts))
		return nil, chooser
	}
	chosen = chosen.DeepCopy()

	t := &target{clusterName: chosen.Cluster, userName: chosen.AuthInfo}
	origin := chosen.LocationOfOrigin
	if origin == "" {
		origin = strings.Join(paths, ", ")
	}
	t.source = "kubeconfig " + origin
	if name != "" {
		t.source += fmt.Sprintf(", context %q", name)
	}
	if r.cluster.isSet() {
		t.clusterName = r.cluster.value
		t.source += fmt.Sprintf(", cluster %q", t.clusterName)
	}
	if r.authInfo.isSet() {
		t.userName = r.authInfo.value
		t.source += fmt.Sprintf(", user %q", t.userName)
	}
	if named != "" {
		t.source += ", named by " + named
	}

	cluster, ok := config.Clusters[t.clusterName]
	if !ok {
		at := &SettingsError{Origin: t.source}
		if r.cluster.isSet() {
			at = r.cluster.fault()
		}
		at.Err = fmt.Errorf("cluster %q is not in %s; there %s", t.clusterName, file, enumerate(config.Clusters))
		return nil, at
	}
	t.cluster = *cluster.DeepCopy()
	if t.userName == "" { // an anonymous context
		return t, nil
	}
	user, ok := config.AuthInfos[t.userName]
	if !ok {
		at := &SettingsError{Origin: t.source}
		if r.authInfo.isSet() {
			at = r.authInfo.fault()
		}
		at.Err = fmt.Errorf("user %q is not in %s; there %s", t.userName, file, enumerate(config.AuthInfos))
		return nil, at
	}
	t.user = *user.DeepCopy()
	return t, nil
}

func enumerate[V any](entries map[string]V) string {
	names := slices.Sorted(maps.Keys(entries))
	for i, name := range names {
		names[i] = fmt.Sprintf("%q", name)
	}
	switch len(names) {
	case 0:
		return "is none"
	case 1:
		return "is " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

func fromServiceAccount(config *rest.Config) *target {
	t := &target{source: "in-cluster service account", clusterName: "in-cluster", userName: "service-account"}
	t.cluster = clientcmdapi.Cluster{
		Server:                   config.Host,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthority:     config.CAFile,
		CertificateAuthorityData: config.CAData,
	}
	// The file comes first: the kubelet renews the token in it.
	t.user.TokenFile = config.BearerTokenFile
	if t.user.TokenFile == "" {
		t.user.Token = config.BearerToken
	}
	return t
}

// override replaces what the kubeconfig or the pod says by the single settings.
func (t *target) override(r *effectiveSettings) {
	if r.host.isSet() && r.host.origin() != t.source {
		t.source = r.host.origin() + " over " + t.source
	}
	if r.host.isSet() {
		t.cluster.Server = r.host.value
		// The name was that of the other server; kubectl --server does likewise.
		t.cluster.TLSServerName = ""
	}
	if r.tlsServerName.isSet() {
		t.cluster.TLSServerName = r.tlsServerName.value
	}
	if r.proxyURL.isSet() {
		t.cluster.ProxyURL = r.proxyURL.value
	}
	if r.insecure.isSet() {
		t.cluster.InsecureSkipTLSVerify = r.insecure.value == "true"
	}
	if r.ca.isSet() {
		t.cluster.CertificateAuthority = ""
		t.cluster.CertificateAuthorityData = []byte(r.ca.value)
		t.cluster.InsecureSkipTLSVerify = false
	}
	if t.cluster.InsecureSkipTLSVerify && r.insecure.isSet() {
		t.cluster.CertificateAuthority = ""
		t.cluster.CertificateAuthorityData = nil
	}
	if !r.credential().isSet() {
		return
	}
	// All or nothing: together with a client certificate of the kubeconfig, the API
	// server would ignore the token that was set.
	t.user = clientcmdapi.AuthInfo{
		Token:    r.token.value,
		Username: r.username.value,
		Password: r.password.value,
		Exec:     r.exec,
	}
	if r.clientCertificate.isSet() {
		t.user.ClientCertificateData = []byte(r.clientCertificate.value)
		t.user.ClientKeyData = []byte(r.clientKey.value)
	}
	if t.userName == "" {
		t.userName = "kubernetes"
	}
}
