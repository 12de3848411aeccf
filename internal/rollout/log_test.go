package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// wantLog checks that there is one line for each of the parts, in their order, and that
// no line holds a secret. Other lines may come in between: client-go writes to the same
// log.
func wantLog(t *testing.T, log *acctest.Log, secret string, parts ...string) {
	t.Helper()
	lines := log.Lines()
	var found []string
	for _, line := range lines {
		if strings.Contains(line, secret) {
			t.Errorf("the log holds %q: %s", secret, line)
		}
		if i := slices.IndexFunc(parts, func(part string) bool { return strings.Contains(line, part) }); i >= 0 {
			found = append(found, parts[i])
		}
	}
	if diff := cmp.Diff(parts, found); diff != "" {
		t.Errorf("%s\n%s", diff, strings.Join(lines, "\n"))
	}
}

func TestWaitLogsWhatItDecides(t *testing.T) {
	tests := map[string]struct {
		script script
		lines  []string
	}{
		"a failure, after an outage": {
			script: script{
				list: []answer{down, down, listed(at("100", counts(1, 1, 0)))},
				pods: []answer{podList(pod(0, newest, pending, unready(waiting("ImagePullBackOff", `Back-off pulling image "s3cret"`))))},
			},
			lines: []string{
				`"msg"="Waiting for a rollout" "namespace"="default" "statefulSet"="mira-acme" "minGeneration"=4`,
				`"msg"="Lost contact with the API server" "resource"="statefulsets" "namespace"="default" "error"=`,
				`"msg"="Regained contact with the API server" "resource"="statefulsets"`,
				`"msg"="A pod of the newest revision fails" "namespace"="default" "statefulSet"="mira-acme" ` +
					`"pod"="mira-acme-0" "container"="mira" "reason"="ImagePullBackOff"`,
				`"msg"="The wait for a rollout ended" "namespace"="default" "statefulSet"="mira-acme" "done"=false "status"="0 of 1 pod ready"`,
			},
		},
		"a stuck pod": {
			script: script{
				list:  []answer{listed(statefulSet(1, counts(1, 0, 0)))},
				pods:  []answer{podList(pod(0, older, pending, unready(waiting("ImagePullBackOff", `Back-off pulling image "s3cret"`))))},
				watch: []answer{stream(later(time.Minute, modified(at("101"))))},
			},
			lines: []string{
				`"msg"="Deleted a stuck pod" "namespace"="default" "pod"="mira-acme-0" "revision"="mira-acme-old"`,
				`"msg"="The wait for a rollout ended" "namespace"="default" "statefulSet"="mira-acme" "done"=true`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &acctest.Log{}
				_, _ = test.script.serve(t).wait(log.Context(minutes(t)), 4, deletingStuck)
				synctest.Wait()
				wantLog(t, log, "s3cret", test.lines...)
			})
		})
	}
}

func TestGateLogsWhatItDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &acctest.Log{}
		ctx := log.Context(t.Context())
		a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1})}
		pass, err := a.gate.Enter(ctx, "first")
		if err != nil {
			t.Fatal(err)
		}
		a.arrive(ctx, 1)
		pass.Fail(ctx, "cannot pull s3cret")
		synctest.Wait()
		pass.Leave(ctx)
		wantLog(t, log, "s3cret",
			`"msg"="Admitted by the gate" "client"="first"`,
			`"msg"="Waiting at the gate" "client"="client-0" "waveSize"=1 "running"=1`,
			`"msg"="Closed the gate" "client"="first" "failedClients"=["first"] "maxFailures"=1`,
			`"msg"="The gate is closed" "client"="client-0" "failedClients"=["first"]`,
			`"msg"="The wave ended" "succeeded"=false "nextWaveSize"=1`,
		)
	})
}
