package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// GateOptions say how fast a change spreads over a fleet, and when it stops.
type GateOptions struct {
	// Start is the number of clients in the first wave; at least 1.
	Start int
	// Factor multiplies the size of a wave if all rollouts of the wave before succeeded;
	// at least 1.
	Factor int
	// MaxConcurrent is the maximal size of a wave; 0 for no maximum.
	MaxConcurrent int
	// MaxFailures is the number of failed rollouts after which no more are admitted; at
	// least 1.
	MaxFailures int
}

// Gate starts the rollouts of a fleet in waves. The next wave starts when each rollout
// of the wave before has ended; it is larger if all of them succeeded. The gate closes
// for good after too many failures, and after the first rollout whose outcome is not
// known: it may have failed.
//
// It cannot deadlock, because it only waits until admitted rollouts end, and never
// until clients arrive. A wave that is not full admits the next client that arrives.
//
// A Gate is safe for concurrent use. One serves all clients of a run.
type Gate struct {
	options GateOptions

	mu        sync.Mutex
	size      int  // of the present wave
	admitted  int  // to the present wave
	running   int  // of those admitted
	imperfect bool // a rollout of the present wave did not succeed
	failures  []FailedClient
	unknown   []FailedClient // those whose outcome is not known
	changed   chan struct{}  // closed and replaced at every change
}

// FailedClient is a client whose rollout failed, or whose rollout's outcome is not known,
// with the reason in one line.
type FailedClient struct {
	Name, Reason string
}

// GateClosedError says that a rollout was not admitted because others had failed, or
// because the outcome of another one is not known. There is at least one client.
type GateClosedError struct {
	// Failed are the clients whose rollouts failed, in the order in which they failed.
	Failed []FailedClient
	// Unknown are the clients whose rollouts have an unknown outcome, in the order in
	// which they ended.
	Unknown []FailedClient
}

// Error names the clients, with the reasons.
func (e *GateClosedError) Error() string {
	var reasons []string
	for i, client := range e.Failed {
		which := "the rollout"
		if i > 0 {
			which = "that"
		}
		reasons = append(reasons, fmt.Sprintf("%s of client %q failed: %s", which, client.Name, client.Reason))
	}
	for _, client := range e.Unknown {
		reasons = append(reasons, fmt.Sprintf("the outcome of the rollout of client %q is not known: %s", client.Name, client.Reason))
	}
	return "no more rollouts are started in this run, because " + strings.Join(reasons, ", and ")
}

// NewGate returns a gate. Options below their minimum count as the minimum.
func NewGate(options GateOptions) *Gate {
	options.Start = max(options.Start, 1)
	options.Factor = max(options.Factor, 1)
	options.MaxFailures = max(options.MaxFailures, 1)
	if options.MaxConcurrent > 0 {
		options.Start = min(options.Start, options.MaxConcurrent)
	}
	return &Gate{options: options, size: options.Start, changed: make(chan struct{})}
}

// Enter waits until a client's rollout may start. The caller must call [Pass.Leave] when
// the rollout has ended, however it ended. The error is a [*GateClosedError], or the
// cause of the context's end. A [*GateClosedError] says why the others failed, because
// the CLI prints errors in no particular order.
func (g *Gate) Enter(ctx context.Context, client string) (*Pass, error) {
	return g.EnterTelling(ctx, client, nil)
}

