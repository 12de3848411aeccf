package protocoltest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// chaosVariable says how many cases of [TestChaos] run: "all", or a number of them that
// are drawn at random. Without it none do.
const chaosVariable = "MIRA_CHAOS"

// chaosLimit bounds an operation that was hit.
const chaosLimit = 4 * time.Minute

// The faults of the provider itself, of its CLI, and of the API server as a whole.
const (
	interrupted      = "interrupt"
	interruptedTwice = "interrupt, then kill" // what a second Ctrl-C does
	killed           = "kill"
	cliKilled        = "kill of the CLI"
	restarted        = "restart of the API server"
)

// chaosCase is one fault at one request of one operation.
type chaosCase struct {
	operation chaosOperation
	fault     string
	k         int
}

func (c chaosCase) String() string { return fmt.Sprintf("%s/%s/%d", c.operation.name, c.fault, c.k) }

// TestChaos lets each request of each operation fail in each way, one at a time, and checks
// what is left, and that the next apply converges. `make chaos` runs it, and prints how many
// cases passed without a word, failed and converged, or broke something.
func TestChaos(t *testing.T) {
	faults := make(map[string]acctest.Fault)
	for _, fault := range append(acctest.TransientFaults(), acctest.RefusingFaults()...) {
		faults[fault.Name] = fault
	}
	names := append(slices.Sorted(maps.Keys(faults)), interrupted, interruptedTwice, killed, cliKilled, restarted)
	cases := drawCases(t, newCoreOperator, names, 1)
	runCases(t, cases, func(t *testing.T, c chaosCase) (v verdict, hit, why string) {
		t.Helper()
		f := newChaotic(t, newCoreOperator)
		return c.try(t, f, func(ctx context.Context) error { return c.inject(ctx, f, faults[c.fault]) })
	})
}

// drawCases counts the requests of each operation, and returns the cases to run: all, or one
// in so many of the number that is asked for.
func drawCases(t *testing.T, newOperator func(*testing.T, *acctest.Sandbox) operator, faults []string, oneIn int) []chaosCase {
	t.Helper()
	wanted := os.Getenv(chaosVariable)
	if wanted == "" {
		t.Skipf("%s is not set: `make chaos` sets it", chaosVariable)
	}
	var cases []chaosCase
	for _, operation := range chaosOperations() {
		t.Run("count/"+operation.name, func(t *testing.T) {
			f := newChaotic(t, newOperator)
			operation.prepare(f)
			f.faults.Count(nil)
			if err := operation.run(t.Context(), f); (err != nil) != operation.fails {
				t.Fatal(err)
			}
			for _, fault := range faults {
				for k := 1; k <= f.faults.Seen(); k++ {
					cases = append(cases, chaosCase{operation: operation, fault: fault, k: k})
				}
			}
		})
	}
	if count, err := strconv.Atoi(wanted); err == nil && count/oneIn < len(cases) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("%d of %d cases, seed %d", count/oneIn, len(cases), seed)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:count/oneIn]
	}
	return cases
}

// runCases runs cases in parallel, and prints what became of them.
func runCases(t *testing.T, cases []chaosCase, try func(*testing.T, chaosCase) (v verdict, hit, why string)) {
	t.Helper()
	matrix := &chaosMatrix{counts: make(map[[2]string]map[verdict]int)}
	t.Run("case", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				v, hit, why := try(t, c)
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

// try runs one case, whose fault a function brings about. Why it failed or broke comes with
// the verdict, and the request that was hit.
func (c chaosCase) try(t *testing.T, f *chaotic, run func(context.Context) error) (v verdict, hit, why string) {
	t.Helper()
	c.operation.prepare(f)
	before := observe(f)
	ctx, cancel := context.WithTimeout(t.Context(), chaosLimit)
	defer cancel()
	faults := f.faults
	err := run(ctx)
	hit = cmp.Or(f.interruptedAt, faults.Hit())
	if hit == "" {
		return notHit, "", ""
	}
	f.faults.Count(nil)
	word := ""
	if err != nil {
		word = err.Error()
	}
	if c.operation.adopts {
		isTainted, err := f.isTainted(t.Context(), err)
		if isTainted || err != nil {
			return broken, hit, fmt.Sprintf("an adopted client is tainted: %v\nafter: %s", err, word)
		}
	}
	v = failed
	if err == nil && !c.operation.fails || c.operation.fails && strings.Contains(word, "Was Rolled Back") {
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

// inject runs the operation, with its fault.
func (c chaosCase) inject(ctx context.Context, f *chaotic, fault acctest.Fault) error {
	switch c.fault {
	case killed, interruptedTwice, cliKilled:
		return c.kill(ctx, f)
	case restarted:
		f.faults.Restart(c.k)
	case interrupted:
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		f.faults.Call(cancel, c.k, nil)
	default:
		f.faults.Inject(fault, c.k, nil)
	}
	return c.operation.run(ctx, f)
}

// kill ends the process at a request, or makes its CLI go: what it would have stored as the
// state is lost.
func (c chaosCase) kill(ctx context.Context, f *chaotic) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := make(chan struct{})
	die := sync.OnceFunc(func() { close(dead) })
	var isStateLost atomic.Bool
	switch c.fault {
	case killed:
		f.faults.Kill(die, c.k)
	case interruptedTwice:
		f.faults.Call(func() {
			cancel()
			f.interruptedAt = f.faults.Hit()
			f.faults.Kill(die, 1)
		}, c.k, nil)
	case cliKilled: // the connection to it ends, and with it the context of the call
		f.faults.Call(func() { isStateLost.Store(true); cancel() }, c.k, nil)
	}
	// What is left of the process goes on with a state of its own.
	operator, _ := f.operator.(*coreOperator)
	process := *f
	process.operator = operator.clone()
	ended := make(chan error, 1)
	go func() { ended <- c.operation.run(ctx, &process) }()
	select {
	case err := <-ended:
		if !isStateLost.Load() {
			f.operator = process.operator
		}
		return err
	case <-dead:
	}
	f.revive()
	return errors.New("killed")
}
