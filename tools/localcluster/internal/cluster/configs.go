package cluster

import (
	"errors"
	"fmt"
	"os"
)

// writeConfigs writes the files that the components take their settings from.
func (p programs) writeConfigs() error {
	return errors.Join(p.writeSchedulerConfig(), p.writeAuditPolicy(), p.writeKwokConfig())
}

// writeAuditPolicy asks for one line per request, written when it has been
// answered. Bodies would cost more than the requests.
func (p programs) writeAuditPolicy() error {
	const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
- RequestReceived
rules:
- level: Metadata
`
	return os.WriteFile(p.folder.auditPolicy(), []byte(policy), 0o600)
}

// writeSchedulerConfig sets what has no flag. A pod waits for its claim to be
// bound for a moment, and the scheduler should look again soon.
func (p programs) writeSchedulerConfig() error {
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
`, p.folder.keys().path("kube-scheduler.kubeconfig"))
	return os.WriteFile(p.folder.schedulerConfig(), []byte(config), 0o600)
}

// writeKwokConfig sets what has no flag. A file gets no defaults from kwok, so the
// numbers after the first are its own.
func (p programs) writeKwokConfig() error {
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
	return os.WriteFile(p.folder.kwokConfig(), []byte(config), 0o600)
}
