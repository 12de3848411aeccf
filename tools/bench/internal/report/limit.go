package report

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Verdict compares a measurement with a limit.
type Verdict struct {
	// Clients is the size of the fleet.
	Clients int
	// What describes the measurement, and Limit the limit.
	What, Limit string
	// Value is the measurement, formatted.
	Value string
	// OK reports whether the measurement is within the limit.
	OK bool
	// Advisory limits are those on time, which depends on the machine and its load. A run
	// fails if it breaks one of the others.
	Advisory bool
}

// Count judges a number.
func Count(clients int, what string, value, limit float64, unit string) Verdict {
	return Verdict{
		Clients: clients, What: what, OK: value <= limit,
		Value: fmt.Sprintf("%.4g%s", value, unit), Limit: fmt.Sprintf("at most %.4g%s", limit, unit),
	}
}

// Bytes judges a size.
func Bytes(clients int, what string, value, limit int64) Verdict {
	return Verdict{Clients: clients, What: what, OK: value <= limit, Value: Size(value), Limit: "at most " + Size(limit)}
}

// Time judges a duration. how describes how the limit is computed.
func Time(clients int, what string, value, limit time.Duration, how string) Verdict {
	return Verdict{
		Clients: clients, What: what, OK: value <= limit, Advisory: true,
		Value: seconds(value), Limit: fmt.Sprintf("at most %s (%s)", seconds(limit), how),
	}
}

// Verdicts writes the verdicts, and reports whether all limits hold that are not advisory.
func Verdicts(w io.Writer, verdicts []Verdict) (bool, error) {
	passed := true
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, verdict := range verdicts {
		mark := "ok"
		switch {
		case !verdict.OK && verdict.Advisory:
			mark = "over"
		case !verdict.OK:
			mark, passed = "BROKEN", false
		}
		_, _ = fmt.Fprintf(columns, "%s\tN=%d\t%s\t%s\t%s\n", mark, verdict.Clients, verdict.What, verdict.Value, verdict.Limit)
	}
	return passed, columns.Flush()
}
