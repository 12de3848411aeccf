package protocoltest_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const pendingToComplete = `AttributeName("rollout"): value1: tftypes.String<"pending">, value2: tftypes.String<"complete">`

// interruptible is a rollout whose wait can be interrupted.
type interruptible struct {
	*rollout
	onWait atomic.Pointer[func()] // called when the wait begins
}

func newInterruptible(t *testing.T, s *acctest.Sandbox) *interruptible {
	t.Helper()
	i := &interruptible{}
	var isWritten atomic.Bool
	s.Intercept(t, func(q *http.Request) {
		switch onWait := i.onWait.Load(); {
		case q.Method == http.MethodPatch && strings.Contains(q.URL.Path, "/statefulsets/") && !q.URL.Query().Has("dryRun"):
			isWritten.Store(true)
		case onWait != nil && isWritten.Load() && q.URL.Query().Get("watch") == "true":
			(*onWait)()
		}
	})
	i.rollout = rolloutIn(t, s, nil)
	i.succeed()
	isWritten.Store(false)
	return i
}

// interruptWait applies, and interrupts the wait for the rollout.
func (i *interruptible) interruptWait() {
	i.t.Helper()
	ctx, interrupt := context.WithCancel(i.t.Context())
	onWait := func() { interrupt() }
	i.onWait.Store(&onWait)
	defer i.onWait.Store(nil)
	if _, err := i.Apply(ctx, i.attributes); err != nil {
		i.t.Fatalf("an interrupted wait is reported by an error: %v", err)
	}
	if ctx.Err() == nil {
		i.t.Fatal("the apply did not wait for the rollout")
	}
}

// pending plans, and checks that the plan has a rollout to see through.
func (r *rollout) pending() {
	r.t.Helper()
	plan, err := r.Plan(r.t.Context(), r.attributes)
	if err != nil {
		r.t.Fatal(err)
	}
	if text := plan.String(); !strings.Contains(text, pendingToComplete) {
		r.t.Fatalf("the plan does not have %q:\n%s", pendingToComplete, text)
	}
}

// A rollout that was interrupted is seen through by the next apply, which rolls back to
// what the client was before.
func TestCore_journal_interrupt(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	r := newInterruptible(t, s)
	before, revision := ownership(t, s), serving(t, s)

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
	r.interruptWait()
	r.pending()
	r.fail("Rollout Failed And Was Rolled Back", "ImagePullBackOff", "The former revision serves again")
	if got := serving(t, s); got != revision {
		t.Errorf("revision %s serves, not %s", got, revision)
	}
	if diff := cmp.Diff(before, ownership(t, s)); diff != "" {
		t.Errorf("the objects are not what they were (-before +after):\n%s", diff)
	}
	r.fail("Rollout Failed And Was Rolled Back", "ImagePullBackOff") // the plan has the change again

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-slow:3.2"))
	r.interruptWait()
	s.WaitReady(t)
	r.succeed()
	s.WantImages(t, "mira-slow:3.2")
	r.destroy()
}

// Where the process died, the live objects tell that a rollout has not ended. What was
// before is not known then: the failure is reported, and the client is left as it is.
func TestCore_journal_killed(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	r := newInterruptible(t, s)
	state, private := r.State, r.Private

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
	r.interruptWait()
	r.State, r.Private = state, private // a process that is killed writes no state
	r.pending()
	r.fail("Client Rollout Failed", "ImagePullBackOff")
	r.pending()

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.2"))
	r.succeed()
	s.WantImages(t, "mira:3.2")
	r.destroy()
}

// What on_failure = "keep" leaves is pending, until the template is corrected.
func TestCore_journal_keep(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	r := newServing(t, map[string]any{"on_failure": "keep"})
	s := r.s
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.1"))
	r.fail("Client Rollout Failed")
	r.pending()
	r.fail("Client Rollout Failed", "CrashLoopBackOff") // the same template is no success either
	r.pending()
	s.PutTemplate(t, sample)
	r.succeed()
	s.WantImages(t, "mira:3.0")

	// One that does not wait for rollouts has none that is pending.
	r.attributes["wait_for_rollout"] = false
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.1"))
	r.succeed()
	r.destroy()
}

// newStuck returns a client with the sample template, whose pod is still that of a bad
// release before: nobody has waited for it. Such is a client whose roll back was killed.
func newStuck(t *testing.T) *rollout {
	t.Helper()
	sample := acctest.SampleTemplate(t)
	r := newServing(t, map[string]any{"on_failure": "keep"})
	r.s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
	r.fail("Client Rollout Failed")
	r.s.PutTemplate(t, sample)
	r.attributes["wait_for_rollout"] = false
	r.succeed()
	if err := r.s.CheckPodImage(t, "mira-acme-0", "mira-badpull:3.1"); err != nil {
		t.Fatal(err)
	}
	r.attributes["wait_for_rollout"] = true
	return r
}

// A process that was killed in a roll back leaves a pod of the bad release, though the
// StatefulSet names no other revision than the former.
func TestCore_journal_killedInRollBack(t *testing.T) {
	t.Parallel()
	r := newStuck(t)
	r.State = bytes.Replace(r.State, []byte(`"wait_for_rollout":false`), []byte(`"wait_for_rollout":true`), 1)
	r.pending()
	r.succeed()
	r.s.WantImages(t, "mira:3.0")
	r.destroy()
}

// The first apply that waits sees through what those before it did not wait for.
func TestCore_journal_waitsAgain(t *testing.T) {
	t.Parallel()
	r := newStuck(t)
	r.succeed()
	r.s.WantImages(t, "mira:3.0")
	r.destroy()
}

// With force_conflicts = false, what was mended by hand during the rollout is left
// to them by the roll back, and the error says so.
func TestCore_journal_mendedByHand(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	var isArmed, isMended atomic.Bool
	s.Intercept(t, func(q *http.Request) {
		// The events are asked for when the rollout has failed, before the roll back.
		if isArmed.Load() && strings.HasSuffix(q.URL.Path, "/events") && isMended.CompareAndSwap(false, true) {
			s.Patch(t, "StatefulSet", "mira-acme", "kubectl-set",
				`{"spec":{"template":{"spec":{"containers":[{"name":"mira","image":"mira:3.0-hotfix"}]}}}}`)
		}
	})
	r := rolloutIn(t, s, nil)
	r.Provider["force_conflicts"] = false
	r.succeed()
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
	isArmed.Store(true)
	r.fail("Rollout And Roll Back Failed", "kubectl-set",
		"was changed by others in the meantime, and is left to them, as force_conflicts is false")
	if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != "mira:3.0-hotfix" {
		t.Errorf("the image is %s, and not what was mended by hand", got)
	}
	r.Provider["force_conflicts"] = true
	s.PutTemplate(t, sample)
	r.succeed()
	r.destroy()
}
