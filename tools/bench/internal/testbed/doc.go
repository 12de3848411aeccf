// Package testbed prepares a cluster for the benchmark and changes it behind the
// provider's back: namespaces with an account, a template and clients, drift, and
// waiting until the control plane has calmed down.
package testbed
