// Package testbed prepares a cluster for the benchmark and changes it outside of the
// provider: namespaces with an account, a template and clients, drift, and waiting
// until the control plane is idle.
package testbed
