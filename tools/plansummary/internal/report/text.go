package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/summary"
)

// Text writes a summary for a terminal. It leaves nothing out.
func Text(w io.Writer, s *summary.Summary) error {
	var b strings.Builder
	name := namer(s)
	b.WriteString(headline(s) + "\n")
	for _, remark := range remarks(s) {
		b.WriteString(remark + "\n")
	}
	if len(s.Dangers) == 0 && len(s.Groups) > 0 {
		b.WriteString("\nNothing dangerous.\n")
	}
	if len(s.Dangers) > 0 {
		b.WriteString("\nDANGEROUS\n")
		for _, d := range s.Dangers {
			fmt.Fprintf(&b, "\n! %s\n", dangerTitle(d))
			writeItem(&b, names(d.Clients, name), d.Fields)
			b.WriteString(indented(d.Text))
		}
	}
	if len(s.Warnings) > 0 {
		b.WriteString("\nWARNINGS\n")
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "\n%s\n", warningTitle(warning))
		writeItem(&b, names(warning.Clients, name), nil)
		b.WriteString(indented(warning.Text))
	}
	if len(s.Templates)+len(s.Groups) > 0 {
		b.WriteString("\nCHANGES\n")
	}
	for _, t := range s.Templates {
		fmt.Fprintf(&b, "\nTemplate %s: %s\n", t.Address, done[t.Action])
		writeItem(&b, nil, t.Fields)
	}
	for _, g := range s.Groups {
		fmt.Fprintf(&b, "\n%s\n", groupTitle(g))
		writeItem(&b, names(g.Clients, name), g.Fields)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const lineWidth = 100

// writeItem writes names, as many in a line as there is room for, and what happens to them.
func writeItem(b *strings.Builder, names []string, fields []summary.Field) {
	line := ""
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if line != "" && len(line)+1+len(name) > lineWidth {
			b.WriteString("    " + line + "\n")
			line = ""
		}
		line = strings.TrimPrefix(line+" "+name, " ")
	}
	if line != "" {
		b.WriteString("    " + line + "\n")
	}
	for _, field := range fields {
		b.WriteString("  " + fieldLine(field, 0) + "\n")
	}
}

func names(clients []summary.Client, name func(summary.Client) string) []string {
	all := make([]string, 0, len(clients))
	for _, c := range clients {
		all = append(all, name(c))
	}
	return all
}

// DriftText writes a line for each field that was changed.
func DriftText(w io.Writer, drifts []summary.Drift) error {
	name := driftNamer(drifts)
	var b strings.Builder
	for _, d := range drifts {
		b.WriteString(driftLine(d, name(d.Client)) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
