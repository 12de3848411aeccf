package main

import (
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/audit"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

func TestParseOptions(t *testing.T) {
	t.Setenv("KUBECONFIG", "/kubeconfig")
	t.Setenv("MIRA_TEST_AUDIT_LOG", "/audit.log")
	o, err := parseOptions([]string{"-n", "30, 100"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.sizes, []int{30, 100}) || !slices.Equal(o.waitSizes, []int{100}) || !o.isOwn() ||
		o.userAgent != "terraform-provider-mira" {
		t.Errorf("options = %+v", o)
	}
	other, err := parseOptions([]string{"-client", "x.tf", "-source", "example.com/a/b"}, io.Discard)
	if err != nil || other.isOwn() || other.userAgent != "" {
		t.Errorf("options of another provider = %+v, %v", other, err)
	}
	for _, wrong := range []string{"-n x", "-n 0", "-n 10001", "-waits -1", "-runs 0", "extra", "-source a/b"} {
		t.Run(wrong, func(t *testing.T) {
			if _, err := parseOptions(strings.Fields(wrong), io.Discard); err == nil {
				t.Error("the options were accepted")
			}
		})
	}
	t.Setenv("MIRA_TEST_AUDIT_LOG", "")
	if _, err := parseOptions(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "MIRA_TEST_AUDIT_LOG") {
		t.Errorf("without an audit log: %v", err)
	}
}

func TestDriftDifference(t *testing.T) {
	if got := driftDifference([]string{"b", "a", "a"}, []string{"a/Service", "a/Ingress", "b"}); got != "" {
		t.Errorf("the same clients differ: %s", got)
	}
	for _, changed := range [][]string{{"a"}, {"a", "b", "c"}, nil} {
		if driftDifference([]string{"a", "b"}, changed) == "" {
			t.Errorf("%v and the clients a and b do not differ", changed)
		}
	}
}

// measured returns a fleet whose phases took the given numbers of requests and times.
func measured(clients, planRequests, changeRequests int, plan, floor time.Duration) *fleet {
	phase := func(requests, continued int, wall time.Duration) *report.Phase {
		return &report.Phase{Clients: clients, Runs: []report.Run{{
			Wall: wall, Usage: usage.Usage{CPU: time.Duration(clients) * time.Millisecond},
			Requests: audit.Counts{Continued: continued, ByKind: map[audit.Kind]int{{Verb: "get", Resource: "x"}: requests}},
		}}}
	}
	return &fleet{
		clients: clients, objectsBytes: 5000,
		noChange: phase(planRequests, 3, plan), floorPlan: phase(0, 0, floor),
		image: phase(changeRequests, 0, plan), destroy: phase(1, 0, plan),
	}
}

func TestJudge(t *testing.T) {
	plansOnly := measured(100, 11, 0, 3*time.Second, time.Second)
	plansOnly.image, plansOnly.destroy = nil, nil
	tests := map[string]struct {
		fleet  *fleet
		broken bool
		over   int
	}{
		"within every limit":            {fleet: measured(100, 10, 500, 2*time.Second, time.Second)},
		"one request too many":          {fleet: measured(100, 11, 500, time.Second, time.Second), broken: true},
		"pages do not count in a large": {fleet: measured(1000, 13, 5000, time.Second, time.Second)},
		"one request beside the pages":  {fleet: measured(1000, 14, 5000, time.Second, time.Second), broken: true},
		"an update too dear":            {fleet: measured(100, 10, 501, time.Second, time.Second), broken: true},
		"few have no limit per client":  {fleet: measured(30, 90, 300, time.Second, time.Second)},
		"plans only":                    {fleet: plansOnly, broken: true, over: 1},
		"time does not fail":            {fleet: measured(100, 10, 500, 3*time.Second, time.Second), over: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			broken, over := false, 0
			for _, verdict := range test.fleet.judge() {
				switch {
				case !verdict.OK && verdict.Advisory:
					over++
				case !verdict.OK:
					broken = true
				}
			}
			if broken != test.broken || over != test.over {
				t.Errorf("broken %t, over %d; want %t, %d: %+v", broken, over, test.broken, test.over, test.fleet.judge())
			}
		})
	}
}

func TestPlanLimit(t *testing.T) {
	tests := map[int]time.Duration{30: 11 * time.Second, 100: 11 * time.Second, 300: 12 * time.Second, 1000: 20 * time.Second}
	for clients, want := range tests {
		t.Run(strconv.Itoa(clients)+" clients", func(t *testing.T) {
			if got, _ := planLimit(clients, 10*time.Second); got != want {
				t.Errorf("planLimit = %s, want %s", got, want)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	small := measured(100, 5, 5, 2*time.Second, time.Second)
	if verdicts := growth([]*fleet{measured(30, 5, 5, 1, 1), small}); verdicts != nil {
		t.Errorf("one fleet has grown: %+v", verdicts)
	}
	verdicts := growth([]*fleet{small, measured(1000, 5, 5, 30*time.Second, 10*time.Second)})
	if len(verdicts) != 2 || verdicts[0].OK || verdicts[0].Value != "3.00 times" || !verdicts[1].OK {
		t.Errorf("verdicts = %+v", verdicts)
	}
}

func TestMachine(t *testing.T) {
	if got := cpuModel([]byte("processor\t: 0\nmodel name\t: A CPU: 2 GHz\nflags\t: x\n")); got != "A CPU: 2 GHz" {
		t.Errorf("cpuModel = %q", got)
	}
	if got := cpuModel(nil); got != "unknown processor" {
		t.Errorf("cpuModel of nothing = %q", got)
	}
	if got := totalMemory([]byte("MemTotal:       2048 kB\nMemFree: 1 kB\n")); got != 2<<20 {
		t.Errorf("totalMemory = %d", got)
	}
	if got := loadAverage([]byte("0.52 0.58 0.59 1/467 1234")); got != "0.52 at the start" {
		t.Errorf("loadAverage = %q", got)
	}
	if got := buildVersion(filepath.Join(t.TempDir(), "none")); got != "version unknown" {
		t.Errorf("buildVersion of nothing = %q", got)
	}
}

func TestRequirements(t *testing.T) {
	b := &bench{options: &options{source: "registry.example.com/gavin/kubectl", version: "1.2.3"}}
	for _, want := range []string{"kubectl = {", `source  = "registry.example.com/gavin/kubectl"`, `version = "1.2.3"`} {
		if text := b.requirements(); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
