package protocoltest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// faulty is a client whose requests may be made to fail.
type faulty struct {
	*rollout
	faults   *acctest.Faults
	template string
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	s := acctest.NewSandbox(t)
	f := &faulty{faults: acctest.NewFaults(t, s), template: acctest.SampleTemplate(t)}
	s.PutTemplate(t, f.template)
	f.rollout = rolloutIn(t, s, nil)
	return f
}

// edit changes the template.
func (f *faulty) edit(oldnew ...string) {
	f.t.Helper()
	f.template = acctest.Edit(f.t, f.template, oldnew...)
	f.s.PutTemplate(f.t, f.template)
}

// hit fails the test unless a request was hit.
func (f *faulty) hit() {
	f.t.Helper()
	if f.faults.Hit() == "" {
		f.t.Errorf("no request was hit: there were only %d", f.faults.Seen())
	}
	f.faults.Count(nil)
}

// owners fails the test if a field of the client is left to a manager that goes on with
// nothing: ours by an update.
func (f *faulty) owners() {
	f.t.Helper()
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		for _, manager := range f.s.Managers(f.t, kind, "mira-acme") {
			if strings.HasPrefix(manager, "terraform-provider-mira Update") {
				f.t.Errorf("%s has fields of %s", kind, manager)
			}
		}
	}
}

// transient are the faults of these tests: one for each kind of lost or refused write.
func transient(t *testing.T, names ...string) []acctest.Fault {
	t.Helper()
	var faults []acctest.Fault
	for _, fault := range acctest.TransientFaults() {
		for _, name := range names {
			if fault.Name == name {
				faults = append(faults, fault)
			}
		}
	}
	if len(faults) != len(names) {
		t.Fatalf("not all of %v are known", names)
	}
	return faults
}

// A fault at any write of an operation passes without a word: what follows is as if it had
// not happened.
func TestCore_faults(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]struct {
		// prepare makes what the operation starts from.
		prepare func(f *faulty)
		// run must succeed.
		run    func(f *faulty)
		writes int      // how many there are
		more   []string // further faults
	}{
		"create": {
			func(*faulty) {},
			func(f *faulty) { f.succeed(); f.owners() },
			3,
			nil,
		},
		"adopt": {
			func(f *faulty) {
				f.s.DjangoSave(f.t, f.template, "acme", "admin@acme.example")
				f.s.WaitReady(f.t)
			},
			func(f *faulty) {
				before := f.s.UIDs(f.t, "Pod")
				f.succeed()
				f.owners()
				if diff := cmp.Diff(before, f.s.UIDs(f.t, "Pod")); diff != "" {
					f.t.Errorf("pods (-before +after):\n%s", diff)
				}
			},
			6,
			nil,
		},
		"update": {
			func(f *faulty) {
				f.succeed()
				f.edit("mira:3.0", "mira:3.1", "name: http\n    port: 80", "name: web\n    port: 80")
			},
			func(f *faulty) { f.succeed(); f.s.WantImages(f.t, "mira:3.1") },
			2,
			nil,
		},
		"recreate": {
			func(f *faulty) {
				f.succeed()
				f.s.Patch(f.t, "StatefulSet", "mira-acme", "another-manager", `{"metadata":{"annotations":{"example.com/note":"keep"}}}`)
				f.edit("serviceName: mira\n", "serviceName: mira-acme\n")
			},
			func(f *faulty) {
				before, managers := f.s.Running(f.t), f.s.Managers(f.t, "StatefulSet", "mira-acme")
				f.succeed()
				if diff := cmp.Diff(managers, f.s.Managers(f.t, "StatefulSet", "mira-acme")); diff != "" {
					f.t.Errorf("managers (-before +after):\n%s", diff)
				}
				if err := before.CheckRecreated(f.t, f.s); err != nil {
					f.t.Error(err)
				}
			},
			3,
			[]string{"503"},
		},
		"leave a map empty": {
			func(f *faulty) {
				f.edit(podSpec, podSpec+"      dnsConfig:\n        nameservers: [192.0.2.1]\n")
				f.succeed()
				f.edit("      dnsConfig:\n        nameservers: [192.0.2.1]\n", "      dnsConfig: {}\n")
			},
			func(f *faulty) {
				f.succeed()
				f.owners()
				if !hasResolver(f.s.Get(f.t, "StatefulSet", "mira-acme")) {
					f.t.Error("the map is gone")
				}
			},
			2,
			nil,
		},
		"drop what the server would keep": {
			func(f *faulty) {
				f.edit(podSpec, podSpec+"      serviceAccountName: default\n")
				f.succeed()
				f.edit("      serviceAccountName: default\n", "")
			},
			func(f *faulty) {
				f.succeed()
				f.owners()
				for _, twin := range []string{"serviceAccount", "serviceAccountName"} {
					account, _, _ := unstructured.NestedString(f.s.Get(f.t, "StatefulSet", "mira-acme").Object, "spec", "template", "spec", twin)
					if account != "" {
						f.t.Errorf("%s is still %q", twin, account)
					}
				}
			},
			2,
			[]string{"503"},
		},
		"recreate a Service": {
			func(f *faulty) {
				f.succeed()
				f.edit("type: ClusterIP\n", headless)
			},
			func(f *faulty) {
				f.succeed()
				f.owners()
				wantHeadless(f.t, f.s)
			},
			3,
			[]string{"503"},
		},
		"roll back": {
			func(f *faulty) {
				f.succeed()
				f.edit("mira:3.0", "mira-badpull:3.1", "name: http\n    port: 80", "name: web\n    port: 80")
			},
			func(f *faulty) {
				before, revision := ownership(f.t, f.s), serving(f.t, f.s)
				f.fail("Rollout Failed And Was Rolled Back", "The former revision serves again")
				if diff := cmp.Diff(before, ownership(f.t, f.s)); diff != "" || serving(f.t, f.s) != revision {
					f.t.Errorf("not what it was (-before +after):\n%s", diff)
				}
			},
			5,
			[]string{"503", "504 with HTML, carried out"},
		},
		"destroy": {
			func(f *faulty) { f.succeed() },
			func(f *faulty) {
				claims := f.s.UIDs(f.t, "PersistentVolumeClaim")
				f.destroy()
				wantClaims(f.t, f.s, claims)
				for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
					if f.s.Exists(f.t, kind, "mira-acme") {
						f.t.Errorf("the %s is still there", kind)
					}
				}
			},
			3,
			[]string{"503", "504 with HTML, carried out"},
		},
		"destroy with data": {
			func(f *faulty) { f.attributes["delete_data"] = true; f.succeed() },
			func(f *faulty) {
				f.destroy()
				if claims := f.s.Names(f.t, "PersistentVolumeClaim"); len(claims) > 0 {
					f.t.Errorf("claims are left: %v", claims)
				}
			},
			4,
			nil,
		},
	} {
		for _, fault := range transient(t, append(operation.more, "answer lost")...) {
			for k := 1; k <= operation.writes; k++ {
				t.Run(fmt.Sprintf("%s/%s/%d", name, fault.Name, k), func(t *testing.T) {
					t.Parallel()
					f := newFaulty(t)
					operation.prepare(f)
					f.faults.Inject(fault, k, acctest.IsWrite)
					operation.run(f)
					t.Logf("hit: %s", f.faults.Hit())
					f.hit()
				})
			}
		}
	}
}

