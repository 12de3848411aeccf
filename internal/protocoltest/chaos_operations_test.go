package protocoltest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// chaosOperation is what an operator does, and what has to hold afterwards whatever happened
// on the way.
type chaosOperation struct {
	name    string
	prepare func(f *faulty)
	run     func(ctx context.Context, f *faulty) (*protocoltest.Plan, error)
	fails   bool // as the release is bad
	adopts  bool
	// converge does it again, and what follows; it must succeed.
	converge func(ctx context.Context, f *faulty) error
	// keepsPods and keepsClaims say what is the same afterwards.
	keepsPods, keepsClaims bool
}

func chaosOperations() []chaosOperation {
	const ports, port = "name: http\n    port: 80", "name: web\n    port: 80"
	serves := func(f *faulty) { f.succeed(); f.s.WaitReady(f.t) }
	apply := func(ctx context.Context, f *faulty) (*protocoltest.Plan, error) { return f.Apply(ctx, f.attributes) }
	destroy := func(ctx context.Context, f *faulty) (*protocoltest.Plan, error) { return f.Apply(ctx, nil) }
	return []chaosOperation{
		{
			name:    "plan",
			prepare: func(f *faulty) { serves(f); f.edit("mira:3.0", "mira:3.1", ports, port) },
			run: func(ctx context.Context, f *faulty) (*protocoltest.Plan, error) {
				plan, err := f.Plan(ctx, f.attributes)
				if err == nil && plan.IsEmpty() {
					err = errors.New("the plan is empty")
				}
				return plan, err
			},
			converge: converge, keepsClaims: true,
		},
		{name: "create", prepare: func(*faulty) {}, run: apply, converge: convergeCreate},
		{
			name: "adopt",
			prepare: func(f *faulty) {
				f.s.DjangoSave(f.t, f.template, "acme", "admin@acme.example")
				f.s.WaitReady(f.t)
			},
			run: apply, adopts: true, converge: convergeCreate, keepsPods: true, keepsClaims: true,
		},
		{
			name:    "update",
			prepare: func(f *faulty) { serves(f); f.edit("mira:3.0", "mira:3.1", ports, port) },
			run:     apply, converge: converge, keepsClaims: true,
		},
		{
			name: "recreate",
			prepare: func(f *faulty) {
				serves(f)
				f.s.Patch(f.t, "StatefulSet", "mira-acme", "another-manager", `{"metadata":{"annotations":{"example.com/note":"keep"}}}`)
				f.edit("serviceName: mira\n", "serviceName: mira-acme\n")
			},
			run: apply, converge: converge, keepsPods: true, keepsClaims: true,
		},
		{
			name:    "roll back",
			prepare: func(f *faulty) { serves(f); f.edit("mira:3.0", "mira-badpull:3.1", ports, port) },
			run:     apply, fails: true, keepsClaims: true,
			converge: func(ctx context.Context, f *faulty) error {
				plan, err := f.Plan(ctx, f.attributes)
				if err != nil {
					return fmt.Errorf("planning the bad release again: %w", err)
				}
				if plan.IsEmpty() {
					return errors.New("the next plan of the bad release is empty")
				}
				f.edit("mira-badpull:3.1", "mira:3.2")
				return converge(ctx, f)
			},
		},
		{name: "destroy", prepare: serves, run: destroy, converge: convergeDestroy, keepsClaims: true},
		{
			name:    "destroy with data",
			prepare: func(f *faulty) { f.attributes["delete_data"] = true; serves(f) },
			run:     destroy, converge: convergeDestroy,
		},
	}
}

// converge applies, and checks that nothing is left to do and that the client serves.
func converge(ctx context.Context, f *faulty) error {
	if _, err := f.Apply(ctx, f.attributes); err != nil {
		return fmt.Errorf("the next apply: %w", err)
	}
	plan, err := f.Plan(ctx, f.attributes)
	if err != nil {
		return fmt.Errorf("the plan after the next apply: %w", err)
	}
	if !plan.IsEmpty() {
		return fmt.Errorf("the plan after the next apply is not empty:\n%s", plan)
	}
	f.s.WaitReady(f.t)
	for _, pod := range f.s.List(f.t, "Pod") {
		if got, want := acctest.Image(f.t, pod), acctest.Image(f.t, f.s.Get(f.t, "StatefulSet", "mira-acme")); got != want {
			return fmt.Errorf("pod %s has image %s, not %s", pod.GetName(), got, want)
		}
	}
	return nil
}

// convergeCreate takes over what an interrupted create has left, where the provider refuses
// to do so unasked.
func convergeCreate(ctx context.Context, f *faulty) error {
	err := converge(ctx, f)
	if err == nil || !strings.Contains(err.Error(), "import") || f.State != nil {
		return err
	}
	f.Provider = maps.Clone(f.Provider)
	f.Provider["adopt"] = "any"
	return converge(ctx, f)
}

func convergeDestroy(ctx context.Context, f *faulty) error {
	if f.State != nil {
		if _, err := f.Apply(ctx, nil); err != nil {
			return fmt.Errorf("the next destroy: %w", err)
		}
	}
	if f.State != nil {
		return errors.New("the client is still in the state")
	}
	return f.s.CheckNoClients(f.t)
}

// compare returns what is not as it has to be.
func (o chaosOperation) compare(f *faulty, before, after observed) []string {
	var problems []string
	switch {
	case o.keepsClaims && !maps.Equal(before.claims, after.claims):
		problems = append(problems, fmt.Sprintf("claims were %v and are %v", before.claims, after.claims))
	case o.name == "destroy with data" && len(after.claims) > 0:
		problems = append(problems, fmt.Sprintf("claims are left: %v", after.claims))
	}
	if o.keepsPods && !maps.Equal(before.pods, after.pods) {
		problems = append(problems, fmt.Sprintf("pods were %v and are %v", before.pods, after.pods))
	}
	if len(after.orphans) > 0 {
		problems = append(problems, fmt.Sprintf("pods without a StatefulSet: %v", after.orphans))
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		if !f.s.Exists(f.t, kind, "mira-acme") {
			continue
		}
		for _, manager := range f.s.Managers(f.t, kind, "mira-acme") {
			if strings.HasPrefix(manager, "terraform-provider-mira Update") {
				problems = append(problems, fmt.Sprintf("%s has fields of %s", kind, manager))
			}
		}
	}
	return problems
}
