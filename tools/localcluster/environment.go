package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/cluster"
)

// variable is an environment variable.
type variable struct {
	name, value string
}

// auditVariable holds the path of the API server's audit log.
const auditVariable = "MIRA_TEST_AUDIT_LOG"

// clusterVariables point tools (KUBECONFIG) and this repository's tests
// (MIRA_TEST_CLUSTER) at the cluster, and benchmarks at its audit log.
func clusterVariables(c *cluster.Cluster, audit bool) []variable {
	variables := []variable{
		{"KUBECONFIG", c.Kubeconfig()},
		{"MIRA_TEST_CLUSTER", "local"},
	}
	if audit {
		variables = append(variables, variable{auditVariable, c.AuditLog()})
	}
	return variables
}

// shellQuote quotes a word for POSIX shells.
func shellQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// runEnvironment returns the environment for the command of `run`: environ with
// the variables set, and with kubectl's folder at the front of PATH.
//
// The KUBE_* variables are removed. Terraform's Kubernetes providers prefer them
// to KUBECONFIG, so that a test would run in the cluster for which the user has
// set them.
func runEnvironment(environ []string, variables []variable, kubectl string) []string {
	path := filepath.Dir(kubectl)
	result := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		if name == "PATH" {
			path += string(os.PathListSeparator) + value
			return true
		}
		return strings.HasPrefix(name, "KUBE_") || slices.ContainsFunc(variables, func(v variable) bool { return v.name == name })
	})
	result = append(result, "PATH="+path)
	for _, variable := range variables {
		result = append(result, variable.name+"="+variable.value)
	}
	return result
}
