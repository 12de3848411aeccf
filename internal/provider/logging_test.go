package provider

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// What the other packages and client-go log is in the provider's log, at the debug
// level.
func TestWithLogger(t *testing.T) {
	var log bytes.Buffer
	ctx := (&server{logsDebug: true}).withLogger(tflogtest.RootLogger(t.Context(), &log))
	logging.Debug(ctx, "Waited", "name", "acme", "error", errors.New("lost"), "waited", 2*time.Second, "left", 1)
	logger := logr.FromContextOrDiscard(ctx)
	logger.WithName("reflector").WithValues("kind", "Pod").Error(errors.New("refused"), "Watch failed")
	logger.V(4).Info("a detail")

	got, err := tflogtest.MultilineJSONDecode(&log)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "acme", "error": "lost", "waited": "2s", "left": 1.0, "@message": "Waited"},
		{"logger": "reflector", "kind": "Pod", "error": "refused", "@message": "Watch failed"},
	}
	for _, line := range want {
		line["@level"], line["@module"] = "debug", "provider"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// With the log off, a call gets no logger, and costs nothing.
func TestWithLogger_off(t *testing.T) {
	for level, want := range map[string]bool{"": true, "TRACE": true, "debug": true, "INFO": false, "off": false} {
		t.Setenv(LogLevelVariable, level)
		s := NewServer("test")().(*server)
		ctx := s.withLogger(t.Context())
		if got := logging.IsEnabled(ctx); got != want {
			t.Errorf("%s=%q: the debug log is on: %v, want %v", LogLevelVariable, level, got, want)
		}
		if allocations := testing.AllocsPerRun(10, func() { s.logFastPath(s.withLogger(ctx), "ReadResource", "") }); !want && allocations > 0 {
			t.Errorf("%s=%q: %v allocations for a call", LogLevelVariable, level, allocations)
		}
	}
}
