// Package connection finds the cluster to talk to: provider attributes, KUBE_*
// variables, kubeconfig files, credentials, and the service account of a pod. It
// also explains what it means when the API server cannot be reached.
//
// It knows nothing of objects. Package kube makes a client of a [Connection].
package connection
