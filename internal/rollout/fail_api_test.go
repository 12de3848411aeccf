package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// hasty has short graces: the simulated kubelet does not change its mind.
var hasty = rollout.Options{Grace: 2 * time.Second, UnschedulableGrace: 4 * time.Second, DeleteStuckPods: true}

// fails waits for a rollout of mira-acme that fails, and returns the error.
func (c *cluster) fails(t *testing.T, generation int64, options rollout.Options) *rollout.FailedError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), acctest.Patience)
	defer cancel()
	_, err := c.watcher.Wait(ctx, c.target(generation), options)
	var failed *rollout.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a FailedError", err)
	}
	return failed
}

func TestAPIWaitFails(t *testing.T) {
	t.Parallel()
	initContainer := func(image string) []field {
		return []field{{"spec/template/spec/initContainers", []any{map[string]any{"name": "migrate", "image": image}}}}
	}
	tests := map[string]struct {
		fields []field
		reason string
		says   []string
	}{
		"an image that cannot be pulled": {
			[]field{{"image", "mira:badpull"}}, "ImagePullBackOff",
			[]string{
				"its rollout failed after", "0 of 1 pod ready\n  pod mira-acme-0, container mira (image mira:badpull): " +
					"ImagePullBackOff: Back-off pulling image \"mira:badpull\"",
				"\n    events:\n", `Failed: Failed to pull image "mira:badpull"`, "describe pod mira-acme-0",
			},
		},
		"a container that crashes": {
			[]field{{"image", "mira:crash"}}, "CrashLoopBackOff",
			[]string{
				"pod mira-acme-0, container mira (image mira:crash): CrashLoopBackOff: ", "its last run ended with exit code 1; restarted",
				"\n    last lines of the log of container mira:\n      one\n      two\n", "BackOff", "logs mira-acme-0 --container mira --previous",
			},
		},
		"an init container whose image cannot be pulled": {
			initContainer("mira:badpull"), "ImagePullBackOff",
			[]string{"pod mira-acme-0, init container migrate (image mira:badpull): ImagePullBackOff: "},
		},
		"an init container that crashes": {
			initContainer("mira:crash"), "CrashLoopBackOff",
			[]string{
				"pod mira-acme-0, init container migrate (image mira:crash): CrashLoopBackOff: ", "its last run ended with exit code 1",
				"logs mira-acme-0 --container migrate --previous",
			},
		},
		"no node that fits": {
			[]field{{"spec/template/spec/nodeSelector", map[string]any{"disktype": "none"}}}, "Unschedulable",
			[]string{"pod mira-acme-0: Unschedulable: 0/", "nodes are available", failedScheduling},
		},
		"a service account that does not exist": {
			[]field{{"spec/template/spec/serviceAccountName", "none"}}, "FailedCreate",
			[]string{
				"0 of 1 pod updated", "pod mira-acme-0: FailedCreate: Create Pod mira-acme-0 in StatefulSet mira-acme failed error: ",
				`serviceaccount "none" not found`, "describe statefulset mira-acme",
			},
		},
		"a claim that cannot be bound": {
			[]field{{"storageClass", "none"}}, "UnboundClaim",
			[]string{
				"pod mira-acme-0, claim data-mira-acme-0: UnboundClaim: ", "(StorageClass none)", "ProvisioningFailed",
				"describe persistentvolumeclaim data-mira-acme-0",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			generation := c.apply(t, newStatefulSet(t, "mira-acme", test.fields...))
			if slices.Contains(test.says, failedScheduling) {
				c.awaitEvent(t, failedScheduling)
			}
			err := c.fails(t, generation, hasty)
			wantSays(t, err, append(test.says, fmt.Sprintf("StatefulSet %s/mira-acme", c.Namespace))...)
			if len(err.Failures) != 1 || err.Failures[0].Reason != test.reason {
				t.Errorf("failures %v, want %s", err.Failures, test.reason)
			}
		})
	}
}

const failedScheduling = "FailedScheduling"

// awaitEvent waits until an event is there. Every six minutes the scheduler first sends what it has
// of older series, one after the other (finishSeries in client-go/tools/events), which can take longer
// than the grace of a test.
func (c *cluster) awaitEvent(t *testing.T, reason string) {
	t.Helper()
	c.WaitFor(t, "Event", reason, func(events []*unstructured.Unstructured) bool {
		return slices.ContainsFunc(events, func(event *unstructured.Unstructured) bool { return event.Object["reason"] == reason })
	})
}

// setPodStatus does what a kubelet does.
func (c *cluster) setPodStatus(t *testing.T, name, patch string) {
	t.Helper()
	pods := c.Admin.Resource(podsResource).Namespace(c.Namespace)
	_, err := pods.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatalf("setting the status of pod %s: %v", name, err)
	}
}

var podsResource = corev1.SchemeGroupVersion.WithResource("pods")

