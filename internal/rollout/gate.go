package rollout

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// GateOptions say how fast a change spreads over a fleet, and when it stops.
type GateOptions struct {
	// Start is the number of clients in the first wave; at least 1.
	Start int
	// Factor is how many times as many each wave has as the one before it, where
	// that one succeeded as a whole; at least 1.
	Factor int
	// MaxConcurrent bounds the size of a wave; 0 does not.
	MaxConcurrent int
	// MaxFailures is after how many failed rollouts no more are admitted; at least 1.
	MaxFailures int
}

// Gate lets the rollouts of a fleet begin in waves: the next wave begins when each
// rollout of the one before has ended, and is larger when all of them succeeded. It
// closes for good after too many failures.
//
// It cannot deadlock: only the end of an admitted rollout is ever waited for, never
// an arrival. A wave that is not full, as fewer clients come at once than it could
// take, admits whoever comes next.
//
// A Gate is safe for concurrent use. One serves all clients of a run.
type Gate struct {
	options GateOptions

	mu       sync.Mutex
	size     int  // of the present wave
	admitted int  // to the present wave
	running  int  // of these
	spoiled  bool // not all of the present wave succeeded
	failures []FailedClient
	changed  chan struct{} // closed, and replaced, at every change
}

// FailedClient is a client whose rollout failed, and why, in a line.
type FailedClient struct {
	Name, Reason string
}

// GateClosedError says that a rollout was not admitted, as others failed before it.
type GateClosedError struct {
	Failed []FailedClient // in the order in which they failed; at least one
}

func (e *GateClosedError) Error() string {
	failed := make([]string, 0, len(e.Failed))
	for _, client := range e.Failed {
		failed = append(failed, fmt.Sprintf("client %q failed: %s", client.Name, client.Reason))
	}
	return "no more rollouts are begun in this run, as the rollout of " + strings.Join(failed, ", and that of ")
}

// NewGate makes a gate. What is out of bounds in the options counts as the bound.
func NewGate(options GateOptions) *Gate {
	options.Start = max(options.Start, 1)
	options.Factor = max(options.Factor, 1)
	options.MaxFailures = max(options.MaxFailures, 1)
	if options.MaxConcurrent > 0 {
		options.Start = min(options.Start, options.MaxConcurrent)
	}
	return &Gate{options: options, size: options.Start, changed: make(chan struct{})}
}

// Enter waits until a client's rollout may begin. The pass must be given back, by
// [Pass.Leave], when the rollout has ended, whichever way. The error is a
// [*GateClosedError], or the cause of the context's end. It tells
// why the others failed, as the CLI prints errors in no order.
func (g *Gate) Enter(ctx context.Context, client string) (*Pass, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		g.mu.Lock()
		switch {
		case g.isClosed():
			failed := append([]FailedClient(nil), g.failures...)
			g.mu.Unlock()
			return nil, &GateClosedError{Failed: failed}
		case g.admitted < g.size:
			g.admitted++
			g.running++
			g.mu.Unlock()
			return &Pass{gate: g, client: client}, nil
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Fail notes the failure of a rollout that needed no pass, such as that of a new
// client.
func (g *Gate) Fail(client, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures = append(g.failures, FailedClient{Name: client, Reason: reason})
	g.spoiled = true
	g.announce()
}

func (g *Gate) isClosed() bool { return len(g.failures) >= g.options.MaxFailures }

func (g *Gate) announce() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// leave ends a rollout, and with the last one its wave.
func (g *Gate) leave(p *Pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.spoiled = g.spoiled || !p.succeeded
	if g.running == 0 && g.admitted == g.size {
		if !g.spoiled {
			g.size *= g.options.Factor
			if bound := g.options.MaxConcurrent; bound > 0 {
				g.size = min(g.size, bound)
			}
		}
		g.admitted, g.spoiled = 0, false
	}
	g.announce()
}

// Pass is the right to roll out one client. A nil pass is that of a client which
// needs none.
type Pass struct {
	gate      *Gate
	client    string
	succeeded bool
	failed    bool
	left      bool
}

// Succeed notes that the rollout succeeded.
func (p *Pass) Succeed() {
	if p != nil {
		p.succeeded = true
	}
}

// Fail notes that the rollout failed. No more are admitted from here on if it was
// one failure too many. The pass is kept while the rollout is taken back.
func (p *Pass) Fail(reason string) {
	if p == nil || p.failed || p.left {
		return
	}
	p.failed = true
	p.gate.Fail(p.client, reason)
}

// Leave gives the pass back. A rollout that neither succeeded nor failed, as it
// was cancelled or refused before it began, does not let the next wave grow.
func (p *Pass) Leave() {
	if p == nil || p.left {
		return
	}
	p.left = true
	p.gate.leave(p)
}
