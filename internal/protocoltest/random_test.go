package protocoltest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// Whatever is done to a template and to a client's objects, an apply makes the client
// what the template says, and the plan is empty afterwards. No pod is restarted without
// need, and no claim is replaced. Each seed is a client of its own.
//
// MIRA_RANDOM_SEED runs one other seed, such as that of a failure elsewhere, and
// MIRA_RANDOM_STEPS sets the number of steps.
func TestCore_random(t *testing.T) {
	t.Parallel()
	acctest.RequireCluster(t)
	steps := 75
	if text := os.Getenv("MIRA_RANDOM_STEPS"); text != "" {
		var err error
		if steps, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seeds := []uint64{1, 2, 3, 4}
	if text := os.Getenv("MIRA_RANDOM_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			newRunner(t, seed).run(steps)
		})
	}
}

// runner takes one client through random steps.
type runner struct {
	t      *testing.T
	s      *acctest.Sandbox
	r      *rand.Rand
	core   *protocoltest.Core
	client string

	template, applied choices                   // for the next apply, and of the last one
	began             snapshot                  // of the cluster, when the last step had settled
	foreign           map[string]map[string]any // what controllers have added: path to value, by object
	step              stepFacts
}

// stepFacts are what the checks of a step have to know about it.
type stepFacts struct {
	touched     bool            // what the template says was changed by hand
	touchedPods bool            // the pod template was changed by hand
	deleted     map[string]bool // objects deleted by hand
	killed      bool            // their pods were deleted, too
	low         int             // the least number of replicas in between
	lost        map[string]bool // pods deleted by hand
}

func newRunner(t *testing.T, seed uint64) *runner {
	s := acctest.NewSandbox(t)
	r := rand.New(rand.NewPCG(seed, 0))
	k := &runner{
		t: t, s: s, r: r,
		core:     newCore(s, nil),
		client:   []string{"acme", "1e3", "null"}[seed%3], // as YAML would not take for strings
		template: firstTemplate(r),
		foreign:  map[string]map[string]any{},
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d, client %s; the template:\n%s", seed, k.client, k.template.text())
		}
	})
	return k
}

func (k *runner) run(steps int) {
	k.t.Helper()
	for step := range steps {
		k.step = stepFacts{deleted: map[string]bool{}, lost: map[string]bool{}, low: k.applied.Replicas}
		var did []string
		if step > 0 {
			for range pick(k.r, []int{0, 1, 1, 2, 3}) {
				did = append(did, k.template.edit(k.r))
			}
			if k.r.IntN(2) == 0 {
				did = append(did, k.tryFirst())
			}
			for range pick(k.r, []int{0, 0, 1, 1, 2}) {
				did = append(did, k.disturb())
			}
		}
		k.step.low = min(k.step.low, k.template.Replicas)
		k.t.Logf("step %d: %s", step, strings.Join(slices.DeleteFunc(did, func(what string) bool { return what == "" }), "; "))
		k.s.PutTemplate(k.t, k.template.text())
		if step == 0 && k.client == "acme" { // the Django controller could not create the others
			k.s.DjangoSave(k.t, k.template.text(), k.client, k.template.Email)
		}
		if err := k.converge(); err != nil {
			k.t.Fatalf("step %d: %v", step, err)
		}
	}
	for _, rpc := range []string{"UpgradeResourceState", "ReadResource", "PlanResourceChange"} {
		answers := k.core.FastAnswers(rpc)
		if answers == 0 {
			k.t.Fatalf("the fast path has answered no %s", rpc)
		}
		k.t.Logf("the fast path has answered %d times %s", answers, rpc)
	}
	k.core.Provider = k.providerBlock()
	if _, err := k.core.Apply(k.t.Context(), nil); err != nil {
		k.t.Fatalf("destroying: %v", err)
	}
	if err := k.s.CheckNoClients(k.t); err != nil {
		k.t.Fatal(err)
	}
	if diff := cmp.Diff(k.began.claims, k.s.UIDs(k.t, "PersistentVolumeClaim")); diff != "" {
		k.t.Fatalf("claims after destroying (-before +after):\n%s", diff)
	}
}

func (k *runner) providerBlock() map[string]any {
	variables := map[string]any{}
	for name, value := range k.template.fleetVariables() {
		variables[name] = value
	}
	return map[string]any{
		"namespace": k.s.Namespace, "cluster_domain": acctest.Domain, "template": map[string]any{"namespace": k.s.Namespace},
		"kubernetes": map[string]any{"config_path": k.s.Kubeconfig}, "variables": variables,
		"rollout": map[string]any{"soak": "0s"}, // no pod of this test fails
	}
}

