package report

import (
	"fmt"
	"io"
	"strings"
)

// Benchstat writes the runs in Go's benchmark format, one line each, for benchstat
// to compare. See https://go.dev/design/14313-benchmark-format.
func Benchstat(w io.Writer, phases []*Phase) error {
	for _, phase := range phases {
		for _, run := range phase.Runs {
			_, err := fmt.Fprintf(w, "Benchmark%s/N=%d 1 %d ns/op %d provider-cpu-ns/op %d peak-B %d wire-B/op %d requests/op\n",
				phase.Benchmark, phase.Clients, run.Wall.Nanoseconds(), run.Usage.CPU.Nanoseconds(), run.Usage.PeakMemory,
				run.Bytes, run.Requests.Total())
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Setting is a line before the benchmarks, about the machine or a program.
type Setting struct{ Key, Value string }

// Settings writes settings in Go's benchmark format.
func Settings(w io.Writer, settings []Setting) error {
	for _, setting := range settings {
		if _, err := fmt.Fprintf(w, "%s: %s\n", strings.ToLower(strings.ReplaceAll(setting.Key, " ", "-")), setting.Value); err != nil {
			return err
		}
	}
	return nil
}
