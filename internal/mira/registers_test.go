package mira

import (
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

func never(int) bool  { return false }
func always(int) bool { return true }

func TestLoadCache_loadsOnceAndForgetsFailures(t *testing.T) {
	var c loadCache[int]
	load := counting(func(int) error { return nil })
	fail := func() (int, error) { return 0, errors.New("no") }
	if _, err := c.get("a", never, fail); err == nil {
		t.Error("a failure is not reported")
	}
	for range 3 {
		if got, err := c.get("a", never, load); got != 1 || err != nil {
			t.Errorf("get = %d, %v; want 1", got, err)
		}
	}
	if got, _ := c.get("a", always, load); got != 2 {
		t.Errorf("get after renewal = %d, want 2", got)
	}
	if got, _ := c.get("b", never, load); got != 3 {
		t.Errorf("get of another key = %d, want 3", got)
	}
}

// Callers who come while another one loads get what it loads.
func TestLoadCache_callersShareAValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c loadCache[int]
		loaded := make(chan struct{})
		load := counting(func(int) error { <-loaded; return nil })
		got := askAtOnce(5, func() (int, error) { return c.get("a", never, load) }, func() { close(loaded) })
		for _, answer := range got {
			if answer != (answered{value: 1}) {
				t.Errorf("answer %v, want the value of the only load", answer)
			}
		}
	})
}

// A failure is that of the caller who met it, as its context may have ended: the others
// load for themselves.
func TestLoadCache_callersDoNotShareAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c loadCache[int]
		cancelled := make(chan struct{})
		errCancelled := errors.New("cancelled")
		load := counting(func(number int) error {
			if number > 1 {
				return nil
			}
			<-cancelled
			return errCancelled
		})
		got := askAtOnce(5, func() (int, error) { return c.get("a", never, load) }, func() { close(cancelled) })
		counts := make(map[answered]int)
		for _, answer := range got {
			counts[answer]++
		}
		if counts[answered{err: errCancelled}] != 1 || counts[answered{value: 2}] != 4 {
			t.Errorf("answers %v, want one failure and four times the value of the second load", counts)
		}
	})
}

// A caller who wants a value that is no older than its question gets one of its own.
func TestLoadCache_renewalIsNeverOlderThanItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c loadCache[int]
		loaded := make(chan struct{})
		load := counting(func(number int) error {
			if number == 1 {
				<-loaded
			}
			return nil
		})
		got := askAtOnce(3, func() (int, error) { return c.get("a", always, load) }, func() { close(loaded) })
		values := make(map[int]bool)
		for _, answer := range got {
			values[answer.value] = true
		}
		if len(values) != 3 {
			t.Errorf("answers %v, want the value of a load of its own for each of 3 callers", got)
		}
	})
}

// counting returns a load whose value is its number.
func counting(do func(number int) error) func() (int, error) {
	loads := 0
	return func() (int, error) {
		loads++
		if err := do(loads); err != nil {
			return 0, err
		}
		return loads, nil
	}
}

type answered struct {
	value int
	err   error
}

// askAtOnce asks several times at once, does something when all wait, and returns the
// answers.
func askAtOnce(times int, ask func() (int, error), whenWaiting func()) []answered {
	answers := make([]answered, times)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i].value, answers[i].err = ask() })
	}
	synctest.Wait()
	whenWaiting()
	group.Wait()
	return answers
}

func TestObjectOwners(t *testing.T) {
	ref := func(version, name string) kube.Ref {
		return kube.NewRef(schema.GroupVersionKind{Group: "apps", Version: version, Kind: "StatefulSet"}, "default", name)
	}
	var owners objectOwners
	for _, test := range []struct {
		name, client string
		ref          kube.Ref
		owner        string // that refuses it
	}{
		{"the first client", "acme", ref("v1", "a"), ""},
		{"the same client again", "acme", ref("v1", "a"), ""},
		{"another client", "globex", ref("v1", "a"), "acme"},
		{"another client, by another version", "globex", ref("v2", "a"), "acme"},
		{"another object", "globex", ref("v1", "b"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := owners.declare(test.ref, test.client)
			var foreign *ForeignObjectError
			switch {
			case test.owner == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.owner != "" && (!errors.As(err, &foreign) || foreign.Owner != test.owner):
				t.Errorf("error %v, want one that names %s", err, test.owner)
			}
		})
	}
}