// The StatefulSet controller replaces an evicted pod at once, so that no single pod fails
// for long.
func TestAPIWaitFailsWhenPodsAreEvictedAgainAndAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	// No kubelet interferes with pods that no scheduler assigns to a node.
	generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"spec/template/spec/schedulerName", "nobody"}))
	ended := make(chan error, 1)
	go func() {
		_, err := c.watcher.Wait(t.Context(), c.target(generation), rollout.Options{Grace: 2 * time.Second})
		ended <- err
	}()
	for range 3 {
		var pod types.UID
		c.WaitFor(t, "Pod", "there is a pod to evict", func(pods []*unstructured.Unstructured) bool {
			for _, p := range pods {
				phase, _, _ := unstructured.NestedString(p.Object, "status", "phase")
				if phase == "Pending" && p.GetDeletionTimestamp() == nil {
					pod = p.GetUID()
					return true
				}
			}
			return false
		})
		c.setPodStatus(t, "mira-acme-0", `{"status":{"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory."}}`)
		c.WaitFor(t, "Pod", "the evicted pod is gone", func(pods []*unstructured.Unstructured) bool {
			return len(pods) > 0 && pods[0].GetUID() != pod
		})
	}
	err := <-ended
	if _, ok := errors.AsType[*rollout.FailedError](err); !ok {
		t.Fatalf("got %v, want a FailedError", err)
	}
	wantSays(t, err, "pod mira-acme-0: Evicted: The node was low on resource: memory.; it happened to 3 pods of this name in a row")
}

// The status is what a real kubelet writes. It is set on a pod that the simulated kubelet
// does not touch.
func TestAPIWaitFailsForTheStatusOfAKubelet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status string
		says   []string
	}{
		"a Secret that is missing": {
			`{"containerStatuses":[{"name":"mira","image":"mira:3.0","imageID":"","ready":false,"restartCount":0,
				"state":{"waiting":{"reason":"CreateContainerConfigError","message":"secret \"mira\" not found"}}}]}`,
			[]string{
				`pod mira-acme-0, container mira (image mira:3.0): CreateContainerConfigError: secret "mira" not found`,
				"describe pod mira-acme-0",
			},
		},
		"a command that is missing": {
			`{"containerStatuses":[{"name":"mira","image":"mira:3.0","imageID":"","ready":false,"restartCount":2,
				"state":{"waiting":{"reason":"RunContainerError","message":"exec: \"mira\": not found"}},
				"lastState":{"terminated":{"exitCode":128,"reason":"StartError","startedAt":null,"finishedAt":null}}}]}`,
			[]string{`pod mira-acme-0, container mira (image mira:3.0): RunContainerError: exec: "mira": not found; ` +
				`its last run ended with exit code 128; restarted 2 times`},
		},
		"not enough memory": {
			`{"containerStatuses":[{"name":"mira","image":"mira:3.0","imageID":"","ready":false,"restartCount":3,
				"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s restarting failed container=mira"}},
				"lastState":{"terminated":{"exitCode":137,"signal":9,"reason":"OOMKilled","startedAt":null,"finishedAt":null}}}]}`,
			[]string{
				"pod mira-acme-0, container mira (image mira:3.0): OOMKilled: back-off 40s restarting failed container=mira; " +
					"its last run ended with exit code 137, by signal 9; restarted 3 times",
				"last lines of the log of container mira:\n      one\n      two\n", "logs mira-acme-0 --container mira --previous",
			},
		},
		"an invalid image name": {
			`{"containerStatuses":[{"name":"mira","image":"mira:3.0","imageID":"","ready":false,"restartCount":0,
				"state":{"waiting":{"reason":"InvalidImageName","message":"couldn't parse image reference"}}}]}`,
			[]string{"pod mira-acme-0, container mira (image mira:3.0): InvalidImageName: couldn't parse image reference"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			generation := c.apply(t, newStatefulSet(t, "mira-acme", field{"spec/template/spec/schedulerName", "nobody"}))
			c.WaitFor(t, "Pod", "there is a pod", func(pods []*unstructured.Unstructured) bool { return len(pods) == 1 })
			c.setPodStatus(t, "mira-acme-0", `{"status":`+test.status+`}`)
			wantSays(t, c.fails(t, generation, hasty), test.says...)
		})
	}
}

