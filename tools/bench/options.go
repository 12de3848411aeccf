package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// ownSource is the source address of this repository's provider.
const ownSource = "mira-cluster/mira"

// maximumClients is how many names with four digits there are.
const maximumClients = 10000

// options are the settings of the command line and the environment.
type options struct {
	sizes      []int
	waitSizes  []int
	background int
	runs       int
	plansOnly  bool
	roundTrips time.Duration // the delay by which round trips are counted; 0 for none

	cli, provider, meter string
	source, version      string
	client               string // configuration of another provider; empty for our own
	userAgent            string
	template, rights     string
	benchmarks           string // file for lines in Go's benchmark format
	kubeconfig, auditLog string
}

// isOwn reports whether this repository's provider is measured. Only it has limits.
func (o *options) isOwn() bool { return o.client == "" }

func parseOptions(arguments []string, output io.Writer) (*options, error) {
	o := &options{kubeconfig: os.Getenv("KUBECONFIG"), auditLog: os.Getenv("MIRA_TEST_AUDIT_LOG")}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(output)
	sizes := flags.String("n", "30 100 300 1000", "`numbers` of clients to measure with")
	waits := flags.String("waits", "100", "`numbers` of clients with which a rolling update is waited for as well")
	flags.IntVar(&o.background, "background", 2000, "`number` of clients in the cluster in which three are planned; 0 leaves that out")
	flags.IntVar(&o.runs, "runs", 5, "how `often` plans are measured")
	flags.BoolVar(&o.plansOnly, "plans-only", false,
		"measure nothing but the create and the plans of the unchanged fleet: what comes after them takes most of the time")
	flags.DurationVar(&o.roundTrips, "round-trips", 0,
		"`delay` between provider and API server by which to measure how many round trips deep each run of the CLI is, with one client; "+
			"0 leaves that out")
	flags.StringVar(&o.cli, "cli", "terraform", "`path` of terraform or tofu")
	flags.StringVar(&o.provider, "provider", "bin/terraform-provider-mira", "`path` of the provider to measure")
	flags.StringVar(&o.meter, "meter", "bin/bench-meter", "`path` of the program built from tools/bench/meter")
	flags.StringVar(&o.source, "source", ownSource, "source `address` of the provider")
	flags.StringVar(&o.version, "version", "0.1.0", "`version` to install the provider as")
	flags.StringVar(&o.client, "client", "", "`file` with the configuration of the clients, for another provider (README)")
	flags.StringVar(&o.userAgent, "user-agent", "",
		"what the provider's user agent `begins` with (default: any; every request of the provider's account counts)")
	flags.StringVar(&o.template, "template", "examples/client-template/client_template.yaml", "`file` with the client template")
	flags.StringVar(&o.rights, "rights", "examples/rbac/controller.yaml", "`file` with the account and roles of the provider")
	flags.StringVar(&o.benchmarks, "benchmarks", "", "`file` to write for benchstat")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	var err error
	if o.sizes, err = parseSizes(*sizes); err != nil {
		return nil, fmt.Errorf("-n: %w", err)
	}
	if o.waitSizes, err = parseSizes(*waits); err != nil {
		return nil, fmt.Errorf("-waits: %w", err)
	}
	return o, o.check(flags)
}

func (o *options) check(flags *flag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.runs < 1 || o.background < 0 || o.roundTrips < 0 {
		return errors.New("-runs must be at least 1, and -background and -round-trips at least 0")
	}
	if o.isOwn() {
		if o.source != ownSource {
			return errors.New("-source names another provider: -client must say how that declares a client")
		}
		if o.userAgent == "" {
			o.userAgent = "terraform-provider-mira"
		}
	}
	if o.kubeconfig == "" || o.auditLog == "" {
		return errors.New("KUBECONFIG and MIRA_TEST_AUDIT_LOG must be set: start it by `make bench`, or by `localcluster run --audit -- ...`")
	}
	return nil
}

// parseSizes reads numbers of clients, separated by spaces or commas.
func parseSizes(text string) ([]int, error) {
	var sizes []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		size, err := strconv.Atoi(word)
		if err != nil || size < 1 || size > maximumClients {
			return nil, fmt.Errorf("%q is not a number of clients from 1 to %d", word, maximumClients)
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}
