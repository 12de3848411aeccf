package protocoltest_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// In these tests a retention policy was set by hand by which Kubernetes deletes
// claims with a StatefulSet, or with replicas that go. The template does not have it, so
// no plan shows it, and delete_data is false: the claims have to stay.

// dropClaimsBy sets a policy by hand, and waits until the controller has made the claims
// the StatefulSet's.
func dropClaimsBy(t *testing.T, s *acctest.Sandbox, policy string) {
	t.Helper()
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-patch", `{"spec":{"persistentVolumeClaimRetentionPolicy":`+policy+`}}`)
	live := s.Get(t, "StatefulSet", "mira-acme")
	s.WaitFor(t, "StatefulSet", "the controller has seen the policy", func(sets []*unstructured.Unstructured) bool {
		return slices.ContainsFunc(sets, func(set *unstructured.Unstructured) bool {
			observed, _, _ := unstructured.NestedInt64(set.Object, "status", "observedGeneration")
			return set.GetName() == "mira-acme" && observed >= live.GetGeneration()
		})
	})
	if strings.Contains(policy, "whenDeleted") {
		s.WaitFor(t, "PersistentVolumeClaim", "the claims of the replicas are owned", func(claims []*unstructured.Unstructured) bool {
			return slices.ContainsFunc(claims, func(claim *unstructured.Unstructured) bool { return len(claim.GetOwnerReferences()) > 0 })
		})
	}
}

// collected waits until the garbage collector has come by: it deletes a claim whose owner
// does not exist.
func collected(t *testing.T, s *acctest.Sandbox) {
	t.Helper()
	const name = "owned-by-nobody"
	s.Create(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "ownerReferences": []any{
			map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "mira-nobody", "uid": "00000000-0000-0000-0000-000000000000"},
		}},
	}}, "test")
	s.WaitFor(t, "ConfigMap", "the garbage collector has come by", func(maps []*unstructured.Unstructured) bool {
		return !slices.ContainsFunc(maps, func(m *unstructured.Unstructured) bool { return m.GetName() == name })
	})
}

// wantClaims checks that the claims are those before, and nobody's.
func wantClaims(t *testing.T, s *acctest.Sandbox, before map[string]types.UID) {
	t.Helper()
	collected(t, s)
	now := make(map[string]types.UID)
	for _, claim := range s.List(t, "PersistentVolumeClaim") {
		if _, had := before[claim.GetName()]; !had {
			continue
		}
		now[claim.GetName()] = claim.GetUID()
		if owners := claim.GetOwnerReferences(); len(owners) > 0 || claim.GetDeletionTimestamp() != nil {
			t.Errorf("claim %s is owned by %v, deleted at %v", claim.GetName(), owners, claim.GetDeletionTimestamp())
		}
	}
	if diff := cmp.Diff(before, now); diff != "" {
		t.Errorf("claims (-before +after):\n%s", diff)
	}
}

const (
	byHandDeleted = `{"whenDeleted":"Delete"}`
	byHandScaled  = `{"whenScaled":"Delete"}`
	byHandBoth    = `{"whenDeleted":"Delete","whenScaled":"Delete"}`
)

// A destroy without delete_data.
func TestCore_claimsStay_destroy(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]string{"deleted": byHandDeleted, "both": byHandBoth} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			c, _ := newClient(t, s)
			claims := s.UIDs(t, "PersistentVolumeClaim")
			dropClaimsBy(t, s, policy)
			if _, err := c.Apply(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckNoClients(t); err != nil {
				t.Error(err)
			}
			wantClaims(t, s, claims)
		})
	}
}

// Claims of replicas that are no more, of a policy that was taken back: the controller
// leaves them to the StatefulSet.
func TestCore_claimsStay_afterPolicy(t *testing.T) {
	t.Parallel()
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	r := newRollout(t, sample, nil)
	r.succeed()
	s := r.s
	claims := s.UIDs(t, "PersistentVolumeClaim")
	dropClaimsBy(t, s, byHandDeleted)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	r.succeed()
	s.Patch(t, "StatefulSet", "mira-acme", "kubectl-patch", `{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain"}}}`)
	s.WaitFor(t, "PersistentVolumeClaim", "the claim of the replica is free", func(claims []*unstructured.Unstructured) bool {
		return slices.ContainsFunc(claims, func(claim *unstructured.Unstructured) bool {
			return claim.GetName() == acctest.ClaimName && len(claim.GetOwnerReferences()) == 0
		})
	})
	r.destroy()
	wantClaims(t, s, claims)
}

