package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestIntegrationUpIsIdempotentAndDownLeavesNothing(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	kubeconfig := local.up(t, name)
	first := stateOf(t, kubeconfig)

	if out := local.must(t, "up", "--name", name); !strings.Contains(out, "already running") {
		t.Errorf("second up says:\n%s", out)
	}
	if again := stateOf(t, kubeconfig); again.Supervisor != first.Supervisor {
		t.Error("the second up has started another cluster")
	}
	status := local.must(t, "status", "--name", name)
	for _, component := range first.Components {
		if !strings.Contains(status, fmt.Sprintf("%-24s pid %-8d healthy", component.Name, component.PID)) {
			t.Errorf("%s is not shown as healthy:\n%s", component.Name, status)
		}
	}

	script := fmt.Sprintf(`eval "$(%s env --name %s)" && printf '%%s %%s ' "$MIRA_TEST_CLUSTER" "$KUBECONFIG" && %s get nodes -o name`,
		shellQuote(local.binary), name, shellQuote(local.kubectl))
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if want := "local " + kubeconfig + " node/node-0\n"; err != nil || string(out) != want {
		t.Errorf("with env: %q, %v; want %q", out, err, want)
	}
	if version := local.do(t, kubeconfig, "version"); !strings.Contains(version, "Server Version: "+first.Version) {
		t.Errorf("version:\n%s\nwant %s", version, first.Version)
	}

	local.must(t, "down", "--name", name)
	wantNothingLeft(t, kubeconfig, pidsOf(first))
	if out, _, code := local.call(t, "status", "--name", name); code != exitNotRunning {
		t.Errorf("status after down: exit code %d\n%s", code, out)
	}
}

