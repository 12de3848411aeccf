package protocoltest_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

const restartAction = "mira_client_restart"

// restart restarts clients at the same time, in one run.
func restart(t *testing.T, c *protocoltest.Core, names ...string) []protocoltest.Invocation {
	t.Helper()
	configurations := make([]map[string]any, 0, len(names))
	for _, name := range names {
		configurations = append(configurations, map[string]any{"name": name})
	}
	return c.Invoke(t.Context(), restartAction, configurations...)
}

// denyPods has the cluster create no more pods, as an exhausted quota does.
func denyPods(t *testing.T, s *acctest.Sandbox) (lift func()) {
	t.Helper()
	return s.Admission.Deny(t, "pods", "request.operation == 'CREATE'", &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "probe", "image": "probe:1"}}},
	}})
}

func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
}

// A restart replaces the pods and changes nothing else: the next plan is empty, and an
// update after it neither restarts the pods again nor takes the restart's mark away.
func TestCore_restart(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s := r.s
	before, pods := ownership(t, s), s.UIDs(t, "Pod")
	done := restart(t, r.Core, "acme")[0]
	if done.Err != nil || len(done.Warnings) > 0 {
		t.Fatalf("the restart failed: %v, %v", done.Err, done.Warnings)
	}
	of := `Client "acme": StatefulSet ` + s.Namespace + "/mira-acme"
	if first, last := done.Messages[0], done.Messages[len(done.Messages)-1]; first != of+" restarts its pods (1)." ||
		last != of+" serves with new pods (1)." || len(done.Messages) < 3 {
		t.Errorf("the progress is\n%s", strings.Join(done.Messages, "\n"))
	}
	restarted := s.UIDs(t, "Pod")
	if restarted["mira-acme-0"] == pods["mira-acme-0"] || restarted["mira-acme-0"] == "" {
		t.Errorf("the pod was not replaced: %v, then %v", pods, restarted)
	}
	mark := []any{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}
	if diff := cmp.Diff([]string{"terraform-provider-mira-restart Update"}, s.Owners(t, "StatefulSet", "mira-acme", mark...)); diff != "" {
		t.Errorf("owners of the annotation (-want +got):\n%s", diff)
	}
	for key, object := range ownership(t, s) {
		if !strings.Contains(key, "StatefulSet") {
			if diff := cmp.Diff(before[key], object); diff != "" {
				t.Errorf("%s was changed (-before +after):\n%s", key, diff)
			}
		}
	}
	r.succeed() // the plan is empty

	r.attributes["admin_email"] = "other@acme.example"
	r.succeed()
	if diff := cmp.Diff([]string{"terraform-provider-mira-restart Update"}, s.Owners(t, "StatefulSet", "mira-acme", mark...)); diff != "" {
		t.Errorf("owners of the annotation after an update (-want +got):\n%s", diff)
	}

	// kubectl takes the mark over, and gives it back.
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-rollout",
		`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`)
	s.WaitReady(t)
	if done := restart(t, r.Core, "acme")[0]; done.Err != nil {
		t.Fatal(done.Err)
	}
	if diff := cmp.Diff([]string{"terraform-provider-mira-restart Update"}, s.Owners(t, "StatefulSet", "mira-acme", mark...)); diff != "" {
		t.Errorf("owners of the annotation after one of kubectl's (-want +got):\n%s", diff)
	}
	r.succeed()
	r.destroy()
}

// A client that is adopted after its restart keeps the mark of it.
func TestCore_restart_recreatedAndAdopted(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s := r.s
	if done := restart(t, r.Core, "acme")[0]; done.Err != nil {
		t.Fatal(done.Err)
	}
	pods := s.UIDs(t, "Pod")
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "serviceName: mira\n", "serviceName: mira-acme\n"))
	r.succeed()
	if diff := cmp.Diff(pods, s.UIDs(t, "Pod")); diff != "" {
		t.Errorf("the recreation has restarted pods (-before +after):\n%s", diff)
	}
	r.State, r.Private = nil, nil
	r.Provider["adopt"], r.Provider["field_manager"] = "any", "another-name"
	r.succeed()
	if diff := cmp.Diff(pods, s.UIDs(t, "Pod")); diff != "" {
		t.Errorf("the adoption has restarted pods (-before +after):\n%s", diff)
	}
	r.destroy()
}

// A restart that fails says why and what is to be done, and closes the gate for all others. The
// next plan shows the rollout, and its apply sees it through once the cause is gone.
func TestCore_restart_fails(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s := r.s
	other := rolloutIn(t, s, nil)
	other.attributes["name"] = "globex"
	other.succeed()
	lift := denyPods(t, s)
	done := restart(t, r.Core, "acme", "globex")
	slices.SortFunc(done, func(a, b protocoltest.Invocation) int { return len(b.Messages) - len(a.Messages) })
	wantWords(t, done[0].Err.Error(), "Client Restart Failed", "FailedCreate", "forbidden by the test", "A restart is not rolled back")
	wantWords(t, done[1].Err.Error(), "Restart Not Begun", "no more rollouts are started in this run", "This client was not restarted")
	wantWords(t, strings.Join(done[1].Messages, "\n"), "waits for the restarts and updates of other clients to end")
	failed, untouched := r, other
	if strings.Contains(done[1].Err.Error(), `Client "acme": no more`) {
		failed, untouched = other, r
	}
	failed.pending()
	plan, err := untouched.Plan(t.Context(), untouched.attributes)
	if err != nil || !plan.IsEmpty() {
		t.Errorf("the plan of the client that was not restarted: %v, %v", plan, err)
	}
	failed.fail("Client Rollout Failed", "FailedCreate")
	lift()
	// The StatefulSet controller tries again after a pause, which may be longer than the grace of the test.
	s.WaitFor(t, "Pod", "those of both clients", func(pods []*unstructured.Unstructured) bool { return len(pods) == 2 })
	failed.succeed()
}

