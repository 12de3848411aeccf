package report

import (
	"strings"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/audit"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/usage"
)

func run(wall time.Duration, memory, bytes int64, requests int) Run {
	return Run{
		Wall: wall, Usage: usage.Usage{CPU: wall / 2, PeakMemory: memory, Processes: 2}, Bytes: bytes,
		Requests: audit.Counts{ByKind: map[audit.Kind]int{{Verb: "list", Resource: "services"}: requests}},
	}
}

func samplePhases() []*Phase {
	return []*Phase{
		{Name: "plan, no change", Benchmark: "PlanNoChange", Clients: 100, Runs: []Run{
			run(3*time.Second, 60<<20, 30<<10, 4), run(1*time.Second, 64<<20, 20<<10, 7), run(2*time.Second, 50<<20, 5<<10, 4),
		}},
		{Name: "plan, terraform_data", Benchmark: "PlanFloor", Clients: 100, Runs: []Run{{Wall: time.Second}}, Note: "the floor"},
	}
}

func TestPhase(t *testing.T) {
	phase := samplePhases()[0]
	if phase.Wall() != 2*time.Second || phase.CPU() != time.Second || phase.PeakMemory() != 64<<20 || phase.Bytes() != 30<<10 ||
		phase.Requests().Total() != 7 {
		t.Errorf("wall %s, CPU %s, memory %d, bytes %d, requests %d",
			phase.Wall(), phase.CPU(), phase.PeakMemory(), phase.Bytes(), phase.Requests().Total())
	}
	if got := median([]Run{{Wall: 1}, {Wall: 4}, {Wall: 2}, {Wall: 100}}, func(r Run) time.Duration { return r.Wall }); got != 3 {
		t.Errorf("the median of an even number is %d, want 3", got)
	}
	if empty := (&Phase{}); empty.Wall() != 0 || empty.Requests().Total() != 0 {
		t.Error("a phase without runs has figures")
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	if err := Table(&text, samplePhases()); err != nil {
		t.Fatal(err)
	}
	want := `                 phase  runs    wall  provider CPU  peak memory  transferred  requests  per client
       plan, no change     3  2.00 s        1.00 s       64 MiB       30 KiB         7        0.07
  plan, terraform_data     1  1.00 s             -            -            -         0           -

  plan, no change: 7 list services
  plan, terraform_data: the floor
`
	if text.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", text.String(), want)
	}
}

func TestBenchstat(t *testing.T) {
	var text strings.Builder
	if err := Settings(&text, []Setting{{"Cluster version", "v1.36.3"}}); err != nil {
		t.Fatal(err)
	}
	phases := samplePhases()[:1]
	phases[0].Runs = phases[0].Runs[1:2]
	if err := Benchstat(&text, phases); err != nil {
		t.Fatal(err)
	}
	want := "cluster-version: v1.36.3\n" +
		"BenchmarkPlanNoChange/N=100 1 1000000000 ns/op 500000000 provider-cpu-ns/op 67108864 peak-B 20480 wire-B/op 7 requests/op\n"
	if text.String() != want {
		t.Errorf("benchmark lines:\n%s\nwant:\n%s", text.String(), want)
	}
}

func TestVerdicts(t *testing.T) {
	kept := []Verdict{
		Count(100, "requests", 10, 10, ""),
		Bytes(3, "transferred", 1<<10, 200<<10),
		Time(100, "plan", 3*time.Second, 2*time.Second, "floor + 1 s"),
	}
	var text strings.Builder
	passed, err := Verdicts(&text, kept)
	if err != nil || !passed {
		t.Errorf("a limit on time decides (%v):\n%s", err, text.String())
	}
	for _, want := range []string{"ok    N=100  requests", "over  N=100  plan", "at most 2.00 s (floor + 1 s)", "at most 200 KiB"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	text.Reset()
	passed, err = Verdicts(&text, append(kept, Count(100, "requests per client", 5.01, 5, "")))
	if err != nil || passed || !strings.Contains(text.String(), "BROKEN") {
		t.Errorf("a broken limit on requests passes (%v):\n%s", err, text.String())
	}
}
