package protocoltest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// chaosOperation is what an operator does, and what has to hold afterwards whatever happened
// on the way.
type chaosOperation struct {
	name    string
	prepare func(f *chaotic)
	run     func(ctx context.Context, f *chaotic) error
	fails   bool // as the release is bad
	adopts  bool // in a create
	// converge does it again, and what follows; it must succeed.
	converge func(ctx context.Context, f *chaotic) error
	// keepsPods and keepsClaims say what is the same afterwards.
	keepsPods, keepsClaims bool
}

func chaosOperations() []chaosOperation {
	const ports, port = "name: http\n    port: 80", "name: web\n    port: 80"
	apply := func(ctx context.Context, f *chaotic) error { return f.apply(ctx) }
	destroy := func(ctx context.Context, f *chaotic) error { return f.destroy(ctx) }
	return []chaosOperation{
		{
			name:    "plan",
			prepare: func(f *chaotic) { f.serve(); f.edit("mira:3.0", "mira:3.1", ports, port) },
			run: func(ctx context.Context, f *chaotic) error {
				isEmpty, err := f.plan(ctx)
				if isEmpty {
					err = errors.New("the plan is empty")
				}
				return err
			},
			converge: converge, keepsClaims: true,
		},
		{name: "create", prepare: func(*chaotic) {}, run: apply, converge: convergeCreate},
		{
			name: "adopt", prepare: (*chaotic).djangoSave,
			run: apply, adopts: true, converge: convergeCreate, keepsPods: true, keepsClaims: true,
		},
		{
			name: "import", prepare: (*chaotic).djangoSave,
			run: func(ctx context.Context, f *chaotic) error {
				if err := f.importClient(ctx); err != nil {
					return err
				}
				return f.apply(ctx)
			},
			converge: convergeImport, keepsPods: true, keepsClaims: true,
		},
		{
			name:    "update",
			prepare: func(f *chaotic) { f.serve(); f.edit("mira:3.0", "mira:3.1", ports, port) },
			run:     apply, converge: converge, keepsClaims: true,
		},
		{
			name: "recreate",
			prepare: func(f *chaotic) {
				f.serve()
				f.s.Patch(f.t, "StatefulSet", "mira-acme", "another-manager", `{"metadata":{"annotations":{"example.com/note":"keep"}}}`)
				f.edit("serviceName: mira\n", "serviceName: mira-acme\n")
			},
			run: apply, converge: converge, keepsPods: true, keepsClaims: true,
		},
		{
			name: "drop what the server would keep",
			prepare: func(f *chaotic) {
				f.edit(podSpec, podSpec+"      serviceAccountName: default\n")
				f.serve()
				f.edit("      serviceAccountName: default\n", "")
			},
			run: apply, converge: converge, keepsClaims: true,
		},
		{
			name:    "recreate a Service",
			prepare: func(f *chaotic) { f.serve(); f.edit("type: ClusterIP\n", headless) },
			run:     apply, converge: converge, keepsPods: true, keepsClaims: true,
		},
		{
			name:    "roll back",
			prepare: func(f *chaotic) { f.serve(); f.edit("mira:3.0", "mira-badpull:3.1", ports, port) },
			run:     apply, fails: true, converge: convergeRelease, keepsClaims: true,
		},
		{name: "destroy", prepare: (*chaotic).serve, run: destroy, converge: convergeDestroy, keepsClaims: true},
		{
			name:    "destroy with data",
			prepare: func(f *chaotic) { f.deleteData(); f.serve() },
			run:     destroy, converge: convergeDestroy,
		},
	}
}

// converge applies, and checks that nothing is left to do and that the client serves.
func converge(ctx context.Context, f *chaotic) error {
	if err := f.apply(ctx); err != nil {
		return fmt.Errorf("the next apply: %w", err)
	}
	isEmpty, err := f.plan(ctx)
	if err != nil {
		return fmt.Errorf("the plan after the next apply: %w", err)
	}
	if !isEmpty {
		return errors.New("the plan after the next apply is not empty")
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
func convergeCreate(ctx context.Context, f *chaotic) error {
	err := converge(ctx, f)
	if err == nil || !strings.Contains(err.Error(), "import") {
		return err
	}
	if isInState, stateErr := f.isInState(ctx); isInState || stateErr != nil {
		return errors.Join(err, stateErr)
	}
	f.adoptAny()
	return converge(ctx, f)
}

// convergeImport imports once more where nothing was imported.
func convergeImport(ctx context.Context, f *chaotic) error {
	isInState, err := f.isInState(ctx)
	if err == nil && !isInState {
		err = f.importClient(ctx)
	}
	if err != nil {
		return fmt.Errorf("the next import: %w", err)
	}
	return converge(ctx, f)
}

// convergeRelease corrects a bad release, which must show in the next plan.
func convergeRelease(ctx context.Context, f *chaotic) error {
	isEmpty, err := f.plan(ctx)
	if err != nil {
		return fmt.Errorf("planning the bad release again: %w", err)
	}
	if isEmpty {
		return errors.New("the next plan of the bad release is empty")
	}
	f.edit("mira-badpull:3.1", "mira:3.2")
	return converge(ctx, f)
}

func convergeDestroy(ctx context.Context, f *chaotic) error {
	isInState, err := f.isInState(ctx)
	if isInState {
		if err := f.destroy(ctx); err != nil {
			return fmt.Errorf("the next destroy: %w", err)
		}
		if isInState, err = f.isInState(ctx); isInState {
			return errors.New("the client is still in the state")
		}
	}
	if err != nil {
		return err
	}
	return f.s.CheckNoClients(f.t)
}

// observed is what a case must not change, or only in the way of its operation.
type observed struct {
	claims, pods map[string]string
	orphans      []string // pods without a StatefulSet
}

func observe(f *chaotic) observed {
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

// compare returns what is not as it has to be.
func (o chaosOperation) compare(f *chaotic, before, after observed) []string {
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