// A StatefulSet that the template renames.
func TestCore_claimsStay_prune(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s, sample := r.s, acctest.SampleTemplate(t)
	claims := s.UIDs(t, "PersistentVolumeClaim")
	dropClaimsBy(t, s, byHandDeleted)
	s.PutTemplate(t, renamed(t, sample))
	r.succeed()
	if s.Exists(t, "StatefulSet", "mira-acme") {
		t.Error("the StatefulSet is still there")
	}
	wantClaims(t, s, claims)
}

// renamed is the sample template with a StatefulSet of another name.
func renamed(t *testing.T, sample string) string {
	t.Helper()
	const kind = "kind: StatefulSet\nmetadata:\n  name: mira"
	return acctest.Edit(t, sample, kind, kind+"2")
}

// A recreation around the pods: the claims belong to a StatefulSet that is no more then,
// and the garbage collector would delete them.
func TestCore_claimsStay_recreate(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]string{"deleted": byHandDeleted, "both": byHandBoth, "scaled": byHandScaled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
			s.PutTemplate(t, sample)
			r := rolloutIn(t, s, nil)
			r.succeed()
			before := s.Running(t)
			dropClaimsBy(t, s, policy)
			s.PutTemplate(t, acctest.Edit(t, sample, "serviceName: mira\n", "serviceName: mira-acme\n"))
			r.succeed()
			if err := before.CheckRecreated(t, s); err != nil {
				t.Error(err)
			}
			wantClaims(t, s, before.Claims)
			wantOwnersOfPolicy(t, s)
		})
	}
}

// wantOwnersOfPolicy checks that the policy is not ours: the next plan would have to give
// it back, or take it away.
func wantOwnersOfPolicy(t *testing.T, s *acctest.Sandbox) {
	t.Helper()
	live := s.Get(t, "StatefulSet", "mira-acme")
	for _, entry := range live.GetManagedFields() {
		isOurs := strings.HasPrefix(entry.Manager, "terraform-provider-mira")
		if isOurs && strings.Contains(string(entry.FieldsV1.GetRawBytes()), "RetentionPolicy") {
			t.Errorf("the policy is owned by %s (%s)", entry.Manager, entry.Operation)
		}
	}
}

// Fewer replicas.
func TestCore_claimsStay_scale(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]string{"scaled": byHandScaled, "both": byHandBoth} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			sample := acctest.SampleTemplate(t)
			s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 3"))
			r := rolloutIn(t, s, nil)
			r.succeed()
			claims := s.UIDs(t, "PersistentVolumeClaim")
			if len(claims) != 3 {
				t.Fatalf("claims %v", claims)
			}
			dropClaimsBy(t, s, policy)
			s.PutTemplate(t, sample)
			r.succeed()
			s.WaitFor(t, "Pod", "one pod is left", func(pods []*unstructured.Unstructured) bool { return len(pods) == 1 })
			wantClaims(t, s, claims)
			wantOwnersOfPolicy(t, s)
		})
	}
}

// A roll back takes away a replica that found an old claim.
func TestCore_claimsStay_rollBackOfMoreReplicas(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2"))
	r := rolloutIn(t, s, nil)
	r.succeed()
	claims := s.UIDs(t, "PersistentVolumeClaim")
	s.PutTemplate(t, sample)
	r.succeed()
	dropClaimsBy(t, s, byHandScaled)
	s.PutTemplate(t, acctest.Edit(t, sample, "replicas: 1", "replicas: 2", "mira:3.0", "mira-badpull:3.1"))
	r.fail("ImagePullBackOff")
	wantClaims(t, s, claims)
}

// A create that is taken back, as its rollout fails or as a write does, of a client whose
// data is there already. The template has the policy: delete_data allows it, but this is
// no destroy.
func TestCore_claimsStay_failedCreate(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s, sample := r.s, acctest.SampleTemplate(t)
	r.destroy()
	claims := s.UIDs(t, "PersistentVolumeClaim")

	const at = "  serviceName: mira\n"
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1", at,
		at+"  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}\n"))
	r.attributes = maps.Clone(r.attributes)
	r.attributes["delete_data"] = true
	r.fail("ImagePullBackOff")
	if r.State != nil {
		t.Error("the client is in the state")
	}
	if err := s.CheckNoClients(t); err != nil {
		t.Error(err)
	}
	wantClaims(t, s, claims)
}

