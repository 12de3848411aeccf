package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
)

// kubeconfig is a client configuration of one cluster, one user, one context.
type kubeconfig struct {
	// Cluster names the cluster and the context.
	Cluster string
	// Server is the URL of the API server, CA the PEM of its authority.
	Server string
	CA     []byte
	// User names the user. Either Token or Certificate and Key (PEM) are set.
	User             string
	Token            string
	Certificate, Key []byte
	// Namespace is the context's; empty means default.
	Namespace string
}

// render returns the file in YAML, with all data embedded. Strings are quoted as
// in JSON, of which YAML is a superset.
func (k kubeconfig) render() []byte {
	var b strings.Builder
	field := func(indent int, name, value string) {
		quoted, _ := json.Marshal(value) // a string always marshals
		fmt.Fprintf(&b, "%s%s: %s\n", strings.Repeat(" ", indent), name, quoted)
	}
	encoded := base64.StdEncoding.EncodeToString

	b.WriteString("apiVersion: v1\nkind: Config\nclusters:\n")
	field(0, "- name", k.Cluster)
	b.WriteString("  cluster:\n")
	field(4, "server", k.Server)
	field(4, "certificate-authority-data", encoded(k.CA))
	b.WriteString("users:\n")
	field(0, "- name", k.User)
	b.WriteString("  user:\n")
	if k.Token != "" {
		field(4, "token", k.Token)
	} else {
		field(4, "client-certificate-data", encoded(k.Certificate))
		field(4, "client-key-data", encoded(k.Key))
	}
	b.WriteString("contexts:\n")
	field(0, "- name", k.Cluster)
	b.WriteString("  context:\n")
	field(4, "cluster", k.Cluster)
	field(4, "user", k.User)
	if k.Namespace != "" {
		field(4, "namespace", k.Namespace)
	}
	field(0, "current-context", k.Cluster)
	return []byte(b.String())
}

// kubeconfigs writes the kubeconfigs of a cluster.
type kubeconfigs struct {
	folder folder
	server string // URL of the API server
}

// contextName is the name of the cluster and of its context.
func (k kubeconfigs) contextName() string { return "localcluster-" + k.folder.name }

// write writes a kubeconfig for each user of the server. The
// administrator's is that of the cluster; the others are beside their certificates.
func (k kubeconfigs) write() error {
	keys := k.folder.keys()
	ca, err := os.ReadFile(keys.path("ca.crt"))
	if err != nil {
		return err
	}
	for _, user := range users {
		certificate, err := os.ReadFile(keys.path(user.name + ".crt"))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(keys.path(user.name + ".key"))
		if err != nil {
			return err
		}
		config := kubeconfig{
			Cluster: k.contextName(), Server: k.server, CA: ca,
			User: user.user, Certificate: certificate, Key: key,
		}
		path := keys.path(user.name + ".kubeconfig")
		if user.name == "admin" {
			path = k.folder.kubeconfig()
		}
		if err := replaceFile(path, config.render()); err != nil {
			return fmt.Errorf("write the kubeconfig of %s: %w", user.user, err)
		}
	}
	return nil
}

// ServiceAccountKubeconfig writes a kubeconfig that acts as an existing
// ServiceAccount, with a token that the server issues (TokenRequest) and that
// is good for the given time, ten minutes at least. An empty path means a file
// in the cluster's own folder. The path is returned.
func (c *Cluster) ServiceAccountKubeconfig(
	ctx context.Context, namespace, account string, validFor time.Duration, path string,
) (string, error) {
	state, err := c.record().running()
	if err != nil {
		return "", err
	}
	return kubeconfigs{folder: c.folder, server: state.Server}.writeServiceAccount(ctx, namespace, account, validFor, path)
}

// writeServiceAccount is [Cluster.ServiceAccountKubeconfig], with the server known.
func (k kubeconfigs) writeServiceAccount(
	ctx context.Context, namespace, account string, validFor time.Duration, path string,
) (string, error) {
	client, err := kubeapi.New(k.server, k.folder.keys().admin())
	if err != nil {
		return "", err
	}
	defer client.Close()

	request := tokenRequest{APIVersion: "authentication.k8s.io/v1", Kind: "TokenRequest"}
	request.Spec.ExpirationSeconds = int64(validFor / time.Second)
	resource := fmt.Sprintf("/api/v1/namespaces/%s/serviceaccounts/%s/token", url.PathEscape(namespace), url.PathEscape(account))
	var answer tokenRequest
	if err := client.Post(ctx, resource, request, &answer); err != nil {
		return "", fmt.Errorf("request a token for ServiceAccount %s/%s in cluster %q: %w", namespace, account, k.folder.name, err)
	}

	ca, err := os.ReadFile(k.folder.keys().path("ca.crt"))
	if err != nil {
		return "", err
	}
	if path == "" {
		if err := os.MkdirAll(k.folder.accounts(), 0o700); err != nil {
			return "", err
		}
		path = filepath.Join(k.folder.accounts(), namespace+"-"+account)
	}
	config := kubeconfig{
		Cluster: k.contextName(), Server: k.server, CA: ca,
		User:      fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account),
		Token:     answer.Status.Token,
		Namespace: namespace,
	}
	return path, replaceFile(path, config.render())
}

// tokenRequest is the part of authentication.k8s.io/v1 TokenRequest that is
// needed here.
type tokenRequest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		ExpirationSeconds int64 `json:"expirationSeconds"`
	} `json:"spec"`
	Status struct {
		Token string `json:"token"`
	} `json:"status"`
}
