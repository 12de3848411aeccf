// Package report formats measurements as tables and as lines for benchstat, and compares
// them with limits.
package report