// Where the rights do not suffice to make the claims safe the plan says so, and nothing
// is deleted.
func TestCore_claimsStay_withoutRights(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s, sample := r.s, acctest.SampleTemplate(t)
	dropClaimsBy(t, s, byHandDeleted)
	before := s.Snapshot(t)
	restore := s.Rights.Suspend(t, "", "persistentvolumeclaims", "patch")
	s.PutTemplate(t, renamed(t, sample))
	says := []string{"Kubernetes Would Delete Claims", "StatefulSet " + s.Namespace + "/mira-acme", "whenDeleted", "patch"}
	for name, attributes := range map[string]map[string]any{"prune": r.attributes, "destroy": nil} {
		_, err := r.Plan(t.Context(), attributes)
		for _, word := range says {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: the plan's error does not have %q: %v", name, word, err)
			}
		}
	}
	if diff := cmp.Diff(before, s.Snapshot(t)); diff != "" {
		t.Errorf("objects (-before +after):\n%s", diff)
	}
	restore()
	r.succeed()
	r.destroy()
}

// A destroy with delete_data that could not delete a claim goes on with it the next time:
// the client is in the state as long as its data is there.
func TestCore_deleteGoesOnWithClaims(t *testing.T) {
	t.Parallel()
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	r := newRollout(t, sample, nil)
	r.attributes["delete_data"] = true
	r.succeed()
	restore := r.s.Rights.Suspend(t, "", "persistentvolumeclaims", "delete")
	_, err := r.Apply(t.Context(), nil)
	for _, word := range []string{"may not delete persistentvolumeclaims", "mira-data-mira-acme-0", "mira-data-mira-acme-1"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not have %q: %v", word, err)
		}
	}
	if err := r.s.CheckNoClients(t); err != nil {
		t.Error(err)
	}
	restore()
	if _, err := r.Plan(t.Context(), r.attributes); err != nil {
		t.Error(err)
	}
	if r.State == nil {
		t.Fatal("the client is not in the state any more")
	}
	r.destroy()
	if claims := r.s.Names(t, "PersistentVolumeClaim"); len(claims) > 0 {
		t.Errorf("claims %v are left", claims)
	}
	if r.State != nil {
		t.Error("the client is in the state")
	}
	r.succeed()
	r.destroy()
}

// A client whose data goes with it, and whose objects were deleted by hand, comes back
// around its data.
func TestCore_deletedByHandWithData(t *testing.T) {
	t.Parallel()
	r := newRollout(t, acctest.SampleTemplate(t), nil)
	r.attributes["delete_data"] = true
	r.succeed()
	claims := r.s.UIDs(t, "PersistentVolumeClaim")
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		r.s.DeleteWith(t, kind, "mira-acme", metav1.DeletePropagationForeground)
	}
	r.s.WaitFor(t, "StatefulSet", "it is gone", func(sets []*unstructured.Unstructured) bool { return len(sets) == 0 })
	r.succeed()
	wantClaims(t, r.s, claims)
	r.destroy()
	if claims := r.s.Names(t, "PersistentVolumeClaim"); len(claims) > 0 {
		t.Errorf("claims %v are left", claims)
	}
}

// More storage reaches a claim that only its name tells, of a replica that is no more,
// also where one before it was deleted by hand.
func TestCore_claimsGrow_beyondAGap(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s, sample := r.s, acctest.SampleTemplate(t)
	const left = "mira-data-mira-acme-2"
	claim := s.Get(t, "PersistentVolumeClaim", acctest.ClaimName)
	spec, _, _ := unstructured.NestedMap(claim.Object, "spec")
	delete(spec, "volumeName")
	s.Create(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": left}, "spec": spec,
	}}, "test")
	s.WaitFor(t, "PersistentVolumeClaim", "the claim is bound", func(claims []*unstructured.Unstructured) bool {
		return !slices.ContainsFunc(claims, func(claim *unstructured.Unstructured) bool {
			phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase")
			return phase != string(corev1.ClaimBound)
		})
	})
	s.PutTemplate(t, acctest.Edit(t, sample, "storage: 5Gi", "storage: 8Gi"))
	r.succeed()
	for _, name := range []string{acctest.ClaimName, left} {
		claim := s.Get(t, "PersistentVolumeClaim", name)
		if size, _, _ := unstructured.NestedString(claim.Object, "spec", "resources", "requests", "storage"); size != "8Gi" {
			t.Errorf("claim %s asks for %s", name, size)
		}
	}
}
