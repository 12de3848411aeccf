// Package command runs Terraform or OpenTofu as a user does: with a provider from a
// filesystem mirror and a working directory with local state, and without the caller's
// own CLI and connection settings.
package command
