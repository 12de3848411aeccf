package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// field sets one field of a StatefulSet, given by its path.
type field struct {
	path  string
	value any
}

// newStatefulSet returns a StatefulSet with one pod and one claim, like that of a client of
// a fleet: the selector is the same for all of them.
func newStatefulSet(t *testing.T, name string, fields ...field) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": map[string]any{"name": name, "labels": map[string]any{clientLabel: name}},
		"spec": map[string]any{
			"replicas":    int64(1),
			"serviceName": name,
			"selector":    map[string]any{"matchLabels": map[string]any{"app": "mira"}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "mira", "client": name}},
				"spec": map[string]any{
					"terminationGracePeriodSeconds": int64(1),
					"containers": []any{map[string]any{
						"name": "mira", "image": "mira:3.0",
						"volumeMounts": []any{map[string]any{"name": "data", "mountPath": "/data"}},
					}},
				},
			},
			"volumeClaimTemplates": []any{map[string]any{
				"metadata": map[string]any{"name": "data"},
				"spec": map[string]any{
					"accessModes": []any{"ReadWriteOnce"},
					"resources":   map[string]any{"requests": map[string]any{"storage": "1Gi"}},
				},
			}},
		},
	}}
	return with(t, object, fields...)
}

// with returns a copy with some fields set. The fields "image" and
// "storageClass" are those of the only container and claim.
func with(t *testing.T, object *unstructured.Unstructured, fields ...field) *unstructured.Unstructured {
	t.Helper()
	object = object.DeepCopy()
	for _, f := range fields {
		var err error
		switch f.path {
		case "image":
			err = setInFirst(object, f.value, "image", "spec", "template", "spec", "containers")
		case "storageClass":
			err = setInFirst(object, map[string]any{
				"accessModes": []any{"ReadWriteOnce"}, "storageClassName": f.value,
				"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
			}, "spec", "spec", "volumeClaimTemplates")
		default:
			err = unstructured.SetNestedField(object.Object, f.value, strings.Split(f.path, "/")...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return object
}

func setInFirst(object *unstructured.Unstructured, value any, key string, list ...string) error {
	items, _, err := unstructured.NestedSlice(object.Object, list...)
	if err != nil {
		return err
	}
	item, ok := items[0].(map[string]any)
	if !ok {
		return fmt.Errorf("%v holds no objects", list)
	}
	item[key] = value
	return unstructured.SetNestedSlice(object.Object, items, list...)
}

// cluster is a sandbox and a client with the documented rights.
type cluster struct {
	*acctest.Sandbox
	config  *rest.Config
	watcher *rollout.Watcher
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	sandbox := acctest.NewSandbox(t)
	config, err := clientcmd.BuildConfigFromFlags("", sandbox.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{sandbox, config, rollout.NewWatcher(client, twoLines, clientLabel)}
}

// twoLines replaces the log of a kubelet, since the simulated one has no logs.
func twoLines(context.Context, string, string, string, bool, int64) (string, error) {
	return "one\ntwo\n", nil
}

func (c *cluster) target(generation int64) rollout.Target {
	return rollout.Target{Namespace: c.Namespace, Name: "mira-acme", MinGeneration: generation}
}

// apply writes a StatefulSet and returns its generation.
func (c *cluster) apply(t *testing.T, object *unstructured.Unstructured) int64 {
	t.Helper()
	return c.Apply(t, object, "test").GetGeneration()
}

// wait waits for a rollout that ends well.
func (c *cluster) wait(t *testing.T, name string, generation int64) rollout.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), acctest.Patience)
	defer cancel()
	status, err := c.watcher.Wait(ctx, rollout.Target{Namespace: c.Namespace, Name: name, MinGeneration: generation}, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !status.Done {
		t.Fatalf("returned before the end: %s", status.Message)
	}
	return status
}

// rollOut applies a StatefulSet and waits for it.
func (c *cluster) rollOut(t *testing.T, object *unstructured.Unstructured) rollout.Status {
	t.Helper()
	return c.wait(t, object.GetName(), c.apply(t, object))
}

// images returns the image of every ready pod, by the pod's name.
func (c *cluster) images(t *testing.T) map[string]string {
	t.Helper()
	images := map[string]string{}
	for _, name := range c.Names(t, "Pod") {
		pod := c.Get(t, "Pod", name)
		if !isReady(pod) {
			continue
		}
		containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
		container, _ := containers[0].(map[string]any)
		images[name], _ = container["image"].(string)
	}
	return images
}

func isReady(pod *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == "Ready" {
			return c["status"] == "True" && pod.GetDeletionTimestamp() == nil
		}
	}
	return false
}

func (c *cluster) wantImages(t *testing.T, want map[string]string) {
	t.Helper()
	if got := c.images(t); !maps.Equal(got, want) {
		t.Errorf("ready pods: %v, want %v", got, want)
	}
}

// waitForReason waits until the kubelet or the scheduler has written why a pod is not
// ready.
func (c *cluster) waitForReason(t *testing.T, pod, reason string) {
	t.Helper()
	c.WaitFor(t, "Pod", pod+" says "+reason, func(pods []*unstructured.Unstructured) bool {
		for _, p := range pods {
			if p.GetName() != pod {
				continue
			}
			containers, _, _ := unstructured.NestedSlice(p.Object, "status", "containerStatuses")
			for _, item := range containers {
				status, _ := item.(map[string]any)
				if got, _, _ := unstructured.NestedString(status, "state", "waiting", "reason"); got == reason {
					return true
				}
			}
			conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
			for _, item := range conditions {
				if condition, ok := item.(map[string]any); ok && condition["reason"] == reason {
					return true
				}
			}
		}
		return false
	})
}

// pending waits for a rollout of mira-acme that does not end, and returns the error. The
// reason must be in the status already.
func (c *cluster) pending(t *testing.T, generation int64) *rollout.PendingError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := c.watcher.Wait(ctx, c.target(generation), rollout.Options{})
	var pending *rollout.PendingError
	if !errors.As(err, &pending) {
		t.Fatalf("got %v, want a PendingError", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not a time-out", err)
	}
	return pending
}

func wantSays(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

func TestAPIWaitFollowsAHealthyStatefulSet(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme", field{"spec/replicas", int64(2)})

	created := c.rollOut(t, sts)
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.0", "mira-acme-1": "mira:3.0"})

	updated := c.rollOut(t, with(t, sts, field{"image", "mira:3.1"}))
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.1", "mira-acme-1": "mira:3.1"})
	if created.Revision == updated.Revision {
		t.Errorf("revision %s before and after the update", created.Revision)
	}
	if want := "2 of 2 pods at revision " + updated.Revision; updated.Message != want {
		t.Errorf("%q, want %q", updated.Message, want)
	}

	again := c.wait(t, "mira-acme", c.Get(t, "StatefulSet", "mira-acme").GetGeneration())
	if again.Revision != updated.Revision {
		t.Errorf("revision %s without a change, want %s", again.Revision, updated.Revision)
	}
}

func TestAPIWaitSurvivesASlowStart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	status := c.rollOut(t, newStatefulSet(t, "mira-acme",
		field{"image", "mira:slow"},
		field{"spec/template/metadata/annotations", map[string]any{"localcluster/ready-after": "3s"}},
		field{"spec/minReadySeconds", int64(2)},
	))
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:slow"})
	if status.Available != 1 {
		t.Errorf("%d pods available", status.Available)
	}
}

func TestAPIWaitScales(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme",
		field{"spec/replicas", int64(3)},
		field{"spec/podManagementPolicy", "Parallel"},
		field{"spec/ordinals", map[string]any{"start": int64(5)}},
	)
	c.rollOut(t, sts)
	c.wantImages(t, map[string]string{"mira-acme-5": "mira:3.0", "mira-acme-6": "mira:3.0", "mira-acme-7": "mira:3.0"})

	c.rollOut(t, with(t, sts, field{"spec/replicas", int64(1)}))
	if got := c.Names(t, "Pod"); len(got) != 1 || got[0] != "mira-acme-5" {
		t.Errorf("pods after scaling down: %v", got)
	}

	c.rollOut(t, with(t, sts, field{"spec/replicas", int64(0)}))
	if got := c.Names(t, "Pod"); len(got) != 0 {
		t.Errorf("pods after scaling to zero: %v", got)
	}
}

func TestAPIWaitObservesThePartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme",
		field{"spec/replicas", int64(3)},
		field{"spec/updateStrategy", map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(2)}}},
	)
	c.rollOut(t, sts)

	status := c.rollOut(t, with(t, sts, field{"image", "mira:3.1"}))
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.0", "mira-acme-1": "mira:3.0", "mira-acme-2": "mira:3.1"})
	if status.Updated != 1 || !strings.Contains(status.Message, "below partition 2") {
		t.Errorf("%d updated: %s", status.Updated, status.Message)
	}

	c.rollOut(t, with(t, sts, field{"image", "mira:3.1"}, field{"spec/updateStrategy/rollingUpdate/partition", int64(0)}))
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.1", "mira-acme-1": "mira:3.1", "mira-acme-2": "mira:3.1"})
}

func TestAPIWaitObservesOnDelete(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme", field{"spec/replicas", int64(2)}, field{"spec/updateStrategy", map[string]any{"type": "OnDelete"}})
	c.rollOut(t, sts)

	status := c.rollOut(t, with(t, sts, field{"image", "mira:3.1"}))
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.0", "mira-acme-1": "mira:3.0"})
	if !strings.Contains(status.Message, "until they are deleted") {
		t.Errorf("got %s", status.Message)
	}

	before := c.UIDs(t, "Pod")["mira-acme-1"]
	c.Delete(t, "Pod", "mira-acme-1")
	c.WaitFor(t, "Pod", "mira-acme-1 is another pod", func(pods []*unstructured.Unstructured) bool {
		for _, pod := range pods {
			if pod.GetName() == "mira-acme-1" && pod.GetUID() != before {
				return true
			}
		}
		return false
	})
	c.wait(t, "mira-acme", 0)
	c.WaitFor(t, "Pod", "mira-acme-1 is ready", func(pods []*unstructured.Unstructured) bool {
		for _, pod := range pods {
			if pod.GetName() == "mira-acme-1" {
				return isReady(pod)
			}
		}
		return false
	})
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.0", "mira-acme-1": "mira:3.1"})
}

