package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
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

// health returns the path and the credentials for a health check of a component.
func (c *Cluster) health(name string) (path string, credentials kubeapi.Credentials) {
	credentials = kubeapi.Credentials{CA: c.pki("ca.crt")}
	switch name {
	case "etcd":
		return "/health", kubeapi.Credentials{CA: c.pki("etcd-ca.crt"), Certificate: c.pki("etcd-client.crt"), Key: c.pki("etcd-client.key")}
	case "kube-apiserver":
		credentials.Certificate, credentials.Key = c.pki("admin.crt"), c.pki("admin.key")
		return "/readyz", credentials
	default:
		// These answer this one path without credentials, and no other.
		return "/healthz", credentials
	}
}

func (c *Cluster) adminClient(server string) (*kubeapi.Client, error) {
	return kubeapi.New(server, kubeapi.Credentials{CA: c.pki("ca.crt"), Certificate: c.pki("admin.crt"), Key: c.pki("admin.key")})
}

func (c *Cluster) etcdProgram(at addresses) program {
	client, peer := serverURL(at.etcd), serverURL(at.etcdPeer)
	certificate, key, ca := c.pki("etcd.crt"), c.pki("etcd.key"), c.pki("etcd-ca.crt")
	return program{name: "etcd", address: client, args: []string{
		"--name=local",
		"--data-dir=" + c.etcdData(),
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

func (c *Cluster) apiServerProgram(at addresses, audit bool) program {
	args := []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(at.apiServer),
		// No pod exists that could call the Service "kubernetes", and a
		// loopback address is not allowed in its endpoints.
		"--advertise-address=" + loopback,
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + c.pki("kube-apiserver-serving.crt"),
		"--tls-private-key-file=" + c.pki("kube-apiserver-serving.key"),
		"--client-ca-file=" + c.pki("ca.crt"),
		"--etcd-servers=" + serverURL(at.etcd),
		"--etcd-cafile=" + c.pki("etcd-ca.crt"),
		"--etcd-certfile=" + c.pki("etcd-client.crt"),
		"--etcd-keyfile=" + c.pki("etcd-client.key"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-signing-key-file=" + c.pki("service-accounts.key"),
		"--service-account-key-file=" + c.pki("service-accounts.pub"),
		"--service-cluster-ip-range=" + serviceNetwork,
		// Where kwok serves the logs of containers, in the place of a
		// kubelet: see the stage node-initialize.
		"--kubelet-preferred-address-types=InternalDNS",
		"--kubelet-certificate-authority=" + c.pki("ca.crt"),
		"--allow-privileged=true",
		"--profiling=false",
	}
	if audit {
		args = append(args,
			"--audit-policy-file="+c.auditPolicy(),
			"--audit-log-path="+c.AuditLog(),
			// In MB. A count must not lose what came before a rotation.
			"--audit-log-maxsize=1000000",
		)
	}
	return program{name: "kube-apiserver", address: serverURL(at.apiServer), args: args}
}

func (c *Cluster) auditPolicy() string { return filepath.Join(c.dir, "audit-policy.yaml") }

// writeAuditPolicy asks for one line per request, written when it has been
// answered. Bodies would cost more than the requests.
func (c *Cluster) writeAuditPolicy() error {
	const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
- RequestReceived
rules:
- level: Metadata
`
	return os.WriteFile(c.auditPolicy(), []byte(policy), 0o600)
}

func (c *Cluster) controllerManagerProgram(at addresses) program {
	return program{name: "kube-controller-manager", address: serverURL(at.controllerManager), args: []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(at.controllerManager),
		"--tls-cert-file=" + c.pki("kube-controller-manager-serving.crt"),
		"--tls-private-key-file=" + c.pki("kube-controller-manager-serving.key"),
		"--kubeconfig=" + c.pki("kube-controller-manager.kubeconfig"),
		"--controllers=" + strings.Join(controllers, ","),
		// As kubeadm sets it up: each controller has the rights of its own
		// role and no more.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.pki("service-accounts.key"),
		"--root-ca-file=" + c.pki("ca.crt"),
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

func (c *Cluster) schedulerProgram(at addresses) program {
	return program{name: "kube-scheduler", address: serverURL(at.scheduler), args: []string{
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(at.scheduler),
		"--tls-cert-file=" + c.pki("kube-scheduler-serving.crt"),
		"--tls-private-key-file=" + c.pki("kube-scheduler-serving.key"),
		"--config=" + c.schedulerConfig(),
	}}
}

func (c *Cluster) schedulerConfig() string { return filepath.Join(c.dir, "kube-scheduler.yaml") }

// writeSchedulerConfig sets what has no flag. A pod waits for its claim to be
// bound for a moment, and the scheduler should look again soon.
func (c *Cluster) writeSchedulerConfig() error {
	config := fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: %q
  qps: 5000
  burst: 10000
leaderElection:
  leaderElect: false
enableProfiling: false
enableContentionProfiling: false
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 2
`, c.pki("kube-scheduler.kubeconfig"))
	return os.WriteFile(c.schedulerConfig(), []byte(config), 0o600)
}

func (c *Cluster) kwokConfig() string { return filepath.Join(c.dir, "kwok.yaml") }

// writeKwokConfig sets what has no flag. A file gets no defaults from kwok, so the
// numbers after the first are its own.
func (c *Cluster) writeKwokConfig() error {
	const config = `apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: 16
  nodePlayStageParallelism: 4
  nodeLeaseParallelism: 4
  podsOnNodeSyncParallelism: 1
  enablePodsOnNodeSyncListPager: true
  # Logs. Profiles stay off: every user of this machine could read them.
  enableDebuggingHandlers: true
  enableProfilingHandler: false
`
	return os.WriteFile(c.kwokConfig(), []byte(config), 0o600)
}

func (c *Cluster) kwokProgram(at addresses) (program, error) {
	args := []string{
		"--kubeconfig=" + c.pki("kwok.kubeconfig"),
		"--manage-all-nodes=true",
		"--node-ip=" + nodeAddress,
		"--cidr=" + podNetwork,
		// kwok renews the Lease of the node, which is how the node shows that it lives:
		// see nodeGracePeriod.
		"--node-lease-duration-seconds=40",
		"--server-address=" + net.JoinHostPort(loopback, strconv.Itoa(at.kubelet)),
		"--node-port=" + strconv.Itoa(at.kubelet),
		"--tls-cert-file=" + c.pki("kwok-serving.crt"),
		"--tls-private-key-file=" + c.pki("kwok-serving.key"),
		"--config=" + c.kwokConfig(),
	}
	stages, err := filepath.Glob(filepath.Join(c.stages(), "*.yaml"))
	if err != nil {
		return program{}, err
	}
	for _, stage := range stages {
		args = append(args, "--config="+stage)
	}
	return program{name: "kwok", address: serverURL(at.kubelet), args: args}, nil
}
