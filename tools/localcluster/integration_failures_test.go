package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestIntegrationFailures checks each word that an image's name may have in it
// against what README.md says it gives.
func TestIntegrationFailures(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))
	tests := []struct {
		word                      string
		phase, reason, message    string
		ended, exitCode, endedFor string // of the last run, if there was one
		event                     []string
	}{
		{
			word: "badpull", phase: "Pending",
			reason: "ImagePullBackOff", message: `Back-off pulling image "registry.example/badpull:1": ErrImagePull: rpc error: code = NotFound`,
			event: []string{"Warning Failed Failed to pull image", "Warning BackOff Back-off pulling image"},
		},
		{
			word: "badname", phase: "Pending",
			reason: "InvalidImageName", message: `Failed to apply default image tag "registry.example/badname:1": couldn't parse image name "registry.example/badname:1": invalid reference format`,
			event: []string{"Warning InspectFailed Failed to apply default image tag", "Warning Failed Error: InvalidImageName"},
		},
		{
			word: "badconfig", phase: "Pending",
			reason: "CreateContainerConfigError", message: "couldn't find key password in Secret default/database",
			event: []string{"Warning Failed Error: couldn't find key password in Secret default/database"},
		},
		{
			word: "runerror", phase: "Running",
			reason: "RunContainerError", message: "exec: \"%s\": executable file not found in $PATH",
			ended: "StartError", exitCode: "128", endedFor: "runc create failed",
			event: []string{"Warning Failed Error: failed to create containerd task"},
		},
		{
			word: "crash", phase: "Running",
			reason: "CrashLoopBackOff", message: "restarting failed container=%s pod=",
			ended: "Error", exitCode: "1",
			event: []string{"Warning BackOff Back-off restarting failed container"},
		},
		{
			word: "oom", phase: "Running",
			reason: "CrashLoopBackOff", message: "restarting failed container=%s pod=",
			ended: "OOMKilled", exitCode: "137",
			event: []string{"Warning BackOff Back-off restarting failed container"},
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
	want := func(t *testing.T, object, path, want string) {
		t.Helper()
		if got := local.field(t, config, object, path); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s of %s = %q, want %q in it", path, object, got, want)
		}
	}
	for _, test := range tests {
		for _, place := range []struct{ pod, statuses, container, phase string }{
			{test.word, "containerStatuses", test.word, test.phase},
			{"init-" + test.word, "initContainerStatuses", "migrate", "Pending"},
		} {
			t.Run(place.pod, func(t *testing.T) {
				pod := "pod/" + place.pod
				status := fmt.Sprintf(`.status.%s[?(@.name==%q)]`, place.statuses, place.container)
				local.await(t, config, pod, status+".state.waiting.reason", test.reason)
				message, _, formatted := strings.Cut(test.message, "%s")
				want(t, pod, status+".state.waiting.message", message)
				if formatted {
					want(t, pod, status+".state.waiting.message", place.container)
				}
				want(t, pod, status+".lastState.terminated.reason", test.ended)
				want(t, pod, status+".lastState.terminated.exitCode", test.exitCode)
				want(t, pod, status+".lastState.terminated.message", test.endedFor)
				want(t, pod, ".status.phase", place.phase)
				want(t, pod, `.status.conditions[?(@.type=="Ready")].status`, "False")
				if place.pod == test.word {
					want(t, pod, `.status.containerStatuses[?(@.name=="caddy")].state`, `"running"`)
				} else {
					want(t, pod, ".status.initContainerStatuses[0].state", `"Completed"`)
					want(t, pod, ".status.containerStatuses[0].state.waiting.reason", "PodInitializing")
					want(t, pod, `.status.conditions[?(@.type=="Initialized")].status`, "False")
				}
				for _, event := range test.event {
					eventually(t, "an event tells about it: "+event, func() bool {
						return strings.Contains(local.events(t, config, place.pod), event)
					})
				}
			})
		}
	}

	t.Run("what comes back is restarted with back-off", func(t *testing.T) {
		for _, word := range []string{"runerror", "oom"} {
			local.await(t, config, "pod/"+word, fmt.Sprintf(`.status.containerStatuses[?(@.name==%q)].restartCount`, word), "2")
		}
	})
}

