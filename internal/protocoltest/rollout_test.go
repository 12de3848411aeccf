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

// patient drives one client of a sandbox, with a gate that gives a failure little
// time, as kwok's pods never recover.
type patient struct {
	*protocoltest.Core
	t *testing.T
	s *acctest.Sandbox
	// attributes of the resource.
	attributes map[string]any
}

func newPatient(t *testing.T, s *acctest.Sandbox, rollout map[string]any) *patient {
	t.Helper()
	settings := map[string]any{"grace": "1s", "unschedulable_grace": "1s"}
	maps.Copy(settings, rollout)
	return &patient{
		Core: newCore(s, map[string]any{"rollout": settings}),
		t:    t, s: s,
		attributes: map[string]any{"name": "acme", "admin_email": "admin@acme.example", "wait_for_rollout": true, "delete_data": false},
	}
}

// succeed applies, and checks that nothing is left to do.
func (p *patient) succeed() {
	p.t.Helper()
	if _, err := p.Apply(p.t.Context(), p.attributes); err != nil {
		p.t.Fatal(err)
	}
	plan, err := p.Plan(p.t.Context(), p.attributes)
	if err != nil {
		p.t.Fatal(err)
	}
	if !plan.IsEmpty() {
		p.t.Fatalf("the plan after the apply is not empty:\n%s", plan)
	}
}

// fail applies, and checks that the error has all the words.
func (p *patient) fail(words ...string) string {
	p.t.Helper()
	_, err := p.Apply(p.t.Context(), p.attributes)
	if err == nil {
		p.t.Fatal("the apply succeeded")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			p.t.Errorf("the error does not have %q:\n%v", word, err)
		}
	}
	return err.Error()
}

// destroy ends the test of a client.
func (p *patient) destroy() {
	p.t.Helper()
	if _, err := p.Apply(p.t.Context(), nil); err != nil {
		p.t.Fatal(err)
	}
	if err := p.s.CheckNoClients(p.t); err != nil {
		p.t.Fatal(err)
	}
}

// ownership is what a roll back has to restore of the objects, beyond their values:
// who owns what. Times and generations go on.
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

// serving gives the revision that a StatefulSet serves with all its pods.
func serving(t *testing.T, s *acctest.Sandbox) string {
	t.Helper()
	s.WaitReady(t)
	revision, _, _ := unstructured.NestedString(s.Get(t, "StatefulSet", "mira-acme").Object, "status", "currentRevision")
	return revision
}

// Each way in which a new revision can fail is told in words that help, and taken
// back: the objects are again what they were, down to who owns what, and the former
// revision serves.
func TestCore_rollout_failures(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	p := newPatient(t, s, nil)
	p.succeed()
	before, revision, claims := ownership(t, s), serving(t, s), s.UIDs(t, "PersistentVolumeClaim")

	const scheduling = "      terminationGracePeriodSeconds: 30\n"
	withInit := func(image string) []string {
		return []string{"      containers:\n      - name: mira\n", "      initContainers:\n      - name: migrate\n        image: " + image + "\n      containers:\n      - name: mira\n"}
	}
	for _, test := range []struct {
		name  string
		edits []string
		says  []string
	}{
		{"image that cannot be pulled", []string{"mira:3.0", "mira-badpull:3.1"}, []string{"container mira", "ImagePullBackOff", "mira-badpull:3.1"}},
		{"image name", []string{"mira:3.0", "mira-badname:3.1"}, []string{"container mira", "InvalidImageName", "mira-badname:3.1"}},
		{"crash loop", []string{"mira:3.0", "mira-crash:3.1"}, []string{"container mira", "CrashLoopBackOff", "exit code 1", "mira-crash:3.1", "last lines of the log of container mira", "FATAL"}},
		{"missing Secret", []string{"mira:3.0", "mira-badconfig:3.1"}, []string{"container mira", "CreateContainerConfigError", "Secret"}},
		{"cannot run", []string{"mira:3.0", "mira-runerror:3.1"}, []string{"container mira", "exit code 128"}},
		{"out of memory", []string{"mira:3.0", "mira-oom:3.1"}, []string{"container mira", "OOMKilled", "exit code 137, by signal 9"}},
		{"evicted", []string{"mira:3.0", "mira-evict:3.1"}, []string{"Evicted", "low on resource"}},
		{"init container crashes", withInit("migrate-crash:1"), []string{"init container migrate", "CrashLoopBackOff", "exit code 1"}},
		{"init container cannot be pulled", withInit("migrate-badpull:1"), []string{"init container migrate", "ImagePullBackOff"}},
		{"no node", []string{scheduling, scheduling + "      nodeSelector: {mira-cluster.io/none: here}\n"}, []string{"Unschedulable", "didn't match"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.t = t
			s.PutTemplate(t, acctest.Edit(t, sample, test.edits...))
			text := p.fail(append(test.says, "Rollout Failed And Was Rolled Back", `Client "acme"`, "pod mira-acme-0",
				"kubectl --namespace "+s.Namespace+" get events", "Rolled back to what it was before: StatefulSet "+s.Namespace+"/mira-acme", "The former revision serves again")...)
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
			plan, err := p.Plan(t.Context(), p.attributes)
			if err != nil || plan.IsEmpty() {
				t.Errorf("the next plan does not show the update again: %v", err)
			}
		})
	}
	p.t = t

	// The corrected template goes through.
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.2"))
	p.succeed()
	s.WantImages(t, "mira:3.2")
	p.destroy()
}

