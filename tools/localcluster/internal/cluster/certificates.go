package cluster

import (
	"os"
	"path/filepath"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
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

// keyFiles are the certificates and keys of a cluster, each in a file.
type keyFiles struct {
	dir string
}

func (k keyFiles) path(name string) string { return filepath.Join(k.dir, name) }

// pair returns the credentials of a client whose certificate an authority has signed.
func (k keyFiles) pair(authority, name string) kubeapi.Credentials {
	return kubeapi.Credentials{CA: k.path(authority + ".crt"), Certificate: k.path(name + ".crt"), Key: k.path(name + ".key")}
}

// admin are the administrator's credentials.
func (k keyFiles) admin() kubeapi.Credentials { return k.pair("ca", "admin") }

// etcd are the credentials of etcd's one client, which is the API server.
func (k keyFiles) etcd() kubeapi.Credentials { return k.pair("etcd-ca", "etcd-client") }

// write makes all keys and certificates of a cluster. etcd trusts
// an authority of its own. Otherwise anyone with a certificate of the cluster could
// write to the store without asking the API server.
func (k keyFiles) write() error {
	authority, err := pki.NewAuthority("localcluster")
	if err != nil {
		return err
	}
	etcdAuthority, err := pki.NewAuthority("localcluster-etcd")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"ca": authority.Certificate(), "etcd-ca": etcdAuthority.Certificate()} {
		if err := os.WriteFile(k.path(name+".crt"), data, 0o600); err != nil {
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
		if err := pair.Write(k.path(server.name)); err != nil {
			return err
		}
	}

	etcdClient, err := etcdAuthority.Client("kube-apiserver")
	if err != nil {
		return err
	}
	if err := etcdClient.Write(k.path("etcd-client")); err != nil {
		return err
	}
	for _, user := range users {
		pair, err := authority.Client(user.user, user.groups...)
		if err != nil {
			return err
		}
		if err := pair.Write(k.path(user.name)); err != nil {
			return err
		}
	}

	private, public, err := pki.NewTokenKeys()
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.path("service-accounts.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(k.path("service-accounts.pub"), public, 0o600)
}
