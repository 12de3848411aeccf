package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// arrivals lets clients arrive at a gate, each in a goroutine of its own, and holds who
// was admitted and who was refused.
type arrivals struct {
	t    *testing.T
	gate *rollout.Gate

	mu       sync.Mutex
	admitted []*rollout.Pass
	refused  []error
}

func (a *arrivals) arrive(ctx context.Context, clients int) {
	for i := range clients {
		go func() {
			pass, err := a.gate.Enter(ctx, fmt.Sprintf("client-%d", i))
			a.mu.Lock()
			defer a.mu.Unlock()
			if err != nil {
				a.refused = append(a.refused, err)
				return
			}
			a.admitted = append(a.admitted, pass)
		}()
	}
	synctest.Wait()
}

// end ends the rollouts of all who were admitted, and returns how many they were.
func (a *arrivals) end(how func(*rollout.Pass)) int {
	a.mu.Lock()
	admitted := a.admitted
	a.admitted = nil
	a.mu.Unlock()
	for _, pass := range admitted {
		how(pass)
		pass.Leave(a.t.Context())
	}
	synctest.Wait()
	return len(admitted)
}

func succeed(pass *rollout.Pass) { pass.Succeed() }
func nothing(*rollout.Pass)      {}

func TestGate_waves(t *testing.T) {
	for _, test := range []struct {
		name    string
		options rollout.GateOptions
		clients int
		waves   []int
	}{
		{"twice as many each time", rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1}, 20, []int{1, 2, 4, 8, 5}},
		{"three at first", rollout.GateOptions{Start: 3, Factor: 3, MaxFailures: 1}, 20, []int{3, 9, 8}},
		{"never more than two", rollout.GateOptions{Start: 1, Factor: 2, MaxConcurrent: 2, MaxFailures: 1}, 7, []int{1, 2, 2, 2}},
		{"one after the other", rollout.GateOptions{Start: 1, Factor: 1, MaxFailures: 1}, 3, []int{1, 1, 1}},
		{"a start above the maximum", rollout.GateOptions{Start: 9, Factor: 2, MaxConcurrent: 2, MaxFailures: 1}, 4, []int{2, 2}},
		{"options below their minimum", rollout.GateOptions{}, 2, []int{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &arrivals{t: t, gate: rollout.NewGate(test.options)}
				a.arrive(t.Context(), test.clients)
				for i, want := range test.waves {
					if got := a.end(succeed); got != want {
						t.Fatalf("wave %d had %d clients, want %d", i, got, want)
					}
				}
				if len(a.refused) > 0 || a.end(succeed) != 0 {
					t.Errorf("refused %v, or clients after the last wave", a.refused)
				}
			})
		})
	}
}

// With -parallelism=1 the next client arrives when the one before has ended.
func TestGate_oneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1})
		for i := range 100 {
			pass, err := gate.Enter(t.Context(), fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			pass.Succeed()
			pass.Leave(t.Context())
		}
	})
}

func TestGate_closes(t *testing.T) {
	for _, test := range []struct {
		maxFailures, touched int
	}{{1, 1}, {3, 3}} {
		t.Run(fmt.Sprintf("after %d", test.maxFailures), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: test.maxFailures})}
				a.arrive(t.Context(), 30)
				touched := 0
				for n := -1; n != 0; touched += n {
					n = a.end(func(pass *rollout.Pass) { pass.Fail(t.Context(), "cannot pull mira:bad") })
				}
				if touched != test.touched || len(a.refused) != 30-touched {
					t.Fatalf("touched %d, refused %d", touched, len(a.refused))
				}
				var closed *rollout.GateClosedError
				err := a.refused[0]
				if !errors.As(err, &closed) || len(closed.Failed) != test.maxFailures || !strings.Contains(err.Error(), "cannot pull mira:bad") {
					t.Errorf("refused with %v", err)
				}
				if _, err := a.gate.Enter(t.Context(), "late"); !errors.As(err, &closed) {
					t.Errorf("a late client was refused with %v", err)
				}
			})
		})
	}
}

