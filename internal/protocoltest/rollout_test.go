package protocoltest_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// rollout applies one client of a sandbox again and again. Its provider waits for a
// second only before a failure counts, as kwok's pods never recover.
type rollout struct {
	*protocoltest.Core
	t *testing.T
	s *acctest.Sandbox
	// attributes of the resource.
	attributes map[string]any
}

// newRollout returns a client that is not there yet, of a template in a sandbox of its
// own.
func newRollout(t *testing.T, template string, gate map[string]any) *rollout {
	t.Helper()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, template)
	return rolloutIn(t, s, gate)
}

// rolloutIn returns a client that is not there yet, of a sandbox.
func rolloutIn(t *testing.T, s *acctest.Sandbox, gate map[string]any) *rollout {
	t.Helper()
	settings := map[string]any{"grace": "1s", "unschedulable_grace": "1s"}
	maps.Copy(settings, gate)
	return &rollout{
		Core: newCore(s, map[string]any{"rollout": settings}),
		t:    t, s: s,
		attributes: map[string]any{"name": "acme", "admin_email": "admin@acme.example", "wait_for_rollout": true, "delete_data": false},
	}
}

// newServing returns a client that serves the sample template.
func newServing(t *testing.T, gate map[string]any) *rollout {
	t.Helper()
	r := newRollout(t, acctest.SampleTemplate(t), gate)
	r.succeed()
	return r
}

// succeed applies, and checks that nothing is left to do.
func (r *rollout) succeed() {
	r.t.Helper()
	if _, err := r.Apply(r.t.Context(), r.attributes); err != nil {
		r.t.Fatal(err)
	}
	plan, err := r.Plan(r.t.Context(), r.attributes)
	if err != nil {
		r.t.Fatal(err)
	}
	if !plan.IsEmpty() {
		r.t.Fatalf("the plan after the apply is not empty:\n%s", plan)
	}
}

// fail applies, and checks that the error has all the words.
func (r *rollout) fail(words ...string) string {
	r.t.Helper()
	_, err := r.Apply(r.t.Context(), r.attributes)
	if err == nil {
		r.t.Fatal("the apply succeeded")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			r.t.Errorf("the error does not have %q:\n%v", word, err)
		}
	}
	return err.Error()
}

// destroy destroys, and checks that no object is left.
func (r *rollout) destroy() {
	r.t.Helper()
	if _, err := r.Apply(r.t.Context(), nil); err != nil {
		r.t.Fatal(err)
	}
	if err := r.s.CheckNoClients(r.t); err != nil {
		r.t.Fatal(err)
	}
}

// ownership returns what a roll back has to restore: the objects with their values and
// the owners of their fields, but without times and generations, which go on.
func ownership(t *testing.T, s *acctest.Sandbox) map[string]any {
	t.Helper()
	objects := s.Snapshot(t)
	for _, content := range objects {
		object := &unstructured.Unstructured{Object: content.(map[string]any)}
		object.SetGeneration(0)
		object.SetUID("")
		object.SetCreationTimestamp(metav1.Time{})
		entries := object.GetManagedFields()
		for i := range entries {
			entries[i].Time = nil
		}
		object.SetManagedFields(entries)
	}
	return objects
}

// serving waits until the StatefulSet serves with all its pods, and returns the revision that it serves.
func serving(t *testing.T, s *acctest.Sandbox) string {
	t.Helper()
	s.WaitReady(t)
	revision, _, _ := unstructured.NestedString(s.Get(t, "StatefulSet", "mira-acme").Object, "status", "currentRevision")
	return revision
}

