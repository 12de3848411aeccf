package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/audit"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

// Run is one measurement of a command.
type Run struct {
	// Wall is the time from the start of the CLI to its end.
	Wall time.Duration
	// Usage is the usage of the provider's processes.
	Usage usage.Usage
	// Bytes went between provider and API server, in both directions.
	Bytes int64
	// Requests are the provider's requests.
	Requests audit.Counts
}

// Phase is a step of the benchmark with a fleet, measured once or several times.
type Phase struct {
	// Name is the name in tables. Benchmark is the name in Go's benchmark format, without
	// "Benchmark".
	Name, Benchmark string
	// Clients is the size of the fleet.
	Clients int
	// Runs are the measurements.
	Runs []Run
	// Note is a remark for readers, or empty.
	Note string
}

// Wall returns the median of the wall times.
func (p *Phase) Wall() time.Duration {
	return median(p.Runs, func(r Run) time.Duration { return r.Wall })
}

// CPU returns the median of the provider's CPU times.
func (p *Phase) CPU() time.Duration {
	return median(p.Runs, func(r Run) time.Duration { return r.Usage.CPU })
}

// PeakMemory returns the peak memory of the largest run.
func (p *Phase) PeakMemory() int64 {
	return largest(p.Runs, func(r Run) int64 { return r.Usage.PeakMemory })
}

// Bytes returns the bytes of the run with the most.
func (p *Phase) Bytes() int64 { return largest(p.Runs, func(r Run) int64 { return r.Bytes }) }

// Requests returns the requests of the run with the most.
func (p *Phase) Requests() audit.Counts {
	if len(p.Runs) == 0 {
		return audit.Counts{}
	}
	return slices.MaxFunc(p.Runs, func(a, b Run) int { return cmp.Compare(a.Requests.Total(), b.Requests.Total()) }).Requests
}

func median(runs []Run, of func(Run) time.Duration) time.Duration {
	if len(runs) == 0 {
		return 0
	}
	var values []time.Duration
	for _, run := range runs {
		values = append(values, of(run))
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

func largest(runs []Run, of func(Run) int64) int64 {
	var most int64
	for _, run := range runs {
		most = max(most, of(run))
	}
	return most
}