// EnterTelling is [Gate.Enter], and calls onWait once, unless that is nil, if the client is
// not admitted at once.
func (g *Gate) EnterTelling(ctx context.Context, client string, onWait func()) (*Pass, error) {
	start := time.Now()
	for isFirst := true; ; isFirst = false {
		if ctx.Err() != nil {
			logging.Debug(ctx, "Stopped waiting at the gate", "client", client, "waited", time.Since(start))
			return nil, context.Cause(ctx)
		}
		g.mu.Lock()
		isClosed, isAdmitted := g.isClosed(), !g.isClosed() && g.admitted < g.size
		if isAdmitted {
			g.admitted++
			g.running++
		}
		size, running, changed := g.size, g.running, g.changed
		closed := &GateClosedError{Failed: slices.Clone(g.failures), Unknown: slices.Clone(g.unknown)}
		g.mu.Unlock()
		switch {
		case isClosed:
			logging.Debug(ctx, "The gate is closed", "client", client,
				"failedClients", names(closed.Failed), "unknownClients", names(closed.Unknown))
			return nil, closed
		case isAdmitted:
			logging.Debug(ctx, "Admitted by the gate", "client", client, "waited", time.Since(start), "waveSize", size, "running", running)
			return &Pass{gate: g, client: client}, nil
		case isFirst:
			logging.Debug(ctx, "Waiting at the gate", "client", client, "waveSize", size, "running", running)
			if onWait != nil {
				onWait()
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func names(clients []FailedClient) []string {
	names := make([]string, 0, len(clients))
	for _, client := range clients {
		names = append(names, client.Name)
	}
	return names
}

// Fail records the failure of a rollout that needed no pass, for example that of a new
// client.
func (g *Gate) Fail(ctx context.Context, client, reason string) {
	g.close(ctx, &g.failures, FailedClient{Name: client, Reason: reason})
}

// Unknown records that the outcome of a rollout that needed no pass is not known. No
// more rollouts are admitted, whatever MaxFailures is.
func (g *Gate) Unknown(ctx context.Context, client, reason string) {
	g.close(ctx, &g.unknown, FailedClient{Name: client, Reason: reason})
}

// close adds a client to one of the lists of the gate, which may close it.
func (g *Gate) close(ctx context.Context, list *[]FailedClient, client FailedClient) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wasClosed := g.isClosed()
	*list = append(*list, client)
	g.imperfect = true
	g.notify()
	if g.isClosed() && !wasClosed {
		logging.Debug(ctx, "Closed the gate", "client", client.Name, "failedClients", names(g.failures),
			"maxFailures", g.options.MaxFailures, "unknownClients", names(g.unknown))
	}
}

func (g *Gate) isClosed() bool { return len(g.failures) >= g.options.MaxFailures || len(g.unknown) > 0 }

// notify makes those who wait look again.
func (g *Gate) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// leave ends a rollout. The last one of a wave ends the wave.
func (g *Gate) leave(ctx context.Context, p *Pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.imperfect = g.imperfect || !p.succeeded
	if g.running == 0 && g.admitted == g.size {
		if !g.imperfect {
			g.size *= g.options.Factor
			if bound := g.options.MaxConcurrent; bound > 0 {
				g.size = min(g.size, bound)
			}
		}
		logging.Debug(ctx, "The wave ended", "succeeded", !g.imperfect, "nextWaveSize", g.size)
		g.admitted, g.imperfect = 0, false
	}
	g.notify()
}

// Pass is the right to roll out one client. A nil Pass is that of a client that needs
// none; its methods do nothing.
type Pass struct {
	gate      *Gate
	client    string
	succeeded bool
	reported  bool // as failed, or as unknown
	left      bool
}

// Succeed records that the rollout succeeded.
func (p *Pass) Succeed() {
	if p != nil {
		p.succeeded = true
	}
}

// Fail records that the rollout failed. No more rollouts are admitted if that makes
// MaxFailures failures. The pass stays valid while the rollout is rolled back.
func (p *Pass) Fail(ctx context.Context, reason string) {
	if p.report() {
		p.gate.Fail(ctx, p.client, reason)
	}
}

// Unknown records that it is not known whether the rollout succeeded or failed, for
// example because it was interrupted. No more rollouts are admitted.
func (p *Pass) Unknown(ctx context.Context, reason string) {
	if p.report() {
		p.gate.Unknown(ctx, p.client, reason)
	}
}

// report reports whether this is the first report on the rollout, and before its end.
func (p *Pass) report() bool {
	if p == nil || p.reported || p.left {
		return false
	}
	p.reported = true
	return true
}

// Leave ends the pass. The next wave does not grow after a rollout that neither
// succeeded nor failed, for example because nothing was written.
func (p *Pass) Leave(ctx context.Context) {
	if p == nil || p.left {
		return
	}
	p.left = true
	p.gate.leave(ctx, p)
}