// Where the process died after it had written, the next plan shows the rollout, and its apply
// waits for its end.
func TestCore_restart_killed(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	ctx, kill := context.WithCancel(t.Context())
	s.Intercept(t, func(q *http.Request) {
		if q.URL.Query().Get("watch") == "true" && isRestarted(t, s) {
			kill()
		}
	})
	r := rolloutIn(t, s, nil)
	r.succeed()
	pods := s.UIDs(t, "Pod")
	lift := denyPods(t, s) // the rollout cannot end meanwhile
	done := r.Invoke(ctx, restartAction, map[string]any{"name": "acme"})[0]
	if ctx.Err() == nil {
		t.Fatalf("the restart did not wait: %v", done.Err)
	}
	wantWords(t, done.Err.Error(), "Restart Outcome Unknown", "was interrupted", "a plan shows the client's `rollout` as pending")
	r.pending()
	lift()
	r.succeed()
	if now := s.UIDs(t, "Pod"); now["mira-acme-0"] == pods["mira-acme-0"] {
		t.Error("the pod was not replaced")
	}
}

// isRestarted reports whether the StatefulSet of acme has the mark of a restart.
func isRestarted(t *testing.T, s *acctest.Sandbox) bool {
	t.Helper()
	if !s.Exists(t, "StatefulSet", "mira-acme") {
		return false
	}
	object := s.Get(t, "StatefulSet", "mira-acme").Object
	annotations, _, _ := unstructured.NestedStringMap(object, "spec", "template", "metadata", "annotations")
	return annotations["kubectl.kubernetes.io/restartedAt"] != ""
}

// What cannot be restarted is said, and nothing is changed.
func TestCore_restart_refused(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s := r.s
	patch := func(spec string) func() {
		return func() { s.Patch(t, "StatefulSet", "mira-acme", "kubectl-patch", `{"spec":`+spec+`}`) }
	}
	for _, test := range []struct {
		name    string
		client  string // acme if empty
		arrange func()
		warns   bool
		want    []string
	}{
		{name: "no such client", client: "initech", want: []string{
			"Client Cannot Be Restarted", "no object with the label mira-cluster.io/client=initech", "import and apply it first",
		}},
		{name: "an invalid name", client: "Acme!", want: []string{"Invalid Client Name"}},
		{name: "OnDelete", arrange: patch(`{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}`), want: []string{
			"Client Cannot Be Restarted", "the update strategy OnDelete", "kubectl delete pod -n ", " mira-acme-0",
		}},
		{name: "partition", arrange: patch(`{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":1}}}`), want: []string{
			"Client Cannot Be Restarted", "stand below spec.updateStrategy.rollingUpdate.partition",
		}},
		{name: "the template sets the annotation", arrange: func() {
			s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t), "        client: %CLIENT_NAME%\n    spec:\n",
				"        client: %CLIENT_NAME%\n      annotations:\n        kubectl.kubernetes.io/restartedAt: '2025-01-01T00:00:00Z'\n    spec:\n"))
			patch(`{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":0}}}`)()
			r.succeed()
		}, want: []string{
			"Client Cannot Be Restarted", "the client template sets the annotation", "Take the annotation out of the template",
		}},
		{name: "stopped", arrange: func() {
			s.PutTemplate(t, acctest.SampleTemplate(t))
			r.succeed()
			patch(`{"replicas":0}`)()
		}, warns: true, want: []string{`Client Is Stopped (Client "acme")`, "0 replicas"}},
		{name: "no StatefulSet", arrange: func() { s.Delete(t, "StatefulSet", "mira-acme") }, want: []string{
			"Client Cannot Be Restarted", "it has no StatefulSet", "Service/mira-acme and the like",
		}},
	} {
		if test.arrange != nil {
			test.arrange()
		}
		specs := func() []any {
			var specs []any
			for _, set := range s.List(t, "StatefulSet") {
				specs = append(specs, set.Object["spec"])
			}
			return specs
		}
		before := specs()
		client := test.client
		if client == "" {
			client = "acme"
		}
		done := restart(t, r.Core, client)[0]
		text := strings.Join(done.Warnings, "\n")
		if !test.warns {
			if done.Err == nil {
				t.Fatalf("%s: the restart succeeded", test.name)
			}
			text = done.Err.Error()
		} else if done.Err != nil {
			t.Fatalf("%s: %v", test.name, done.Err)
		}
		wantWords(t, text, test.want...)
		if diff := cmp.Diff(before, specs()); diff != "" {
			t.Errorf("%s: the StatefulSet was changed (-before +after):\n%s", test.name, diff)
		}
	}
}

// A write whose answer is lost is repeated, and restarts the pods once.
func TestCore_restart_lostAnswer(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	faults := acctest.NewFaults(t, s)
	r := rolloutIn(t, s, nil)
	r.succeed()
	for _, fault := range acctest.TransientFaults() {
		if fault.Name != "answer lost" && fault.Name != "503" {
			continue
		}
		generation := s.Get(t, "StatefulSet", "mira-acme").GetGeneration()
		faults.Inject(fault, 1, func(q *http.Request) bool { return q.Method == http.MethodPatch })
		if done := restart(t, r.Core, "acme")[0]; done.Err != nil {
			t.Fatalf("%s: %v", fault.Name, done.Err)
		}
		if now := s.Get(t, "StatefulSet", "mira-acme").GetGeneration(); now != generation+1 {
			t.Errorf("%s: generation %d, then %d", fault.Name, generation, now)
		}
	}
	r.destroy()
}
