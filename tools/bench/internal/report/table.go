package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Table writes a line for each phase, then the requests of each phase by verb and resource.
func Table(w io.Writer, phases []*Phase) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(columns, "phase\truns\twall\tprovider CPU\tpeak memory\ttransferred\trequests\tper client\t")
	for _, phase := range phases {
		requests := phase.Requests().Total()
		_, _ = fmt.Fprintf(columns, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t\n", phase.Name, len(phase.Runs), seconds(phase.Wall()),
			seconds(phase.CPU()), Size(phase.PeakMemory()), Size(phase.Bytes()), requests, perClient(requests, phase.Clients))
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	for _, phase := range phases {
		if text := phase.Requests().String(); text != "" {
			_, _ = fmt.Fprintf(w, "  %s: %s\n", phase.Name, text)
		}
		if phase.Note != "" {
			_, _ = fmt.Fprintf(w, "  %s: %s\n", phase.Name, phase.Note)
		}
	}
	return nil
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// Size formats a number of bytes.
func Size(bytes int64) string {
	switch {
	case bytes == 0:
		return "-"
	case bytes < 10<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%.0f KiB", float64(bytes)/(1<<10))
	default:
		return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
	}
}

func perClient(requests, clients int) string {
	if clients == 0 || requests == 0 {
		return "-"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.2f", float64(requests)/float64(clients)), ".00")
}