// Whatever way a new revision fails, the error says what an operator needs, and the
// update is rolled back: the objects are what they were, the owners of their fields
// included, and the former revision serves.
func TestCore_rollout_failures(t *testing.T) {
	t.Parallel()
	sample, r := acctest.SampleTemplate(t), newServing(t, nil)
	s := r.s
	before, revision, claims := ownership(t, s), serving(t, s), s.UIDs(t, "PersistentVolumeClaim")

	const scheduling = "      terminationGracePeriodSeconds: 30\n"
	withInit := func(image string) []string {
		const containers = "      containers:\n      - name: mira\n"
		return []string{containers, "      initContainers:\n      - name: migrate\n        image: " + image + "\n" + containers}
	}
	for _, test := range []struct {
		name  string
		edits []string
		says  []string
	}{
		{
			"image that cannot be pulled", []string{"mira:3.0", "mira-badpull:3.1"},
			[]string{"container mira", "ImagePullBackOff", "mira-badpull:3.1"},
		},
		{"image name", []string{"mira:3.0", "mira-badname:3.1"}, []string{"container mira", "InvalidImageName", "mira-badname:3.1"}},
		{
			"crash loop", []string{"mira:3.0", "mira-crash:3.1"},
			[]string{
				"container mira", "CrashLoopBackOff", "exit code 1", "mira-crash:3.1",
				"last lines of the log of container mira", "FATAL",
			},
		},
		{"missing Secret", []string{"mira:3.0", "mira-badconfig:3.1"}, []string{"container mira", "CreateContainerConfigError", "Secret"}},
		{"cannot run", []string{"mira:3.0", "mira-runerror:3.1"}, []string{"container mira", "exit code 128"}},
		{"out of memory", []string{"mira:3.0", "mira-oom:3.1"}, []string{"container mira", "OOMKilled", "exit code 137, by signal 9"}},
		{"evicted", []string{"mira:3.0", "mira-evict:3.1"}, []string{"Evicted", "low on resource"}},
		{"init container crashes", withInit("migrate-crash:1"), []string{"init container migrate", "CrashLoopBackOff", "exit code 1"}},
		{"init container cannot be pulled", withInit("migrate-badpull:1"), []string{"init container migrate", "ImagePullBackOff"}},
		{
			"no node", []string{scheduling, scheduling + "      nodeSelector: {mira-cluster.io/none: here}\n"},
			[]string{"Unschedulable", "didn't match"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.t = t
			s.PutTemplate(t, acctest.Edit(t, sample, test.edits...))
			text := r.fail(append(test.says, "Rollout Failed And Was Rolled Back", `Client "acme"`, "pod mira-acme-0",
				"kubectl --namespace "+s.Namespace+" get events",
				"Rolled back to what it was before: StatefulSet "+s.Namespace+"/mira-acme", "The former revision serves again")...)
			t.Log(text)
			if got := serving(t, s); got != revision {
				t.Errorf("revision %s serves, not %s", got, revision)
			}
			if diff := cmp.Diff(before, ownership(t, s)); diff != "" {
				t.Errorf("the objects are not what they were (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(claims, s.UIDs(t, "PersistentVolumeClaim")); diff != "" {
				t.Errorf("claims (-before +after):\n%s", diff)
			}
			plan, err := r.Plan(t.Context(), r.attributes)
			if err != nil || plan.IsEmpty() {
				t.Errorf("the next plan does not show the update again: %v", err)
			}
		})
	}
	r.t = t

	// The corrected template goes through.
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.2"))
	r.succeed()
	s.WantImages(t, "mira:3.2")
	r.destroy()
}

// A rollout that neither fails nor ends in time is rolled back as well. The error lists
// what is pending.
func TestCore_rollout_timeout(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	r := newRollout(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2"), nil)
	s := r.s
	r.attributes["timeouts"] = map[string]any{"update": "15s"}
	r.succeed()
	before, revision := ownership(t, s), serving(t, s)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2", "mira:3.0", "mira-unready:3.1"))
	r.fail("Rollout Failed And Was Rolled Back", "did not complete within 1", "1 of 2 pods updated", "pod mira-acme-1",
		"The former revision serves again")
	if diff := cmp.Diff(before, ownership(t, s)); diff != "" || serving(t, s) != revision {
		t.Errorf("not what it was (-before +after):\n%s", diff)
	}
	r.destroy()
}

// A roll back returns to others what they owned, and recreates once more, around its
// claim, a StatefulSet that the failed update had recreated.
func TestCore_rollout_putsBackWhatOthersOwned(t *testing.T) {
	t.Parallel()
	sample, r := acctest.SampleTemplate(t), newServing(t, nil)
	s := r.s
	s.Patch(t, "Service", "mira-acme", "somebody", `{"metadata":{"annotations":{"example.com/note":"keep"}}}`)
	s.Patch(t, "Ingress", "mira-acme", "somebody", `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":"false"}}}`)
	s.Scale(t, "mira-acme", 2)
	s.WaitReady(t)
	before, revision, claims := ownership(t, s), serving(t, s), s.UIDs(t, "PersistentVolumeClaim")

	const extra = "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-metrics}\nspec: {ports: [{port: 9090}]}\n---\n"
	s.PutTemplate(t, extra+acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1", "serviceName: mira", "serviceName: mira-pods",
		"name: http\n    port: 80", "name: web\n    port: 80"))
	r.fail("ImagePullBackOff", "Deleted again, as this apply had created it: Service "+s.Namespace+"/mira-acme-metrics",
		"The former revision serves again")
	if diff := cmp.Diff(before, ownership(t, s)); diff != "" {
		t.Errorf("the objects are not what they were (-before +after):\n%s", diff)
	}
	if got := serving(t, s); got != revision {
		t.Errorf("revision %s serves, not %s", got, revision)
	}
	if diff := cmp.Diff(claims, s.UIDs(t, "PersistentVolumeClaim")); diff != "" {
		t.Errorf("claims (-before +after):\n%s", diff)
	}
	s.PutTemplate(t, sample)
	r.succeed()
	r.destroy()
}

// A new client that does not come up is deleted again, except for its claims, and is
// not in the state. One that was adopted becomes what it was.
func TestCore_rollout_createIsTakenBack(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	t.Run("new", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.0"), nil)
		s := r.s
		r.fail("Rollout Failed And Was Rolled Back", "CrashLoopBackOff",
			"Deleted again, as this apply had created it: StatefulSet "+s.Namespace+"/mira-acme", "Claims stay")
		if err := s.CheckNoClients(t); err != nil || r.State != nil {
			t.Errorf("%v; state: %s", err, r.State)
		}
		claims := s.UIDs(t, "PersistentVolumeClaim")
		if len(claims) != 1 {
			t.Errorf("claims: %v", claims)
		}
		s.PutTemplate(t, sample)
		r.succeed()
		if diff := cmp.Diff(claims, s.UIDs(t, "PersistentVolumeClaim")); diff != "" {
			t.Errorf("claims (-before +after):\n%s", diff)
		}
		r.destroy()
	})
	t.Run("without a volume", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t, sample, nil)
		s := r.s
		class := s.StorageClass(t, false)
		s.PutTemplate(t, acctest.Edit(t, sample, "      accessModes:\n", "      storageClassName: "+class+"\n      accessModes:\n"))
		r.fail("Rollout Failed And Was Rolled Back", "claim mira-data-mira-acme-0", "UnboundClaim", "StorageClass "+class, "Claims stay")
		if err := s.CheckNoClients(t); err != nil || r.State != nil {
			t.Errorf("%v; state: %s", err, r.State)
		}
	})
	t.Run("adopted", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"), nil)
		s := r.s
		s.DjangoSave(t, sample, "acme", "admin@acme.example")
		before, revision := ownership(t, s), serving(t, s)
		r.fail("Rollout Failed And Was Rolled Back", "ImagePullBackOff", "Rolled back to what it was before", "The former revision serves again")
		if diff := cmp.Diff(before, ownership(t, s)); diff != "" || r.State != nil {
			t.Errorf("not what it was (-before +after):\n%s\nstate: %s", diff, r.State)
		}
		if got := serving(t, s); got != revision {
			t.Errorf("revision %s serves, not %s", got, revision)
		}
		s.PutTemplate(t, sample)
		r.succeed()
		r.destroy()
	})
}

