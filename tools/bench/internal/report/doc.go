// Package report turns measurements into tables, into lines that benchstat reads,
// and into verdicts on limits.
package report
