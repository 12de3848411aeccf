package cluster

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// podNetwork holds the addresses of pods.
const podNetwork = "10.244.0.0/16"

// nodeAddress is the address that the simulated node claims to have.
const nodeAddress = "10.0.0.1"

// nodeGracePeriod is how long the node may be silent before it counts as dead.
// With the default of 50 seconds a busy machine is enough for that, and kwok does
// not make the pods ready again that the controller then marks as not ready.
const nodeGracePeriod = 15 * time.Minute

// controllers are the parts of kube-controller-manager that run: what makes
// StatefulSets, claims, service accounts and deletion behave as in any cluster.
// Those that need cloud, certificates or metrics do not.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"daemonset-controller",
	"deployment-controller",
	"disruption-controller",
	"endpoints-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"job-controller",
	"namespace-controller",
	"node-lifecycle-controller",
	"persistentvolume-binder-controller",
	"persistentvolume-expander-controller",
	"persistentvolume-protection-controller",
	"persistentvolumeclaim-protection-controller",
	"pod-garbage-collector-controller",
	"replicaset-controller",
	"resourcequota-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"statefulset-controller",
	"taint-eviction-controller",
	"validatingadmissionpolicy-status-controller",
}

// addresses are the ports of one start.
type addresses struct {
	etcd, etcdPeer, apiServer, controllerManager, scheduler, kubelet int
}

func newAddresses() (addresses, error) {
	ports, err := pickPorts(6)
	if err != nil {
		return addresses{}, fmt.Errorf("find free ports on %s: %w", loopback, err)
	}
	return addresses{
		etcd: ports[0], etcdPeer: ports[1], apiServer: ports[2], controllerManager: ports[3], scheduler: ports[4], kubelet: ports[5],
	}, nil
}

func serverURL(port int) string {
	return "https://" + net.JoinHostPort(loopback, strconv.Itoa(port))
}

// program is one component, ready to be started.
type program struct {
	name    string
	args    []string
	address string // URL; empty if it serves nothing
}

// programs are the components of one start.
type programs struct {
	folder folder
	at     addresses
	audit  bool // the API server writes an audit log
}

func (p programs) etcd() program {
	keys := p.folder.keys()
	client, peer := serverURL(p.at.etcd), serverURL(p.at.etcdPeer)
	certificate, key, ca := keys.path("etcd.crt"), keys.path("etcd.key"), keys.path("etcd-ca.crt")
	return program{name: "etcd", address: client, args: []string{
		"--name=local",
		"--data-dir=" + p.folder.etcdData(),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=local=" + peer,
		// Both ports want a certificate: other users of this machine reach
		// loopback too.
		"--client-cert-auth", "--trusted-ca-file=" + ca, "--cert-file=" + certificate, "--key-file=" + key,
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + ca, "--peer-cert-file=" + certificate, "--peer-key-file=" + key,
		// The data end with the cluster, so nothing has to survive a power cut.
		// Without this flag every write waits for the disk.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}}
}

func (p programs) apiServer() program {
	keys := p.folder.keys()
	args := []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(p.at.apiServer),
		// No pod exists that could call the Service "kubernetes", and a
		// loopback address is not allowed in its endpoints.
		"--advertise-address=" + loopback,
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + keys.path("kube-apiserver-serving.crt"),
		"--tls-private-key-file=" + keys.path("kube-apiserver-serving.key"),
		"--client-ca-file=" + keys.path("ca.crt"),
		"--etcd-servers=" + serverURL(p.at.etcd),
		"--etcd-cafile=" + keys.path("etcd-ca.crt"),
		"--etcd-certfile=" + keys.path("etcd-client.crt"),
		"--etcd-keyfile=" + keys.path("etcd-client.key"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-signing-key-file=" + keys.path("service-accounts.key"),
		"--service-account-key-file=" + keys.path("service-accounts.pub"),
		"--service-cluster-ip-range=" + serviceNetwork,
		// Where kwok serves the logs of containers, in the place of a
		// kubelet: see the stage node-initialize.
		"--kubelet-preferred-address-types=InternalDNS",
		"--kubelet-certificate-authority=" + keys.path("ca.crt"),
		"--allow-privileged=true",
		"--profiling=false",
	}
	if p.audit {
		args = append(args,
			"--audit-policy-file="+p.folder.auditPolicy(),
			"--audit-log-path="+p.folder.auditLog(),
			// In MB. A count must not lose what came before a rotation.
			"--audit-log-maxsize=1000000",
		)
	}
	return program{name: "kube-apiserver", address: serverURL(p.at.apiServer), args: args}
}

func (p programs) controllerManager() program {
	keys := p.folder.keys()
	return program{name: "kube-controller-manager", address: serverURL(p.at.controllerManager), args: []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(p.at.controllerManager),
		"--tls-cert-file=" + keys.path("kube-controller-manager-serving.crt"),
		"--tls-private-key-file=" + keys.path("kube-controller-manager-serving.key"),
		"--kubeconfig=" + keys.path("kube-controller-manager.kubeconfig"),
		"--controllers=" + strings.Join(controllers, ","),
		// As kubeadm sets it up: each controller has the rights of its own
		// role and no more.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + keys.path("service-accounts.key"),
		"--root-ca-file=" + keys.path("ca.crt"),
		"--leader-elect=false",
		"--profiling=false",
		"--node-monitor-grace-period=" + nodeGracePeriod.String(),
		"--node-startup-grace-period=" + nodeGracePeriod.String(),
		// A fleet of a thousand clients comes up at once in a test; the
		// defaults are made for slow growth. The StatefulSet controller alone
		// sends seven requests for each, and the machine is to be the limit.
		"--kube-api-qps=5000",
		"--kube-api-burst=10000",
		"--concurrent-statefulset-syncs=20",
	}}
}

func (p programs) scheduler() program {
	keys := p.folder.keys()
	return program{name: "kube-scheduler", address: serverURL(p.at.scheduler), args: []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(p.at.scheduler),
		"--tls-cert-file=" + keys.path("kube-scheduler-serving.crt"),
		"--tls-private-key-file=" + keys.path("kube-scheduler-serving.key"),
		"--config=" + p.folder.schedulerConfig(),
	}}
}

func (p programs) kwok() (program, error) {
	keys := p.folder.keys()
	args := []string{
		"--kubeconfig=" + keys.path("kwok.kubeconfig"),
		"--manage-all-nodes=true",
		"--node-ip=" + nodeAddress,
		"--cidr=" + podNetwork,
		// kwok renews the Lease of the node, which is how the node shows that it lives:
		// see nodeGracePeriod.
		"--node-lease-duration-seconds=40",
		"--server-address=" + net.JoinHostPort(loopback, strconv.Itoa(p.at.kubelet)),
		"--node-port=" + strconv.Itoa(p.at.kubelet),
		"--tls-cert-file=" + keys.path("kwok-serving.crt"),
		"--tls-private-key-file=" + keys.path("kwok-serving.key"),
		"--config=" + p.folder.kwokConfig(),
	}
	stages, err := filepath.Glob(filepath.Join(p.folder.stages(), "*.yaml"))
	if err != nil {
		return program{}, err
	}
	for _, stage := range stages {
		args = append(args, "--config="+stage)
	}
	return program{name: "kwok", address: serverURL(p.at.kubelet), args: args}, nil
}