func (k *runner) resourceBlock(c choices) map[string]any {
	block := map[string]any{"name": k.client, "admin_email": c.Email, "wait_for_rollout": c.Wait}
	if len(c.Variables) > 0 {
		variables := map[string]any{}
		for name, value := range c.Variables {
			variables[name] = value
		}
		block["variables"] = variables
	}
	if c.Patient {
		block["timeouts"] = map[string]any{"update": "20m"}
	}
	return block
}

// converge applies, and checks all that has to hold then.
func (k *runner) converge() error {
	ctx := k.t.Context()
	isFirst := k.began.objects == nil
	generation := int64(0)
	for _, set := range k.s.List(k.t, "StatefulSet") {
		generation = set.GetGeneration()
	}
	wanted, wasWanted := k.wanted(k.template), k.wanted(k.applied)
	sameConfig := cmp.Equal(k.resourceBlock(k.template), k.resourceBlock(k.applied))
	isQuiet := !isFirst && !k.step.touched && sameConfig && cmp.Equal(wanted, wasWanted)
	k.core.Provider = k.providerBlock()
	plan, err := k.core.Apply(ctx, k.resourceBlock(k.template))
	switch {
	case err != nil:
		return err
	case isQuiet && !plan.IsEmpty():
		return fmt.Errorf("nothing changed, but the plan does:\n%v", plan)
	}
	applied := k.core.State
	after := k.snapshot()
	if isRolledOut := k.ready(); k.template.Wait && generation != after.generation && isRolledOut != nil {
		return fmt.Errorf("the apply was to wait for the rollout: %w", isRolledOut)
	}

	again, err := k.core.Plan(ctx, k.resourceBlock(k.template))
	switch {
	case err != nil:
		return fmt.Errorf("planning after the apply: %w", err)
	case !again.IsEmpty():
		return fmt.Errorf("the plan is not empty after the apply:\n%v", again)
	case !bytes.Equal(applied, k.core.State):
		return fmt.Errorf("the state is not what a refresh gives (-state +refreshed):\n%s", cmp.Diff(string(applied), string(k.core.State)))
	}

	samePodTemplate := !k.step.touchedPods && cmp.Equal(podFields(wanted), podFields(wasWanted))
	err = errors.Join(
		k.checkObjects(wasWanted, wanted, after),
		k.checkPods(after, samePodTemplate && !isFirst),
	)
	k.applied = k.template.clone()
	if err != nil {
		return err
	}
	k.settle()
	last := k.began
	k.began = k.snapshot()
	return errors.Join(k.samePods(last, samePodTemplate && !isFirst), k.checkClaims(last))
}

// wanted returns the fields that a template says, by object.
func (k *runner) wanted(c choices) map[string]map[string]any {
	wanted := map[string]map[string]any{}
	if c.Tags == nil {
		return wanted
	}
	replace := c.values(k.client, acctest.Domain)
	for _, object := range c.objects() {
		fields := flatten(object, replace)
		wanted[fmt.Sprintf("%s/%s", fields["kind"], fields["metadata.name"])] = fields
	}
	return wanted
}

func podFields(wanted map[string]map[string]any) map[string]any {
	fields := map[string]any{}
	for key, object := range wanted {
		for path, value := range object {
			if strings.HasPrefix(key, "StatefulSet/") && strings.HasPrefix(path, "spec.template.") {
				fields[path] = value
			}
		}
	}
	return fields
}

// defaulted are fields that the server sets where nobody else does.
var defaulted = []string{"terminationGracePeriodSeconds", "protocol"}

// dropped returns the fields that the template had and does not have any more.
func dropped(before, now map[string]any) []string {
	var paths []string
	for path := range before {
		isDefaulted := slices.ContainsFunc(defaulted, func(field string) bool { return strings.HasSuffix(path, "."+field) })
		if _, ok := now[path]; !ok && !isDefaulted && !strings.HasSuffix(path, "#") {
			paths = append(paths, path)
		}
	}
	return paths
}