func TestAPIWaitSaysWhyAPodIsNotReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fields []field
		reason string
		says   []string
	}{
		"an image that cannot be pulled": {
			[]field{{"image", "mira:badpull"}}, "ImagePullBackOff",
			[]string{
				"0 of 1 pod ready", "pod mira-acme-0: Pending; container mira: ImagePullBackOff: Back-off pulling image", "mira:badpull",
				"describe pod mira-acme-0",
			},
		},
		"a container that crashes": {
			[]field{{"image", "mira:crash"}}, "CrashLoopBackOff",
			[]string{"0 of 1 pod ready", "pod mira-acme-0: container mira: CrashLoopBackOff: ", "last exit code 1", "restarted"},
		},
		"no node that fits": {
			[]field{{"spec/template/spec/nodeSelector", map[string]any{"disktype": "none"}}}, "Unschedulable",
			[]string{"0 of 1 pod ready", "pod mira-acme-0: Pending; Unschedulable: 0/", "nodes are available"},
		},
		"a claim that cannot be bound": {
			[]field{{"storageClass", "none"}}, "Unschedulable",
			[]string{"0 of 1 pod ready", "pod mira-acme-0: Pending; Unschedulable: ", "claim data-mira-acme-0 is not bound"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			generation := c.apply(t, newStatefulSet(t, "mira-acme", test.fields...))
			c.waitForReason(t, "mira-acme-0", test.reason)
			err := c.pending(t, generation)
			wantSays(t, err, append(test.says, fmt.Sprintf("StatefulSet %s/mira-acme", c.Namespace))...)
		})
	}
}

