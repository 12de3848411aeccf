package protocoltest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// pairsVariable says how many pairs [TestCore_pairs] draws, and pairSeedVariable the first
// seed: that of a failure elsewhere, for instance.
const (
	pairsVariable    = "MIRA_PAIRS"
	pairSeedVariable = "MIRA_PAIR_SEED"
)

const (
	fewPairs = 6 // that each run of the tests moves between
	// drawTries is how often a pair is drawn again because the server takes one of its
	// templates for no client at all.
	drawTries = 200
	// shrinkTries is how many smaller pairs are tried when one fails.
	shrinkTries = 150
)

// A client that moves between two templates drawn at random is what a new client of each is,
// as in [TestCore_movedIsLikeNew], whose comparison it has. A pair that fails is made smaller,
// and printed. `make pairs` draws many.
func TestCore_pairs(t *testing.T) {
	t.Parallel()
	s := newPairSandbox(t)
	count, seed := fewPairs, uint64(1)
	if text := os.Getenv(pairsVariable); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", pairsVariable, err)
		}
		seed = uint64(time.Now().Unix())
	}
	if text := os.Getenv(pairSeedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", pairSeedVariable, err)
		}
		if os.Getenv(pairsVariable) == "" {
			count = 1
		}
	}
	run := &pairRun{s: s}
	t.Run("pair", func(t *testing.T) {
		for i := range count {
			t.Run(fmt.Sprintf("seed %d", seed+uint64(i)), func(t *testing.T) {
				t.Parallel()
				run.pair(t, seed+uint64(i))
			})
		}
	})
	fmt.Fprintln(os.Stdout, run.summary())
}

// newPairSandbox returns a sandbox for clients that have templates of their own.
func newPairSandbox(t *testing.T) *acctest.Sandbox {
	t.Helper()
	s := acctest.NewSandbox(t)
	s.Rights.GrantOn(t, "apps", "deployments")
	s.Rights.GrantOn(t, "", "configmaps")
	return s
}

// putPairTemplate stores a template for [newPairCore].
func putPairTemplate(t *testing.T, s *acctest.Sandbox, name, text string) {
	t.Helper()
	s.PutConfigMap(t, name, map[string]string{"client_template.yaml": text})
}

// newPairCore returns a core without a client, for a template of its own.
func newPairCore(s *acctest.Sandbox, template string) *protocoltest.Core {
	return newCore(s, map[string]any{
		"template":      map[string]any{"namespace": s.Namespace, "config_map": template},
		"allowed_kinds": []any{"Service", "Ingress", "StatefulSet", "apps/Deployment"},
		"variables":     map[string]any{"IMAGE_TAG": "3.0"},
	})
}

// pairRun moves clients between pairs of templates.
type pairRun struct {
	s       *acctest.Sandbox
	clients atomic.Int64 // that it has made so far

	mu     sync.Mutex
	counts [5]int // by outcome
}

// What becomes of a pair.
const (
	pairHolds = iota
	pairNamed // the plan refuses to change a field in place, and says so
	pairFails
	pairInvalid
)

// errInvalidPair says that the server does not take a template for a new client.
var errInvalidPair = errors.New("a template is not valid")

func (p *pairRun) count(outcome int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[outcome]++
}

func (p *pairRun) summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("pairs: %d like new, %d refused by name, %d failed; %d were drawn again",
		p.counts[pairHolds], p.counts[pairNamed], p.counts[pairFails], p.counts[pairInvalid])
}

