package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestIntegrationFailures checks for each word that an image's name may contain
// that it leads to what README.md says.
func TestIntegrationFailures(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))
	tests := []struct {
		word, phase, reason, message string
		// Of the last run, if there was one.
		ended, endedFor string
		exitCode        int
		events          []string
	}{
		{
			word: "badpull", phase: "Pending",
			reason: "ImagePullBackOff", message: `Back-off pulling image "registry.example/badpull:1": ErrImagePull: rpc error: code = NotFound`,
			events: []string{"Warning Failed Failed to pull image", "Warning BackOff Back-off pulling image"},
		},
		{
			word: "badname", phase: "Pending",
			reason: "InvalidImageName",
			message: `Failed to apply default image tag "registry.example/badname:1": ` +
				`couldn't parse image name "registry.example/badname:1": invalid reference format`,
			events: []string{"Warning InspectFailed Failed to apply default image tag", "Warning Failed Error: InvalidImageName"},
		},
		{
			word: "badconfig", phase: "Pending",
			reason: "CreateContainerConfigError", message: "couldn't find key password in Secret default/database",
			events: []string{"Warning Failed Error: couldn't find key password in Secret default/database"},
		},
		{
			word: "runerror", phase: "Running",
			reason: "RunContainerError", message: "exec: \"NAME\": executable file not found in $PATH",
			ended: "StartError", exitCode: 128, endedFor: "runc create failed",
			events: []string{"Warning Failed Error: failed to create containerd task"},
		},
		{
			word: "crash", phase: "Running",
			reason: "CrashLoopBackOff", message: "restarting failed container=NAME pod=",
			ended: "Error", exitCode: 1,
			events: []string{"Warning BackOff Back-off restarting failed container"},
		},
		{
			word: "oom", phase: "Running",
			reason: "CrashLoopBackOff", message: "restarting failed container=NAME pod=",
			ended: "OOMKilled", exitCode: 137,
			events: []string{"Warning BackOff Back-off restarting failed container"},
		},
	}
	for _, test := range tests {
		image := "registry.example/" + test.word + ":1"
		sidecar := `{"name":"caddy","image":"caddy:2"}`
		local.do(t, config, "run", test.word, "--image="+image, "--override-type=strategic",
			fmt.Sprintf(`--overrides={"spec":{"containers":[{"name":%q,"image":%q},%s]}}`, test.word, image, sidecar))
		local.do(t, config, "run", "init-"+test.word, "--image=mira:3.0",
			fmt.Sprintf(`--overrides={"spec":{"initContainers":[{"name":"prepare","image":"busybox:1"},{"name":"migrate","image":%q}]}}`, image))
	}
	for _, test := range tests {
		for _, place := range []struct {
			pod, container, phase string
			init                  bool
		}{
			{test.word, test.word, test.phase, false},
			{"init-" + test.word, "migrate", "Pending", true},
		} {
			t.Run(place.pod, func(t *testing.T) {
				statuses := "containerStatuses"
				if place.init {
					statuses = "initContainerStatuses"
				}
				reason := fmt.Sprintf(`.status.%s[?(@.name==%q)].state.waiting.reason`, statuses, place.container)
				local.await(t, config, "pod/"+place.pod, reason, test.reason)
				seen := local.pod(t, config, place.pod)
				failed := seen.container(place.container)
				if want := strings.ReplaceAll(test.message, "NAME", place.container); !strings.Contains(failed.State.Waiting.Message, want) {
					t.Errorf("message = %q, want %q in it", failed.State.Waiting.Message, want)
				}
				last := failed.LastState.Terminated
				if last.Reason != test.ended || last.ExitCode != test.exitCode || !strings.Contains(last.Message, test.endedFor) {
					t.Errorf("last state = %+v", last)
				}
				if seen.Status.Phase != place.phase || seen.condition("Ready").Status != "False" || failed.Ready {
					t.Errorf("phase = %s, conditions = %+v", seen.Status.Phase, seen.Status.Conditions)
				}
				if place.init {
					if got := seen.container("prepare").State.Terminated.Reason; got != "Completed" {
						t.Errorf("the init container before it: %q", got)
					}
					if got := seen.container("init-" + test.word).State.Waiting.Reason; got != "PodInitializing" {
						t.Errorf("the container after it: %q", got)
					}
				} else if !seen.container("caddy").Ready {
					t.Error("the container beside it is not ready")
				}
				eventually(t, fmt.Sprintf("events report it: %q", test.events), func() bool {
					events := local.events(t, config, place.pod)
					return !slices.ContainsFunc(test.events, func(event string) bool { return !strings.Contains(events, event) })
				})
			})
		}
	}

	for _, word := range []string{"runerror", "crash", "oom"} {
		eventually(t, word+" is started again and again", func() bool {
			return local.pod(t, config, word).container(word).RestartCount >= 2
		})
	}
}