func TestIntegrationPodsAndClaims(t *testing.T) {
	local := newTool(t)
	config := local.up(t, clusterName(t))

	t.Run("a StatefulSet becomes ready with a bound claim", func(t *testing.T) {
		local.do(t, config, "apply", "-f", "testdata/statefulset.yaml")
		local.await(t, config, "statefulset/web", ".status.readyReplicas", "1")
		for path, want := range map[string]string{
			".status.phase": "Running",
			".status.containerStatuses[*].state.running.startedAt": "Z",
			".status.containerStatuses[*].started":                 "true true",
			".status.containerStatuses[*].image":                   "mira:3.0 caddy:2",
			".status.containerStatuses[*].containerID":             "containerd://",
			".status.initContainerStatuses[*].state":               `"reason":"Completed"`,
			".status.podIP":                                        "10.244.",
		} {
			if got := local.field(t, config, "pod/web-0", path); !strings.Contains(got, want) {
				t.Errorf("%s = %q, want %q in it", path, got, want)
			}
		}
		status := local.field(t, config, "pvc/data-web-0", ".status")
		if !strings.Contains(status, `"phase":"Bound"`) || !strings.Contains(status, `"storage":"1Gi"`) {
			t.Errorf("status of the claim = %s", status)
		}
	})

	t.Run("a claim grows and does not shrink", func(t *testing.T) {
		patch := func(size string) (string, error) {
			return local.try(config, "patch", "pvc/data-web-0", "-p", fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, size))
		}
		if out, err := patch("3Gi"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		local.await(t, config, "pvc/data-web-0", ".status.capacity.storage", "3Gi")
		if got := local.field(t, config, "pv", ".items[*].spec.capacity.storage"); got != "3Gi" {
			t.Errorf("the volume has %s", got)
		}
		if out, err := patch("1Gi"); err == nil {
			t.Errorf("it shrinks: %s", out)
		}
	})

	t.Run("a claim outlives its StatefulSet, a volume not its claim", func(t *testing.T) {
		local.do(t, config, "delete", "statefulset/web", "--timeout="+patience.String())
		local.do(t, config, "wait", "pod/web-0", "--for=delete", "--timeout="+patience.String())
		if got := local.field(t, config, "pvc/data-web-0", ".status.phase"); got != "Bound" {
			t.Errorf("the claim is %s", got)
		}
		volume := local.field(t, config, "pvc/data-web-0", ".spec.volumeName")
		local.do(t, config, "delete", "pvc/data-web-0", "--timeout="+patience.String())
		local.do(t, config, "wait", "pv/"+volume, "--for=delete", "--timeout="+patience.String())
	})

	t.Run("an image that cannot be pulled", func(t *testing.T) {
		local.do(t, config, "run", "badpull", "--image=registry.example/badpull:1")
		local.await(t, config, "pod/badpull", ".status.containerStatuses[0].state.waiting.reason", "ImagePullBackOff")
		got := local.field(t, config, "pod/badpull", ".status")
		for _, want := range []string{
			`"phase":"Pending"`, `Back-off pulling image \"registry.example/badpull:1\"`, "registry.example/badpull:1: not found",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is missing in %s", want, got)
			}
		}
		eventually(t, "an event reports it", func() bool {
			events := local.do(t, config, "events", "--for=pod/badpull")
			return strings.Contains(events, `Failed to pull image "registry.example/badpull:1"`) && strings.Contains(events, "BackOff")
		})
	})

	t.Run("a container that crashes", func(t *testing.T) {
		local.do(t, config, "run", "crash", "--image=crash:1")
		local.await(t, config, "pod/crash", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
		local.wantFields(t, config, "pod/crash", map[string]string{
			".status.phase": "Running",
			".status.containerStatuses[0].lastState.terminated.exitCode": "1",
			".status.containerStatuses[0].lastState.terminated.reason":   "Error",
			".status.containerStatuses[0].ready":                         "false",
		})
		ip := local.field(t, config, "pod/crash", ".status.podIP")
		local.await(t, config, "pod/crash", ".status.containerStatuses[0].restartCount", "2")
		if got := local.field(t, config, "pod/crash", ".status.podIP"); got != ip {
			t.Errorf("the restart has changed the pod's address from %s to %s", ip, got)
		}
	})

	t.Run("an init container that crashes", func(t *testing.T) {
		local.do(t, config, "run", "init", "--image=mira:3.0", `--overrides={"spec":{"initContainers":[{"name":"migrate","image":"crash:1"}]}}`)
		local.await(t, config, "pod/init", ".status.initContainerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
		local.wantFields(t, config, "pod/init", map[string]string{
			".status.phase": "Pending",
			".status.containerStatuses[0].state.waiting.reason":              "PodInitializing",
			`.status.conditions[?(@.type=="Initialized")].status`:            "False",
			".status.initContainerStatuses[0].restartCount":                  "1",
			".status.initContainerStatuses[0].lastState.terminated.exitCode": "1",
		})
	})

	t.Run("a container that takes its time", func(t *testing.T) {
		local.do(t, config, "run", "slow", "--image=slow:1", "--annotations=localcluster/ready-after=4s")
		local.await(t, config, "pod/slow", ".status.phase", "Running")
		if got := local.field(t, config, "pod/slow", `.status.conditions[?(@.type=="Ready")].status`); got != "False" {
			t.Errorf("Ready = %s at first", got)
		}
		local.await(t, config, "pod/slow", ".status.containerStatuses[0].ready", "true")
		began, err := time.Parse(time.RFC3339, local.field(t, config, "pod/slow", ".status.startTime"))
		if err != nil {
			t.Fatal(err)
		}
		ready, err := time.Parse(time.RFC3339, local.field(t, config, "pod/slow", `.status.conditions[?(@.type=="Ready")].lastTransitionTime`))
		if err != nil {
			t.Fatal(err)
		}
		// Both are in whole seconds.
		if took := ready.Sub(began); took < 3*time.Second {
			t.Errorf("it was ready after %s, want 4s", took)
		}
	})
}

func TestIntegrationRightsAreEnforced(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	admin := local.up(t, name)
	state := stateOf(t, admin)

	local.do(t, admin, "create", "namespace", "team")
	local.do(t, admin, "create", "serviceaccount", "--namespace=team", "reader")
	reader := strings.TrimSpace(local.must(t, "kubeconfig", "--name", name, "--namespace", "team", "--serviceaccount", "reader",
		"--out", filepath.Join(t.TempDir(), "reader")))
	if who := local.do(t, reader, "auth", "whoami"); !strings.Contains(who, "system:serviceaccount:team:reader") {
		t.Errorf("whoami:\n%s", who)
	}
	if out, err := local.try(reader, "get", "pods"); err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("without a role, get pods = %v\n%s", err, out)
	}
	local.do(t, admin, "create", "role", "--namespace=team", "reader", "--verb=list", "--resource=pods")
	local.do(t, admin, "create", "rolebinding", "--namespace=team", "reader", "--role=reader", "--serviceaccount=team:reader")
	eventually(t, "the role takes effect in the account's own namespace", func() bool {
		_, err := local.try(reader, "get", "pods")
		return err == nil
	})
	if out, err := local.try(reader, "get", "pods", "--namespace=default"); err == nil {
		t.Errorf("it may look elsewhere too:\n%s", out)
	}

	// Without a certificate no request is answered, although every user of this
	// machine reaches loopback.
	stranger := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		Timeout:   patience,
	}
	for _, component := range state.Components {
		if component.Name == "kwok" {
			continue // it has nothing to hide, and no way to ask for a certificate
		}
		response, err := stranger.Get(component.Address + "/metrics")
		if err != nil {
			continue // the handshake failed, as etcd's does
		}
		_ = response.Body.Close()
		if response.StatusCode < 400 {
			t.Errorf("%s answers a stranger with %s", component.Name, response.Status)
		}
	}
}