// checkObjects compares the live objects with what the template says.
func (k *runner) checkObjects(before, wanted map[string]map[string]any, after snapshot) error {
	var wrong []error
	for key, fields := range wanted {
		object := after.objects[key]
		if object == nil {
			wrong = append(wrong, fmt.Errorf("%s is not there", key))
			continue
		}
		wrong = append(wrong, k.checkFields(key, before[key], fields, object), k.checkReplaced(key, object))
	}
	for key := range after.objects {
		if wanted[key] == nil {
			wrong = append(wrong, fmt.Errorf("%s is still there, although the template has dropped it", key))
		}
	}
	for key := range before {
		if wanted[key] == nil {
			delete(k.foreign, key)
		}
	}
	return errors.Join(wrong...)
}

// checkFields compares one object with what the template says, and with what it said
// before.
func (k *runner) checkFields(key string, before, wanted map[string]any, object *unstructured.Unstructured) error {
	var wrong []error
	live, others := flatten(object.Object, nil), ownersOf(k.t, object)
	for path, value := range wanted {
		if has, ok := live[path]; has != value && (ok || value != "") { // an empty text is the same as none
			wrong = append(wrong, fmt.Errorf("%s %s is %v, not %v", key, path, has, value))
		}
	}
	for _, path := range dropped(before, wanted) {
		if value, ok := live[path]; ok && others[path] == "" {
			wrong = append(wrong, fmt.Errorf("%s %s is still %v, although the template has dropped it", key, path, value))
		}
	}
	if k.step.deleted[key] {
		delete(k.foreign, key)
	}
	for path, value := range k.foreign[key] {
		if live[path] != value {
			wrong = append(wrong, fmt.Errorf("%s %s, which is a controller's, is %v, not %v", key, path, live[path], value))
		}
	}
	return errors.Join(wrong...)
}

// checkReplaced returns an error for an object that was replaced although nobody
// deleted it, and it could be changed in place.
func (k *runner) checkReplaced(key string, object *unstructured.Unstructured) error {
	isRecreated := recreated(k.applied, k.template) && object.GetKind() == "StatefulSet"
	was, ok := k.began.objects[key]
	if ok && was.GetUID() != object.GetUID() && !k.step.deleted[key] && !isRecreated {
		return fmt.Errorf("%s was replaced", key)
	}
	return nil
}

// recreated reports whether the StatefulSet cannot be changed in place.
func recreated(a, b choices) bool {
	return a.ServiceName != b.ServiceName || a.PodManagement != b.PodManagement || a.Storage != b.Storage
}

// checkPods returns an error where nothing asked for another pod template, and the live
// one has changed all the same, if only in a default.
func (k *runner) checkPods(after snapshot, same bool) error {
	if !same || k.step.deleted["StatefulSet/mira-"+k.client] {
		return nil
	}
	if diff := cmp.Diff(k.began.podTemplate, after.podTemplate); diff != "" {
		return fmt.Errorf("the pod template changed without need (-before +after):\n%s", diff)
	}
	return nil
}

// samePods returns an error for a pod that was replaced without need, or restarted.
func (k *runner) samePods(last snapshot, same bool) error {
	for _, pod := range k.s.List(k.t, "Pod") {
		statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
		for _, status := range statuses {
			if count, _, _ := unstructured.NestedInt64(status.(map[string]any), "restartCount"); count > 0 {
				return fmt.Errorf("pod %s has restarted", pod.GetName())
			}
		}
	}
	// A new StatefulSet may put the same fields in another order.
	if !same || k.step.killed || !cmp.Equal(last.podTemplate, k.began.podTemplate) {
		return nil
	}
	for i := range k.step.low {
		name := fmt.Sprintf("mira-%s-%d", k.client, i)
		if last.pods[name] != k.began.pods[name] && !k.step.lost[name] {
			return fmt.Errorf("pod %s was replaced without need", name)
		}
	}
	return nil
}

// checkClaims returns an error for a claim that was replaced, or is smaller than it was.
func (k *runner) checkClaims(last snapshot) error {
	asked := resource.MustParse(fmt.Sprintf("%dGi", k.template.Storage))
	for name, uid := range last.claims {
		if k.began.claims[name] != uid {
			return fmt.Errorf("claim %s was replaced", name)
		}
	}
	for name, storage := range k.began.storage {
		if has := last.storage[name]; storage.Cmp(has) < 0 || storage.Cmp(asked) < 0 {
			return fmt.Errorf("claim %s has %s; it had %s, and the template asks for %s", name, storage.String(), has.String(), asked.String())
		}
	}
	return nil
}
