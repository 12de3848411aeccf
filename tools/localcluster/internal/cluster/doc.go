// Package cluster runs Kubernetes control planes as ordinary processes on
// loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and
// kwok in place of kubelets.
//
// # Who runs what
//
// The components of a cluster are children of a supervisor, a process of its
// own session. Whoever starts a cluster holds a pipe to its supervisor, the
// lifeline; when the pipe breaks, because its holder ended in whatever way, the
// supervisor stops the cluster and removes its data. A cluster that is meant to
// outlive its starter is detached by a word through that pipe. On Linux the
// kernel kills the components when the supervisor dies.
//
// # What lies where
//
// A cluster's folder holds state.json, written by the supervisor alone,
// kubeconfig, kubeconfigs/ (of service accounts), pki/, logs/, etcd/ and
// stages/. Two locks (package filelock) tell who lives: supervisor.lock is held
// by the supervisor, processes.lock by it and by every component. Beside the
// folder, NAME.lock is held while a cluster is being started or stopped.
package cluster