func TestIntegrationAuditLogHasEveryRequest(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	config := local.up(t, name, "--audit")
	out, err := exec.Command("sh", "-c", local.must(t, "env", "--name", name)+`printf %s "$MIRA_TEST_AUDIT_LOG"`).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := string(out)
	local.do(t, config, "create", "configmap", "audited", "--from-literal=key=unaudited")
	var requests []auditEvent
	eventually(t, "kubectl's request is logged", func() bool {
		requests = auditEvents(t, file, "kubectl/")
		return len(requests) > 0 && requests[len(requests)-1].ObjectRef.Resource == "configmaps"
	})
	created := requests[len(requests)-1]
	if created.Verb != "create" || created.Level != "Metadata" || created.ObjectRef.Name != "audited" ||
		created.ResponseStatus.Code != http.StatusCreated {
		t.Errorf("logged is %+v", created)
	}
	for _, request := range auditEvents(t, file, "") {
		if request.Stage == "RequestReceived" {
			t.Fatalf("%s %s is logged before it is answered", request.Verb, request.RequestURI)
		}
	}
	if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), "unaudited") {
		t.Errorf("bodies are in the log, or %v", err)
	}

	local.must(t, "up", "--name", name, "--audit")
	without := clusterName(t) + "-off"
	local.up(t, without)
	if env := local.must(t, "env", "--name", without); strings.Contains(env, "AUDIT") {
		t.Errorf("without an audit log, env prints\n%s", env)
	}
	_, stderr, code := local.call(t, "up", "--name", without, "--audit")
	if code != exitFailed || !strings.Contains(stderr, "runs without an audit log") {
		t.Errorf("up --audit of a cluster that runs without: exit code %d, %s", code, stderr)
	}
}

// auditEvent is what matters of a line of the audit log.
type auditEvent struct {
	Level, Stage, RequestURI, Verb, UserAgent string
	ObjectRef                                 struct{ Resource, Name string }
	ResponseStatus                            struct{ Code int }
}

// auditEvents reads those of one user agent; of all if it is empty.
func auditEvents(t *testing.T, file, agent string) []auditEvent {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []auditEvent
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var event auditEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(event.UserAgent, agent) {
			events = append(events, event)
		}
	}
	return events
}