// Those who wait are refused as soon as a rollout has failed. They do not wait for its
// roll back or for other rollouts.
func TestGate_refusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 2, Factor: 2, MaxFailures: 1})}
		a.arrive(t.Context(), 3)
		first, second := a.admitted[0], a.admitted[1]
		first.Fail(t.Context(), "crashes")
		synctest.Wait()
		if len(a.refused) != 1 {
			t.Fatal("not refused though a rollout has failed")
		}
		first.Leave(t.Context())
		second.Succeed()
		second.Leave(t.Context())
		second.Leave(t.Context())
	})
}

// A rollout whose outcome is not known may have failed: nobody follows it, however many
// failures are allowed.
func TestGate_closesWhenAnOutcomeIsNotKnown(t *testing.T) {
	const lost = "contact with the API server was lost"
	tests := map[string]func(*rollout.Gate, *rollout.Pass){
		"of one that was admitted": func(_ *rollout.Gate, pass *rollout.Pass) {
			pass.Unknown(t.Context(), lost)
			pass.Fail(t.Context(), "reported already")
		},
		"of one without a pass": func(gate *rollout.Gate, _ *rollout.Pass) { gate.Unknown(t.Context(), "client-0", lost) },
		"and another one failed": func(gate *rollout.Gate, pass *rollout.Pass) {
			gate.Fail(t.Context(), "failed", "cannot pull mira:bad")
			gate.Fail(t.Context(), "too", "crashes")
			pass.Unknown(t.Context(), lost)
		},
	}
	texts := map[string]string{
		"and another one failed": `the rollout of client "failed" failed: cannot pull mira:bad, and that of client "too" failed: crashes, and `,
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 100})}
				pass, err := a.gate.Enter(t.Context(), "client-0")
				if err != nil {
					t.Fatal(err)
				}
				a.arrive(t.Context(), 3)
				end(a.gate, pass)
				synctest.Wait()
				want := "no more rollouts are started in this run, because " + texts[name] +
					`the outcome of the rollout of client "client-0" is not known: ` + lost
				if len(a.refused) != 3 || a.refused[0].Error() != want {
					t.Errorf("refused %v, want 3 times %s", a.refused, want)
				}
				pass.Leave(t.Context())
			})
		})
	}
}

// A client that is cancelled, or refused by the server before its rollout starts, neither
// blocks the others nor makes the next wave larger.
func TestGate_cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1})}
		a.arrive(t.Context(), 1)
		ctx, cancel := context.WithCancel(t.Context())
		a.arrive(ctx, 5)
		cancel()
		synctest.Wait()
		if len(a.refused) != 5 || !errors.Is(a.refused[0], context.Canceled) {
			t.Fatalf("refused %v", a.refused)
		}
		a.arrive(t.Context(), 5)
		for i, want := range []int{1, 1, 1, 2, 1} {
			how := succeed
			if i < 2 {
				how = nothing
			}
			if got := a.end(how); got != want {
				t.Fatalf("wave %d had %d clients, want %d", i, got, want)
			}
		}
	})
}

// A failure of a client that needed no pass counts.
func TestGate_failsWithoutAPass(t *testing.T) {
	gate := rollout.NewGate(rollout.GateOptions{MaxFailures: 1})
	gate.Fail(t.Context(), "new", "crashes")
	_, err := gate.Enter(t.Context(), "acme")
	var closed *rollout.GateClosedError
	if !errors.As(err, &closed) || closed.Failed[0].Name != "new" {
		t.Errorf("got %v", err)
	}
	var none *rollout.Pass
	none.Succeed()
	none.Fail(t.Context(), "ignored")
	none.Unknown(t.Context(), "ignored")
	none.Leave(t.Context())
}
