package protocoltest_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// chaosVariable says how many cases of [TestChaos] run: "all", or a number of them that
// are drawn at random. Without it none do.
const chaosVariable = "MIRA_CHAOS"

// chaosLimit bounds an operation that was hit.
const chaosLimit = 4 * time.Minute

// The faults of the provider itself.
const (
	interrupted = "interrupt"
	killed      = "kill"
)

// chaosCase is one fault at one request of one operation.
type chaosCase struct {
	operation chaosOperation
	fault     string
	k         int
}

// verdict is how a case ended.
type verdict int

const (
	notHit   verdict = iota + 1
	survived         // without a word
	failed           // with an error, and the next apply converged
	broken
)

// TestChaos lets each request of each operation fail in each way, one at a time, and checks
// what is left, and that the next apply converges. `make chaos` runs it, and prints how many
// cases passed without a word, failed and converged, or broke something.
func TestChaos(t *testing.T) {
	wanted := os.Getenv(chaosVariable)
	if wanted == "" {
		t.Skipf("%s is not set: `make chaos` sets it", chaosVariable)
	}
	faults := make(map[string]acctest.Fault)
	for _, fault := range append(acctest.TransientFaults(), acctest.RefusingFaults()...) {
		faults[fault.Name] = fault
	}
	names := append(slices.Sorted(maps.Keys(faults)), interrupted, killed)

	var cases []chaosCase
	for _, operation := range chaosOperations() {
		t.Run("count/"+operation.name, func(t *testing.T) {
			f := newChaotic(t)
			operation.prepare(f)
			f.faults.Count(nil)
			if _, err := operation.run(t.Context(), f); (err != nil) != operation.fails {
				t.Fatal(err)
			}
			for _, name := range names {
				for k := 1; k <= f.faults.Seen(); k++ {
					cases = append(cases, chaosCase{operation: operation, fault: name, k: k})
				}
			}
		})
	}
	if count, err := strconv.Atoi(wanted); err == nil && count < len(cases) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("%d of %d cases, seed %d", count, len(cases), seed)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:count]
	}
	matrix := &chaosMatrix{counts: make(map[[2]string]map[verdict]int)}
	t.Run("case", func(t *testing.T) {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/%s/%d", c.operation.name, c.fault, c.k), func(t *testing.T) {
				t.Parallel()
				v, hit, why := c.try(t, faults[c.fault])
				matrix.add(c, v)
				switch v {
				case broken:
					t.Errorf("broken at %s: %s", hit, why)
				case failed:
					t.Logf("failed at %s, and converged: %s", hit, why)
				case survived, notHit:
				}
			})
		}
	})
	fmt.Fprintln(os.Stdout, matrix)
}

// newChaotic returns a client whose answers are not compared: one fault hits one of two
// servers.
func newChaotic(t *testing.T) *faulty {
	t.Helper()
	f := newFaulty(t)
	f.Reference = nil
	return f
}

// try runs one case. Why it failed or broke comes with it, and the request that was hit.
func (c chaosCase) try(t *testing.T, fault acctest.Fault) (v verdict, hit, why string) {
	f := newChaotic(t)
	c.operation.prepare(f)
	before := observe(f)
	ctx, cancel := context.WithTimeout(t.Context(), chaosLimit)
	defer cancel()
	var err error
	switch c.fault {
	case interrupted:
		f.faults.Call(cancel, c.k, nil)
		_, err = c.operation.run(ctx, f)
	case killed:
		err = c.kill(ctx, f)
	default:
		f.faults.Inject(fault, c.k, nil)
		_, err = c.operation.run(ctx, f)
	}
	hit = cmp.Or(f.killedAt, f.faults.Hit())
	if hit == "" {
		return notHit, "", ""
	}
	if c.fault != killed {
		f.faults.Count(nil)
	}
	word := ""
	if err != nil {
		word = err.Error()
	}
	if c.operation.adopts && err != nil && f.State != nil {
		return broken, hit, "an adopted client is tainted: " + word
	}
	if isExpected := err == nil && !c.operation.fails || c.operation.fails && strings.Contains(word, "Was Rolled Back"); !isExpected {
		v = failed
	} else {
		v = survived
	}
	if err := c.operation.converge(t.Context(), f); err != nil {
		return broken, hit, fmt.Sprintf("%v\nafter: %s", err, word)
	}
	if problems := c.operation.compare(f, before, observe(f)); len(problems) > 0 {
		return broken, hit, strings.Join(problems, "\n") + "\nafter: " + word
	}
	return v, hit, word
}

// kill ends the process at a request: what it would have stored as the state is lost.
func (c chaosCase) kill(ctx context.Context, f *faulty) error {
	ctx, cancel := context.WithCancel(ctx)
	dead := make(chan struct{})
	var once sync.Once
	f.faults.Kill(func() { once.Do(func() { close(dead) }) }, c.k)
	// What is left of the process goes on with a state of its own.
	process := *f.rollout
	core := *f.Core
	process.Core = &core
	ended := make(chan error, 1)
	go func() {
		_, err := c.operation.run(ctx, &faulty{rollout: &process, faults: f.faults, template: f.template})
		ended <- err
	}()
	select {
	case err := <-ended:
		if f.faults.Hit() == "" || err == nil {
			f.Core = process.Core
		}
		cancel()
		return err
	case <-dead:
	}
	cancel()
	f.revive()
	return fmt.Errorf("killed")
}

// observed is what a case must not change, or only in the way of its operation.
type observed struct {
	claims, pods map[string]string
	orphans      []string // pods without a StatefulSet
}

func observe(f *faulty) observed {
	o := observed{claims: make(map[string]string), pods: make(map[string]string)}
	for name, uid := range f.s.UIDs(f.t, "PersistentVolumeClaim") {
		o.claims[name] = string(uid)
	}
	for _, pod := range f.s.List(f.t, "Pod") {
		o.pods[pod.GetName()] = string(pod.GetUID())
		if metav1.GetControllerOf(pod) == nil {
			o.orphans = append(o.orphans, pod.GetName())
		}
	}
	return o
}

// chaosMatrix counts verdicts by operation and fault.
type chaosMatrix struct {
	mu     sync.Mutex
	counts map[[2]string]map[verdict]int
}

func (m *chaosMatrix) add(c chaosCase, v verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range [][2]string{{c.fault, c.operation.name}, {c.fault, "all"}, {"all", c.operation.name}, {"all", "all"}} {
		if m.counts[key] == nil {
			m.counts[key] = make(map[verdict]int)
		}
		m.counts[key][v]++
	}
}

// String is a table: for each fault and operation the cases that survived without a word,
// failed and converged, and broke something.
func (m *chaosMatrix) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	faults, operations := make(map[string]bool), make(map[string]bool)
	for key := range m.counts {
		faults[key[0]], operations[key[1]] = true, true
	}
	last := func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) }
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s", "survived/failed/broken")
	columns := slices.SortedFunc(maps.Keys(operations), last)
	for _, operation := range columns {
		fmt.Fprintf(&b, "%18s", operation)
	}
	for _, fault := range slices.SortedFunc(maps.Keys(faults), last) {
		fmt.Fprintf(&b, "\n%-28s", fault)
		for _, operation := range columns {
			n := m.counts[[2]string{fault, operation}]
			fmt.Fprintf(&b, "%18s", fmt.Sprintf("%d/%d/%d", n[survived], n[failed], n[broken]))
		}
	}
	return b.String()
}

// rank puts the sums last.
func rank(name string) int {
	if name == "all" {
		return 1
	}
	return 0
}