func TestIntegrationPodsThatRunAndFail(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))

	t.Run("never ready", func(t *testing.T) {
		local.do(t, config, "run", "unready", "--image=unready:1")
		local.await(t, config, "pod/unready", ".status.phase", "Running")
		eventually(t, "an event tells about the probe", func() bool {
			return strings.Contains(local.events(t, config, "unready"), "Warning Unhealthy Readiness probe failed")
		})
		if got := local.field(t, config, "pod/unready", `.status.conditions[?(@.type=="Ready")].status`); got != "False" {
			t.Errorf("Ready = %s", got)
		}
	})

	t.Run("evicted", func(t *testing.T) {
		local.do(t, config, "run", "evict", "--image=evict:1")
		local.await(t, config, "pod/evict", ".status.reason", "Evicted")
		for path, want := range map[string]string{
			".status.phase":   "Failed",
			".status.message": "The node was low on resource: memory.",
			".status.containerStatuses[0].state.terminated.exitCode":                "137",
			`.status.conditions[?(@.type=="Ready")].reason`:                         "PodFailed",
			`.status.conditions[?(@.type=="DisruptionTarget")].reason`:              "TerminationByKubelet",
			`.status.conditions[?(@.type=="ContainersReady")].lastTransitionTime`:   "Z",
			`.status.conditions[?(@.type=="PodReadyToStartContainers")].status`:     "False",
			`.status.containerStatuses[0].state.terminated.finishedAt`:              "Z",
			`.status.containerStatuses[?(@.name=="evict")].state.terminated.reason`: "Error",
		} {
			if got := local.field(t, config, "pod/evict", path); !strings.Contains(got, want) {
				t.Errorf("%s = %q, want %q in it", path, got, want)
			}
		}
		eventually(t, "an event tells about it", func() bool {
			return strings.Contains(local.events(t, config, "evict"), "Warning Evicted The node was low on resource")
		})
	})

	t.Run("an evicted pod of a StatefulSet is replaced", func(t *testing.T) {
		local.do(t, config, "apply", "-f", "testdata/statefulset.yaml")
		local.await(t, config, "statefulset/web", ".status.readyReplicas", "1")
		local.do(t, config, "set", "image", "statefulset/web", "mira=evict:1")
		eventually(t, "a pod of the new revision was evicted", func() bool {
			out, err := local.try(config, "get", "pod/web-0", "-o", "jsonpath={.status.reason}")
			return err == nil && out == "Evicted" || strings.Contains(local.events(t, config, "web-0"), "Warning Evicted")
		})
		eventually(t, "another one was created", func() bool {
			return strings.Contains(local.do(t, config, "get", "events", "-o", "jsonpath={range .items[*]}{.reason} {end}"), "RecreatingFailedPod")
		})
		// Recreated pods may fail again before anybody sees them running.
		local.do(t, config, "set", "image", "statefulset/web", "mira=mira:3.0")
		eventually(t, "a good image ends it", func() bool {
			return local.field(t, config, "statefulset/web", ".status.readyReplicas") == "1" &&
				local.field(t, config, "statefulset/web", ".status.updateRevision") == local.field(t, config, "statefulset/web", ".status.currentRevision")
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
	if got := local.field(t, config, "pod/picky", scheduled+".message"); !strings.Contains(got, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector") {
		t.Errorf("the scheduler says %q", got)
	}

	local.do(t, config, "apply", "-f", "testdata/unbound.yaml")
	local.await(t, config, "pod/unbound-0", scheduled+".reason", "Unschedulable")
	if got := local.field(t, config, "pod/unbound-0", scheduled+".message"); !strings.Contains(got, "unbound immediate PersistentVolumeClaims") {
		t.Errorf("the scheduler says %q", got)
	}
	eventually(t, "an event tells what the claim lacks", func() bool {
		return strings.Contains(local.do(t, config, "get", "events", "-o", "jsonpath={.items[*].message}"), `storageclass.storage.k8s.io "absent" not found`)
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

// events lists the events of a pod, one a line.
func (l *tool) events(t *testing.T, kubeconfig, pod string) string {
	t.Helper()
	return l.do(t, kubeconfig, "get", "events", "--field-selector=involvedObject.kind=Pod,involvedObject.name="+pod,
		"-o", `jsonpath={range .items[*]}{.type} {.reason} {.message}{"\n"}{end}`)
}