// With on_failure = "keep" everything stays for inspection: a new client is in the
// state (and tainted by the CLI), an update stays applied. A corrected template
// then goes through although the controller never replaces the broken pod.
func TestCore_rollout_keep(t *testing.T) {
	t.Parallel()
	sample, r := acctest.SampleTemplate(t), newServing(t, map[string]any{"on_failure": "keep"})
	s := r.s
	for _, bad := range []string{"mira-badpull:3.1", "mira-crash:3.2", "mira-badconfig:3.3"} {
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", bad))
		r.fail("Rollout Failed", `Client "acme"`)
		if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != bad {
			t.Errorf("the StatefulSet has image %s, not %s", got, bad)
		}
		if !strings.Contains(string(r.State), bad) {
			t.Errorf("the state does not have %s: %s", bad, r.State)
		}
	}
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.4"))
	r.succeed()
	s.WantImages(t, "mira:3.4")
	r.destroy()

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.5"))
	r.fail("Rollout Failed", "New Client Is Tainted", "CrashLoopBackOff")
	if r.State == nil || !s.Exists(t, "StatefulSet", "mira-acme") {
		t.Error("nothing was kept")
	}
	r.destroy()
}

// Where the rights do not include logs or events, the error says so, and reports the
// rest.
func TestCore_rollout_withoutRights(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	r := newRollout(t, sample, nil)
	s := r.s
	r.attributes["timeouts"] = map[string]any{"update": "15s"}
	r.succeed()
	s.Rights.Withdraw(t, "pods/log", "get")
	s.Rights.Withdraw(t, "events", "list")
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.1"))
	text := r.fail("CrashLoopBackOff", "exit code 1", "The former revision serves again")
	for _, kind := range []string{"log", "event"} {
		if !strings.Contains(text, kind) {
			t.Errorf("the error does not say that there is no %s:\n%s", kind, text)
		}
	}
	s.PutTemplate(t, sample)
	r.succeed()
	r.destroy()
}