func TestIntegrationPodsThatRunAndFail(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))

	t.Run("never ready", func(t *testing.T) {
		local.do(t, config, "run", "unready", "--image=unready:1")
		local.await(t, config, "pod/unready", ".status.phase", "Running")
		eventually(t, "an event reports the probe", func() bool {
			return strings.Contains(local.events(t, config, "unready"), "Warning Unhealthy Readiness probe failed")
		})
		if got := local.pod(t, config, "unready").condition("Ready"); got.Status != "False" || got.Reason != "ContainersNotReady" {
			t.Errorf("it is ready: %+v", got)
		}
	})

	t.Run("evicted", func(t *testing.T) {
		local.do(t, config, "run", "evict", "--image=evict:1")
		local.await(t, config, "pod/evict", ".status.reason", "Evicted")
		seen := local.pod(t, config, "evict")
		ended := seen.container("evict").State.Terminated
		const message = "The node was low on resource: memory."
		if seen.Status.Phase != "Failed" || !strings.HasPrefix(seen.Status.Message, message) || ended.ExitCode != 137 {
			t.Errorf("the pod is %+v", seen.Status)
		}
		for condition, want := range map[string]string{
			"Ready": "PodFailed", "ContainersReady": "PodFailed", "DisruptionTarget": "TerminationByKubelet",
		} {
			if got := seen.condition(condition).Reason; got != want {
				t.Errorf("reason of condition %s = %q, want %q", condition, got, want)
			}
		}
		eventually(t, "an event reports it", func() bool {
			return strings.Contains(local.events(t, config, "evict"), "Warning Evicted The node was low on resource")
		})
	})

	t.Run("an evicted pod of a StatefulSet is replaced", func(t *testing.T) {
		local.do(t, config, "apply", "-f", "testdata/statefulset.yaml")
		local.await(t, config, "statefulset/web", ".status.readyReplicas", "1")
		local.do(t, config, "set", "image", "statefulset/web", "mira=evict:1")
		eventually(t, "its successor has been evicted too", func() bool {
			return strings.Count(local.events(t, config, "web-0"), "Warning Evicted") >= 2
		})
	})

	t.Run("a word within another is none", func(t *testing.T) {
		local.do(t, config, "run", "room", "--image=registry.example/room:1")
		local.await(t, config, "pod/room", ".status.containerStatuses[0].ready", "true")
	})
}

// TestIntegrationPodsThatCannotBeScheduled needs no stages: the scheduler and the
// volume binder are real.
func TestIntegrationPodsThatCannotBeScheduled(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))
	scheduled := `.status.conditions[?(@.type=="PodScheduled")]`

	local.do(t, config, "run", "picky", "--image=mira:3.0", `--overrides={"spec":{"nodeSelector":{"disk":"fast"}}}`)
	local.await(t, config, "pod/picky", scheduled+".reason", "Unschedulable")
	const mismatch = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"
	if got := local.field(t, config, "pod/picky", scheduled+".message"); !strings.Contains(got, mismatch) {
		t.Errorf("the scheduler says %q", got)
	}

	local.do(t, config, "apply", "-f", "testdata/unbound.yaml")
	local.await(t, config, "pod/unbound-0", scheduled+".reason", "Unschedulable")
	const unbound = "unbound immediate PersistentVolumeClaims"
	if got := local.field(t, config, "pod/unbound-0", scheduled+".message"); !strings.Contains(got, unbound) {
		t.Errorf("the scheduler says %q", got)
	}
	eventually(t, "an event says what the claim lacks", func() bool {
		messages := local.do(t, config, "get", "events", "-o", "jsonpath={.items[*].message}")
		return strings.Contains(messages, `storageclass.storage.k8s.io "absent" not found`)
	})
	for object, want := range map[string]string{"pvc/data-unbound-0": "Pending", "pod/unbound-0": "Pending", "pod/picky": "Pending"} {
		if got := local.field(t, config, object, ".status.phase"); got != want {
			t.Errorf("%s is %s, want %s", object, got, want)
		}
	}
}

func TestIntegrationLogs(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))
	local.do(t, config, "run", "crash", "--image=crash:1")
	local.await(t, config, "pod/crash", ".status.containerStatuses[0].restartCount", "1")
	const last = "FATAL: could not connect to database \"mira\": connection refused\n"
	for _, args := range [][]string{{}, {"--previous"}} {
		out := local.do(t, config, append([]string{"logs", "crash", "-c", "crash"}, args...)...)
		if !strings.HasPrefix(out, "INFO: ") || !strings.HasSuffix(out, last) {
			t.Errorf("logs %q:\n%s", args, out)
		}
	}
	if out := local.do(t, config, "logs", "crash", "--tail=1"); out != last {
		t.Errorf("the last line is %q", out)
	}
}

// podSeen is what matters here of a pod.
type podSeen struct {
	Status struct {
		Phase, Reason, Message                   string
		Conditions                               []conditionSeen
		InitContainerStatuses, ContainerStatuses []containerSeen
	}
}

type conditionSeen struct{ Type, Status, Reason, Message string }

type containerSeen struct {
	Name             string
	Ready            bool
	RestartCount     int
	State, LastState struct {
		Waiting    struct{ Reason, Message string }
		Terminated struct {
			Reason, Message string
			ExitCode        int
		}
	}
}

// condition and container return nothing but zeroes for what is not there.
func (p *podSeen) condition(name string) (found conditionSeen) {
	for _, condition := range p.Status.Conditions {
		if condition.Type == name {
			found = condition
		}
	}
	return found
}

func (p *podSeen) container(name string) (found containerSeen) {
	for _, container := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if container.Name == name {
			found = container
		}
	}
	return found
}

func (l *tool) pod(t *testing.T, kubeconfig, name string) *podSeen {
	t.Helper()
	pod := &podSeen{}
	if err := json.Unmarshal([]byte(l.do(t, kubeconfig, "get", "pod", name, "-o", "json")), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// events lists the events of a pod, one a line.
func (l *tool) events(t *testing.T, kubeconfig, pod string) string {
	t.Helper()
	return l.do(t, kubeconfig, "get", "events", "--field-selector=involvedObject.kind=Pod,involvedObject.name="+pod,
		"-o", `jsonpath={range .items[*]}{.type} {.reason} {.message}{"\n"}{end}`)
}
