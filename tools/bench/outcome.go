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
	// planRequests is how many a plan without changes may take, pages of LISTs
	// aside where there are more than pagedFrom clients.
	planRequests = 10
	pagedFrom    = 100
	// changeRequests is how many a changed client may take over the whole apply.
	changeRequests = 5
	// objectsBytes is how large the attribute `objects` of a client may be.
	objectsBytes = 6 << 10
	// fewBytes is what the plan of few clients in a large cluster may transfer.
	fewBytes = 200 << 10
	// smallestJudged is the size of fleet from which limits per client hold: what a
	// run takes once weighs on fewer.
	smallestJudged = 100
)

// clientOf is the client that the key of an instance is for.
func clientOf(key string) string {
	client, _, _ := strings.Cut(key, "/")
	return client
}

// print reports on a fleet what has been measured of it.
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
		f.printf("  plan, no change: %.2f times as long as that of as many terraform_data\n", f.noChange.Wall().Seconds()/f.floorPlan.Wall().Seconds())
	}
	if f.floorImage != nil && f.floorImage.Wall() > 0 {
		f.printf("  image change, no waits: %.2f times as long as to change as many terraform_data with as much state\n", f.image.Wall().Seconds()/f.floorImage.Wall().Seconds())
	}
	if f.options.isOwn() && slices.Contains(f.fleets, f) {
		f.verdicts = append(f.verdicts, f.judge()...)
	}
	return nil
}

// judge holds a fleet that has gone through its phases against the limits. That on the
// time of an image change is for 100 clients: with more, the CLI's state file decides.
func (f *fleet) judge() []report.Verdict {
	plan, floor := f.noChange.Wall(), f.floorPlan.Wall()
	limit, how := planLimit(f.clients, floor)
	verdicts := []report.Verdict{
		report.Bytes(f.clients, "`objects` in the state of a client", f.objectsBytes, objectsBytes),
		report.Time(f.clients, "plan, no change: wall time", plan, limit, how),
	}
	if f.image != nil && f.clients <= pagedFrom {
		verdicts = append(verdicts, report.Time(f.clients, "image change, no waits: wall time", f.image.Wall(), 2*plan+5*time.Second, "2 times the plan + 5 s"))
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

// planLimit is how long a plan without changes may take.
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

// growth holds what a client of the largest fleet costs against one of the smallest
// that is judged: beyond the CLI's own growth, which the floor has.
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