// A rollout that neither fails nor ends in time lists what is pending, and is taken
// back as well.
func TestCore_rollout_timeout(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2"))
	p := newPatient(t, s, nil)
	p.attributes["timeouts"] = map[string]any{"update": "15s"}
	p.succeed()
	before, revision := ownership(t, s), serving(t, s)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2", "mira:3.0", "mira-unready:3.1"))
	p.fail("Rollout Failed And Was Rolled Back", "did not complete within 1", "1 of 2 pods updated", "pod mira-acme-1", "The former revision serves again")
	if diff := cmp.Diff(before, ownership(t, s)); diff != "" || serving(t, s) != revision {
		t.Errorf("not what it was (-before +after):\n%s", diff)
	}
	p.destroy()
}

// What others own goes back to them with the roll back, and a StatefulSet that the
// failed update had recreated is recreated once more, around its claim.
func TestCore_rollout_putsBackWhatOthersOwned(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	p := newPatient(t, s, nil)
	p.succeed()
	s.Patch(t, "Service", "mira-acme", "somebody", `{"metadata":{"annotations":{"example.com/note":"keep"}}}`)
	s.Patch(t, "Ingress", "mira-acme", "somebody", `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":"false"}}}`)
	s.Scale(t, "mira-acme", 2)
	s.WaitReady(t)
	before, revision, claims := ownership(t, s), serving(t, s), s.UIDs(t, "PersistentVolumeClaim")

	const extra = "apiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-metrics}\nspec: {ports: [{port: 9090}]}\n---\n"
	s.PutTemplate(t, extra+acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1", "serviceName: mira", "serviceName: mira-pods", "name: http\n    port: 80", "name: web\n    port: 80"))
	p.fail("ImagePullBackOff", "Deleted again, as this apply had created it: Service "+s.Namespace+"/mira-acme-metrics", "The former revision serves again")
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
	p.succeed()
	p.destroy()
}

// A new client that does not come up is taken away again, but for its claims, and
// does not enter the state. One that was adopted is put back as it was.
func TestCore_rollout_createIsTakenBack(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	t.Run("new", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.0"))
		p := newPatient(t, s, nil)
		p.fail("Rollout Failed And Was Rolled Back", "CrashLoopBackOff", "Deleted again, as this apply had created it: StatefulSet "+s.Namespace+"/mira-acme", "Claims stay")
		if err := s.CheckNoClients(t); err != nil || p.State != nil {
			t.Errorf("%v; state: %s", err, p.State)
		}
		claims := s.UIDs(t, "PersistentVolumeClaim")
		if len(claims) != 1 {
			t.Errorf("claims: %v", claims)
		}
		s.PutTemplate(t, sample)
		p.succeed()
		if diff := cmp.Diff(claims, s.UIDs(t, "PersistentVolumeClaim")); diff != "" {
			t.Errorf("claims (-before +after):\n%s", diff)
		}
		p.destroy()
	})
	t.Run("without a volume", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		class := s.StorageClass(t, false)
		s.PutTemplate(t, acctest.Edit(t, sample, "      accessModes:\n", "      storageClassName: "+class+"\n      accessModes:\n"))
		p := newPatient(t, s, nil)
		p.fail("Rollout Failed And Was Rolled Back", "claim mira-data-mira-acme-0", "UnboundClaim", "StorageClass "+class, "Claims stay")
		if err := s.CheckNoClients(t); err != nil || p.State != nil {
			t.Errorf("%v; state: %s", err, p.State)
		}
	})
	t.Run("adopted", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		s.DjangoSave(t, sample, "acme", "admin@acme.example")
		before, revision := ownership(t, s), serving(t, s)
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
		p := newPatient(t, s, nil)
		p.fail("Rollout Failed And Was Rolled Back", "ImagePullBackOff", "Rolled back to what it was before", "The former revision serves again")
		if diff := cmp.Diff(before, ownership(t, s)); diff != "" || p.State != nil {
			t.Errorf("not what it was (-before +after):\n%s\nstate: %s", diff, p.State)
		}
		if got := serving(t, s); got != revision {
			t.Errorf("revision %s serves, not %s", got, revision)
		}
		s.PutTemplate(t, sample)
		p.succeed()
		p.destroy()
	})
}