// Once the template is correct, no operator has to delete pods.
func TestAPIWaitDeletesAStuckPod(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		broken, repaired string
	}{
		"an image that cannot be pulled": {"mira:badpull", "mira:3.1"},
		"a container that crashes":       {"mira:crash", "mira:3.1"},
		"back to the former image":       {"mira:badpull", "mira:3.0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			sts := newStatefulSet(t, "mira-acme", field{"spec/replicas", int64(2)})
			c.rollOut(t, sts)
			before := c.UIDs(t, "Pod")
			_ = c.fails(t, c.apply(t, with(t, sts, field{"image", test.broken})), hasty)
			c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.0"})

			ctx, cancel := context.WithTimeout(t.Context(), acctest.Patience)
			defer cancel()
			generation := c.apply(t, with(t, sts, field{"image", test.repaired}))
			status, err := c.watcher.Wait(ctx, c.target(generation), hasty)
			if err != nil {
				t.Fatal(err)
			}
			if len(status.DeletedPods) != 1 || status.DeletedPods[0] != "mira-acme-1" {
				t.Errorf("deleted %v, want mira-acme-1", status.DeletedPods)
			}
			c.wantImages(t, map[string]string{"mira-acme-0": test.repaired, "mira-acme-1": test.repaired})
			if after := c.UIDs(t, "Pod")["mira-acme-0"]; (after == before["mira-acme-0"]) != (test.repaired == "mira:3.0") {
				t.Errorf("pod mira-acme-0 was %s, and is %s", before["mira-acme-0"], after)
			}
		})
	}
}

func TestAPIWaitSaysThatItMayNotDeleteAPod(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	sts := newStatefulSet(t, "mira-acme")
	_ = c.fails(t, c.apply(t, with(t, sts, field{"image", "mira:badpull"})), hasty)
	c.Rights.Withdraw(t, "pods", "delete")
	generation := c.apply(t, sts)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := c.watcher.Wait(ctx, c.target(generation), hasty)
	wantSays(t, err, "0 of 1 pod updated", "were not deleted", "forbidden")
}

func TestAPIWaitFailsWithoutTheRightsToSayWhy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Rights.Withdraw(t, "events", "list")
	c.Rights.Withdraw(t, "persistentvolumeclaims", "get")
	err := c.fails(t, c.apply(t, newStatefulSet(t, "mira-acme", field{"storageClass", "none"})), hasty)
	wantSays(t, err, "pod mira-acme-0: Unschedulable: ", "claims could not be read", "events could not be listed", "forbidden")
}

// network counts requests and can break all connections.
type network struct {
	http.RoundTripper
	mu       sync.Mutex
	requests map[string]int
	open     []net.Conn
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	verb := r.Method
	if r.URL.Query().Get("watch") == "true" {
		verb = "WATCH"
	}
	n.mu.Lock()
	n.requests[verb+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]++
	n.mu.Unlock()
	return n.RoundTripper.RoundTrip(r)
}

func (n *network) count(request string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests[request]
}

func (n *network) breakAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, conn := range n.open {
		_ = conn.Close()
	}
	n.open = nil
}

func (c *cluster) onNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{requests: make(map[string]int)}
	config := rest.CopyConfig(c.config)
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		n.RoundTripper = inner
		return n
	})
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			n.mu.Lock()
			n.open = append(n.open, conn)
			n.mu.Unlock()
		}
		return conn, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	c.watcher = rollout.NewWatcher(client, twoLines, clientLabel)
	return n
}

func TestAPIWaitersShareTheirWatches(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.onNetwork(t)
	const clients = 20
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), acctest.Patience)
	defer cancel()
	// A rollout that does not end keeps the watches open.
	stuck := c.apply(t, newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"}))
	held, stopHolding := context.WithCancel(ctx)
	all.Go(func() {
		_, err := c.watcher.Wait(held, c.target(stuck), rollout.Options{Grace: time.Hour})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	var others sync.WaitGroup
	for i := range clients {
		name := fmt.Sprintf("mira-%d", i)
		generation := c.apply(t, newStatefulSet(t, name))
		others.Go(func() {
			_, err := c.watcher.Wait(ctx, rollout.Target{Namespace: c.Namespace, Name: name, MinGeneration: generation}, rollout.Options{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	others.Wait()
	stopHolding()
	all.Wait()
	for request, most := range map[string]int{"GET statefulsets": 1, "WATCH statefulsets": 1, "GET pods": 1, "WATCH pods": 1} {
		if got := n.count(request); got != most {
			t.Errorf("%d times %s, want %d", got, request, most)
		}
	}
}

func TestAPIWaitSurvivesABrokenConnection(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.onNetwork(t)
	sts := newStatefulSet(t, "mira-acme", field{"image", "mira:badpull"})
	generation := c.apply(t, sts)
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), acctest.Patience)
	defer cancel()
	go func() {
		status, err := c.watcher.Wait(ctx, c.target(generation), rollout.Options{Grace: time.Hour, DeleteStuckPods: true})
		if err == nil && !strings.Contains(status.Message, "1 of 1") {
			err = errors.New(status.Message)
		}
		ended <- err
	}()
	c.waitForReason(t, "mira-acme-0", "ImagePullBackOff")
	n.breakAll()
	c.apply(t, with(t, sts, field{"image", "mira:3.1"}))
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.wantImages(t, map[string]string{"mira-acme-0": "mira:3.1"})
}
