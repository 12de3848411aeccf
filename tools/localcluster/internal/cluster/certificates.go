package cluster

import (
	"fmt"
	"os"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/pki"
)

// serviceNetwork holds the addresses of Services: a million of them.
// serviceAddress, its first, is that of the Service "kubernetes".
const (
	serviceNetwork = "10.96.0.0/12"
	serviceAddress = "10.96.0.1"
)

// users are the clients of the API server. The user names and groups are those
// to which Kubernetes' own RBAC roles are bound.
var users = []struct {
	name   string // of the certificate's files
	user   string
	groups []string
}{
	{"admin", "kubernetes-admin", []string{"system:masters"}},
	{"kube-controller-manager", "system:kube-controller-manager", nil},
	{"kube-scheduler", "system:kube-scheduler", nil},
	// kwok stands in for every kubelet and for the volume provisioner; the
	// stages of a user may have it write anything.
	{"kwok", "kwok", []string{"system:masters"}},
}

// writeCertificates makes all keys and certificates of a cluster. etcd trusts
// an authority of its own. Otherwise anyone with a certificate of the cluster could
// write to the store without asking the API server.
func (c *Cluster) writeCertificates() error {
	authority, err := pki.NewAuthority("localcluster")
	if err != nil {
		return err
	}
	etcdAuthority, err := pki.NewAuthority("localcluster-etcd")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"ca": authority.Certificate(), "etcd-ca": etcdAuthority.Certificate()} {
		if err := os.WriteFile(c.pki(name+".crt"), data, 0o600); err != nil {
			return err
		}
	}

	local := []string{"localhost", loopback}
	servers := []struct {
		name      string
		authority *pki.Authority
		hosts     []string
	}{
		{"etcd", etcdAuthority, local},
		{"kube-apiserver-serving", authority, append([]string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", serviceAddress,
		}, local...)},
		{"kube-controller-manager-serving", authority, local},
		{"kube-scheduler-serving", authority, local},
		{"kwok-serving", authority, local},
	}
	for _, server := range servers {
		pair, err := server.authority.Server(server.name, server.hosts...)
		if err != nil {
			return err
		}
		if err := pair.Write(c.pki(server.name)); err != nil {
			return err
		}
	}

	etcdClient, err := etcdAuthority.Client("kube-apiserver")
	if err != nil {
		return err
	}
	if err := etcdClient.Write(c.pki("etcd-client")); err != nil {
		return err
	}
	for _, user := range users {
		pair, err := authority.Client(user.user, user.groups...)
		if err != nil {
			return err
		}
		if err := pair.Write(c.pki(user.name)); err != nil {
			return err
		}
	}

	private, public, err := pki.NewTokenKeys()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.pki("service-accounts.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.pki("service-accounts.pub"), public, 0o600)
}

// writeKubeconfigs writes a kubeconfig for each user of the server. The
// administrator's is that of the cluster; the others are beside their certificates.
func (c *Cluster) writeKubeconfigs(server string) error {
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return err
	}
	for _, user := range users {
		certificate, err := os.ReadFile(c.pki(user.name + ".crt"))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(c.pki(user.name + ".key"))
		if err != nil {
			return err
		}
		config := kubeconfig{
			Cluster: c.contextName(), Server: server, CA: ca,
			User: user.user, Certificate: certificate, Key: key,
		}
		path := c.pki(user.name + ".kubeconfig")
		if user.name == "admin" {
			path = c.Kubeconfig()
		}
		if err := replaceFile(path, config.render()); err != nil {
			return fmt.Errorf("write the kubeconfig of %s: %w", user.user, err)
		}
	}
	return nil
}

func (c *Cluster) contextName() string { return "localcluster-" + c.Name }
