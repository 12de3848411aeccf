// Command plansummary says in short what a plan does to a fleet of MIRA clients. Its README describes the formats.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/summary"
)

// The exit codes.
const (
	exitDone   = 0
	exitError  = 1
	exitDanger = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

const usage = `Usage: terraform show -json PLANFILE | plansummary [flags]
       plansummary [flags] PLAN.json

Says what a plan does to a fleet of MIRA clients: first what is dangerous, then each change with the clients that have it.

Flags:
`

const exitCodes = `
Exit codes: 0, 1 for an error, 2 where -fail-on finds something. Whatever the code, the summary is printed.
`

// failOn is the value of -fail-on.
type failOn struct {
	any, drift bool
	kinds      []summary.Kind
}

func parseFailOn(text string) (failOn, error) {
	var f failOn
	for word := range strings.SplitSeq(text, ",") {
		switch word = strings.TrimSpace(word); {
		case word == "":
		case word == "any":
			f.any = true
		case word == "drift":
			f.drift = true
		case slices.Contains(summary.Kinds(), summary.Kind(word)):
			f.kinds = append(f.kinds, summary.Kind(word))
		default:
			return f, fmt.Errorf("-fail-on: there is no kind %q; there are any, drift, %s", word, kindNames())
		}
	}
	return f, nil
}

func kindNames() string {
	names := make([]string, 0, len(summary.Kinds()))
	for _, kind := range summary.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// meets reports whether there is something to fail on.
func (f failOn) meets(p *plan.Plan, s *summary.Summary) bool {
	if f.drift && len(summary.DriftOf(p)) > 0 || f.any && len(s.Dangers) > 0 {
		return true
	}
	return slices.ContainsFunc(s.Dangers, func(d summary.Danger) bool { return slices.Contains(f.kinds, d.Kind) })
}

type options struct {
	format string
	drift  bool
	limit  int
	failOn failOn
	file   string
	log    string
}

func parse(arguments []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("plansummary", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
		fmt.Fprint(stderr, exitCodes)
	}
	flags.StringVar(&o.format, "format", "text", "`text`, markdown or json")
	flags.BoolVar(&o.drift, "drift", false,
		"print what was changed outside of Terraform instead, a line for each field; of a plan with or without -refresh-only")
	flags.IntVar(&o.limit, "limit", report.MarkdownLimit, "how many `bytes` Markdown may have; what has no room is counted")
	flags.StringVar(&o.log, "log", "",
		"what `plan -json` printed when the plan was made, in a `file`: its warnings are added, also\n"+
			"about what the adoption of existing objects changes, which no plan has")
	failOnText := flags.String("fail-on", "",
		"exit with code 2 for one of these `kinds`, separated by commas:\nany (danger), drift, "+kindNames())
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	var err error
	if o.failOn, err = parseFailOn(*failOnText); err != nil {
		return o, err
	}
	const leastLimit = 2000
	switch {
	case !slices.Contains([]string{"text", "markdown", "json"}, o.format):
		return o, fmt.Errorf("-format is %q, and must be text, markdown or json", o.format)
	case o.limit < leastLimit:
		return o, fmt.Errorf("-limit is %d, and must be at least %d", o.limit, leastLimit)
	case flags.NArg() > 1:
		return o, fmt.Errorf("one plan at a time: there are %d arguments (flags stand before the file)", flags.NArg())
	}
	o.file = flags.Arg(0)
	return o, nil
}

func run(arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(arguments, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err == nil {
		var isDangerous bool
		if isDangerous, err = summarize(o, stdin, stdout); err == nil {
			if isDangerous {
				return exitDanger
			}
			return exitDone
		}
	}
	fmt.Fprintln(stderr, "plansummary:", err)
	return exitError
}

// summarize prints the summary, and reports whether there is something to fail on.
func summarize(o options, stdin io.Reader, stdout io.Writer) (bool, error) {
	p, err := decode(o.file, stdin, plan.Decode)
	if err != nil {
		return false, err
	}
	s := summary.New(p)
	if o.log != "" {
		warnings, err := decode(o.log, stdin, plan.DecodeLog)
		if err != nil {
			return false, err
		}
		s.AddWarnings(warnings)
	}
	return o.failOn.meets(p, s), write(stdout, o, p, s)
}

// decode reads a file, or the standard input.
func decode[T any](file string, stdin io.Reader, decoded func(io.Reader) (T, error)) (T, error) {
	if file == "" || file == "-" {
		return decoded(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		var nothing T
		return nothing, err
	}
	defer f.Close()
	result, err := decoded(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return result, err
}

func write(w io.Writer, o options, p *plan.Plan, s *summary.Summary) error {
	if o.drift {
		drifts := summary.DriftOf(p)
		switch o.format {
		case "markdown":
			return report.DriftMarkdown(w, drifts, o.limit)
		case "json":
			return report.DriftJSON(w, drifts)
		}
		return report.DriftText(w, drifts)
	}
	switch o.format {
	case "markdown":
		return report.Markdown(w, s, o.limit)
	case "json":
		return report.JSON(w, s)
	}
	return report.Text(w, s)
}