func TestClientLocks(t *testing.T) {
	var locks clientLocks
	lock := locks.of("default", "acme")
	if lock != locks.of("default", "acme") {
		t.Error("two locks for one client")
	}
	if lock == locks.of("other", "acme") {
		t.Error("one lock for clients of two namespaces")
	}
}

// declared is a plan of a resource for a client, or what the state is found to have.
type declared struct {
	client string
	as     Declaration
}

// The plans of a walk are told apart by what they do, whatever their order: each resource
// is planned once, and a replaced one twice in a row.
func TestClientRegister(t *testing.T) {
	created, kept := declared{"acme", DeclaresNew}, declared{"acme", DeclaresKept}
	replaced, gone := declared{"acme", DeclaresReplaced}, declared{"acme", DeclaresGone}
	other := declared{"globex", DeclaresNew}
	for _, test := range []struct {
		name  string
		plans []declared // all but the last one pass
		want  error
	}{
		{"one that is new", []declared{created}, nil},
		{"one that stays", []declared{kept}, nil},
		{"one that goes", []declared{gone}, nil},
		{"one that is replaced", []declared{kept, replaced}, nil},
		{"two clients", []declared{created, other}, nil},
		{"one that replaces another client", []declared{{"globex", DeclaresGone}, replaced}, nil},
		{"two addresses are destroyed", []declared{gone, gone}, nil},
		{"two are new", []declared{created, created}, &DuplicateClientError{}},
		{"a new one and one that stays", []declared{created, kept}, &DuplicateClientError{}},
		{"one that stays and a new one", []declared{kept, created}, &DuplicateClientError{}},
		{"two that stay", []declared{kept, kept}, &DuplicateClientError{}},
		{"one that is replaced and a new one", []declared{kept, replaced, created}, &DuplicateClientError{}},
		{"a new one and one that another client becomes", []declared{created, replaced}, &DuplicateClientError{}},
		{"a destroy and a create", []declared{gone, created}, &RenamedClientError{}},
		{"a create and a destroy", []declared{created, gone}, &RenamedClientError{}},
		{"one that goes where another client becomes it", []declared{gone, replaced}, &RenamedClientError{}},
		{"one that goes and one that stays", []declared{gone, kept}, &SharedClientError{}},
		{"one that stays and one that goes", []declared{kept, gone}, &SharedClientError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r clientRegister
			for i, plan := range test.plans {
				err := r.declare("default", plan.client, plan.as)
				want := test.want
				if i < len(test.plans)-1 {
					want = nil
				}
				if reflect.TypeOf(err) != reflect.TypeOf(want) {
					t.Errorf("plan %d: got %v, want %T", i, err, want)
				}
			}
			if err := r.declare("other", "acme", DeclaresNew); err != nil {
				t.Errorf("the client of another namespace: %v", err)
			}
		})
	}
}

// What was planned before an apply of the client does not count after it: the CLI may plan
// the destruction of a replaced client right before or after its create.
func TestClientRegister_begin(t *testing.T) {
	for _, plans := range [][2]Declaration{{DeclaresNew, DeclaresGone}, {DeclaresGone, DeclaresNew}} {
		var r clientRegister
		for _, as := range plans {
			if err := r.declare("default", "acme", as); err != nil {
				t.Error(err)
			}
			r.begin("default", "acme")
		}
	}
}

func TestClientRegister_state(t *testing.T) {
	var r clientRegister
	if r.isInState("default", "acme") {
		t.Error("a client is in a state that has not been seen")
	}
	r.addState("default", "acme")
	if !r.isInState("default", "acme") || r.isInState("other", "acme") {
		t.Error("the client of the state is not known, or that of another namespace is")
	}
}
