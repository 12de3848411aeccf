// Package command runs Terraform or OpenTofu the way a user does: a provider
// installed from a filesystem mirror, a working directory with local state, and
// nothing of the caller's own CLI or connection settings.
package command