// The error of a roll back that fails says what state each object is in, and the next
// apply starts from there.
func TestCore_rollout_rollBackFails(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	t.Run("refused by the server", func(t *testing.T) {
		t.Parallel()
		r := newServing(t, nil)
		s := r.s
		// What has the bad image must not get another one.
		const image = "spec.template.spec.containers[0].image"
		lift := s.Admission.Deny(t, "statefulsets", "request.operation == 'CREATE' || "+
			"oldObject."+image+".contains('badpull') && !object."+image+".contains('badpull')", acctest.StatefulSetProbe())
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1", "name: http\n    port: 80", "name: web\n    port: 80"))
		r.fail("Rollout And Roll Back Failed", "ImagePullBackOff", "Rolled back to what it was before: Service "+s.Namespace+"/mira-acme.",
			"StatefulSet "+s.Namespace+"/mira-acme could not be put back, and is still as the failed rollout left it", "forbidden by the test")
		if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != "mira-badpull:3.1" {
			t.Errorf("the StatefulSet has image %s", got)
		}
		r.pending()
		lift()
		s.PutTemplate(t, sample)
		r.succeed()
		s.WantImages(t, "mira:3.0")
		r.destroy()
	})
	t.Run("the former revision does not serve either", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.0"), nil)
		s := r.s
		r.attributes["wait_for_rollout"] = false
		r.succeed()
		r.attributes["wait_for_rollout"] = true
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
		r.fail("Rollout And Roll Back Failed", "ImagePullBackOff", "Rolled back to what it was before: StatefulSet "+s.Namespace+"/mira-acme.",
			"The former revision does not serve", "CrashLoopBackOff")
		s.PutTemplate(t, sample)
		r.succeed()
		r.destroy()
	})
}
