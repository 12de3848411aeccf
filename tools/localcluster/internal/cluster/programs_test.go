package cluster

import (
	"strings"
	"testing"
	"time"
)

// durationFlag returns the value of a flag of the form --name=1m30s.
func durationFlag(t *testing.T, args []string, name string) time.Duration {
	t.Helper()
	for _, arg := range args {
		if value, found := strings.CutPrefix(arg, "--"+name+"="); found {
			duration, err := time.ParseDuration(value)
			if err != nil {
				t.Fatalf("--%s: %v", name, err)
			}
			return duration
		}
	}
	t.Fatalf("--%s is not set in %q", name, args)
	return 0
}

func TestNodeSurvivesASilenceOfMinutes(t *testing.T) {
	t.Parallel()
	args := programs{folder: newCluster(t, "demo").folder}.controllerManager().args
	for _, name := range []string{"node-monitor-grace-period", "node-startup-grace-period"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := durationFlag(t, args, name); got < 5*time.Minute {
				t.Errorf("the node counts as dead after %s without a sign of life; a busy machine needs minutes", got)
			}
		})
	}
}