// OrderedReady never replaces a pod of a revision that broke: kubernetes/kubernetes issue 67250.
func TestAPIWaitSaysThatABrokenPodIsNotReplaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"})
	c.apply(t, sts)
	c.waitForReason(t, "mira-acme-0", "ImagePullBackOff")
	broken := c.Get(t, "Pod", "mira-acme-0").GetLabels()[appsv1.StatefulSetRevisionLabel]

	generation := c.apply(t, with(t, sts, field{"image", "mira:3.1"}))
	c.WaitFor(t, "StatefulSet", "the new revision is seen", func(sets []*unstructured.Unstructured) bool {
		seen, _, _ := unstructured.NestedInt64(sets[0].Object, "status", "observedGeneration")
		return seen == generation
	})
	err := c.pending(t, generation)
	wantSays(t, err, "0 of 1 pod updated", "to be replaced, still at revision "+broken, "ImagePullBackOff")
}

func TestAPIWaitNamesNoPodOfAnotherClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.apply(t, newStatefulSet(t, "mira-globex", field{"image", "mira:crash"}))
	c.waitForReason(t, "mira-globex-0", "CrashLoopBackOff")
	c.rollOut(t, newStatefulSet(t, "mira-initech"))

	generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"}))
	c.waitForReason(t, "mira-acme-0", "ImagePullBackOff")
	err := c.pending(t, generation)
	if len(err.Status.Pending) != 1 || err.Status.Pending[0].Name != "mira-acme-0" {
		t.Errorf("waits for %v", err.Status.Pending)
	}
	if strings.Contains(err.Error(), "globex") || strings.Contains(err.Error(), "initech") {
		t.Errorf("speaks of another client:\n%v", err)
	}
}

func TestAPIWaitWorksWithoutTheRightToSeePods(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Rights.Withdraw(t, "pods", "get", "list", "watch")
	sts := newStatefulSet(t, "mira-acme")
	c.rollOut(t, sts)

	generation := c.apply(t, with(t, sts, field{"image", "mira:badpull"}))
	c.waitForReason(t, "mira-acme-0", "ImagePullBackOff")
	err := c.pending(t, generation)
	wantSays(t, err, "0 of 1 pod ready", "the pods could not be listed", "forbidden", "describe statefulset mira-acme")
}

func TestAPIWaitReturnsThatTheRightToWatchIsMissing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Rights.Withdraw(t, "statefulsets", "watch")
	generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"}))
	_, err := c.watcher.Wait(t.Context(), c.target(generation), rollout.Options{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}

func TestAPIWaitEndsWhenTheStatefulSetIsDeleted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"}))
	ended := make(chan error, 1)
	go func() {
		_, err := c.watcher.Wait(t.Context(), c.target(generation), rollout.Options{})
		ended <- err
	}()
	c.waitForReason(t, "mira-acme-0", "ImagePullBackOff")
	c.Delete(t, "StatefulSet", "mira-acme")
	var deleted *rollout.DeletedError
	if err := <-ended; !errors.As(err, &deleted) {
		t.Errorf("got %v, want a DeletedError", err)
	}
	if _, err := c.watcher.Wait(t.Context(), c.target(generation), rollout.Options{}); !errors.As(err, &deleted) {
		t.Errorf("afterwards: got %v, want a DeletedError", err)
	}
}

func TestAPIWaitCanBeInterrupted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.watcher.Wait(ctx, c.target(generation), rollout.Options{})
		ended <- err
	}()
	// The two share their watches: what this one has seen, the other has seen, too.
	_ = c.fails(t, generation, hasty)
	cancel()
	err := <-ended
	var pending *rollout.PendingError
	if !errors.As(err, &pending) || !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	wantSays(t, err, "interrupted", "ImagePullBackOff", "The rollout goes on in the cluster")
}
