// Package cluster runs Kubernetes control planes as ordinary processes on
// loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and
// kwok in place of kubelets.
//
// # Processes
//
// The components of a cluster are children of a supervisor, a process of its
// own session. The process that starts a cluster holds a pipe to its supervisor, the
// lifeline. When that process ends, for whatever reason, the pipe breaks, and the
// supervisor stops the cluster and removes its data. To let a cluster run on, the
// starter writes a word into the pipe first. On Linux the kernel kills the
// components when the supervisor dies.
//
// # Files
//
// A cluster's folder holds state.json, written by the supervisor alone,
// kubeconfig, kubeconfigs/ (of service accounts), pki/, logs/, etcd/ and
// stages/. Two locks (package filelock) show which processes are alive:
// supervisor.lock is held by the supervisor, processes.lock by the supervisor and
// every component. Beside the folder, NAME.lock is held while a cluster is being
// started or stopped.
//
// # Types
//
// [Cluster] has what can be done with a cluster, and stands on a type for each
// part: folder knows where the files are, keyFiles and kubeconfigs how to make
// those that grant access, record what the supervisor wrote, health how the
// components are. The supervisor, in its own process, turns programs into
// processes. None of these knows the Cluster.
package cluster
