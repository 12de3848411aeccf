package protocoltest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// crashed is the status that a kubelet writes for a container that has ended.
const crashed = `{"status":{
	"conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady"},{"type":"ContainersReady","status":"False"}],
	"containerStatuses":[{"name":"mira","image":"mira:3.1","imageID":"","ready":false,"restartCount":1,
		"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 10s restarting failed container"}},
		"lastState":{"terminated":{"exitCode":3,"reason":"Error","startedAt":null,"finishedAt":null}}}]}}`

// crashOnceReady lets the pod of client acme crash as soon as it is ready with an image.
func crashOnceReady(t *testing.T, s *acctest.Sandbox, image string) {
	t.Helper()
	s.WaitFor(t, "Pod", "the pod with image "+image+" is ready", func(pods []*unstructured.Unstructured) bool {
		if len(pods) != 1 || pods[0].GetDeletionTimestamp() != nil || acctest.Image(t, pods[0]) != image {
			return false
		}
		phase, _, _ := unstructured.NestedString(pods[0].Object, "status", "phase")
		return phase == string(corev1.PodRunning)
	})
	pods := s.Admin.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(s.Namespace)
	_, err := pods.Patch(t.Context(), "mira-acme-0", types.MergePatchType, []byte(crashed), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatalf("letting pod mira-acme-0 crash: %v", err)
	}
}

// A pod that was ready and crashes soon after is a failed rollout, and rolled back.
func TestCore_rollout_crashWithinSoak(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	r := newRollout(t, sample, map[string]any{"soak": "3s"})
	s := r.s
	start := time.Now()
	r.succeed()
	if took := time.Since(start); took < 3*time.Second {
		t.Errorf("the create took %s, less than its soak", took)
	}
	before, revision := ownership(t, s), serving(t, s)

	r.Provider["rollout"] = map[string]any{"grace": "1s", "soak": "20s"}
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
	ended := make(chan error, 1)
	go func() {
		_, err := r.Apply(t.Context(), r.attributes)
		ended <- err
	}()
	crashOnceReady(t, s, "mira:3.1")
	err := <-ended
	if err == nil {
		t.Fatal("the apply succeeded")
	}
	acctest.WantOutput(t, err.Error(),
		"Rollout Failed And Was Rolled Back", "CrashLoopBackOff", "exit code 3", "The former revision serves again")
	if got := serving(t, s); got != revision {
		t.Errorf("revision %s serves, not %s", got, revision)
	}
	if diff := cmp.Diff(before, ownership(t, s)); diff != "" {
		t.Errorf("the objects are not what they were (-before +after):\n%s", diff)
	}
	r.destroy()
}

// A pod that the cluster refuses to create fails after the grace, and is rolled back.
func TestCore_rollout_podsNotCreated(t *testing.T) {
	t.Parallel()
	sample, r := acctest.SampleTemplate(t), newServing(t, nil)
	s := r.s
	revision := serving(t, s)
	s.Admission.Deny(t, "pods", "object.spec.containers.exists(c, c.image == 'mira:3.1')", &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "mira", "image": "mira:3.1"}}},
	}})
	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
	r.fail("Rollout Failed And Was Rolled Back", "its rollout failed after", "pod mira-acme-0: FailedCreate", "forbidden by the test",
		"The former revision serves again")
	if got := serving(t, s); got != revision {
		t.Errorf("revision %s serves, not %s", got, revision)
	}
	r.destroy()
}

// A new version that comes with a further claim has its pods replaced one after the other.
// The first that fails ends that, and the client is rolled back.
func TestCore_rollout_newClaimFails(t *testing.T) {
	t.Parallel()
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "replicas: 1", "replicas: 2")
	r := newRollout(t, sample, nil)
	r.attributes["timeouts"] = map[string]any{"update": "5m"}
	r.succeed()
	claims := r.s.UIDs(t, "PersistentVolumeClaim")
	r.s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira-badpull:3.1",
		"          subPath: caddy\n", "          subPath: caddy\n        - name: backup\n          mountPath: /backup\n",
		"  volumeClaimTemplates:\n", "  volumeClaimTemplates:\n  - metadata:\n      name: backup\n    spec:\n"+
			"      accessModes: [ReadWriteOnce]\n      resources: {requests: {storage: 1Gi}}\n"))
	r.fail("Rollout Failed And Was Rolled Back", "ImagePullBackOff", "The former revision serves again")
	r.s.WantImages(t, "mira:3.0")
	after := r.s.UIDs(t, "PersistentVolumeClaim")
	for name, uid := range claims {
		if after[name] != uid {
			t.Errorf("claim %s is another one", name)
		}
	}
	r.s.PutTemplate(t, sample)
	r.succeed()
	r.destroy()
}