const (
	podSpec  = "    spec:\n      terminationGracePeriodSeconds: 30\n"
	headless = "type: ClusterIP\n  clusterIP: None\n"
)

// wantHeadless fails the test unless the client's Service is headless.
func wantHeadless(t *testing.T, s *acctest.Sandbox) {
	t.Helper()
	if address, _, _ := unstructured.NestedString(s.Get(t, "Service", "mira-acme").Object, "spec", "clusterIP"); address != "None" {
		t.Errorf("the Service has the address %q, want none", address)
	}
}

// A process that dies between the delete and the create of a Service leaves a client without. The
// next plan shows that, and its apply creates what the template has.
func TestCore_serviceLostInItsRecreation(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	f.succeed()
	f.edit("type: ClusterIP\n", headless)
	f.s.Delete(t, "Service", "mira-acme")
	f.succeed()
	wantHeadless(t, f.s)
	f.owners()
}

// A delete that is refused with a conflict for good is an error, and the object stays in the
// state. Once is as good as never.
func TestCore_faults_deleteConflict(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	f.succeed()
	conflict := acctest.RefusingFaults()[1]
	isDelete := func(r *http.Request) bool { return r.Method == http.MethodDelete }
	f.faults.InjectAll(conflict, isDelete)
	if _, err := f.Apply(t.Context(), nil); err == nil || f.State == nil {
		t.Errorf("the destroy said %v; in the state: %v", err, f.State != nil)
	}
	f.faults.Inject(conflict, 1, isDelete)
	f.destroy()
	f.hit()
}

// A recreation that cannot give the fields to their owners leaves them to us by an update. The
// next apply takes them over.
func TestCore_faults_ownersAreMended(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	f.succeed()
	f.edit("serviceName: mira\n", "serviceName: mira-acme\n")
	before := f.s.Running(t)
	f.faults.InjectAll(acctest.RefusingFaults()[0], func(r *http.Request) bool { // 401, which is not repeated
		return r.Header.Get("Content-Type") == "application/json-patch+json"
	})
	f.fail("was recreated, but the ownership of fields")
	f.faults.Count(nil)
	f.succeed()
	f.owners()
	if err := before.CheckRecreated(t, f.s); err != nil {
		t.Error(err)
	}
}

// Where only the first of the two applies is carried out that leave a map empty, the next apply
// carries out the second.
func TestCore_faults_emptyMapIsMended(t *testing.T) {
	t.Parallel()
	const resolver = "      dnsConfig:\n        nameservers: [192.0.2.1]\n"
	f := newFaulty(t)
	f.edit(podSpec, podSpec+resolver)
	f.succeed()
	f.edit(resolver, "      dnsConfig: {}\n")
	f.faults.Inject(acctest.RefusingFaults()[0], 2, acctest.IsWrite) // 401, which is not repeated
	f.fail("Unauthorized")
	f.hit()
	f.succeed()
	f.owners()
	if !hasResolver(f.s.Get(t, "StatefulSet", "mira-acme")) {
		t.Error("the map is gone")
	}
}

// hasResolver reports whether the pods of a StatefulSet have a dnsConfig.
func hasResolver(set *unstructured.Unstructured) bool {
	_, isThere, _ := unstructured.NestedMap(set.Object, "spec", "template", "spec", "dnsConfig")
	return isThere
}