// With on_failure = "keep" everything stays for inspection: a new client is in the
// state (and tainted by the CLI), an update stays applied. A corrected template
// then goes through although the controller never replaces the broken pod.
func TestCore_rollout_keep(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	p := newPatient(t, s, map[string]any{"on_failure": "keep"})
	p.succeed()
	for _, bad := range []string{"mira-badpull:3.1", "mira-crash:3.2", "mira-badconfig:3.3"} {
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", bad))
		p.fail("Rollout Failed", `Client "acme"`)
		if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != bad {
			t.Errorf("the StatefulSet has image %s, not %s", got, bad)
		}
		if !strings.Contains(string(p.State), bad) {
			t.Errorf("the state does not have %s: %s", bad, p.State)
		}
	}
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.4"))
	p.succeed()
	s.WantImages(t, "mira:3.4")
	p.destroy()

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.5"))
	p.fail("Rollout Failed", "New Client Is Tainted", "CrashLoopBackOff")
	if p.State == nil || !s.Exists(t, "StatefulSet", "mira-acme") {
		t.Error("nothing was kept")
	}
	p.destroy()
}

// Where the rights do not go as far as pods, logs or events, the error says so and
// tells the rest.
func TestCore_rollout_withoutRights(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	p := newPatient(t, s, nil)
	p.attributes["timeouts"] = map[string]any{"update": "15s"}
	p.succeed()
	s.Withdraw(t, "pods/log", "get")
	s.Withdraw(t, "events", "list")
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.1"))
	text := p.fail("CrashLoopBackOff", "exit code 1", "The former revision serves again")
	for _, kind := range []string{"log", "event"} {
		if !strings.Contains(text, kind) {
			t.Errorf("the error does not say that there is no %s:\n%s", kind, text)
		}
	}
	s.PutTemplate(t, sample)
	p.succeed()
	p.destroy()
}

// A roll back that fails in its turn tells exactly what is where, and the next apply
// starts from there.
func TestCore_rollout_rollBackFails(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	t.Run("refused by the server", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		s.PutTemplate(t, sample)
		p := newPatient(t, s, nil)
		p.succeed()
		// What has the bad image must not get another one.
		probe := acctest.StatefulSetProbe()
		lift := s.Deny(t, "statefulsets", "request.operation == 'CREATE' || oldObject.spec.template.spec.containers[0].image.contains('badpull') && !object.spec.template.spec.containers[0].image.contains('badpull')", probe)
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1", "name: http\n    port: 80", "name: web\n    port: 80"))
		p.fail("Rollout And Roll Back Failed", "ImagePullBackOff", "Rolled back to what it was before: Service "+s.Namespace+"/mira-acme.",
			"StatefulSet "+s.Namespace+"/mira-acme could not be put back, and is still as the failed rollout left it", "forbidden by the test")
		if got := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); got != "mira-badpull:3.1" {
			t.Errorf("the StatefulSet has image %s", got)
		}
		lift()
		s.PutTemplate(t, sample)
		p.succeed()
		s.WantImages(t, "mira:3.0")
		p.destroy()
	})
	t.Run("the former revision does not serve either", func(t *testing.T) {
		t.Parallel()
		s := acctest.NewSandbox(t)
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-crash:3.0"))
		p := newPatient(t, s, nil)
		p.attributes["wait_for_rollout"] = false
		p.succeed()
		p.attributes["wait_for_rollout"] = true
		s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1"))
		p.fail("Rollout And Roll Back Failed", "ImagePullBackOff", "Rolled back to what it was before: StatefulSet "+s.Namespace+"/mira-acme.",
			"The former revision does not serve", "CrashLoopBackOff")
		s.PutTemplate(t, sample)
		p.succeed()
		p.destroy()
	})
}