func TestIntegrationDeadComponentIsReported(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	config := local.up(t, name)
	state := stateOf(t, config)
	victim := state.Components[2]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "status reports that "+victim.Name+" was killed", func() bool {
		out, _, code := local.call(t, "status", "--name", name)
		return code == exitFailed && strings.Contains(out, "degraded") &&
			strings.Contains(out, fmt.Sprintf("%-24s pid %-8d ended with signal: killed", victim.Name, victim.PID))
	})
	if _, stderr, code := local.call(t, "env", "--name", name); code != exitFailed || !strings.Contains(stderr, victim.Name) {
		t.Errorf("env: exit code %d, %s", code, stderr)
	}
	local.up(t, name)
	local.must(t, "status", "--name", name)
	wantGone(t, pidsOf(state))
}

func TestIntegrationFailedStartNamesTheComponent(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	_, stderr, code := local.call(t, "up", "--name", name, "--stages", "testdata/badstages")
	t.Cleanup(func() { local.must(t, "down", "--name", name) })
	if code != exitFailed || !strings.Contains(stderr, "kwok: ended with exit status 1; the end of its log:") ||
		!strings.Contains(stderr, "error converting YAML to JSON") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	out, _, code := local.call(t, "status", "--name", name)
	if code != exitNotRunning || !strings.Contains(out, "the last start failed") || !strings.Contains(out, "kwok: ended") {
		t.Errorf("status: exit code %d:\n%s", code, out)
	}
}

func TestIntegrationRunGivesACommandItsOwnCluster(t *testing.T) {
	local := newTool(t)
	other := local.up(t, clusterName(t)) // side by side
	const script = `
		kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server} '
		kubectl get nodes -o name
		echo "$MIRA_TEST_CLUSTER $KUBECONFIG"
		exit 42`
	out, stderr, code := local.call(t, "run", "--", "sh", "-c", script)
	if code != 42 {
		t.Fatalf("exit code %d, want the command's\n%s%s", code, out, stderr)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	config, ok := strings.CutPrefix(lines[len(lines)-1], "local ")
	if !ok || !strings.Contains(out, "node/node-0") {
		t.Errorf("output:\n%s", out)
	}
	if config == other || strings.HasPrefix(out, stateOf(t, other).Server) {
		t.Error("the command got the other cluster")
	}
	wantNothingLeft(t, config, nil)
	if got := local.do(t, other, "get", "nodes", "-o", "name"); got != "node/node-0\n" {
		t.Errorf("the other cluster has %q", got)
	}
}

func TestIntegrationRunKeepsOnRequest(t *testing.T) {
	local := newTool(t)
	name := clusterName(t)
	t.Cleanup(func() { local.must(t, "down", "--name", name) })
	local.must(t, "run", "--name", name, "--keep", "--", "true")
	local.must(t, "status", "--name", name)
}

// TestIntegrationKilledRunLeavesNothing kills what cannot clean up after
// itself: `run`, and the shell that has started it.
func TestIntegrationKilledRunLeavesNothing(t *testing.T) {
	local := newTool(t)
	for name, viaShell := range map[string]bool{"run itself": false, "the parent of run": true} {
		t.Run(name, func(t *testing.T) {
			// The command says where its cluster is, and who it is.
			args := []string{local.binary, "run", "--", "sh", "-c", `echo "$KUBECONFIG $$"; exec sleep 600`}
			if viaShell {
				// The colon keeps the shell from making way for its command.
				args = append([]string{"sh", "-c", `"$@"; :`, "sh"}, args...)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			starter := exec.CommandContext(ctx, args[0], args[1:]...)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			starter.Stdout = writer
			if err := starter.Start(); err != nil {
				t.Fatal(err)
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			var config string
			var command int
			if _, err := fmt.Fscan(reader, &config, &command); err != nil {
				t.Fatal(err)
			}
			pids := append(pidsOf(stateOf(t, config)), command)
			for _, pid := range pids {
				if !alive(pid) {
					t.Errorf("process %d does not run", pid)
				}
			}
			if err := starter.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = starter.Wait() // "signal: killed"
			wantNothingLeft(t, config, pids)
		})
	}
}
