package rollout_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// outage makes a server unreachable for some time, counted from the start of the test.
func outage(from, to time.Duration) func(answer) answer {
	start := time.Now()
	return func(next answer) answer {
		return func(r *http.Request) (*http.Response, error) {
			if since := time.Since(start); since >= from && since < to {
				return down(r)
			}
			return next(r)
		}
	}
}

// While contact is lost, a pod that failed may have recovered.
func TestWaitDoesNotFailByWhatItSawBeforeAnOutage(t *testing.T) {
	broken := pod(0, newest, pending, unready(waiting("ErrImagePull", "not found")))
	tests := map[string]struct {
		script func() script
		failed bool
	}{
		"the pod has recovered in the meantime": {
			script: func() script {
				down := outage(5*time.Second, time.Minute)
				return script{
					list:     []answer{listed(at("100", counts(1, 1, 0)))},
					watch:    []answer{stream(later(time.Minute+30*time.Second, modified(at("101"))))},
					pods:     []answer{down(podList(broken))},
					podWatch: []answer{down(drop(later(5*time.Second, modified(broken)))), down(stream(later(time.Second, modified(pod(0, newest)))))},
				}
			},
		},
		"the pod still fails after the outage": {
			script: func() script {
				down := outage(5*time.Second, time.Minute)
				return script{
					list:     []answer{listed(at("100", counts(1, 1, 0)))},
					pods:     []answer{down(podList(broken))},
					podWatch: []answer{down(drop(later(5*time.Second, modified(broken)))), down(stream())},
				}
			},
			failed: true,
		},
		"the watches hang, and the rollout is done": {
			script: func() script {
				return script{
					list:     []answer{listed(at("100", counts(1, 1, 0)))},
					get:      []answer{object(at("101"))},
					watch:    []answer{stream(later(time.Minute, modified(at("101"))))},
					pods:     []answer{podList(broken)},
					podWatch: []answer{stream(later(time.Minute, modified(pod(0, newest))))},
				}
			},
		},
		"the watches hang, and the server does not answer for a while": {
			script: func() script {
				down := outage(15*time.Second, time.Minute)
				return script{
					list:     []answer{listed(at("100", counts(1, 1, 0)))},
					get:      []answer{down(object(at("101")))},
					watch:    []answer{stream(later(2*time.Minute, modified(at("101"))))},
					pods:     []answer{podList(broken)},
					podWatch: []answer{stream(later(2*time.Minute, modified(pod(0, newest))))},
				}
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := test.script().serve(t).wait(minutes(t), 4)
				var failed *rollout.FailedError
				switch {
				case !test.failed && err != nil:
					t.Errorf("after %s: %v", time.Since(start), err)
				case test.failed && !errors.As(err, &failed):
					t.Errorf("after %s: got %v, want a FailedError", time.Since(start), err)
				case test.failed && failed.Waited < time.Minute:
					t.Errorf("failed after %s, during the outage", failed.Waited)
				}
			})
		})
	}
}