// pair draws the pair of a seed, and moves a client between its templates.
func (p *pairRun) pair(t *testing.T, seed uint64) {
	t.Helper()
	for try := range uint64(drawTries) {
		drawn := drawPair(rand.New(rand.NewPCG(seed, try)))
		err := p.move(t, drawn)
		switch {
		case err == nil:
			p.count(pairHolds)
			return
		case errors.Is(err, errInvalidPair):
			p.count(pairInvalid)
			t.Logf("drawn again: %v", err)
			continue
		case isRefusedByName(err):
			p.count(pairNamed)
			t.Logf("refused by name: %v", err)
			return
		}
		p.count(pairFails)
		t.Errorf("%s=%d: %v", pairSeedVariable, seed, err)
		if failed, ok := errors.AsType[*moveError](err); ok {
			smaller, err := p.shrink(t, drawn, failed.kind)
			t.Logf("seed %d, the smallest pair that fails:\n%s\nIt fails with: %v", seed, smaller.text(), err)
		}
		return
	}
	t.Errorf("seed %d: no valid pair in %d tries", seed, drawTries)
}

// shrink returns a smaller pair that fails in the same way, and how it does.
func (p *pairRun) shrink(t *testing.T, drawn pair, kind string) (smaller pair, why error) {
	t.Helper()
	smaller = shrink(drawn, shrinkTries, func(smaller pair) bool {
		err := p.move(t, smaller)
		failed, ok := errors.AsType[*moveError](err)
		if !ok || failed.kind != kind {
			return false
		}
		why = err
		return true
	})
	return smaller, why
}

// isRefusedByName reports whether a plan has refused what the server does not let change,
// and has named the field and the way out.
func isRefusedByName(err error) bool {
	text := err.Error()
	isOther := strings.Contains(text, "Server Rejected Object") || strings.Contains(text, "would not create it")
	return strings.Contains(text, "Field Cannot Be Changed In Place") && !isOther
}

// move moves a client from one template to the other and back. The models are made first:
// they tell whether the templates are valid.
func (p *pairRun) move(t *testing.T, drawn pair) error {
	t.Helper()
	id := fmt.Sprintf("p%d", p.clients.Add(1))
	sides := []string{id + "-a", id + "-b"}
	models := make(map[string]content)
	for i, side := range []template{drawn.a, drawn.b} {
		putPairTemplate(t, p.s, sides[i], side.String())
		var err error
		if models[sides[i]], err = p.model(t, sides[i]); err != nil {
			return err
		}
	}
	moved := p.client(sides[0], id+"-moved")
	defer p.remove(t, moved.name)
	for step, side := range []string{sides[0], sides[1], sides[0]} {
		moved.Provider = newPairCore(p.s, side).Provider
		err := moved.become(t, p.s, models[side])
		if err != nil && strings.Contains(err.Error(), "already allocated") {
			return fmt.Errorf("%w: a port of the nodes is another Service's", errInvalidPair)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	return nil
}

// model returns the content of a new client.
func (p *pairRun) model(t *testing.T, template string) (content, error) {
	t.Helper()
	model := p.client(template, template+"-model")
	defer p.remove(t, model.name)
	if _, err := model.Plan(t.Context(), model.attributes()); err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalidPair, err)
	}
	if err := model.become(t, p.s, nil); err != nil {
		return nil, fmt.Errorf("a new client: %w", err)
	}
	return model.last, nil
}

// client returns a client that is not there yet.
func (p *pairRun) client(template, name string) *clientOf {
	c := &clientOf{Core: newPairCore(p.s, template), name: name, ports: make(map[string]string)}
	c.Reference = nil // [TestCore_random] compares the fast path
	for i := range 3 {
		c.ports[fmt.Sprintf("PORT_%d", i+1)] = nodePort()
	}
	return c
}

// nodePorts counts the ports of nodes that were given out.
var nodePorts atomic.Int64

// nodePort returns a port of the nodes that no other client of this process has.
func nodePort() string { return fmt.Sprint(30000 + nodePorts.Add(1)%2700) }

// remove deletes a client's objects, and waits for nothing.
func (p *pairRun) remove(t *testing.T, client string) {
	t.Helper()
	for _, kind := range []string{"Service", "Ingress", "StatefulSet", "Deployment"} {
		for _, object := range p.s.List(t, kind) {
			if object.GetLabels()["mira-cluster.io/client"] == client {
				p.s.DeleteWith(t, kind, object.GetName(), "Background")
			}
		}
	}
}
