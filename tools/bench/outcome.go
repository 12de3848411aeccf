package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
)

// Limits of issue "A thousand clients plan as fast as the CLI can draw them".
const (
	// planRequests is how many requests a plan without changes may take. With more
	// than pagedFrom clients, further pages of LISTs do not count.
	planRequests = 10
	pagedFrom    = 100
	// changeRequests is how many requests a changed client may take in an apply.
	changeRequests = 5
	// objectsBytes is how large the attribute `objects` of a client may be.
	objectsBytes = 6 << 10
	// fewBytes is how many bytes the plan of few clients in a large cluster may transfer.
	fewBytes = 200 << 10
	// smallestJudged is the smallest fleet with limits per client. In a smaller one,
	// requests that a run needs once count too much.
	smallestJudged = 100
)

// clientOf returns the client of an instance, by the instance's key.
func clientOf(key string) string {
	client, _, _ := strings.Cut(key, "/")
	return client
}

// print writes the report of a fleet.
func (f *fleet) print() error {
	var phases []*report.Phase
	for _, phase := range []*report.Phase{f.create, f.floorPlan, f.noChange, f.drift, f.floorImage, f.image, f.rolling, f.destroy} {
		if phase != nil && len(phase.Runs) > 0 {
			phases = append(phases, phase)
		}
	}
	f.printf("\n%d clients\n\n", f.clients)
	if err := report.Table(f.out, phases); err != nil {
		return err
	}
	if f.stateBytes > 0 {
		f.printf("  state: %d B per client, %d B of them in `objects`\n", f.stateBytes, f.objectsBytes)
	}
	if f.noChange != nil && f.floorPlan.Wall() > 0 {
		f.printf("  plan, no change: %.2f times as long as that of as many terraform_data\n",
			f.noChange.Wall().Seconds()/f.floorPlan.Wall().Seconds())
	}
	if f.floorImage != nil && f.floorImage.Wall() > 0 {
		f.printf("  image change, no waits: %.2f times as long as to change as many terraform_data with as much state\n",
			f.image.Wall().Seconds()/f.floorImage.Wall().Seconds())
	}
	if f.options.isOwn() && slices.Contains(f.fleets, f) {
		f.verdicts = append(f.verdicts, f.judge()...)
	}
	return nil
}

// judge compares a fleet that has completed its phases with the limits. The limit on the
// time of an image change holds for up to 100 clients: with more, the CLI's state file
// takes most of the time.
func (f *fleet) judge() []report.Verdict {
	plan, floor := f.noChange.Wall(), f.floorPlan.Wall()
	limit, how := planLimit(f.clients, floor)
	verdicts := []report.Verdict{
		report.Bytes(f.clients, "`objects` in the state of a client", f.objectsBytes, objectsBytes),
		report.Time(f.clients, "plan, no change: wall time", plan, limit, how),
	}
	if f.image != nil && f.clients <= pagedFrom {
		imageLimit := 2*plan + 5*time.Second
		verdicts = append(verdicts,
			report.Time(f.clients, "image change, no waits: wall time", f.image.Wall(), imageLimit, "2 times the plan + 5 s"))
	}
	if f.clients < smallestJudged {
		return verdicts
	}
	requests := f.noChange.Requests()
	total, what := requests.Total(), "plan, no change: requests"
	if f.clients > pagedFrom {
		total, what = total-requests.Continued, "plan, no change: requests, further pages aside"
	}
	verdicts = append(verdicts, report.Count(f.clients, what, float64(total), planRequests, ""))
	if f.image != nil {
		perClient := float64(f.image.Requests().Total()) / float64(f.clients)
		verdicts = append(verdicts, report.Count(f.clients, "image change, no waits: requests per client", perClient, changeRequests, ""))
	}
	return verdicts
}

// planLimit returns how long a plan without changes may take, and how that is computed.
func planLimit(clients int, floor time.Duration) (time.Duration, string) {
	switch {
	case clients <= 100:
		return floor + time.Second, "floor + 1 s"
	case clients <= 300:
		return floor + 2*time.Second, "floor + 2 s"
	default:
		return 2 * floor, "2 times the floor"
	}
}

// growth compares the cost of a client in the largest fleet with that in the smallest
// fleet that has limits. The CLI's own growth does not count; the floor has it.
func growth(fleets []*fleet) []report.Verdict {
	judged := slices.DeleteFunc(slices.Clone(fleets), func(f *fleet) bool { return f.clients < smallestJudged })
	if len(judged) < 2 {
		return nil
	}
	bySize := func(a, b *fleet) int { return a.clients - b.clients }
	small, large := slices.MinFunc(judged, bySize), slices.MaxFunc(judged, bySize)
	ratio := func(f *fleet) time.Duration {
		return time.Duration(float64(time.Second) * f.noChange.Wall().Seconds() / f.floorPlan.Wall().Seconds())
	}
	cost := func(f *fleet) time.Duration { return f.noChange.CPU() / time.Duration(f.clients) }
	milliseconds := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
	return []report.Verdict{
		{
			Clients: large.clients, What: "plan, no change: wall time over the floor", Advisory: true, OK: ratio(large) <= ratio(small),
			Value: fmt.Sprintf("%.2f times", ratio(large).Seconds()),
			Limit: fmt.Sprintf("at most %.2f times (as with %d clients)", ratio(small).Seconds(), small.clients),
		},
		{
			Clients: large.clients, What: "plan, no change: provider CPU per client", Advisory: true, OK: cost(large) <= cost(small),
			Value: milliseconds(cost(large)), Limit: fmt.Sprintf("at most %s (as with %d clients)", milliseconds(cost(small)), small.clients),
		},
	}
}
