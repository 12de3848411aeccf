package rollout_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// recorder records a debug log.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) context(ctx context.Context) context.Context {
	return logging.NewContext(ctx, funcr.New(func(_, line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, line)
	}, funcr.Options{Verbosity: 1}))
}

// want checks that there is one line for each of the parts, in their order, and that no
// line holds a secret. Other lines may come in between: client-go writes to the same log.
func (r *recorder) want(t *testing.T, secret string, parts ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, line := range r.lines {
		if strings.Contains(line, secret) {
			t.Errorf("the log holds %q: %s", secret, line)
		}
		if i := slices.IndexFunc(parts, func(part string) bool { return strings.Contains(line, part) }); i >= 0 {
			found = append(found, parts[i])
		}
	}
	if diff := cmp.Diff(parts, found); diff != "" {
		t.Errorf("%s\n%s", diff, strings.Join(r.lines, "\n"))
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
				var log recorder
				_, _ = test.script.serve(t).wait(log.context(minutes(t)), 4, deletingStuck)
				synctest.Wait()
				log.want(t, "s3cret", test.lines...)
			})
		})
	}
}

func TestGateLogsWhatItDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log recorder
		ctx := log.context(t.Context())
		a := &arrivals{t: t, gate: rollout.NewGate(rollout.GateOptions{Start: 1, Factor: 2, MaxFailures: 1})}
		pass, err := a.gate.Enter(ctx, "first")
		if err != nil {
			t.Fatal(err)
		}
		a.arrive(ctx, 1)
		pass.Fail(ctx, "cannot pull s3cret")
		synctest.Wait()
		pass.Leave(ctx)
		log.want(t, "s3cret",
			`"msg"="Admitted by the gate" "client"="first"`,
			`"msg"="Waiting at the gate" "client"="client-0" "waveSize"=1 "running"=1`,
			`"msg"="Closed the gate" "client"="first" "failedClients"=["first"] "maxFailures"=1`,
			`"msg"="The gate is closed" "client"="client-0" "failedClients"=["first"]`,
			`"msg"="The wave ended" "succeeded"=false "nextWaveSize"=1`,
		)
	})
}
